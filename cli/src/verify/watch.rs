//! A bar on the terminal while a ledger is read.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sluice_ledger::Progress;

/// Shows how far it has got, on standard error; nothing where nobody watches.
pub(super) struct Watch {
    bar: ProgressBar,
}

impl Watch {
    pub(super) fn new() -> Self {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let style = "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, record {msg} ({eta} left)";
        bar.set_style(ProgressStyle::with_template(style).expect("the template is well formed"));
        Self { bar }
    }

    pub(super) fn at(&self, progress: Progress) {
        if self.bar.is_hidden() {
            return;
        }
        self.bar.set_length(progress.total_bytes);
        self.bar.set_position(progress.bytes);
        self.bar.set_message(progress.sequence.to_string());
    }

    /// Takes the bar away.
    pub(super) fn finish(self) {
        self.bar.finish_and_clear();
    }
}
