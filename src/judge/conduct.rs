//! How the server behaved as a program: no panic and no crash, no spin, nothing left
//! behind, no flood of memory.
//!
//! The RFC is silent on all of it, but for limits (10.4): so each is a SHOULD.

use super::broken::Broken;
use super::facts::Facts;
use crate::bounds::Bounds;
use crate::exchange::{Death, What};
use crate::verdict::{Invariant, Level};

/// `no-panic`, `no-spin`, `no-leak`, `bounded-memory`.
pub(super) fn judge(facts: &Facts<'_>, bounds: &Bounds, out: &mut Vec<Broken>) {
    let mut broken = |invariant, event: Option<usize>| {
        let Some(event) = event else { return };
        let fact = fact(&facts.exchange.events[event].what);
        out.push(Broken { invariant, level: Level::Should, fact, events: vec![event] });
    };
    let death = facts.death();
    let died = |of: fn(Death) -> bool| death.filter(|(_, death)| of(*death)).map(|(at, _)| at);
    let crashed = died(|death| matches!(death, Death::Signal(_) | Death::Exited(_)));
    let exhausted = died(|death| death == Death::OutOfMemory);
    broken(Invariant::NoPanic, facts.firsts.panicked.or(crashed));
    broken(Invariant::NoSpin, facts.stood_still());
    broken(Invariant::NoLeak, facts.firsts.outlived);
    broken(Invariant::BoundedMemory, exhausted);
    out.extend(bounded_memory(facts, bounds).filter(|_| exhausted.is_none()));
}

fn fact(what: &What) -> String {
    match what {
        What::Panicked(message) => format!("panicked: {message}"),
        What::Spun { polls } => format!("polled {polls} times while time stood still"),
        What::Outlived { tasks: 1 } => "left a task behind that outlives the connection".to_owned(),
        What::Outlived { tasks } => {
            format!("left {tasks} tasks behind that outlive the connection")
        }
        What::Died(death) => death.to_string(),
        _ => String::new(),
    }
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-10.4
//# Such an
//# implementation SHOULD impose a limit on frame sizes and the total
//# message size after reassembly from multiple frames.
fn bounded_memory(facts: &Facts<'_>, bounds: &Bounds) -> Option<Broken> {
    let (peak, bound) = (facts.exchange.peak_heap?, bounds.memory?);
    if peak <= bound {
        return None;
    }
    let fact =
        format!("held {peak} bytes of heap for one connection, and promises at most {bound}");
    let invariant = Invariant::BoundedMemory;
    Some(Broken { invariant, level: Level::Should, fact, events: Vec::new() })
}
