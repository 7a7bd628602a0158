//! How the server behaved as a program: no panic, no spin, nothing left behind.
//!
//! The RFC is silent on all of it, but for limits (10.4): so each is a SHOULD.

use super::broken::Broken;
use super::facts::Facts;
use crate::bounds::Bounds;
use crate::trace::What;
use crate::verdict::{Invariant, Level};

/// `no-panic`, `no-spin`, `no-leak`, `bounded-memory`.
pub(super) fn judge(facts: &Facts<'_>, bounds: &Bounds, out: &mut Vec<Broken>) {
    let mut broken = |invariant, event: Option<usize>, fact: &dyn Fn(&What) -> String| {
        let Some(event) = event else { return };
        let fact = fact(&facts.trace.events[event].what);
        out.push(Broken { invariant, level: Level::Should, fact, events: vec![event] });
    };
    broken(Invariant::NoPanic, facts.firsts.panicked, &|what| match what {
        What::Panicked(message) => format!("panicked: {message}"),
        _ => "panicked".to_owned(),
    });
    broken(Invariant::NoSpin, facts.firsts.spun, &|what| match what {
        What::Spun { polls } => format!("polled {polls} times while time stood still"),
        _ => "spun".to_owned(),
    });
    broken(Invariant::NoLeak, facts.firsts.outlived, &|what| match what {
        What::Outlived { tasks: 1 } => "left a task behind that outlives the connection".to_owned(),
        What::Outlived { tasks } => {
            format!("left {tasks} tasks behind that outlive the connection")
        }
        _ => "left something behind".to_owned(),
    });
    out.extend(bounded_memory(facts, bounds));
}

//= https://www.rfc-editor.org/rfc/rfc6455#section-10.4
//# Implementations that have implementation- and/or platform-specific
//# limitations regarding the frame size or total message size after
//# reassembly from multiple frames MUST protect themselves against
//# exceeding those limits.
fn bounded_memory(facts: &Facts<'_>, bounds: &Bounds) -> Option<Broken> {
    let (peak, bound) = (facts.trace.peak_heap?, bounds.memory?);
    if peak <= bound {
        return None;
    }
    let fact =
        format!("held {peak} bytes of heap for one connection, and promises at most {bound}");
    let invariant = Invariant::BoundedMemory;
    Some(Broken { invariant, level: Level::Should, fact, events: Vec::new() })
}
