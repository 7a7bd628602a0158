//! How far a whole run is, on stderr: scripts, rate, problems, time left. One bar for all targets
//! where that is a terminal, else a line every ten seconds; problems as they are found, above it.

use super::args::{SCRIPTS, Test};
use super::clock::now;
use super::output;
use crate::report;
use crate::run::campaign::CampaignProgress;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use std::cell::{Cell, RefCell};
use std::fmt::Write;
use std::io::{IsTerminal as _, stderr};
use std::time::{Duration, Instant};

/// How often a line is written where there is no terminal.
pub(super) const EVERY: Duration = Duration::from_secs(10);

/// Who waits for less at a terminal is shown problems in the report alone; without one they come with
/// the lines.
const SOON: Duration = Duration::from_secs(1);

/// The bar.
pub(super) struct Bar {
    bar: ProgressBar,
    targets: usize,
    /// Scripts and problems of the targets before this one.
    before: Cell<(u64, usize)>,
    /// Those of this one so far.
    here: Cell<(u64, usize)>,
    /// Which target it is.
    target: RefCell<String>,
    /// How many scripts it is to be, where that is known.
    scripts: Option<u64>,
    began: Instant,
    /// Problems of this target that were not shown yet.
    found: RefCell<Vec<String>>,
    /// When the last line was written, where there is no terminal.
    told: Option<Cell<Instant>>,
}

impl Bar {
    /// A bar where the number of scripts is known, a spinner where only the time is.
    pub fn new(targets: usize, options: &Test) -> Self {
        let scripts = match options.lasting {
            Some(_) => None,
            None => Some(options.scripts.unwrap_or(SCRIPTS).saturating_mul(targets as u64)),
        };
        // What may be long stands last, and is cut where the line ends.
        let (bar, template) = match (scripts, &options.lasting) {
            (None, Some(lasting)) => (
                ProgressBar::new_spinner(),
                format!(
                    "{{spinner}} {{elapsed}} of {lasting}, {{human_pos}} scripts, {{rate}}, {{wide_msg}}"
                ),
            ),
            (scripts, _) => (
                ProgressBar::new(scripts.unwrap_or_default()),
                "{bar:10} {human_pos}/{human_len}, {rate}, {eta} left, {wide_msg}".to_owned(),
            ),
        };
        let rate = |state: &ProgressState, out: &mut dyn Write| {
            let _ = write!(out, "{}/s", report::thousands(state.per_sec() as u64));
        };
        let style = ProgressStyle::with_template(&template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .with_key("rate", rate);
        let bar = bar.with_style(style);
        let told = (!stderr().is_terminal()).then(|| Cell::new(now()));
        let (before, here, target) = (Cell::default(), Cell::default(), RefCell::default());
        let (began, found) = (now(), RefCell::default());
        Self { bar, targets, before, here, target, scripts, began, found, told }
    }

    /// It is the `index`-th target's turn.
    pub fn target(&self, name: &str, index: usize) {
        let (before, here) = (self.before.get(), self.here.take());
        self.before.set((before.0 + here.0, before.1 + here.1));
        // The report of the one before has them.
        self.found.take();
        self.target.replace(match self.targets {
            1 => name.to_owned(),
            targets => format!("{name} ({} of {targets})", index + 1),
        });
        self.bar.set_message(self.message());
    }

    /// So far it is.
    pub fn tell(&self, progress: &CampaignProgress<'_>) {
        self.here.set((progress.scripts, progress.problems));
        self.bar.set_position(self.before.get().0 + progress.scripts);
        self.bar.set_message(self.message());
        let Some(told) = &self.told else {
            if self.began + SOON <= now() {
                self.show_found();
            }
            return;
        };
        if told.get() + EVERY <= now() {
            told.set(now());
            self.show_found();
            output::note(&self.line());
        }
    }

    /// This target has so many problems in the end: fewer than were seen where some are not confirmed.
    pub fn ended(&self, problems: usize) {
        self.here.set((self.here.get().0, problems));
    }

    /// A problem of this target, in a line: shown once the run takes longer than a moment.
    pub fn found(&self, problem: String) {
        self.found.borrow_mut().push(problem);
    }

    /// Shows the problems that were found and not shown yet.
    pub fn show_found(&self) {
        for problem in self.found.take() {
            self.aside(|| output::note(&problem));
        }
    }

    fn message(&self) -> String {
        let problems = self.before.get().1 + self.here.get().1;
        format!("{}: {}", report::count(problems, "problem"), self.target.borrow())
    }

    /// `40,000 of 120,000 scripts, 1 problem: reference (2 of 6)`.
    fn line(&self) -> String {
        let scripts = report::thousands(self.before.get().0 + self.here.get().0);
        let of =
            self.scripts.map_or_else(String::new, |all| format!(" of {}", report::thousands(all)));
        format!("{scripts}{of} scripts, {}", self.message())
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
