//! One plain sentence: what was owed, since when, what happened.

use crate::exchange::{Exchange, Time};
use crate::verdict::{Cause, Condition, Ending, Invariant, Owed, Violation};

/// Says in one or two plain sentences what a violation is.
pub fn sentence(violation: &Violation, exchange: &Exchange) -> String {
    match violation.owed {
        Some(owed) => broken_promise(violation, owed),
        None if violation.events.is_empty() => format!("The server {}.", violation.fact),
        None => {
            let at = violation.events.first().and_then(|event| exchange.events.get(*event));
            let at = at.map_or(Time::ZERO, |event| event.at);
            format!("At {at} the server {}.", violation.fact)
        }
    }
}

fn broken_promise(violation: &Violation, owed: Owed) -> String {
    let since = match owed.cause {
        Cause::Handshake => "The server accepted the connection".to_owned(),
        Cause::ClientClose => "The client's Close arrived".to_owned(),
        Cause::OwnClose => "The server sent its own Close".to_owned(),
        Cause::AppClose => "The server's application began to close".to_owned(),
        Cause::ClientViolation => match owed.fault {
            Some(fault) => format!("The client broke the protocol ({fault})"),
            None => "The client broke the protocol".to_owned(),
        },
        Cause::ClientFin => "The client's FIN arrived".to_owned(),
        Cause::ClientReset => "The client's RST arrived".to_owned(),
        Cause::Idle => "The last complete frame came".to_owned(),
    };
    let (owed_thing, it) = match violation.identity.invariant() {
        Invariant::ReleasesInTime => {
            ("the server's hold on its transport had to end", "it was let go of")
        }
        _ => ("the connection had to end", "it ended"),
    };
    let condition = match violation.identity.condition() {
        None => "",
        Some(Condition::Silent) => "; the client read, and said nothing more",
        Some(Condition::Dripping) => "; the client went on sending",
        Some(Condition::Replied) => "; the client had sent its Close, and held TCP open",
        Some(Condition::HalfSent) => "; the client left what it was sending half sent",
        Some(Condition::HalfClosed) => "; the client had sent FIN",
        Some(Condition::Deaf) => "; the client did not read",
        Some(Condition::CutOff) => "; the network was cut",
        Some(Condition::Gone) => "; the client was gone",
    };
    let happened = match violation.ending {
        Ending::InTime => "It did".to_owned(),
        Ending::Late(at) => format!("In fact {it} at {at}"),
        Ending::Never => "It never does: no task can run, no timer is pending".to_owned(),
        Ending::Ticking(period) => {
            format!(
                "It does not: timers fire every {} or so, and none of them ends it",
                Time(period)
            )
        }
        Ending::Spinning(at) => format!("It does not: from {at} on the server spins"),
        Ending::Open(at) => format!("At {at} it had not, and watching ended"),
    };
    format!(
        "{since} at {}, so by {} {owed_thing}{condition}. {happened}.",
        owed.since, owed.deadline
    )
}
