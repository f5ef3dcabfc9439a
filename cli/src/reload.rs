//! `sluice reload`.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use sluice_config::{Ledger, Plan};

use crate::admin::client;
use crate::exit::Exit;
use crate::ledger_directory::{DEFAULT_CONFIG, read_all};
use crate::run::Outcome;
use crate::source::{complain, say};

#[derive(Debug, Args)]
pub(crate) struct ReloadArguments {
    /// The ledger's directory of the running instance [default: that of the configuration].
    #[arg(value_name = "LEDGER_DIR")]
    directory: Option<PathBuf>,
    /// The configuration files of the running instance, which say where it is reached.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    config: Vec<PathBuf>,
}

/// Where an instance is reached.
enum Place {
    Ledger(PathBuf),
    Endpoint(String),
    Nowhere,
}

impl Place {
    fn of(plan: &Plan) -> Self {
        match (&plan.ledger, plan.admin.endpoint()) {
            (Ledger::Disk(block), _) => {
                Self::Ledger(sluice_engine::ledger_settings(block).directory)
            }
            (Ledger::None, Some(endpoint)) => Self::Endpoint(endpoint.to_owned()),
            (Ledger::None, None) => Self::Nowhere,
        }
    }
}

/// Makes the instance that runs on a file read it again, and says what became of it.
pub(crate) fn reload(arguments: &ReloadArguments) -> Exit {
    let place = match &arguments.directory {
        Some(directory) => Place::Ledger(directory.clone()),
        // Read for where the instance is; whether the file is good is for the instance to say, in its surroundings.
        None => match read_all(&arguments.config) {
            Ok(plan) => Place::of(&plan),
            Err(exit) => {
                complain(
                    "nobody was asked: name the ledger's directory, `sluice reload LEDGER_DIR`\n",
                );
                return exit;
            }
        },
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let asked = runtime
        .context("no runtime")
        .and_then(|runtime| runtime.block_on(ask(&place)));
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
async fn ask(place: &Place) -> anyhow::Result<Outcome> {
    let response = match place {
        Place::Ledger(directory) => client::ask(directory, "/-/reload", &()).await?,
        Place::Nowhere => bail!(
            "the file says `admin: none` and `ledger: none`: send SIGHUP to the process instead"
        ),
        Place::Endpoint(endpoint) => {
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
