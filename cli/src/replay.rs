//! `sluice replay`: records of the ledger once more to one exporter, by the running instance or, when none runs, by
//! this process.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures_util::future::join_all;
use indicatif::{ProgressBar, ProgressStyle};
use sluice_engine::{Control, Progress};
use tokio_util::sync::CancellationToken;

use crate::admin::{self, LettersRequest, ReplayRequest, Report, client};
use crate::exit::Exit;
use crate::ledger_directory::{LedgerArguments, read_plan};
use crate::run::Signals;
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
    run(
        &directory,
        arguments.ledger.config(),
        vec![Order::Replay(request)],
    )
}

/// What is to be sent again.
#[derive(Clone)]
pub(crate) enum Order {
    Replay(ReplayRequest),
    /// Of one exporter, in pieces that one request to a running instance can hold.
    Letters(Vec<LettersRequest>),
}

impl Order {
    fn is_dry_run(&self) -> bool {
        matches!(self, Self::Replay(request) if request.dry_run)
    }

    /// What its line begins with.
    fn title(&self) -> String {
        match self {
            Self::Replay(_) if self.is_dry_run() => "dry run, nothing is sent: ".to_owned(),
            Self::Replay(_) => String::new(),
            Self::Letters(requests) => requests
                .first()
                .map(|r| format!("{}: ", words::plain(&r.exporter)))
                .unwrap_or_default(),
        }
    }
}

/// Has all of it done at the same time, by the instance that runs on `directory`, or by this process with the exporters
/// of `config`. SIGTERM and SIGINT end it.
pub(crate) fn run(directory: &Path, config: &Path, orders: Vec<Order>) -> Exit {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    let show = |reports: &[Report]| {
        let all = reports.iter().cloned().reduce(Report::and);
        bar.set_message(all.unwrap_or_default().counts());
    };
    let result = if client::is_running(directory) {
        ask(directory, &orders, show)
    } else {
        let plan = match read_plan(config) {
            Ok(plan) => plan,
            Err(exit) => return exit,
        };
        alone(directory, plan, &orders, show)
    };
    bar.finish_and_clear();
    let reports = match result {
        Ok(reports) => reports,
        Err(error) => {
            complain(&format!("error: {error:#}\n"));
            return Exit::Runtime;
        }
    };
    let mut exit = Exit::Ok;
    for (order, report) in orders.iter().zip(reports) {
        let is_dry_run = order.is_dry_run();
        complain(&format!("{}{}", order.title(), report.summary(is_dry_run)));
        if !report.is_complete(is_dry_run) {
            exit = Exit::Runtime;
        }
    }
    exit
}

/// Has the running instance do it: one request an order at a time, so that one that hangs keeps no other.
fn ask(
    directory: &Path,
    orders: &[Order],
    show: impl Fn(&[Report]),
) -> anyhow::Result<Vec<Report>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut signals = Signals::new()?;
        let reports = RefCell::new(vec![Report::default(); orders.len()]);
        let works = orders.iter().enumerate().map(|(i, order)| {
            let (reports, show) = (&reports, &show);
            let seen = move |report: Report| {
                reports.borrow_mut()[i] = report;
                show(&reports.borrow());
            };
            ask_one(directory, order, seen)
        });
        tokio::select! {
            _ = join_all(works) => {}
            // The instance notices that nobody listens any more, and ends it.
            () = signals.next() => {
                for (order, report) in orders.iter().zip(reports.borrow_mut().iter_mut()) {
                    // It knows how many there are of letters, and not of records of a replay.
                    report.cut_short |= !report.done && matches!(order, Order::Replay(_));
                }
            }
        }
        Ok(reports.into_inner())
    })
}

/// Has one order done, and says how far it is: of letters always with all that are still to come.
async fn ask_one(directory: &Path, order: &Order, mut see: impl FnMut(Report)) {
    let failed = |error: anyhow::Error| Report {
        error: Some(format!("{error:#}")),
        ..Report::default()
    };
    match order {
        Order::Replay(request) => {
            let path = "/api/v1/replay";
            let followed = client::follow(directory, path, request, |r| see(r.clone())).await;
            see(followed.unwrap_or_else(failed));
        }
        Order::Letters(requests) => {
            let path = "/api/v1/dead-letters/retry";
            let letters = |requests: &[LettersRequest]| Report {
                matched: requests.iter().map(|r| r.sequences.len() as u64).sum(),
                done: true,
                ..Report::default()
            };
            let mut done = letters(&[]);
            see(letters(requests));
            for (i, request) in requests.iter().enumerate() {
                let (these, to_come) = (request.sequences.len(), letters(&requests[i + 1..]));
                // All of these are to be sent, also when the instance could not say so any more.
                let whole = |report: Report| Report {
                    matched: these as u64,
                    ..report
                };
                let mut tell =
                    |report: Report| see(done.clone().and(whole(report)).and(to_come.clone()));
                let followed = client::follow(directory, path, request, |r| tell(r.clone())).await;
                let report = whole(followed.unwrap_or_else(failed));
                tell(report.clone());
                let is_over = report.error.is_some();
                done = done.and(report);
                if is_over {
                    break;
                }
            }
        }
    }
}

/// Builds the exporters of the file and nothing else, and sends.
fn alone(
    directory: &Path,
    mut plan: sluice_config::Plan,
    orders: &[Order],
    show: impl Fn(&[Report]),
) -> anyhow::Result<Vec<Report>> {
    if let sluice_config::Ledger::Disk(block) = &mut plan.ledger {
        block.directory = Some(directory.to_owned());
    }
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let mut signals = Signals::new()?;
        let running = sluice_engine::start_idle(plan, sluice_engine::Options::default())?;
        let stop = CancellationToken::new();
        let progress: Vec<_> = orders
            .iter()
            .map(|_| Arc::new(Progress::default()))
            .collect();
        let works = orders.iter().zip(&progress).map(|(order, progress)| {
            do_one(
                running.control(),
                order.clone(),
                progress.clone(),
                stop.clone(),
            )
        });
        let mut works = std::pin::pin!(join_all(works));
        let reports = || progress.iter().map(|p| Report::of(p)).collect::<Vec<_>>();
        let mut ticks = tokio::time::interval(Duration::from_millis(200));
        let results = loop {
            tokio::select! {
                results = &mut works => break results,
                _ = ticks.tick() => show(&reports()),
                () = signals.next() => stop.cancel(),
            }
        };
        running.drain(Duration::from_secs(5)).await;
        let ended = results.into_iter().zip(reports());
        let ended = ended.map(|(result, report)| Report {
            done: true,
            error: result.err().map(|error| format!("{error:#}")),
            ..report
        });
        Ok(ended.collect())
    })
}

async fn do_one(
    control: Control,
    order: Order,
    progress: Arc<Progress>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    match order {
        Order::Replay(request) => {
            let replay = admin::order(request).map_err(anyhow::Error::msg)?;
            control.replay(replay, progress, stop).await?;
        }
        Order::Letters(requests) => {
            let exporter = requests.first().map(|r| r.exporter.clone());
            let sequences = requests.into_iter().flat_map(|r| r.sequences).collect();
            let exporter = exporter.unwrap_or_default();
            control.retry(&exporter, sequences, progress, stop).await?;
        }
    }
    Ok(())
}
