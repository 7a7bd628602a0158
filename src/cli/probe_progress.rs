//! How far a probe is, on stderr: a bar where that is a terminal, else a line every ten seconds.

use super::clock::now;
use super::output;
use super::progress::EVERY;
use crate::report;
use crate::run::real_time::ProbeProgress;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal as _, stderr};
use std::time::Instant;

/// The bar.
pub(super) struct ProbeBar {
    bar: ProgressBar,
    /// When the last line was written, where there is no terminal.
    told: Option<Instant>,
}

impl ProbeBar {
    pub fn new(scripts: u64) -> Self {
        let template = "{bar:20} {human_pos}/{human_len}, {msg}, {elapsed}";
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(scripts).with_style(style).with_message("connecting");
        Self { bar, told: (!stderr().is_terminal()).then(now) }
    }

    /// So far it is.
    pub fn tell(&mut self, progress: &ProbeProgress<'_>) {
        let (at, of, message) = match *progress {
            ProbeProgress::Playing(at, of, found) => {
                (at, of, format!("scripts played, {}", report::count(found, "possible finding")))
            }
            ProbeProgress::Shrinking(at, of) => {
                let message = "possible findings shrunk to their shortest scripts";
                (at as u64, of as u64, message.to_owned())
            }
            ProbeProgress::Confirming(at, of) => {
                (at as u64, of as u64, "possible findings played again".to_owned())
            }
            ProbeProgress::Watching(at, of) => {
                (at as u64, of as u64, "open connections watched to the end".to_owned())
            }
            ProbeProgress::Dying(plays) => {
                let plays = u64::from(plays);
                (plays, plays, "plays to find the script that kills the server".to_owned())
            }
            ProbeProgress::Seen(_) | ProbeProgress::News(_) => return,
        };
        self.bar.set_length(of);
        self.bar.set_position(at);
        if self.told.is_none_or(|told| told + EVERY > now()) {
            self.bar.set_message(message);
            return;
        }
        self.told = Some(now());
        let seconds = self.bar.elapsed().as_secs();
        output::note(&format!("{seconds} s: {at} of {of} {message}"));
    }

    /// Prints something while the bar is out of the way.
    pub fn aside(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
