//! Findings and campaigns in words and pictures; only the command line prints.
//!
//! What is said is data (`model`), and the rest lays it out: `text` for people, `json` and
//! `junit` for machines.

#[cfg(feature = "cli")]
pub mod comparison;
#[cfg(feature = "cli")]
mod json;
#[cfg(feature = "cli")]
mod junit;
pub mod model;
mod promise;
mod reach;
mod sentence;
mod table;
mod text;
mod timeline;

#[cfg(feature = "cli")]
pub use json::json;
#[cfg(feature = "cli")]
pub use junit::{Suite, junit};
pub(crate) use reach::no_effect;
pub use sentence::sentence;
pub use text::{
    Style, cannot_judge, count, finding, headline, jump, of_scripts, pasteable, problem_headline,
    recapitulation, replay, saved, stale, summary, target, thousands, variants, wrap, wrap_to,
};
pub use timeline::{Lane, Row, Timeline, timeline};

use crate::bounds::Bounds;
use crate::exchange::Exchange;
use crate::finding::Finding;
use crate::finding::repro::{Repro, ending_fields};
use crate::script::Script;
use crate::target::Target;
use crate::verdict::Violation;
use crate::wire::Opening;

/// The repro of a finding.
pub fn repro(target: &dyn Target, bounds: Bounds, finding: &Finding) -> Repro {
    let Finding { violation, script, exchange, runtime_seed, .. } = finding;
    let shown = Shown { violation, script, exchange, runtime_seed: *runtime_seed };
    shown.repro((target.name(), target.version()), target.opening(), bounds)
}

/// What a repro is made of, wherever it was played.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The violation, as the script shows it.
    pub violation: &'a Violation,
    /// The minimal script.
    pub script: &'a Script,
    /// The script's exchange.
    pub exchange: &'a Exchange,
    /// The seed of the runtime's own choices; 0 in real time.
    pub runtime_seed: u64,
}

impl Shown<'_> {
    /// The repro of something that `target`, a name and a version, showed when it was sent this
    /// `opening`.
    pub fn repro(&self, target: (&str, &str), opening: &Opening, bounds: Bounds) -> Repro {
        let Self { violation, script, exchange, runtime_seed } = *self;
        let (ending, at_seconds) = ending_fields(violation.ending);
        Repro {
            hangup: env!("CARGO_PKG_VERSION").to_owned(),
            target: (target.0.to_owned(), target.1.to_owned()),
            opening: opening.clone(),
            bounds,
            identity: violation.identity,
            level: violation.level,
            ending,
            at_seconds,
            sentence: sentence(violation, exchange),
            script: script.clone(),
            runtime_seed,
            digest: exchange.digest(),
            confirmed: violation.doubts.is_empty(),
        }
    }
}
