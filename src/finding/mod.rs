//! A finding: a rule broken, with the minimal script that shows it; as a file, and saved.
//!
//! Plain data, and text in and out. Who plays, judges and shrinks is the callers' business.

pub mod input;
pub mod problem;
pub mod repro;
pub mod save;
pub mod share;

use crate::exchange::Exchange;
use crate::script::Script;
use crate::verdict::{Reason, Violation};

/// Something found: the first script that broke a rule in this way, shrunk where it is the
/// headline of a [problem](crate::finding::problem).
#[derive(Clone, Debug)]
pub struct Finding {
    /// The violation, as the script shows it.
    pub violation: Violation,
    /// The minimal script, where it is shrunk; else the first that was found.
    pub script: Script,
    /// Whether the script is shrunk.
    pub shrunk: bool,
    /// Whether shrinking ended because its plays had cost all that they may: then the script may not
    /// be minimal.
    pub cut_short: bool,
    /// The index in the campaign of the first script, from which it was shrunk.
    pub index: u64,
    /// The seed of the runtime's own choices, for [`play`](crate::run::virtual_time::play).
    pub runtime_seed: u64,
    /// How many plays shrinking took.
    pub plays: u32,
    /// Of ten more plays of the minimal script (of three, where each takes real time; of one, where
    /// shrinking was cut short),
    /// the share that failed: 1 unless flaky. One play, where it is not shrunk.
    pub rate: f64,
    /// The script's exchange.
    pub exchange: Exchange,
    /// Why it is not held against the server, where it is not: then it is no finding.
    pub dismissed: Option<Reason>,
}

impl Finding {
    /// Whether it is not held against the server.
    pub const fn is_dismissed(&self) -> bool {
        self.dismissed.is_some()
    }

    /// Whether the script does not fail every time.
    pub fn is_flaky(&self) -> bool {
        self.rate < 1.0
    }
}
