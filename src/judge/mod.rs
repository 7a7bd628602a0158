//! The judge: a pure function from an exchange and the bounds to a verdict.
//!
//! It sees neither script nor target, so that an exchange from the simulator and one
//! from real TCP are judged by the same code.
//!
//! | file | has |
//! |---|---|
//! | `obligations` | what obliges the server to end, since when and by when |
//! | `lateness` | whether the end, or the release, came in time |
//! | `rules/` | the rules, one file each: the RFC's sentence, the check, the text for people |
//! | `deliveries` | messages that went in, against those that came out |
//! | `excuses` | why a server may have acted so although a rule looks broken |
//! | `decide` | the one place where a suspicion becomes a violation, or is dismissed |
//!
//! What was sent and when is read by [`view`](crate::view); the judge decodes nothing.

mod decide;
mod deliveries;
mod excuses;
mod lateness;
mod obligations;
mod rules;

pub use decide::{Decided, Decision, judge_connection, not_repeated};
pub use obligations::{OverdueCheck, next_deadline};
pub use rules::{AskedOf, JudgedFrom, RULES, Rule, is_out_of_proportion};

use crate::bounds::Bounds;
use crate::exchange::{ConnectionId, Exchange};
use crate::verdict::{Verdict, Violation};

/// Judges all connections of an exchange; of most exchanges there is one. Of several that show the
/// same, with one identity, the first is told.
pub fn judge(exchange: &Exchange, bounds: &Bounds) -> Verdict {
    let mut verdict = judge_connection(exchange, ConnectionId::FIRST, bounds);
    for connection in exchange.connections().skip(1) {
        let Verdict { violations, dismissals, reached } =
            judge_connection(exchange, connection, bounds);
        for violation in violations {
            let same = |known: &Violation| known.identity == violation.identity;
            if !verdict.violations.iter().any(same) {
                verdict.violations.push(violation);
            }
        }
        verdict.dismissals.extend(dismissals);
        verdict.reached.add(reached);
    }
    verdict.violations.sort_by_key(|violation| violation.identity);
    verdict
}
