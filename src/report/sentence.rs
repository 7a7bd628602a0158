//! A few plain sentences: what the server was doing, what was owed, since when, what happened.

use crate::exchange::{Exchange, Time};
use crate::verdict::{Cause, Condition, Ending, Invariant, Owed, Symptom, Violation};
use crate::wire::Role;

/// Says in a few plain sentences what a violation is: first what the server was doing. The exchange says which end is the
/// server.
pub fn sentence(violation: &Violation, exchange: &Exchange) -> String {
    let subject = exchange.subject.word();
    match violation.owed {
        Some(owed) => broken_promise(violation, owed, exchange.subject),
        None if violation.events.is_empty() => format!("The {subject} {}.", violation.fact),
        None => {
            let at = violation.events.first().and_then(|event| exchange.events.get(*event));
            let at = at.map_or(Time::ZERO, |event| event.at);
            format!("At {at} the {subject} {}.", violation.fact)
        }
    }
}

fn broken_promise(violation: &Violation, owed: Owed, role: Role) -> String {
    let (subject, actor) = (role.word(), role.other().word());
    let since = match owed.cause {
        Cause::Handshake => format!("The {subject} accepted the connection"),
        Cause::ClientClose => format!("The {actor}'s Close arrived"),
        Cause::OwnClose => format!("The {subject} sent its own Close"),
        Cause::AppClose => format!("The {subject}'s application began to close"),
        Cause::ClientViolation => match owed.fault {
            Some(fault) => format!("The {actor} broke the protocol ({fault})"),
            None => format!("The {actor} broke the protocol"),
        },
        Cause::ClientFin => format!("The {actor}'s FIN arrived"),
        Cause::ClientReset => format!("The {actor}'s RST arrived"),
        Cause::Idle => "The last complete frame came".to_owned(),
        Cause::Shutdown => format!("The {subject} was told to shut down"),
    };
    let (owed_thing, it) = match violation.identity.invariant() {
        Invariant::ReleasesInTime => {
            (format!("the {subject}'s hold on its transport had to end"), "it was let go of")
        }
        Invariant::ShutsDownInTime => ("its shutdown had to be over".to_owned(), "it was over"),
        _ => ("the connection had to end".to_owned(), "it ended"),
    };
    let all_gone = violation.identity.symptom() == Some(Symptom::WaitsForNobody);
    let condition = violation.identity.condition().filter(|_| !all_gone);
    let condition = condition.map_or_else(String::new, |condition| {
        let did = match condition {
            Condition::Silent => "read, and said nothing more",
            Condition::Dripping => "went on sending",
            Condition::Replied => "had sent its Close, and held TCP open",
            Condition::HalfSent => "left what it was sending half sent",
            Condition::HalfClosed => "had sent FIN",
            Condition::Deaf => "did not read",
            Condition::CutOff => return "; the network was cut".to_owned(),
            Condition::Gone => "was gone",
        };
        format!("; the {actor} {did}")
    });
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
        Ending::Spinning(at) => format!("It does not: from {at} on the {subject} spins"),
        Ending::Open(at) => format!("At {at} it had not, and watching ended"),
        Ending::Unproven(why) => format!("Nobody can tell in virtual time: {why}"),
    };
    let doing = match violation.identity.invariant() {
        // How many connections are open is not of the symptom.
        Invariant::ShutsDownInTime => Some(format!("The {subject} {}. ", violation.fact)),
        _ => violation.identity.symptom().and_then(|symptom| doing(symptom, subject)),
    };
    format!(
        "{}{since} at {}, so by {} {owed_thing}{condition}. {happened}.",
        doing.unwrap_or_default(),
        owed.since,
        owed.deadline
    )
}

/// What a late `subject` was doing when its deadline had passed, as a sentence; `None` where
/// nobody saw that.
fn doing(symptom: Symptom, subject: &str) -> Option<String> {
    let what = match symptom {
        Symptom::OwnTimer => "has a timer that ends it, but too late",
        Symptom::WaitsToRead => "waits to read, and no timer ends that",
        Symptom::WaitsForRoom => "waits for room to write, and no timer ends that",
        Symptom::IgnoresRoom => "has room to write, and does not go on",
        Symptom::IgnoresInput => "has input, and does not read it",
        Symptom::Forgotten => "neither reads nor writes: it forgot the connection",
        Symptom::KeepsSocket => "sent FIN, and keeps the socket",
        Symptom::AwaitsIllegalRest => "waits for the rest of an illegal frame",
        _ => return None,
    };
    Some(format!("The {subject} {what}. "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::Bounds;
    use crate::exchange::{AfterDeadline, What};
    use crate::judge::judge;

    #[test]
    fn a_sentence_names_the_ends_by_their_roles() {
        for (subject, sent, kept) in [
            (Role::Server, "The client's FIN arrived", "the client had sent"),
            (Role::Client, "The server's FIN arrived", "the server had sent"),
        ] {
            let mut exchange = Exchange::new(true);
            exchange.subject = subject;
            exchange.push(Time(1_000_000), What::FinArrived);
            exchange.push(Time(60_000_000), What::Became(AfterDeadline::Quiet));
            let verdict = judge(&exchange, &Bounds::default());
            let said = sentence(&verdict.violations[0], &exchange);
            assert!(said.starts_with(sent) && !said.contains(kept), "{said}");
        }
    }
}
