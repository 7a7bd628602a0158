//! `frees-resources`: what connections took is given back when they have ended. The RFC is
//! silent: a SHOULD.

use super::{AskedOf, Case, JudgedFrom, Rule, Suspicion, Suspicions};
use crate::exchange::{ConnectionId, Event, HeldAfter, What};
use crate::judge::excuses;
use crate::verdict::{Class, Invariant, Level, Symptom};
use crate::view::View;

/// With less heap a server is at rest: what a map, a pool and a runtime keep for the next connection.
const HEAP: u64 = 16 << 10;

/// The rule.
pub(super) const RULE: Rule = Rule {
    invariant: Invariant::FreesResources,
    class: Class::Liveness,
    section: "-",
    quote: None,
    says: "When all connections have ended, the server holds no more tasks, memory, descriptors \
         or threads than after its first connection.",
    explains: "All connections have ended, the time to close has passed once more, and the server holds more\n\
              tasks, or 16 KiB more of heap, than after one connection alone: a session stays in a map, a\n\
              writer waits on a channel whose other end the map keeps, nobody stops a ticker. Such a server\n\
              runs out of memory after weeks. Over TCP hangup compares the descriptors, threads and memory\n\
              of the process after each of several waves of connections.\n\n\
              What a server sets up once, with its first connection, is no leak. After a shutdown no task\n\
              may be left. Remove a session where its task ends, also where it ends by an error or a\n\
              panic: in the `Drop` of a guard.",
    asked_of: AskedOf::Server("a client has one connection"),
    judged_from: JudgedFrom::Accept,
    symptoms: &[
        Symptom::KeepsTasks,
        Symptom::KeepsMemory,
        Symptom::KeepsDescriptors,
        Symptom::KeepsThreads,
        Symptom::TasksAfterShutdown,
    ],
    check,
};

/// Judged once, with the first connection. What one connection leaves is for a control to say.
fn check(case: &Case<'_>, out: &mut Suspicions) {
    let view = case.view;
    if view.connection() != ConnectionId::FIRST {
        return;
    }
    growth(view, out);
    let Some((event, left)) = left(view) else { return };
    let tasks = |tasks: u32| match tasks {
        1 => "1 task".to_owned(),
        tasks => format!("{tasks} tasks"),
    };
    if view.firsts.returned.is_some() {
        if left.tasks > 0 {
            let fact = format!("shut down and left {} behind", tasks(left.tasks));
            let symptom = Symptom::TasksAfterShutdown;
            out.push(Suspicion::new(Level::Should, symptom, fact, vec![event]));
        }
        return;
    }
    if view.exchange.connections().len() < 2 {
        return;
    }
    let mut suspect = |symptom, fact| {
        let suspicion = Suspicion::new(Level::Should, symptom, fact, vec![event]);
        out.push(suspicion.unless(excuses::same_alone(view)));
    };
    if left.tasks > 0 {
        let fact = format!("keeps {} after its connections have ended", tasks(left.tasks));
        suspect(Symptom::KeepsTasks, fact);
    }
    if let Some(heap) = left.heap.filter(|heap| *heap > HEAP) {
        let fact = format!("keeps {heap} bytes of heap after its connections have ended");
        suspect(Symptom::KeepsMemory, fact);
    }
}

/// So many waves of connections show growth, of a process's descriptors and threads; of its memory
/// more: a heap takes long until it has all that it needs.
const WAVES: usize = 5;
const WAVES_OF_MEMORY: usize = 20;
/// By so much, at least, something grows that grows: two descriptors or threads a wave, and a page of
/// memory a connection.
const LEAST: u64 = 2;
const PAGE: u64 = 4096;

/// What grows with every wave and never falls. What fills once, a cache or a pool, stops growing.
fn growth(view: &View<'_>, out: &mut Suspicions) {
    let held = |(index, event): (usize, &Event)| match &event.what {
        What::Held(held) => {
            let HeldAfter { connections, descriptors, threads, memory } = **held;
            Some((index, u64::from(connections), [descriptors, threads, memory]))
        }
        _ => None,
    };
    let waves: Vec<(usize, u64, [u64; 3])> =
        view.exchange.events.iter().enumerate().filter_map(held).collect();
    let Some(&(event, connections, _)) = waves.last() else { return };
    let mut suspect = |place: usize, least: u64, most_waves: usize, symptom, what: &str| {
        let values: Vec<u64> = waves.iter().map(|(_, _, held)| held[place]).collect();
        let grows = values.windows(2).all(|pair| pair[1] >= pair[0] + least);
        if !grows || values.len() < most_waves {
            return false;
        }
        let (first, last) = (values[0], values[values.len() - 1]);
        let slope = (last - first) as f64 / ((values.len() - 1) as u64 * connections) as f64;
        let fact = format!(
            "keeps {slope:.1} {what} for each connection that has ended: from {first} to {last} in {} \
             waves of {connections}, more with every wave",
            values.len()
        );
        out.push(Suspicion::new(Level::Should, symptom, fact, vec![event]));
        true
    };
    let descriptors = suspect(0, LEAST, WAVES, Symptom::KeepsDescriptors, "descriptors");
    let threads = suspect(1, LEAST, WAVES, Symptom::KeepsThreads, "threads");
    if !descriptors && !threads {
        let least = PAGE * connections;
        suspect(2, least, WAVES_OF_MEMORY, Symptom::KeepsMemory, "bytes of memory");
    }
}

/// What is left at rest.
#[derive(Clone, Copy)]
struct Left {
    tasks: u32,
    heap: Option<u64>,
}

fn left(view: &View<'_>) -> Option<(usize, Left)> {
    let event = view.firsts.rests?;
    match view.exchange.events[event].what {
        What::Rests { tasks, heap } => Some((event, Left { tasks, heap })),
        _ => None,
    }
}

/// Whether as much is left in `alone`, the control with one of the clients, as in `view`.
pub(in crate::judge) fn as_much_is_left(
    alone: &View<'_>,
    view: &View<'_>,
    symptom: Symptom,
) -> bool {
    let (Some((_, one)), Some((_, all))) = (left(alone), left(view)) else { return true };
    match symptom {
        Symptom::KeepsMemory => {
            all.heap.unwrap_or_default() <= one.heap.unwrap_or_default().saturating_add(HEAP)
        }
        _ => all.tasks <= one.tasks,
    }
}
