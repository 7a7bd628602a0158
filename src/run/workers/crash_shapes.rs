//! Shapes of crashes: what the scripts that took their process down have in common, so that a
//! campaign can pass such scripts over. Plain data: what is learned follows from the scripts and
//! from which of them crashed.
//!
//! A shape is one or two features of a script's steps, in this order: a ping with a payload, or
//! a part of a Close and then a FIN. One is learned once the crashes of a kind have become
//! expensive. It is not believed yet: the next [`SAMPLE`] scripts that hold it are played, each
//! by itself. Only if [`CRASHING_PERCENT`] of them crash, later ones are passed over. So most of
//! what is passed over would have crashed.

use crate::script::{
    Act, Awaited, Command, ConnectionNumber, Content, Frame, Kind, Length, Masking,
};
use crate::script::{Pace, Piece, Script, Send, Setting, Unit};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// How many scripts that hold a shape are played before others are passed over.
pub(super) const SAMPLE: u32 = 100;

/// How many percent of the scripts that are passed over for one kind of crash must crash by what
/// the samples say. Passed over may be twice as many as would crash; the ten above 50 are for
/// chance.
const CRASHING_PERCENT: u64 = 60;

/// How many percent of each sample must crash. A shape with fewer than [`CRASHING_PERCENT`] needs
/// others of its kind that make up for it.
const LEAST_CRASHING_PERCENT: u64 = 40;

/// The cost of crashes of one kind at which shapes are first learned: 400 crashes or 16 stalls,
/// a few seconds. They are learned again whenever the cost of those without a shape has doubled.
const FIRST_LESSON: u64 = 400;

/// A lesson reads at most so many crashes, the latest.
const LESSON_CRASHES: usize = 128;

/// A lesson reads about so many scripts that did not crash.
const LESSON_SURVIVORS: u64 = 2048;

/// The most shapes that one lesson gives. Each costs a sample.
const LESSON_SHAPES: usize = 4;

/// A shape must cover so many crashes of a lesson, and a twelfth of them.
const MIN_CRASHES: u64 = 4;
const MIN_SHARE: u64 = 12;

/// How many percent of the scripts of a lesson that hold a shape must have crashed. A shape that
/// covers more, less surely, is taken only where there is no surer one.
const LESSON_PERCENT: [u64; 2] = [65, 45];

/// So many crashes of one kind are remembered at most.
const MAX_REMEMBERED: usize = 4096;

/// Something about one step of a script: what it does, and a detail of that or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Feature {
    /// Whether it comes after a step after which a server may read nothing more.
    late: bool,
    act: &'static str,
    detail: Option<Detail>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Detail {
    /// Only a part of the bytes.
    Part,
    NotEmpty,
    Payload(PayloadLength),
    Code(Option<u16>),
    NotUtf8,
    Unfinished,
    ReservedBits,
    Unmasked,
    LongLength,
    DeclaresLength,
    Times,
    InPieces,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum PayloadLength {
    Empty,
    OneByte,
    /// 2 to 125 bytes.
    Control,
    /// Up to 65535 bytes.
    Bits16,
    Bits64,
}

/// One or two features of a script's steps, in order; both may be of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shape {
    first: Feature,
    then: Option<Feature>,
}

/// The features of each step of a script.
pub(super) type Features = Vec<Vec<Feature>>;

/// The features of a script, step by step.
pub(super) fn features(script: &Script) -> Features {
    let mut late = false;
    let mut inside_message = false;
    let mut connection = ConnectionNumber::FIRST;
    let features = script.steps.iter().map(|step| {
        if std::mem::replace(&mut connection, step.connection) != step.connection {
            (late, inside_message) = (false, false);
        }
        let features = features_of(&step.act, late);
        late |= may_end_reading(&step.act, &mut inside_message);
        features
    });
    features.collect()
}

/// Whether a server may read nothing more after this step, or the client send nothing more.
fn may_end_reading(act: &Act, inside_message: &mut bool) -> bool {
    match act {
        Act::Fin | Act::Reset | Act::Drop | Act::Cut | Act::App(Command::Return, _) => true,
        // What it waits for may never come.
        Act::Await(awaited) => !matches!(awaited, Awaited::Upgrade | Awaited::Pong),
        Act::Send(Send { unit: Unit::Raw(_), .. }) => true,
        Act::Send(Send { unit: Unit::Frame(frame), .. }) => {
            let was_inside = *inside_message;
            let is_message =
                matches!(frame.kind, Kind::Text(_) | Kind::Binary(_) | Kind::Continuation(_));
            if is_message {
                *inside_message = !frame.fin;
            }
            let ends = match &frame.kind {
                Kind::Text(_) | Kind::Binary(_) => was_inside,
                Kind::Continuation(_) => !was_inside,
                Kind::Ping(content) | Kind::Pong(content) => !frame.fin || content.len() > 125,
                Kind::Close(..) | Kind::Other(..) => true,
            };
            let mut details = Vec::new();
            frame_features(frame, &mut details);
            let is_illegal = |detail: &Detail| {
                matches!(
                    detail,
                    Detail::NotUtf8
                        | Detail::ReservedBits
                        | Detail::Unmasked
                        | Detail::LongLength
                        | Detail::DeclaresLength
                )
            };
            ends || details.iter().any(is_illegal)
        }
        _ => false,
    }
}

fn features_of(act: &Act, late: bool) -> Vec<Feature> {
    let mut details = Vec::new();
    let act = match act {
        #[cfg(test)]
        Act::Idle => "idle",
        // Every script has some.
        Act::Wait(_) => return Vec::new(),
        Act::Connect(_) => "connect",
        Act::Send(Send { piece, unit, pace }) => {
            if *piece != Piece::Whole {
                details.push(Detail::Part);
            }
            details.extend(pace_detail(*pace));
            match unit {
                Unit::Upgrade(_) => "upgrade",
                Unit::Accept(_) => "accept",
                Unit::Raw(_) => "raw bytes",
                Unit::Frame(frame) => frame_features(frame, &mut details),
            }
        }
        Act::Await(awaited) => match awaited {
            Awaited::Upgrade => "await upgrade",
            Awaited::Close => "await close",
            Awaited::Message => "await message",
            Awaited::Ping => "await ping",
            Awaited::Pong => "await pong",
            Awaited::End => "await end",
        },
        Act::StopReading => "stop reading",
        Act::ResumeReading => "resume reading",
        Act::Fin => "fin",
        Act::Reset => "reset",
        Act::Drop => "drop",
        Act::Cut => "cut",
        Act::Set(setting, _) => match setting {
            Setting::Window => "window",
            Setting::SendBuffer => "send buffer",
            Setting::ReceiveBuffer => "receive buffer",
            Setting::Segment => "segment",
        },
        Act::App(command, pace) => {
            details.extend(pace_detail(*pace));
            command_features(command, &mut details)
        }
    };
    let plain = Feature { late, act, detail: None };
    let detailed = details.into_iter().map(|detail| Feature { late, act, detail: Some(detail) });
    std::iter::once(plain).chain(detailed).collect()
}

const fn pace_detail(pace: Pace) -> Option<Detail> {
    match pace {
        Pace::Once => None,
        Pace::Times(..) => Some(Detail::Times),
        Pace::Pieces(..) => Some(Detail::InPieces),
    }
}

fn frame_features(frame: &Frame, details: &mut Vec<Detail>) -> &'static str {
    let faults = [
        (!frame.fin, Detail::Unfinished),
        (frame.rsv != 0, Detail::ReservedBits),
        (frame.mask == Masking::Unmasked, Detail::Unmasked),
        (frame.length != Length::Minimal, Detail::LongLength),
        (frame.declares.is_some(), Detail::DeclaresLength),
    ];
    details.extend(faults.into_iter().filter(|(has, _)| *has).map(|(_, detail)| detail));
    let (name, content, is_text) = match &frame.kind {
        Kind::Text(content) => ("text", content, true),
        Kind::Binary(content) => ("binary", content, false),
        Kind::Continuation(content) => ("continuation", content, false),
        Kind::Ping(content) => ("ping", content, false),
        Kind::Pong(content) => ("pong", content, false),
        Kind::Close(code, reason) => {
            details.push(Detail::Code(*code));
            ("close", reason, true)
        }
        Kind::Other(_, content) => ("reserved opcode", content, false),
    };
    let code = if matches!(frame.kind, Kind::Close(Some(_), _)) { 2 } else { 0 };
    details.push(Detail::Payload(PayloadLength::of(content.len() + code)));
    if content.len() + code > 0 {
        details.push(Detail::NotEmpty);
    }
    let not_utf8 = |content: &Content| match content {
        Content::Bytes(bytes) => str::from_utf8(bytes).is_err(),
        Content::Empty | Content::Text(_) | Content::Fill(_) => false,
    };
    if is_text && not_utf8(content) {
        details.push(Detail::NotUtf8);
    }
    name
}

fn command_features(command: &Command, details: &mut Vec<Detail>) -> &'static str {
    match command {
        Command::SendText(content) => {
            details.push(Detail::Payload(PayloadLength::of(content.len())));
            "app send text"
        }
        Command::SendBinary(content) => {
            details.push(Detail::Payload(PayloadLength::of(content.len())));
            "app send binary"
        }
        Command::Ping(_) => "app ping",
        Command::Close(code, _) => {
            details.push(Detail::Code(*code));
            "app close"
        }
        Command::Return => "app return",
        Command::Keep => "app keep",
        Command::Shutdown => "app shutdown",
        Command::Broadcast(content) => {
            details.push(Detail::Payload(PayloadLength::of(content.len())));
            "app broadcast"
        }
    }
}

impl PayloadLength {
    const fn of(bytes: usize) -> Self {
        match bytes {
            0 => Self::Empty,
            1 => Self::OneByte,
            2..=125 => Self::Control,
            126..=0xffff => Self::Bits16,
            _ => Self::Bits64,
        }
    }
}

impl Shape {
    /// Whether the steps of these features have the shape's, in order.
    pub fn is_held_by(&self, steps: &[Vec<Feature>]) -> bool {
        let has = |steps: &[Vec<Feature>], feature: &Feature| {
            steps.iter().position(|step| step.contains(feature))
        };
        match (has(steps, &self.first), &self.then) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(at), Some(then)) => has(&steps[at..], then).is_some(),
        }
    }

    /// Every shape that the steps of these features hold.
    fn all_of(steps: &[Vec<Feature>]) -> BTreeSet<Self> {
        let mut shapes = BTreeSet::new();
        for (at, step) in steps.iter().enumerate() {
            for first in step {
                shapes.insert(Self { first: *first, then: None });
                for then in steps[at..].iter().flatten().filter(|then| *then != first) {
                    shapes.insert(Self { first: *first, then: Some(*then) });
                }
            }
        }
        shapes
    }
}

/// What is known of one shape.
#[derive(Debug)]
struct Known {
    shape: Shape,
    /// The kind of its crashes: what one costs.
    kind: u32,
    /// The script at which it was learned, and the one at which its sample was complete.
    learned_at: u64,
    sampled_at: u64,
    /// How many scripts are its sample; how many of them were met and played, how many crashed,
    /// and at what cost.
    sample: u32,
    met: u32,
    played: u32,
    crashed: u32,
    cost: u64,
    verdict: Verdict,
}

impl Known {
    const fn new(shape: Shape, kind: u32, learned_at: u64) -> Self {
        Self {
            shape,
            kind,
            learned_at,
            sampled_at: learned_at,
            sample: SAMPLE,
            met: 0,
            played: 0,
            crashed: 0,
            cost: 0,
            verdict: Verdict::Sampling,
        }
    }

    fn crashes_in(&self, percent: u64) -> bool {
        u64::from(self.crashed) * 100 >= u64::from(self.played) * percent
    }

    /// How many of a million scripts hold the shape, and how many of a million crash.
    fn frequencies(&self) -> (u64, u64) {
        let scripts = (self.sampled_at - self.learned_at).max(1);
        let of_million = |count: u32| u64::from(count) * 1_000_000 / scripts;
        (of_million(self.played), of_million(self.crashed))
    }
}

/// What happens to scripts that hold a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Each is played by itself.
    Sampling,
    /// They are passed over.
    PassOver,
    /// Too few of its scripts crash: they are played as any other.
    Dropped,
}

/// The crashes of one kind. Crashes of one cost are of one kind.
#[derive(Debug, Default)]
struct Crashes {
    /// Their scripts, in order.
    indices: Vec<u64>,
    /// What those cost that held no known shape.
    cost: u64,
    /// The cost at which shapes are learned next.
    next_lesson: u64,
}

/// All crashes of a campaign, and what was learned from them.
#[derive(Debug, Default)]
pub(super) struct CrashShapes {
    crashes: BTreeMap<u32, Crashes>,
    shapes: Vec<Known>,
    passed_over: u64,
}

/// What becomes of the next script that holds a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// It is played by itself.
    PlayAlone,
    /// It is passed over.
    PassedOver,
}

/// The decision about a shape, which is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// A script of the sample is still being played.
    Wait,
    /// Other shapes of its kind are not decided yet: more of its scripts are played.
    SampleMore,
    /// Its scripts are passed over. The cost of the sample.
    PassOver(u64),
    /// The shape was dropped. The cost of the sample.
    Drop(u64),
}

impl CrashShapes {
    /// The shapes whose scripts are kept out of ranges.
    pub fn active(&self) -> Vec<(usize, Shape)> {
        let shapes = self.shapes.iter().enumerate();
        let active = shapes.filter(|(_, known)| known.verdict != Verdict::Dropped);
        active.map(|(which, known)| (which, known.shape)).collect()
    }

    /// How many scripts were passed over.
    pub const fn passed_over(&self) -> u64 {
        self.passed_over
    }

    /// The first of these held scripts at which a decision is due: the sample of its shape is
    /// complete.
    pub fn first_decision(&self, held: &[(u64, usize)]) -> Option<(u64, usize)> {
        let mut met: BTreeMap<usize, u32> = BTreeMap::new();
        held.iter().copied().find(|(_, which)| {
            let known = &self.shapes[*which];
            let met = met.entry(*which).or_insert(known.met);
            *met += 1;
            known.verdict == Verdict::Sampling && *met > known.sample
        })
    }

    /// Decides at the script `index` about a shape whose sample was met.
    pub fn decide(&mut self, which: usize, index: u64) -> Decision {
        let known = &mut self.shapes[which];
        if known.played < known.met {
            return Decision::Wait;
        }
        known.sampled_at = index;
        let known = &self.shapes[which];
        let cost = known.cost;
        let of_kind = || self.shapes.iter().filter(|other| other.kind == known.kind);
        let sampled_elsewhere = of_kind()
            .filter(|other| other.verdict == Verdict::Sampling)
            .any(|other| other.shape != known.shape);
        let accepted = of_kind().filter(|other| other.verdict == Verdict::PassOver);
        let frequencies = accepted.chain([known]).map(Known::frequencies);
        let (held, crashed) =
            frequencies.fold((0, 0), |sums, more| (sums.0 + more.0, sums.1 + more.1));
        let enough_crash = known.crashes_in(LEAST_CRASHING_PERCENT);
        let verdict = if enough_crash && crashed * 100 >= held * CRASHING_PERCENT {
            Verdict::PassOver
        } else if enough_crash && sampled_elsewhere {
            Verdict::Sampling
        } else {
            Verdict::Dropped
        };
        let known = &mut self.shapes[which];
        known.verdict = verdict;
        match verdict {
            Verdict::PassOver => Decision::PassOver(cost),
            Verdict::Dropped => Decision::Drop(cost),
            Verdict::Sampling => {
                known.sample += SAMPLE;
                Decision::SampleMore
            }
        }
    }

    /// The next script in order that holds a shape.
    pub fn meet(&mut self, which: usize) -> Held {
        let known = &mut self.shapes[which];
        if known.verdict == Verdict::PassOver {
            self.passed_over += 1;
            return Held::PassedOver;
        }
        known.met += 1;
        Held::PlayAlone
    }

    /// A script of a sample was played, at this cost if it crashed.
    pub fn sample_played(&mut self, which: usize, crash_cost: u32) {
        let known = &mut self.shapes[which];
        known.played += 1;
        known.crashed += u32::from(crash_cost > 0);
        known.cost += u64::from(crash_cost);
    }

    /// The next script in order that crashed and held no shape. Whether shapes were learned.
    pub fn crashed(&mut self, index: u64, crash_cost: u32, script: &dyn Fn(u64) -> Script) -> bool {
        let crashes = self.crashes.entry(crash_cost).or_default();
        if crashes.indices.len() == MAX_REMEMBERED {
            crashes.indices.drain(..MAX_REMEMBERED / 2);
        }
        crashes.indices.push(index);
        crashes.cost += u64::from(crash_cost);
        if crashes.cost < crashes.next_lesson.max(FIRST_LESSON) {
            return false;
        }
        crashes.next_lesson = crashes.cost * 2;
        let learned = self.learn(crash_cost, index, script);
        self.shapes.extend(learned.iter().map(|shape| Known::new(*shape, crash_cost, index)));
        !learned.is_empty()
    }

    /// What the latest crashes of a kind, the last of them at `last`, have in common and few
    /// other scripts have.
    fn learn(&self, kind: u32, last: u64, script: &dyn Fn(u64) -> Script) -> Vec<Shape> {
        let active = self.active();
        let holds_none =
            |steps: &Features| !active.iter().any(|(_, shape)| shape.is_held_by(steps));
        let crashes = self.crashes[&kind].indices.iter().rev().take(LESSON_CRASHES);
        let first = crashes.clone().next_back().copied().unwrap_or(last);
        let mut crashed: Vec<BTreeSet<Shape>> = crashes
            .map(|index| features(&script(*index)))
            .filter(holds_none)
            .map(|steps| Shape::all_of(&steps))
            .collect();
        let enough = MIN_CRASHES.max(crashed.len() as u64 / MIN_SHARE);
        let is_known = |shape: &Shape| self.shapes.iter().any(|known| known.shape == *shape);
        let all: BTreeSet<Shape> = crashed.iter().flatten().copied().collect();
        let mut candidates = count(&crashed, &all);
        candidates.retain(|shape, count| *count >= enough && !is_known(shape));
        let candidates: BTreeSet<Shape> = candidates.into_keys().collect();

        let stride = ((last - first) / LESSON_SURVIVORS).max(1);
        let all_crashes: BTreeSet<u64> =
            self.crashes.values().flat_map(|crashes| &crashes.indices).copied().collect();
        let mut survived: Vec<BTreeSet<Shape>> = (first..last)
            .step_by(stride as usize)
            .filter(|index| !all_crashes.contains(index))
            .map(|index| features(&script(index)))
            .filter(holds_none)
            .map(|steps| Shape::all_of(&steps))
            .collect();
        let mut learned = Vec::new();
        while learned.len() < LESSON_SHAPES {
            let crashes_of = count(&crashed, &candidates);
            let survivors_of = count(&survived, &candidates);
            let counted = candidates.iter().map(|shape| {
                let held = |counts: &BTreeMap<Shape, u64>| counts.get(shape).copied().unwrap_or(0);
                (*shape, held(&crashes_of), held(&survivors_of) * stride)
            });
            let counted: Vec<_> = counted.filter(|(_, crashed, _)| *crashed >= enough).collect();
            let best = LESSON_PERCENT.into_iter().find_map(|percent| {
                let sure = counted.iter().filter(|(_, crashed, survived)| {
                    crashed * 100 >= (crashed + survived) * percent
                });
                // Of equal ones the simplest.
                sure.min_by_key(|(shape, crashed, survived)| {
                    (Reverse(*crashed), *survived, shape.then.is_some(), *shape)
                })
            });
            let Some(&(shape, ..)) = best else { break };
            crashed.retain(|shapes| !shapes.contains(&shape));
            survived.retain(|shapes| !shapes.contains(&shape));
            learned.push(shape);
        }
        learned
    }
}

/// How many of these scripts hold each of the shapes.
fn count(scripts: &[BTreeSet<Shape>], shapes: &BTreeSet<Shape>) -> BTreeMap<Shape, u64> {
    let mut counts = BTreeMap::new();
    for shape in scripts.iter().flat_map(|held| held.intersection(shapes)) {
        *counts.entry(*shape).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> Script {
        text.parse().expect("a script")
    }

    fn feature(late: bool, act: &'static str, detail: Option<Detail>) -> Feature {
        Feature { late, act, detail }
    }

    #[test]
    fn a_shape_is_held_where_its_features_come_in_order() {
        let shape = Shape {
            first: feature(false, "stop reading", None),
            then: Some(feature(false, "ping", Some(Detail::NotEmpty))),
        };
        let holds = |text: &str| shape.is_held_by(&features(&script(text)));
        assert!(holds("upgrade\nstop reading\nwait 1s\nping \"x\"\n"));
        assert!(!holds("upgrade\nping \"x\"\nstop reading\n"), "the other order");
        assert!(!holds("upgrade\nstop reading\nping\n"), "an empty ping");
        assert!(!holds("upgrade\nstop reading\ndrop\nping \"x\"\n"), "it is never read");
    }

    #[test]
    fn a_step_is_late_after_one_that_may_end_the_servers_reading() {
        let is_late = |step: &str| {
            let steps = features(&script(&format!("upgrade\n{step}\npong\n")));
            steps.last().is_some_and(|last| last[0].late)
        };
        for step in ["drop", "close 1000", "unmasked ping", "continuation \"x\"", "text hex ff"] {
            assert!(is_late(step), "{step}");
        }
        for step in ["ping \"x\"", "text \"x\"", "wait 1s", "app close", "stop reading"] {
            assert!(!is_late(step), "{step}");
        }
    }

    #[test]
    fn a_lesson_finds_what_crashes_have_in_common_and_nothing_where_they_have_nothing() {
        let draw = |index: u64| script(if index % 10 == 3 { "fin\nping \"x\"\n" } else { "fin\n" });
        let mut shapes = CrashShapes::default();
        let learned = (0..16).map(|crash| shapes.crashed(10 * crash + 3, 25, &draw));
        assert_eq!(learned.filter(|learned| *learned).count(), 1, "once it was expensive");
        let ping = Shape { first: feature(true, "ping", None), then: None };
        assert_eq!(shapes.active(), [(0, ping)]);

        let mut shapes = CrashShapes::default();
        let learned = (0..64).any(|crash| shapes.crashed(10 * crash, 25, &draw));
        assert!(!learned && shapes.active().is_empty(), "every script has a fin");
    }

    /// A shape of the kind 25, whose sample of scripts, one of `every`, was played.
    fn sampled(every: u64, crashed: u32) -> Known {
        let shape = Shape { first: feature(false, "ping", None), then: None };
        let known = Known::new(shape, 25, 0);
        Known { sampled_at: 100 * every, met: 100, played: 100, crashed, ..known }
    }

    #[test]
    fn a_shape_that_crashes_too_rarely_is_dropped_unless_others_make_up_for_it() {
        let decide = |shapes: Vec<Known>| {
            let mut shapes = CrashShapes { shapes, ..CrashShapes::default() };
            let last = shapes.shapes.len() - 1;
            let at = shapes.shapes[last].sampled_at;
            shapes.decide(last, at)
        };
        assert_eq!(decide(vec![sampled(10, 60)]), Decision::PassOver(0));
        assert_eq!(decide(vec![sampled(10, 59)]), Decision::Drop(0));
        let sure = |every| Known { verdict: Verdict::PassOver, ..sampled(every, 90) };
        assert_eq!(decide(vec![sure(10), sampled(20, 45)]), Decision::PassOver(0));
        assert_eq!(decide(vec![sure(40), sampled(10, 45)]), Decision::Drop(0), "by too few");
        assert_eq!(decide(vec![sure(10), sampled(20, 39)]), Decision::Drop(0), "far too few");
        let other = Shape { first: feature(false, "pong", None), then: None };
        let open = Known { shape: other, ..sampled(10, 90) };
        assert_eq!(decide(vec![open, sampled(20, 45)]), Decision::SampleMore);
    }
}
