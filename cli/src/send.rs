//! `sluice send`: posts sample events, or those of an export file, to a running Sluice.
//!
//! ```text
//!  FILE, stdin ─▶ rows ─▶ batches ─▶ door: sign, post, wait, try again ─▶ progress (FILE.sluice-progress)
//!  sample ────────────────▲
//! ```
//!
//! A batch counts as accepted when it was answered 2xx, and not before. A request whose answer was lost is sent again,
//! so that a pipeline without `dedupe` may get its events twice, but none is left out.

mod batch;
mod door;
mod file;
mod progress;
mod rows;
mod sample;
mod sign;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum};
use sluice_component::HumanDuration;

use crate::exit::Exit;
use crate::lookup::Surroundings;
use crate::source::{complain, say};
use door::Door;
use sign::Scheme;

#[derive(Debug, Args)]
#[command(
    group(ArgGroup::new("source").required(true).args(["file", "sample"])),
    after_help = "Secrets are named, not written: --bearer-env and --secret-env take the name of an environment variable, \
        and a header's value may hold ${env:NAME}.\n\n\
        What was accepted of FILE is remembered in FILE.sluice-progress, so that the same command goes on after a \
        refusal or an interruption; at the end it is removed."
)]
pub(crate) struct SendArguments {
    /// An export file to post: a JSON list, JSON objects one after the other (NDJSON or not) or CSV with a header row;
    /// what it is shows in its content. `-` is standard input.
    #[arg(requires = "format")]
    file: Option<PathBuf>,
    /// Post made-up events of this kind instead of a file: a few with an e-mail address, a card number and an API key in
    /// them, and one twice.
    #[arg(long, value_enum, value_name = "FORMAT", conflicts_with_all = ["format", "from"])]
    sample: Option<Sample>,
    /// How many different sample events.
    #[arg(long, default_value_t = 20, value_name = "N", requires = "sample", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    count: u64,
    /// Who wrote the file's events. It decides where they go when there is no --to.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// URL of a webhook receiver of that format. Default: the one in configs/quickstart.yaml.
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Begin with this record, whatever was accepted before; the first is 1.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    from: Option<u64>,
    /// How long one request is tried again while Sluice cannot be reached or says `503` or `429`: 90s, 5m, 2h.
    /// Default 5m, for samples 10s.
    #[arg(long, value_name = "TIME", value_parser = HumanDuration::parse)]
    retry_for: Option<HumanDuration>,
    /// Add `Name: value` to each request; `${env:NAME}` in the value stands for an environment variable.
    #[arg(long = "header", value_name = "HEADER")]
    headers: Vec<String>,
    /// Add `Authorization: Bearer …` with the value of this environment variable.
    #[arg(long, value_name = "NAME")]
    bearer_env: Option<String>,
    /// Sign each request with the value of this environment variable.
    #[arg(long, value_name = "NAME", requires = "scheme")]
    secret_env: Option<String>,
    /// How requests are signed.
    #[arg(long, value_enum, requires = "secret_env")]
    scheme: Option<Scheme>,
    /// PEM file of the authorities to trust for an `https://` URL, instead of the system's.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// Who wrote the events of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[clap(rename_all = "snake_case")]
enum Format {
    PolicyGateway,
    Keeptrusts,
    LlmGateway,
    Json,
}

/// Which events are made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[clap(rename_all = "snake_case")]
enum Sample {
    PolicyGateway,
    Keeptrusts,
    LlmGateway,
}

impl Format {
    /// Where the quickstart takes events of this format in.
    fn quickstart_url(self) -> Option<&'static str> {
        match self {
            Self::PolicyGateway => Some("http://127.0.0.1:4319/policy-gateway"),
            Self::Keeptrusts => Some("http://127.0.0.1:4320/keeptrusts"),
            Self::LlmGateway => Some("http://127.0.0.1:4321/llm-gateway"),
            Self::Json => None,
        }
    }
}

impl From<Sample> for Format {
    fn from(sample: Sample) -> Self {
        match sample {
            Sample::PolicyGateway => Self::PolicyGateway,
            Sample::Keeptrusts => Self::Keeptrusts,
            Sample::LlmGateway => Self::LlmGateway,
        }
    }
}

/// Why not everything was sent.
#[derive(Debug)]
enum Stopped {
    /// The command line cannot be carried out.
    Usage(String),
    /// Something failed on the way.
    Failed(String),
}

/// Posts what the arguments name.
pub(crate) fn send(arguments: &SendArguments) -> Exit {
    let (text, exit) = match carry_out(arguments) {
        Ok(text) => {
            say(&format!("{text}\n"));
            return Exit::Ok;
        }
        Err(Stopped::Usage(text)) => (text, Exit::Usage),
        Err(Stopped::Failed(text)) => (text, Exit::Runtime),
    };
    complain(&format!("error: {text}\n"));
    exit
}

fn carry_out(arguments: &SendArguments) -> Result<String, Stopped> {
    let format = arguments.format.or(arguments.sample.map(Format::from));
    let to = match (&arguments.to, format.and_then(Format::quickstart_url)) {
        (Some(to), _) => to,
        (None, Some(url)) => url,
        (None, None) => {
            return Err(Stopped::Usage(
                "--to is missing: the quickstart has no receiver for this format".to_owned(),
            ));
        }
    };
    let usual_patience = match arguments.sample {
        Some(_) => Duration::from_secs(10),
        None => Duration::from_secs(300),
    };
    let patience = arguments.retry_for.map_or(usual_patience, |time| time.0);
    let door = Door::open(arguments, to, patience, &Surroundings).map_err(Stopped::Usage)?;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Stopped::Failed(format!("no threads to run on: {error}")))?;
    match (arguments.sample, &arguments.file) {
        (Some(sample), _) => runtime.block_on(sample::send(&door, sample, arguments.count)),
        (None, Some(path)) => runtime.block_on(file::send(&door, path, arguments.from)),
        (None, None) => Err(Stopped::Usage("name a file, or give --sample".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_urls_are_where_the_quickstart_takes_each_format_in() {
        let quickstart = include_str!("../../configs/quickstart.yaml");
        for format in Format::value_variants() {
            let Some(url) = format.quickstart_url() else {
                continue;
            };
            let (address, path) = url
                .strip_prefix("http://")
                .and_then(|rest| rest.split_once('/'))
                .expect("a URL with a path");
            let name = format.to_possible_value().expect("no format is hidden");
            let receiver = format!(
                "    endpoint: {address}\n    path: /{path}\n    format: {}\n",
                name.get_name()
            );
            assert!(quickstart.contains(&receiver), "{receiver}");
        }
    }
}
