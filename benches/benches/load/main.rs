//! The real binary under load, beside the same binary with other settings or beside the real Collector, in one run.
//!
//! `cargo bench -p sluice-benches --bench load -- [scenario…] [--short]`. Without `--bench` (`cargo test --benches`) it
//! is the short form, which asserts that everything arrived and no figure.

mod backlog_memory;
mod catch_up;
mod collector;
mod drive;
mod durable_one;
mod ledger_cost;
mod one_down;
mod payload;
mod place;
mod process;
mod reload;
mod report;
mod rounds;
mod sink;
mod sluice;

use std::process::ExitCode;

use report::say;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SCENARIOS: [&str; 6] = [
    "ledger-cost",
    "durable-one",
    "catch-up",
    "backlog-memory",
    "one-down",
    "reload",
];

/// What the command line asks for.
#[derive(Clone, Copy, Debug)]
struct Options {
    is_short: bool,
}

impl Options {
    /// The figure for the full form or for the short one.
    fn pick<T>(self, full: T, short: T) -> T {
        if self.is_short { short } else { full }
    }
}

async fn run(scenario: &str, options: Options) {
    say(&format!("\n## {scenario}\n"));
    let began = std::time::Instant::now();
    match scenario {
        "ledger-cost" => ledger_cost::run(options).await,
        "durable-one" => durable_one::run(options).await,
        "catch-up" => catch_up::run(options).await,
        "backlog-memory" => backlog_memory::run(options).await,
        "one-down" => one_down::run(options).await,
        _ => reload::run(options).await,
    }
    say(&format!("({:.0} s)", began.elapsed().as_secs_f64()));
}

#[tokio::main]
async fn main() -> ExitCode {
    let mut options = Options {
        // As criterion has it: `cargo bench` says `--bench`, `cargo test` does not.
        is_short: !std::env::args().any(|a| a == "--bench"),
    };
    let mut wanted = Vec::new();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--short" => options.is_short = true,
            flag if flag.starts_with("--") => {}
            name if SCENARIOS.contains(&name) => wanted.push(argument),
            other => {
                say(&format!("no scenario {other}: {}", SCENARIOS.join(", ")));
                return ExitCode::from(2);
            }
        }
    }
    if wanted.is_empty() {
        wanted = SCENARIOS.map(str::to_owned).to_vec();
    }
    say(&place::describe());
    for scenario in &wanted {
        run(scenario, options).await;
    }
    ExitCode::SUCCESS
}
