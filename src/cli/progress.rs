//! How far a whole run is, on stderr where that is a terminal: scripts, rate,
//! problems, time left. One bar for all targets.

use super::args::{SCRIPTS, Test};
use crate::report;
use crate::run::campaign::CampaignProgress;
use indicatif::{ProgressBar, ProgressStyle};
use std::cell::Cell;

/// The bar.
pub(super) struct Bar {
    bar: ProgressBar,
    targets: usize,
    /// Scripts and problems of the targets before this one.
    before: Cell<(u64, usize)>,
    /// Those of this one so far.
    here: Cell<(u64, usize)>,
}

impl Bar {
    /// A bar where the number of scripts is known, a spinner where only the time is.
    pub fn new(targets: usize, options: &Test) -> Self {
        let (bar, template) = if let Some(lasting) = options.lasting {
            (
                ProgressBar::new_spinner(),
                format!(
                    "{{spinner}} {{prefix}}: {{human_pos}} scripts, {{per_sec}}, {{msg}}, \
                     {{elapsed}} of {lasting}"
                ),
            )
        } else {
            let scripts = options.scripts.unwrap_or(SCRIPTS);
            (
                ProgressBar::new(scripts.saturating_mul(targets as u64)),
                "{bar:16} {human_pos}/{human_len}, {per_sec}, {msg}, {eta} left: {prefix}"
                    .to_owned(),
            )
        };
        let style = ProgressStyle::with_template(&template)
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = bar.with_style(style).with_message("0 problems");
        Self { bar, targets, before: Cell::default(), here: Cell::default() }
    }

    /// It is the `index`-th target's turn.
    pub fn target(&self, name: &str, index: usize) {
        let (before, here) = (self.before.get(), self.here.take());
        self.before.set((before.0 + here.0, before.1 + here.1));
        self.bar.set_prefix(match self.targets {
            1 => name.to_owned(),
            targets => format!("{name} ({} of {targets})", index + 1),
        });
    }

    /// So far it is.
    pub fn tell(&self, progress: &CampaignProgress<'_>) {
        let (scripts, problems) = self.before.get();
        self.here.set((progress.scripts, progress.problems));
        self.bar.set_position(scripts + progress.scripts);
        self.bar.set_message(report::count(problems + progress.problems, "problem"));
    }

    /// Prints something while the bar is out of the way.
    pub fn aside(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
