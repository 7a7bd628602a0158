//! Controls of scripts of several connections: of one client among the others, and of one without
//! them.

use super::{script_of, truncated};
use crate::exchange::{ConnectionId, Exchange, Time};
use crate::script::{Act, Command, Encoding, Millis, Pace, Piece, Script, Send, Step};
use crate::verdict::Control;
use std::time::Duration;

/// What is told to the whole server on other connections is told so often in a control, at most.
const MOST_TOLD: u32 = 32;

/// The script of a control of `script`, which is about `connection`; `None` where there is none.
pub(crate) fn control_of(
    control: Control,
    script: &Script,
    exchange: &Exchange,
    connection: ConnectionId,
) -> Option<Script> {
    let mut each = acted_out(script, exchange);
    let number = usize::from(connection.0);
    let encoding = Encoding {
        sender: exchange.subject.other(),
        request: exchange.opening_request(),
        ..Encoding::USUAL
    };
    if control == Control::Alone {
        return alone(&each, exchange, number, encoding);
    }
    let opens = (encoding, exchange.preamble_bytes);
    each[number] = script_of(control, each.get(number)?, opens)?;
    Some(Script::together(&each))
}

/// What of the scripts of all connections was acted out: a client that is owed an end which does not
/// come freezes, and in a control of it, where nothing may be owed, the rest does not happen either.
fn acted_out(script: &Script, exchange: &Exchange) -> Vec<Script> {
    let mut each = script.each();
    if let [only] = &mut each[..] {
        truncated(only, exchange.steps.map(|steps| steps as usize));
        return each;
    }
    for (script, begun) in each.iter_mut().zip(&exchange.acted) {
        truncated(script, Some(begun.len()));
    }
    each
}

/// What the client with this number does, with what other connections' timelines told the whole
/// server, at the times at which they did; `None` where such a time falls into a step of its that cannot
/// be cut in two.
fn alone(
    each: &[Script],
    exchange: &Exchange,
    number: usize,
    encoding: Encoding<'_>,
) -> Option<Script> {
    if each.len() < 2 {
        return None;
    }
    let mut told: Vec<(Time, &Command)> = Vec::new();
    for (other, script) in each.iter().enumerate().filter(|(other, _)| *other != number) {
        let begun = exchange.acted.get(other)?;
        let steps = script.steps.iter().zip(begun);
        told.extend(steps.flat_map(|(step, at)| times_told(&step.act, *at)));
    }
    told.sort_by_key(|(at, _)| *at);
    let own = each.get(number)?.steps.iter().cloned();
    let mut timeline: Timeline = exchange.acted.get(number)?.iter().copied().zip(own).collect();
    for (at, command) in told {
        insert(&mut timeline, at, command, encoding)?;
    }
    let steps: Vec<Step> = timeline.into_iter().map(|(_, step)| step).collect();
    let is_others = steps.iter().all(|step| told_to_server(&step.act).is_some());
    (!is_others).then(|| Script::of_steps(steps))
}

/// Steps, each with the time at which it was begun.
type Timeline = Vec<(Time, Step)>;

/// The command, where the act is one to the whole server.
const fn told_to_server(act: &Act) -> Option<&Command> {
    match act {
        Act::App(command @ (Command::Shutdown | Command::Broadcast(_)), _) => Some(command),
        _ => None,
    }
}

/// When an act that began `at` that time tells the whole server something.
fn times_told(act: &Act, at: Time) -> impl Iterator<Item = (Time, &Command)> {
    let (times, every) = match act {
        Act::App(_, Pace::Times(times, every)) => (*times, every.duration()),
        _ => (1, Duration::ZERO),
    };
    let command = told_to_server(act).into_iter();
    command.flat_map(move |command| {
        (0..times.min(MOST_TOLD)).map(move |time| (at.after(every * time), command))
    })
}

/// Puts a command into a timeline at a time.
fn insert(
    timeline: &mut Timeline,
    at: Time,
    command: &Command,
    encoding: Encoding<'_>,
) -> Option<()> {
    let tell = (at, Step::from(Act::App(command.clone(), Pace::Once)));
    let wait = |millis: u32| (at, Step::from(Act::Wait(Millis(millis))));
    let Some(last) = timeline.partition_point(|(time, _)| *time <= at).checked_sub(1) else {
        timeline.insert(0, tell);
        return Some(());
    };
    let (begun, step) = &mut timeline[last];
    let passed = u32::try_from((at.0 - begun.0) / 1000).unwrap_or(u32::MAX);
    let lasting = lasts(&step.act, encoding);
    let put = match &mut step.act {
        // It is split in two.
        Act::Wait(time) if time.0 > passed => {
            let rest = time.0 - passed;
            time.0 = passed;
            (last + 1, vec![tell, wait(rest)])
        }
        // What is awaited may be what the server does then.
        Act::Await(_) => (last, vec![wait(passed), tell]),
        _ if lasting <= passed => (last + 1, vec![wait(passed - lasting), tell]),
        // Before a client connects, it has no timeline.
        Act::Connect(_) => (last + 1, vec![tell]),
        act => {
            let Cut { before, pauses: [behind, ahead], after } = cut(act, passed)?;
            *act = before;
            let after = (at.after(ahead.duration()), Step::from(after));
            (last + 1, vec![wait(behind.0), tell, wait(ahead.0), after])
        }
    };
    let (place, mut steps) = put;
    steps.retain(|(_, step)| step.act != Act::Wait(Millis(0)));
    timeline.splice(place..place, steps);
    timeline.retain(|(_, step)| step.act != Act::Wait(Millis(0)));
    Some(())
}

/// An act that goes on for a while, cut in two.
struct Cut {
    before: Act,
    /// From the last of `before` to the cut, and from there to the first of `after`.
    pauses: [Millis; 2],
    after: Act,
}

/// Cuts an act that goes on beyond `passed` milliseconds at that time; `None` where its rest cannot be said.
fn cut(act: &Act, passed: u32) -> Option<Cut> {
    let pace = match act {
        Act::Send(send) => send.pace,
        Act::App(_, pace) => *pace,
        _ => return None,
    };
    let (Pace::Times(_, every) | Pace::Pieces(_, every)) = pace else { return None };
    let done = passed.checked_div(every.0)? + 1;
    let behind = passed % every.0;
    let pauses = [Millis(behind), Millis(every.0 - behind)];
    let times = |times: u32| {
        let pace = if times == 1 { Pace::Once } else { Pace::Times(times, every) };
        match act {
            Act::Send(send) => Act::Send(Send { pace, ..send.clone() }),
            Act::App(command, _) => Act::App(command.clone(), pace),
            other => other.clone(),
        }
    };
    match (act, pace) {
        (_, Pace::Times(all, _)) => {
            Some(Cut { before: times(done), pauses, after: times(all.checked_sub(done)?) })
        }
        (Act::Send(send), Pace::Pieces(size, _)) if send.piece == Piece::Whole => {
            let sent = size.saturating_mul(done);
            let part = |piece| Act::Send(Send { piece, ..send.clone() });
            Some(Cut { before: part(Piece::First(sent)), pauses, after: part(Piece::After(sent)) })
        }
        _ => None,
    }
}

/// How long an act takes by itself, in milliseconds.
fn lasts(act: &Act, encoding: Encoding<'_>) -> u32 {
    match act {
        Act::Wait(time) | Act::Connect(time) => time.0,
        Act::Send(Send { pace: Pace::Times(times, every), .. })
        | Act::App(_, Pace::Times(times, every)) => times.saturating_sub(1).saturating_mul(every.0),
        Act::Send(send @ Send { pace: Pace::Pieces(size, every), .. }) => {
            let mut unit = Vec::new();
            send.unit.encode_with(&encoding, &mut unit);
            let bytes = u32::try_from(send.piece.of(&unit).len()).unwrap_or(u32::MAX);
            bytes.div_ceil((*size).max(1)).saturating_sub(1).saturating_mul(every.0)
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Excuse;

    /// The script of the second client alone, where the steps were begun at these times.
    fn second_alone(script: &str, begun: [&[u64]; 2]) -> Option<String> {
        let script: Script = script.parse().expect("a script");
        let times = |times: &[u64]| times.iter().map(|ms| Time(ms * 1000)).collect();
        let acted = begun.into_iter().map(times).collect();
        let mut exchange = Exchange::new(true);
        exchange.acted = acted;
        let alone = control_of(Control::Alone, &script, &exchange, ConnectionId(1))?;
        Some(alone.to_string().replace('\n', "; "))
    }

    #[test]
    fn who_is_alone_finds_the_server_told_the_same_at_the_same_times() {
        let script = "upgrade\nwait 1s\napp shutdown\n2: upgrade\n2: wait 3s\n2: ping\n";
        let times = [&[0, 0, 1000][..], &[0, 0, 3000]];
        let split = "upgrade; wait 1s; app shutdown; wait 2s; ping; ";
        assert_eq!(second_alone(script, times), Some(split.to_owned()));
        let awaits = "upgrade\nwait 1s\napp shutdown\n2: upgrade\n2: await close\n2: close 1000\n";
        let alone = "upgrade; wait 1s; app shutdown; await close; close 1000; ";
        assert_eq!(second_alone(awaits, [&[0, 0, 1000], &[0, 0, 6000]]), Some(alone.to_owned()));
        let behind = "upgrade\nwait 9s\napp broadcast text x 2 every 1s\n2: upgrade\n2: ping\n";
        let alone = "upgrade; ping; wait 9s; app broadcast text; wait 1s; app broadcast text; ";
        assert_eq!(second_alone(behind, [&[0, 0, 9000], &[0, 0]]), Some(alone.to_owned()));
    }

    /// Told later than it was, a client that did nothing else meanwhile would seem to have got it at once.
    #[test]
    fn what_the_server_is_told_while_a_client_goes_on_sending_it_is_told_meanwhile() {
        let told = "upgrade\nwait 1ms\napp shutdown\n2: upgrade\n";
        let pieces = format!("{told}2: ping in pieces of 1 byte every 21ms\n2: app close\n");
        let alone = "upgrade; first 1 byte of ping in pieces of 1 byte every 21ms; wait 1ms; \
             app shutdown; wait 20ms; rest after 1 byte of ping in pieces of 1 byte every 21ms; \
             app close; ";
        let begun = [&[0, 0, 1][..], &[0, 0, 105]];
        assert_eq!(second_alone(&pieces, begun).as_deref(), Some(alone));
        let times = told.replace("1ms", "3s") + "2: ping x 3 every 2s\n2: app close\n";
        let alone = "upgrade; ping x 2 every 2s; wait 1s; app shutdown; wait 1s; ping; app close; ";
        assert_eq!(second_alone(&times, [&[0, 0, 3000], &[0, 0, 4000]]).as_deref(), Some(alone));
        // Of a part there is no rest to be said.
        let part = format!("{told}2: first 4 bytes of ping in pieces of 1 byte every 21ms\n");
        assert_eq!(second_alone(&part, [&[0, 0, 1], &[0, 0]]), None);
    }

    #[test]
    fn what_was_not_acted_out_is_left_out_and_nobody_is_alone_from_the_start() {
        let script = "upgrade\napp shutdown\n2: upgrade\n2: ping\n";
        let alone = second_alone(script, [&[0], &[0]]);
        assert_eq!(alone, Some("upgrade; ".to_owned()));
        let only: Script = "upgrade\n".parse().expect("a script");
        let exchange = Exchange::new(true);
        assert_eq!(control_of(Control::Alone, &only, &exchange, ConnectionId::FIRST), None);
    }

    #[test]
    fn another_control_changes_one_client_and_leaves_the_others() {
        let script: Script = "upgrade\nfin\n2: upgrade\n2: fin\n".parse().expect("a script");
        let acted = vec![vec![Time::ZERO; 2]; 2];
        let mut exchange = Exchange::new(true);
        exchange.acted = acted;
        let without = Control::Without([Excuse::ClientFin].into_iter().collect());
        let control = control_of(without, &script, &exchange, ConnectionId(1)).expect("a control");
        assert_eq!(control.to_string(), "upgrade\nfin\n2: upgrade\n");
    }
}
