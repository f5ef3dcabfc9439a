//! What the user sees while a file is sent: a bar on a terminal, else a line now and then.

use std::io::{IsTerminal as _, Read};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};
use tokio::time::Instant;

use crate::source::complain;

/// How often a line is written where there is no terminal.
const EVERY: Duration = Duration::from_secs(5);

/// Shows how far it has got, on standard error.
pub(super) struct Watch {
    bar: ProgressBar,
    said: Instant,
}

impl Watch {
    /// For an input of this many bytes, if that is known.
    pub(super) fn new(length: Option<u64>) -> Self {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let template = match length {
            Some(_) => "{bar:30} {bytes} of {total_bytes}, {msg} ({eta} left)",
            None => "{spinner} {bytes}, {msg}",
        };
        // When sending fails the bar stays where it stopped.
        let bar =
            ProgressBar::with_draw_target(length, target).with_finish(ProgressFinish::Abandon);
        bar.set_style(
            ProgressStyle::with_template(template).expect("the templates are well formed"),
        );
        Self {
            bar,
            said: Instant::now(),
        }
    }

    /// Nothing but lines.
    pub(super) fn lines() -> Self {
        Self {
            bar: ProgressBar::hidden(),
            said: Instant::now(),
        }
    }

    /// The input, counted as it is read.
    pub(super) fn over<R: Read>(&self, input: R) -> impl Read + use<R> {
        self.bar.wrap_read(input)
    }

    /// So many records are accepted.
    pub(super) fn accepted(&mut self, records: u64) {
        self.bar.set_message(format!("{records} records accepted"));
        if self.bar.is_hidden() && self.said.elapsed() >= EVERY {
            self.said = Instant::now();
            self.line(&format!("{records} records accepted so far"));
        }
    }

    /// Something worth a line of its own.
    pub(super) fn line(&self, text: &str) {
        self.bar.suspend(|| complain(&format!("{text}\n")));
    }

    /// Takes the bar away.
    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }
}
