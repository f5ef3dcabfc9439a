//! `sluice replay`: records of the ledger once more to one exporter, by the running instance or, when none runs, by
//! this process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use sluice_engine::Progress;
use tokio_util::sync::CancellationToken;

use crate::admin::{self, LettersRequest, ReplayRequest, Report, client};
use crate::exit::Exit;
use crate::ledger_directory::{LedgerArguments, read_plan};
use crate::select::SelectArguments;
use crate::source::complain;
use crate::words;

#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    #[command(flatten)]
    ledger: LedgerArguments,
    #[command(flatten)]
    select: SelectArguments,
    /// The exporter that gets the records: its id in the file, or one destination of it.
    #[arg(long, value_name = "ID")]
    to_exporter: String,
    /// Only count the records.
    #[arg(long)]
    dry_run: bool,
    /// At most so many records a second: `500/s`.
    #[arg(long, value_name = "N/s", value_parser = rate, default_value = "0/s", hide_default_value = true)]
    rate: u32,
}

fn rate(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix("/s").unwrap_or(text);
    number
        .parse()
        .map_err(|_| format!("`{text}` is no rate: write `500/s`"))
}

/// Replays and says how it went.
pub(crate) fn replay(arguments: &ReplayArguments) -> Exit {
    let (directory, selection) = match (arguments.ledger.directory(), arguments.select.selection())
    {
        (Ok(directory), Ok(selection)) => (directory, selection),
        (Err(exit), _) | (_, Err(exit)) => return exit,
    };
    let request = ReplayRequest {
        from: selection.from,
        to: selection.to,
        condition: arguments.select.condition.clone().unwrap_or_default(),
        exporter: arguments.to_exporter.clone(),
        dry_run: arguments.dry_run,
        rate: arguments.rate,
    };
    if request.dry_run {
        complain("dry run, nothing is sent: ");
    }
    run(
        &directory,
        arguments.ledger.config(),
        Order::Replay(request),
    )
}

/// What is to be sent again.
pub(crate) enum Order {
    Replay(ReplayRequest),
    Letters(LettersRequest),
}

/// Has it done by the instance that runs on `directory`, or by this process with the exporters of `config`.
pub(crate) fn run(directory: &Path, config: &Path, order: Order) -> Exit {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    let show = |report: &Report| bar.set_message(words(report));
    let result = if client::is_running(directory) {
        ask(directory, &order, show)
    } else {
        let plan = match read_plan(config) {
            Ok(plan) => plan,
            Err(exit) => return exit,
        };
        alone(directory, plan, order, show)
    };
    bar.finish_and_clear();
    match result {
        Ok(report) => {
            complain(&format!("{}\n", words(&report)));
            let is_complete = report.refused == 0 && report.lost == 0;
            if is_complete { Exit::Ok } else { Exit::Runtime }
        }
        Err(error) => {
            complain(&format!("error: {error:#}\n"));
            Exit::Runtime
        }
    }
}

fn words(report: &Report) -> String {
    let mut words = format!(
        "{}, {} delivered",
        words::count(report.matched, "record"),
        words::number(report.delivered)
    );
    if report.refused > 0 {
        words += &format!(
            ", {} refused (see `sluice dead-letters list`)",
            report.refused
        );
    }
    if report.lost > 0 {
        words += &format!(", {} damaged in the ledger", report.lost);
    }
    words
}

fn ask(directory: &Path, order: &Order, show: impl FnMut(&Report)) -> anyhow::Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match order {
            Order::Replay(request) => {
                client::follow(directory, "/api/v1/replay", request, show).await
            }
            Order::Letters(request) => {
                client::follow(directory, "/api/v1/dead-letters/retry", request, show).await
            }
        }
    })
}

/// Builds the exporters of the file and nothing else, and sends.
fn alone(
    directory: &Path,
    mut plan: sluice_config::Plan,
    order: Order,
    mut show: impl FnMut(&Report),
) -> anyhow::Result<Report> {
    if let sluice_config::Ledger::Disk(block) = &mut plan.ledger {
        block.directory = Some(directory.to_owned());
    }
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let running = sluice_engine::start_idle(plan, sluice_engine::Options::default())?;
        let control = running.control();
        let (progress, stop) = (Arc::new(Progress::default()), CancellationToken::new());
        let work = {
            let (progress, stop) = (progress.clone(), stop.clone());
            async move {
                match order {
                    Order::Replay(request) => {
                        let replay = admin::order(request).map_err(anyhow::Error::msg)?;
                        control.replay(replay, progress, stop).await?;
                    }
                    Order::Letters(request) => {
                        let sequences = admin::letters(&control, &request).unwrap_or_default();
                        control
                            .retry(&request.exporter, sequences, progress, stop)
                            .await?;
                    }
                }
                anyhow::Ok(())
            }
        };
        tokio::pin!(work);
        let mut ticks = tokio::time::interval(Duration::from_millis(200));
        let result = loop {
            tokio::select! {
                result = &mut work => break result,
                _ = ticks.tick() => show(&Report::of(&progress)),
                _ = tokio::signal::ctrl_c() => stop.cancel(),
            }
        };
        running.drain(Duration::from_secs(5)).await;
        result?;
        Ok(Report::of(&progress))
    })
}
