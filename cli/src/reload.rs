//! `sluice reload`.

use anyhow::{Context as _, bail};
use clap::Args;
use sluice_config::{Ledger, Plan};

use crate::admin::client;
use crate::exit::Exit;
use crate::ledger_directory::{DEFAULT_CONFIG, read_plan};
use crate::run::Outcome;
use crate::source::{complain, say};

#[derive(Debug, Args)]
pub(crate) struct ReloadArguments {
    /// The configuration file of the running instance, which says where it is reached.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    pub(crate) config: std::path::PathBuf,
}

/// Makes the instance that runs on a file read it again, and says what became of it.
pub(crate) fn reload(arguments: &ReloadArguments) -> Exit {
    // A file that is wrong would be refused over there as well.
    let plan = match read_plan(&arguments.config) {
        Ok(plan) => plan,
        Err(exit) => return exit,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let asked = runtime
        .context("no runtime")
        .and_then(|runtime| runtime.block_on(ask(&plan)));
    match asked {
        Ok(outcome) => {
            for line in outcome.changes.iter().chain(&outcome.errors) {
                say(&format!("{line}\n"));
            }
            if outcome.success {
                let what = if outcome.changes.is_empty() {
                    "nothing has changed"
                } else {
                    "reloaded"
                };
                say(&format!(
                    "{what}: generation {}, hash {}\n",
                    outcome.generation, outcome.hash
                ));
                Exit::Ok
            } else {
                complain("not reloaded: the configuration that runs goes on\n");
                Exit::Configuration
            }
        }
        Err(error) => {
            complain(&format!("error: {error:#}\n"));
            Exit::Runtime
        }
    }
}

/// Over the socket in the ledger's directory, which needs no port; without a ledger over the admin endpoint.
async fn ask(plan: &Plan) -> anyhow::Result<Outcome> {
    let response = match &plan.ledger {
        Ledger::Disk(block) => {
            let directory = sluice_engine::ledger_settings(block).directory;
            client::ask(&directory, "/-/reload", &()).await?
        }
        Ledger::None => {
            let Some(endpoint) = plan.admin.endpoint() else {
                bail!(
                    "the file says `admin: none` and `ledger: none`: send SIGHUP to the process instead"
                );
            };
            let client = reqwest::Client::builder().no_proxy().build()?;
            let url = format!("http://{endpoint}/-/reload");
            let sent = client.post(url).send().await;
            sent.with_context(|| format!("no instance answers on {endpoint}"))?
        }
    };
    let status = response.status();
    let body = response.bytes().await?;
    serde_json::from_slice(&body).with_context(|| format!("the running instance answered {status}"))
}
