//! What matters in a minimal script: between which values of each number in it the same failure shows, with
//! which close codes, and what shows without each of its steps.
//!
//! It plays nothing itself, and its budget is counted in plays. What it says holds for the values
//! that were played; that a failure shows with all values between two with which it does is an assumption, which
//! samples between them test.

use super::simpler::{self, NumberKind};
use crate::script::{Act, Command, Frame, Kind, MAX_TIMES, Script, Send, Size, Unit};
use std::collections::BTreeMap;

/// The most plays that one script is worth.
pub const PLAYS: u32 = 400;

/// Scripts that send more, the client and the application together, are not played for it: they take long.
pub const MOST_BYTES: u64 = 2 << 20;

/// Codes that stand for all: of RFC 6455 itself, registered since, of libraries, of applications; then
/// those that no frame may carry.
const CODES: [u16; 14] =
    [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 3000, 4000, 4999, 1005, 999];
/// How many of them may be sent.
const SENDABLE: usize = 12;

/// What matters in a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhatMatters<W> {
    /// For each step, in order.
    pub steps: Vec<StepMatters<W>>,
    /// How many scripts were played for it.
    pub plays: u32,
}

/// What matters in a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepMatters<W> {
    /// What the script without this step shows; `None` where there was no play left to see.
    pub without: Option<What<W>>,
    /// Its numbers, in the order in which they are written; those that no play was left for are
    /// missing.
    pub numbers: Vec<NumberRange>,
    /// Its close code.
    pub codes: Option<Codes>,
}

/// What a play shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What<W> {
    /// The same failure.
    Same,
    /// Another, or none: the caller's word for it.
    Other(W),
}

/// The values of a number with which the same failure shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberRange {
    /// What it counts.
    pub kind: NumberKind,
    /// As it is in the script.
    pub now: u32,
    /// The least value that can be written, and the greatest that was tried.
    pub tried: (u32, u32),
    /// The least value; `None` where the least that can be written shows it too.
    pub least: Option<u32>,
    /// The greatest; `None` where the greatest that was tried shows it too.
    pub most: Option<u32>,
    /// Whether there are values between them with which it does not show.
    pub has_gaps: bool,
}

/// The close codes with which the same failure shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Codes {
    /// All, also those that no frame may carry.
    Any,
    /// All that may be sent.
    AnySendable,
    /// Of those that were tried, these.
    These(Vec<u16>),
}

impl Codes {
    /// All codes that are tried, beside the script's own.
    pub const TRIED: &[u16] = &CODES;
}

/// `script` with another value of a number, by its place in [`StepMatters::numbers`] of a step.
pub fn with_value(script: &Script, step: usize, number: usize, value: u32) -> Script {
    let mut script = script.clone();
    script.steps[step].act = simpler::with_number(&script.steps[step].act, number, value);
    script
}

/// `script` with another close code in a step that has one.
pub fn with_code(script: &Script, step: usize, code: u16) -> Script {
    let mut script = script.clone();
    if let Some(place) = code_of(&mut script.steps[step].act) {
        *place = code;
    }
    script
}

/// Plays variants of `script`, which fails; `play` says what they show, and `None` once it has cost
/// enough. The same script is played once.
pub fn what_matters<W: Clone>(
    script: &Script,
    plays: u32,
    play: impl FnMut(&Script) -> Option<What<W>>,
) -> WhatMatters<W> {
    let mut search = Search { script, play, known: BTreeMap::new(), left: plays };
    let steps = (0..script.steps.len())
        .map(|at| StepMatters {
            without: search.without(at),
            numbers: search.numbers(at),
            codes: search.codes(at),
        })
        .collect();
    WhatMatters { steps, plays: plays - search.left }
}

struct Search<'a, W, P> {
    script: &'a Script,
    play: P,
    known: BTreeMap<Script, What<W>>,
    left: u32,
}

impl<W: Clone, P: FnMut(&Script) -> Option<What<W>>> Search<'_, W, P> {
    /// What a script shows; `None` where no play is left.
    fn shown(&mut self, script: Script) -> Option<What<W>> {
        if script == *self.script {
            return Some(What::Same);
        }
        if let Some(known) = self.known.get(&script) {
            return Some(known.clone());
        }
        self.left = self.left.checked_sub(1)?;
        let Some(what) = (self.play)(&script) else {
            self.left = 0;
            return None;
        };
        self.known.insert(script, what.clone());
        Some(what)
    }

    fn is_same(&mut self, at: usize, act: Act) -> Option<bool> {
        let mut script = self.script.clone();
        script.steps[at].act = act;
        self.shown(script).map(|what| matches!(what, What::Same))
    }

    fn is_too_long(&self, at: usize, act: Act) -> bool {
        let mut script = self.script.clone();
        script.steps[at].act = act;
        script.max_bytes_sent() > MOST_BYTES
    }

    fn without(&mut self, at: usize) -> Option<What<W>> {
        let mut script = self.script.clone();
        script.steps.remove(at);
        let before = at.checked_sub(1).map(|before| script.steps[before].connection);
        if let Some(next) = script.steps.get_mut(at) {
            next.joined &= before == Some(next.connection);
        }
        self.shown(Script::of_steps(script.steps))
    }

    fn numbers(&mut self, at: usize) -> Vec<NumberRange> {
        let act = self.script.steps[at].act.clone();
        let numbers = simpler::numbers(&act).into_iter().enumerate();
        let tiny = has_tiny_buffer(self.script);
        let range = |(slot, number): (usize, simpler::Number)| {
            let (now, minimum) = (number.value, number.minimum);
            let mut limit = limit(number.kind, tiny).max(now);
            while limit > now && self.is_too_long(at, simpler::with_number(&act, slot, limit)) {
                limit = (limit / 2).max(now);
            }
            let mut shows = |value: u32| self.is_same(at, simpler::with_number(&act, slot, value));
            let least = if now == minimum || shows(minimum)? {
                None
            } else {
                Some(edge(now, minimum, &mut shows)?)
            };
            let most = if now == limit || shows(limit)? {
                None
            } else {
                Some(edge(now, limit, &mut shows)?)
            };
            let between = [(least.unwrap_or(minimum), now), (now, most.unwrap_or(limit))];
            let mut has_gaps = false;
            for (low, high) in between {
                for sample in samples(low, high) {
                    has_gaps |= !shows(sample)?;
                }
            }
            let tried = (minimum, limit);
            Some(NumberRange { kind: number.kind, now, tried, least, most, has_gaps })
        };
        numbers.map_while(range).collect()
    }

    fn codes(&mut self, at: usize) -> Option<Codes> {
        let act = self.script.steps[at].act.clone();
        let now = code_of(&mut act.clone()).copied()?;
        let mut shows = |code: u16| {
            let mut act = act.clone();
            *code_of(&mut act)? = code;
            self.is_same(at, act)
        };
        let mut these = Vec::new();
        for code in CODES {
            if shows(code)? {
                these.push(code);
            }
        }
        let sendable = these.iter().filter(|code| CODES[..SENDABLE].contains(code)).count();
        Some(match (these.len(), sendable) {
            (count, _) if count == CODES.len() => Codes::Any,
            (SENDABLE, SENDABLE) => Codes::AnySendable,
            _ => {
                if !these.contains(&now) {
                    these.push(now);
                }
                these.sort_unstable();
                Codes::These(these)
            }
        })
    }
}

/// The last value on the way from `same`, with which it shows, to `other`, with which it does not.
fn edge(mut same: u32, mut other: u32, shows: &mut impl FnMut(u32) -> Option<bool>) -> Option<u32> {
    while same.abs_diff(other) > 1 {
        let middle = middle(same.min(other), same.max(other));
        if shows(middle)? {
            same = middle;
        } else {
            other = middle;
        }
    }
    Some(same)
}

/// Between two values that are more than one apart: halfway in orders of magnitude, while they are far apart.
fn middle(low: u32, high: u32) -> u32 {
    let halfway = low + (high - low) / 2;
    if u64::from(high) < 4 * u64::from(low) + 4 {
        return halfway;
    }
    (u64::from(low.max(1)) * u64::from(high)).isqrt().clamp(u64::from(low) + 1, u64::from(halfway))
        as u32
}

/// Values between two, to see whether it shows with them too.
fn samples(low: u32, high: u32) -> Vec<u32> {
    if high - low < 2 {
        return Vec::new();
    }
    let mut samples = vec![middle(low, high), low + (high - low) / 2, high - (high - low) / 3];
    samples.retain(|sample| (low + 1..high).contains(sample));
    samples.dedup();
    samples
}

/// Whether each few bytes pass by themselves, so that many of them take long to play.
fn has_tiny_buffer(script: &Script) -> bool {
    script.steps.iter().any(|step| matches!(step.act, Act::Set(_, Size(bytes)) if bytes < 64))
}

/// The greatest value that is tried.
const fn limit(kind: NumberKind, tiny_buffer: bool) -> u32 {
    match kind {
        NumberKind::Payload if tiny_buffer => 1 << 14,
        NumberKind::Payload | NumberKind::Buffer => 1 << 20,
        NumberKind::Part | NumberKind::Piece => 1 << 16,
        NumberKind::Times => MAX_TIMES / 10,
        // An hour.
        NumberKind::Pause => 3_600_000,
    }
}

/// The code of the Close that an act sends, or has sent.
fn code_of(act: &mut Act) -> Option<&mut u16> {
    match act {
        Act::Send(Send { unit: Unit::Frame(Frame { kind: Kind::Close(code, _), .. }), .. })
        | Act::App(Command::Close(code, _), _) => code.as_mut(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> Script {
        text.parse().expect("a script")
    }

    /// The one number of the script's second step, where it shows with such values.
    fn range_of(text: &str, shows: impl Fn(u32) -> bool) -> NumberRange {
        let script = script(text);
        let number = |script: &Script| Some(simpler::numbers(&script.steps.get(1)?.act)[0].value);
        let matters = what_matters(&script, PLAYS, |script| match number(script) {
            Some(value) if shows(value) => Some(What::Same),
            _ => Some(What::Other("nothing")),
        });
        assert_eq!(matters.steps[0].without, Some(What::Other("nothing")));
        assert!(matters.plays < 60, "{matters:?}");
        matters.steps[1].numbers[0]
    }

    #[test]
    fn a_number_has_the_least_and_the_greatest_value_with_which_it_shows() {
        let payload = |shows: &dyn Fn(u32) -> bool| {
            let range = range_of("upgrade\napp send text 8200B\n", shows);
            assert_eq!((range.kind, range.now), (NumberKind::Payload, 8200));
            (range.least, range.most, range.has_gaps)
        };
        assert_eq!(payload(&|_| true), (None, None, false));
        assert_eq!(payload(&|value| value >= 8187), (Some(8187), None, false));
        assert_eq!(payload(&|value| value <= 70_001), (None, Some(70_001), false));
        assert_eq!(payload(&|value| value == 8200), (Some(8200), Some(8200), false));
        assert_eq!(
            payload(&|value| (8190..9000).contains(&value)),
            (Some(8190), Some(8999), false)
        );
        assert!(payload(&|value| value % 2 == 0).2);
        let pause = range_of("upgrade\nwait 1s\n", |value| value <= 2900);
        assert_eq!((pause.kind, pause.least, pause.most), (NumberKind::Pause, None, Some(2900)));
    }

    #[test]
    fn codes_are_told_by_what_they_have_in_common() {
        let codes = |shows: &dyn Fn(u16) -> bool| {
            let script = script("upgrade\nclose 1000\n");
            let code = |script: &Script| code_of(&mut script.steps.get(1)?.act.clone()).copied();
            let play = |script: &Script| match code(script) {
                Some(code) if shows(code) => Some(What::Same),
                _ => Some(What::Other(())),
            };
            what_matters(&script, PLAYS, play).steps[1].codes.clone().expect("there is one")
        };
        assert_eq!(codes(&|_| true), Codes::Any);
        assert_eq!(codes(&|code| code != 999 && code != 1005), Codes::AnySendable);
        assert_eq!(codes(&|code| code == 1000), Codes::These(vec![1000]));
        assert_eq!(codes(&|code| code < 1002), Codes::These(vec![999, 1000, 1001]));
    }

    #[test]
    fn nothing_is_said_where_no_play_is_left() {
        let script = script("upgrade\nwait 5s\nclose 1000\n");
        let matters = what_matters(&script, 2, |_| Some(What::Other(())));
        assert_eq!(matters.plays, 2);
        let mut cost = 2;
        let costly = what_matters(&script, PLAYS, |_| {
            cost -= 1;
            (cost >= 0).then_some(What::Other(()))
        });
        assert_eq!(costly.steps, matters.steps);
        assert_eq!(matters.steps[0].without, Some(What::Other(())));
        assert_eq!(
            (matters.steps[1].without.clone(), &matters.steps[1].numbers[..]),
            (Some(What::Other(())), &[][..])
        );
        assert_eq!((&matters.steps[2].without, &matters.steps[2].codes), (&None, &None));
    }
}
