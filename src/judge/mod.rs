//! The judge: a pure function from a trace and the bounds to a verdict.
//!
//! It sees neither script nor target, so that a trace from the simulator and one
//! from real TCP are judged by the same code. `facts` reads the trace once;
//! `owed` says what obliges the server to end and by when; each family of
//! invariants then has a file: `liveness`, `closing`, `conduct`.

mod closing;
mod conduct;
mod facts;
mod liveness;
mod owed;
mod rules;

pub use rules::Rule;

use crate::bounds::Bounds;
use crate::trace::{Time, Trace};
use crate::verdict::Verdict;
use facts::Facts;

/// Judges one connection.
pub fn judge(trace: &Trace, bounds: &Bounds) -> Verdict {
    let facts = Facts::read(trace);
    let owed = owed::earliest(&facts, bounds);
    let mut violations = Vec::new();
    liveness::judge(&facts, owed, &mut violations);
    closing::judge(&facts, owed, bounds, &mut violations);
    conduct::judge(&facts, owed, bounds, &mut violations);
    violations.sort_by_key(|violation| violation.key);
    Verdict { violations }
}

/// The time by which the server, as things stand at the trace's end, must have
/// done what it has not done yet; `None` where it owes nothing.
pub fn next_deadline(trace: &Trace, bounds: &Bounds) -> Option<Time> {
    let facts = Facts::read(trace);
    let owed = owed::earliest(&facts, bounds)?;
    let done = facts.ended().is_some() && facts.released().is_some();
    (!done).then_some(owed.deadline)
}
