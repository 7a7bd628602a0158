//! A few plain sentences: what the server was doing, what was owed, since when, what happened.

#[cfg(feature = "cli")]
use super::numbered_sentence;
use crate::exchange::{Exchange, Time};
use crate::verdict::{Cause, Condition, Ending, Invariant, Owed, Symptom, Violation};
use crate::wire::Role;

/// A line about another violation of a play whose first one was told of at length.
#[cfg(feature = "cli")]
pub fn broken_too(violation: &Violation, exchange: &Exchange) -> String {
    let rule = violation.identity.invariant();
    super::wrap(&format!("broken too: {rule}: {}", numbered_sentence(violation, exchange)))
}

/// Says in a few plain sentences what a violation is: first what the server was doing. The exchange says which end is the
/// server.
pub fn sentence(violation: &Violation, exchange: &Exchange) -> String {
    let subject = exchange.subject.word();
    match violation.owed {
        Some(owed) => missed_deadline(violation, owed, exchange.subject),
        None if violation.events.is_empty() => format!("The {subject} {}.", violation.fact),
        None => {
            let at = violation.events.first().and_then(|event| exchange.events.get(*event));
            let at = at.map_or(Time::ZERO, |event| event.at);
            format!("At {at} the {subject} {}.", violation.fact)
        }
    }
}

/// First what became of it, and what the subject is doing; then by when it had to do what; then what the other end
/// does; at last how that is known.
fn missed_deadline(violation: &Violation, owed: Owed, role: Role) -> String {
    let (subject, actor) = (role.word(), role.other().word());
    let obligation = Obligation::of(violation.identity.invariant());
    let all_gone = violation.identity.symptom() == Some(Symptom::WaitsForNobody);
    let condition = violation.identity.condition().filter(|_| !all_gone);
    let cut = condition == Some(Condition::CutOff);
    // Behind its RST there is nothing that it could do.
    let has_left = owed.cause == Cause::ClientReset && condition == Some(Condition::Silent);
    let did = condition.filter(|_| !cut && !has_left).map(|condition| match condition {
        Condition::Silent => "reads but sends nothing until then",
        Condition::StillSending => "goes on sending",
        Condition::Answered => "has sent its Close and keeps TCP open",
        Condition::HalfSent => match role {
            Role::Server => "has sent half a frame or half a request, and nothing more",
            Role::Client => "has sent half a frame or half an answer, and nothing more",
        },
        Condition::HalfClosed => "has sent FIN",
        Condition::NotReading => "does not read",
        Condition::CutOff | Condition::Disconnected => "is gone",
    });
    let did = match did {
        Some(did) => format!("; the {actor} {did}"),
        None if cut => "; the network is cut".to_owned(),
        None => String::new(),
    };
    let doing = match violation.identity.invariant() {
        // How many connections are open is not of the symptom.
        Invariant::ShutsDownInTime => {
            violation.fact.strip_prefix("does not shut down").unwrap_or_default().to_owned()
        }
        _ => violation
            .identity
            .symptom()
            .and_then(doing)
            .map_or_else(String::new, |doing| format!(": {doing}")),
    };
    let became = match (violation.identity.invariant(), violation.ending) {
        (_, Ending::Open(at)) => {
            let lasted = Time(at.0.saturating_sub(owed.since.0));
            let since = named_since(owed.cause, role);
            let still = obligation.still;
            format!("does not {}{doing}; {still} {lasted} after {since}", obligation.verb)
        }
        (_, ending) => format!("{}{doing}", obligation.became(ending, owed.deadline)),
    };
    // Of which the rest may still wait for room.
    let is_stuck = violation.identity.symptom() == Some(Symptom::WaitsForRoom);
    let since = match owed.cause {
        Cause::OwnClose if is_stuck => "It began to send its own Close".to_owned(),
        _ => since(owed, role),
    };
    format!(
        "The {subject} {became}. {since} at {}; the {subject} has to {} by {}{did}.{}",
        owed.since,
        obligation.verb,
        owed.deadline,
        proof(violation.ending),
    )
}

/// What began the time that a subject has.
fn since(owed: Owed, role: Role) -> String {
    let (subject, actor) = (role.word(), role.other().word());
    match owed.cause {
        Cause::Handshake => match role {
            Role::Server => "It accepted the connection".to_owned(),
            Role::Client => "It was connected".to_owned(),
        },
        Cause::ClientClose => format!("The {actor}'s Close arrived"),
        Cause::OwnClose => "It sent its own Close".to_owned(),
        Cause::AppClose => format!("The {subject}'s application began to close"),
        Cause::ClientViolation => match owed.fault {
            Some(fault) => format!("The {actor} broke the protocol ({fault})"),
            None => format!("The {actor} broke the protocol"),
        },
        Cause::ClientFin => format!("The {actor}'s FIN arrived"),
        Cause::ClientReset => format!("The {actor}'s RST arrived"),
        Cause::Idle => "The last complete frame came".to_owned(),
        Cause::Shutdown => "It was told to shut down".to_owned(),
    }
}

/// The event since when a subject has time, as a noun.
fn named_since(cause: Cause, role: Role) -> String {
    match cause {
        Cause::Handshake => match role {
            Role::Server => "it accepted the connection".to_owned(),
            Role::Client => "it was connected".to_owned(),
        },
        Cause::OwnClose => "its own Close".to_owned(),
        Cause::AppClose => "its application's close".to_owned(),
        Cause::Idle => "the last complete frame".to_owned(),
        Cause::Shutdown => "it was told to".to_owned(),
        Cause::ClientClose | Cause::ClientViolation | Cause::ClientFin | Cause::ClientReset => {
            cause.named(role).into_owned()
        }
    }
}

/// What a subject has to do by the deadline, in the forms that sentences need.
struct Obligation {
    /// It has to `end the connection`.
    verb: &'static str,
    /// It never `ends the connection`.
    verbs: &'static str,
    /// When hangup stopped watching it was `still open`.
    still: &'static str,
}

impl Obligation {
    const fn of(rule: Invariant) -> Self {
        match rule {
            Invariant::ReleasesInTime => {
                let still = "it still held the socket";
                Self { verb: "release the socket", verbs: "releases the socket", still }
            }
            Invariant::ShutsDownInTime => {
                Self { verb: "shut down", verbs: "shuts down", still: "it still ran" }
            }
            _ => {
                let still = "still open";
                Self { verb: "end the connection", verbs: "ends the connection", still }
            }
        }
    }

    fn became(&self, ending: Ending, deadline: Time) -> String {
        let Self { verb, verbs, .. } = self;
        match ending {
            Ending::InTime => format!("{verbs} in time"),
            Ending::Late(at) => {
                let late = Time(at.0.saturating_sub(deadline.0));
                format!("{verbs} {late} late, at {at}")
            }
            Ending::Never => format!("never {verbs}"),
            Ending::Ticking(_) | Ending::Spinning(_) | Ending::Open(_) => {
                format!("does not {verb}")
            }
            Ending::Unproven(_) => format!("may not {verb}"),
        }
    }
}

/// How that is known.
fn proof(ending: Ending) -> String {
    match ending {
        Ending::InTime | Ending::Late(_) | Ending::Open(_) => String::new(),
        Ending::Never => " Proven: no task can run, no timer is pending.".to_owned(),
        Ending::Ticking(period) => {
            format!(" Proven: its timers fire every {} or so, and none ends it.", Time(period))
        }
        Ending::Spinning(at) => format!(" Proven: from {at} on it spins, and time stands still."),
        Ending::Unproven(why) => format!(" This cannot be judged in virtual time: {why}."),
    }
}

/// What a late subject was doing when its deadline had passed; `None` where nobody saw that.
const fn doing(symptom: Symptom) -> Option<&'static str> {
    Some(match symptom {
        Symptom::OwnTimer => "by a timer that is too long, starts too late, or is restarted",
        Symptom::WaitsToRead => "it waits to read, with no timer running",
        Symptom::WaitsForRoom => "it waits for room to write, with no timer running",
        Symptom::IgnoresRoom => "it has room to write, and does not go on",
        Symptom::IgnoresInput => "it has input, and does not read it",
        Symptom::Forgotten => "it neither reads nor writes",
        Symptom::KeepsSocket => "it sent FIN, and keeps the socket",
        Symptom::AwaitsIllegalRest => "it waits for the rest of an illegal frame",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bounds::Bounds;
    use crate::exchange::{AfterDeadline, What};
    use crate::judge::judge;

    #[test]
    fn of_a_client_every_sentence_about_time_is_that_of_a_server_with_the_names_exchanged() {
        use crate::verdict::{Identity, Level, name_ends};
        let owed = |cause| Owed {
            cause,
            since: Time(1_000_000),
            deadline: Time(6_000_000),
            event: 0,
            fault: None,
        };
        for (cause, condition) in
            Cause::ALL.iter().flat_map(|cause| Condition::ALL.iter().map(move |one| (*cause, *one)))
        {
            let violation = Violation {
                identity: Identity::liveness(Invariant::EndsInTime, cause, condition),
                connection: crate::exchange::ConnectionId::FIRST,
                level: Level::Should,
                ending: Ending::Never,
                owed: Some(owed(cause)),
                fact: String::new(),
                events: Vec::new(),
                doubts: Vec::new(),
                refuted: crate::verdict::Excuses::default(),
            };
            let [server, client] = [Role::Server, Role::Client]
                .map(|role| missed_deadline(&violation, owed(cause), role));
            // What opens a connection is another thing at each end.
            let opening = |text: &str| {
                text.replace("accepted the connection", "was connected")
                    .replace("half a request", "half an answer")
            };
            assert_eq!(opening(&name_ends(&server, Some(Role::Client))), client);
        }
    }

    #[test]
    fn a_sentence_names_the_ends_by_their_roles() {
        for (subject, sent) in [
            (Role::Server, ". The client's FIN arrived at 1.000 s; the server has to "),
            (Role::Client, ". The server's FIN arrived at 1.000 s; the client has to "),
        ] {
            let mut exchange = Exchange::new(true);
            exchange.subject = subject;
            exchange.push(Time(1_000_000), What::FinArrived);
            exchange.push(Time(60_000_000), What::Became(AfterDeadline::Quiet));
            let verdict = judge(&exchange, &Bounds::default());
            let said = sentence(&verdict.violations[0], &exchange);
            assert!(
                said.contains(sent) && said.starts_with(&format!("The {} never", subject.word())),
                "{said}"
            );
        }
    }
}
