//! The judge: a pure function from a trace and the bounds to a verdict.
//!
//! It sees neither script nor target, so that a trace from the simulator and one
//! from real TCP are judged by the same code. `facts` reads the trace once;
//! `owed` says what obliges the server to end and by when; each family of
//! invariants then has a file: `liveness`, `closing`, `legality` (what is illegal is
//! refused, what is legal is not), `manners`, `frames`, `application`, `conduct`.

mod application;
mod broken;
mod closing;
mod conduct;
mod facts;
mod frames;
mod legality;
mod liveness;
mod manners;
mod owed;
mod rules;

pub use rules::Rule;

use crate::bounds::Bounds;
use crate::exchange::{Time, Trace};
use crate::verdict::Verdict;
use facts::Facts;

/// Judges one connection.
pub fn judge(trace: &Trace, bounds: &Bounds) -> Verdict {
    let facts = Facts::read(trace);
    let owed = owed::earliest(&facts, bounds);
    let mut violations = Vec::new();
    liveness::judge(&facts, owed, &mut violations);
    let mut broken = Vec::new();
    // Bytes before the 101 are the client's own violation (4.1): what a server makes
    // of them is its choice, and only what it owes in time is judged.
    if facts.opened.is_some() && !facts.early {
        closing::judge(&facts, &mut broken);
        legality::judge(&facts, &mut broken);
        manners::judge(&facts, &mut broken);
        frames::judge(&facts, &mut broken);
        application::judge(&facts, &mut broken);
    }
    conduct::judge(&facts, bounds, &mut broken);
    violations.extend(broken.into_iter().map(|broken| broken.violation(&facts, owed, bounds)));
    violations.sort_by_key(|violation| violation.identity);
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
