//! Builds the graph that a plan describes and runs it. Names no component.
//!
//! ```text
//!  Receiver ─Outlet─▶ fanout ─▶ path: accept, stages ─▶ log ─▶ delivery loop ─▶ Exporter
//!                        │                                        one each, own cursor, own pace
//!                        └─▶ path of another pipeline
//! ```

mod accept;
mod backoff;
mod build;
mod delivery;
mod fanout;
mod files;
mod graph;
mod health;
mod lane;
mod ledger;
mod lent;
mod outside;
mod pace;
mod path;
mod progress;
mod replay;
mod retry;
mod sink;

#[cfg(test)]
mod tests;

pub use files::read_by as files_read_by;
pub use graph::{Options, Running, StartError, start, start_idle};
pub use health::{Health, State};
pub use ledger::{DEFAULT_DIRECTORY, adjusted as ledger_adjusted, settings as ledger_settings};
pub use outside::MARK as REPLAY_MARK;
pub use progress::Progress;
pub use replay::{Control, Replay, ReplayError};
