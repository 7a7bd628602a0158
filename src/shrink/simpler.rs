//! What is simpler than what.
//!
//! [`Measure`] orders scripts; every accepted candidate is smaller by it, so that
//! shrinking ends. [`steps`] lists the acts that could stand in for a step, the
//! simplest first, and [`numbers`] the values that can be bisected.

use crate::script::{
    Act, Awaited, Command, Content, Frame, Kind, Length, Millis, Pace, Piece, Script, Send, Size,
    Step, Unit,
};

/// How large a script is. Smaller by the first difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Measure {
    steps: usize,
    ranks: u32,
    details: u32,
    magnitude: u64,
    order: Vec<u8>,
}

impl Measure {
    pub fn of(script: &Script) -> Self {
        let steps = &script.steps;
        Self {
            steps: steps.len(),
            ranks: steps.iter().map(|step| u32::from(rank(&step.act))).sum(),
            details: steps.iter().map(|step| u32::from(step.joined) + details(&step.act)).sum(),
            magnitude: steps.iter().map(|step| magnitude(&step.act)).sum(),
            order: steps.iter().map(|step| rank(&step.act)).collect(),
        }
    }
}

/// A value of an act that can be smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub value: u32,
    pub least: u32,
}

/// The rank of the first of [`plain_sends`].
const PLAIN_RANK: u8 = 13;

/// How many [`plain_sends`] there are.
pub(super) const PLAIN: usize = 8;

/// The `choice`-th simplest send, where `first` and `second` are sends that it could
/// stand in for: two of them may be no more than one frame in two parts.
pub(super) fn merged(first: &Act, second: &Act, choice: usize) -> Option<Act> {
    let opens = |act: &Act| matches!(act, Act::Send(Send { unit: Unit::Upgrade(_), .. }));
    if opens(first) && opens(second) {
        let (piece, unit, pace) = (Piece::Whole, Unit::Upgrade(None), Pace::Once);
        return (choice == 0).then_some(Act::Send(Send { piece, unit, pace }));
    }
    let is_send = |act: &Act| matches!(act, Act::Send(_)) && rank(act) > 1;
    if !is_send(first) || !is_send(second) {
        return None;
    }
    plain_sends().into_iter().nth(choice)
}

/// The simplest things that a client can send, the simplest first. Whatever it
/// sends is replaced by one of them where the failure stays the same.
fn plain_sends() -> [Act; PLAIN] {
    let whole =
        |frame| Act::Send(Send { piece: Piece::Whole, unit: Unit::Frame(frame), pace: Pace::Once });
    let ping = Frame::new(Kind::Ping(Content::Empty));
    [
        whole(ping.clone()),
        Act::Send(Send {
            piece: Piece::First(1),
            unit: Unit::Frame(ping.clone()),
            pace: Pace::Once,
        }),
        whole(Frame::new(Kind::Close(None, Content::Empty))),
        whole(Frame::new(Kind::Text(Content::Empty))),
        whole(Frame { masked: false, ..ping.clone() }),
        Act::Send(Send {
            piece: Piece::First(2),
            unit: Unit::Frame(Frame {
                masked: false,
                ..Frame::new(Kind::Ping(Content::Fill(Size(1))))
            }),
            pace: Pace::Once,
        }),
        whole(Frame::new(Kind::Close(Some(1000), Content::Empty))),
        whole(Frame { fin: false, ..Frame::new(Kind::Text(Content::Empty)) }),
    ]
}

/// The place of an act among all acts, by how much there is to understand in it,
/// and by the order in which a story would tell it.
fn rank(act: &Act) -> u8 {
    match act {
        #[cfg(hangup_test_step)]
        Act::Idle => 0,
        Act::Set(..) => 0,
        Act::Send(Send { unit: Unit::Upgrade(_), .. }) => 1,
        Act::StopReading => 2,
        Act::App(Command::Ping(_), _) => 3,
        Act::App(Command::SendText(_), _) => 4,
        Act::App(Command::SendBinary(_), _) => 5,
        Act::App(Command::Close(..), _) => 6,
        Act::App(Command::Return, _) => 7,
        Act::App(Command::Keep, _) => 8,
        Act::Await(Awaited::Upgrade) => 9,
        Act::Await(_) => 10,
        Act::Wait(_) => 11,
        Act::ResumeReading => 12,
        Act::Send(_) => {
            let plain = plain_sends().iter().position(|plain| plain == act);
            plain.map_or(30, |place| PLAIN_RANK + place as u8)
        }
        Act::Fin => 40,
        Act::Reset => 41,
        Act::Drop => 42,
        Act::Cut => 43,
    }
}

/// How many things about an act are out of the ordinary.
fn details(act: &Act) -> u32 {
    match act {
        Act::Send(Send { piece, unit, pace }) => {
            let unit = match unit {
                Unit::Upgrade(header) => u32::from(header.is_some()),
                Unit::Raw(content) => 2 + content_details(content),
                Unit::Frame(frame) => {
                    u32::from(!frame.fin)
                        + u32::from(frame.rsv != 0)
                        + u32::from(!frame.masked)
                        + u32::from(frame.length != Length::Minimal)
                        + content_details(frame.kind.content())
                        + kind_details(&frame.kind)
                        + match frame.kind {
                            Kind::Close(Some(1000), _) => 1,
                            Kind::Close(Some(_), _) => 2,
                            _ => 0,
                        }
                }
            };
            unit + u32::from(*piece != Piece::Whole) + pace_details(*pace)
        }
        Act::App(command, pace) => {
            let command = match command {
                Command::SendText(content)
                | Command::SendBinary(content)
                | Command::Ping(content) => content_details(content),
                Command::Close(code, content) => {
                    let code = match code {
                        None => 0,
                        Some(1000) => 1,
                        Some(_) => 2,
                    };
                    code + content_details(content)
                }
                Command::Return | Command::Keep => 0,
            };
            command + pace_details(*pace)
        }
        _ => 0,
    }
}

const fn kind_details(kind: &Kind) -> u32 {
    match kind {
        Kind::Ping(_) | Kind::Close(..) => 0,
        Kind::Text(_) => 1,
        Kind::Binary(_) | Kind::Pong(_) => 2,
        Kind::Continuation(_) | Kind::Other(..) => 3,
    }
}

const fn content_details(content: &Content) -> u32 {
    match content {
        Content::Empty => 0,
        Content::Fill(_) => 1,
        Content::Text(_) => 2,
        Content::Bytes(_) => 3,
    }
}

const fn pace_details(pace: Pace) -> u32 {
    match pace {
        Pace::Once => 0,
        Pace::Times(_, Millis(0)) | Pace::Pieces(_, Millis(0)) => 1,
        Pace::Times(..) | Pace::Pieces(..) => 2,
    }
}

fn magnitude(act: &Act) -> u64 {
    let code = match act {
        Act::Send(Send { unit: Unit::Frame(Frame { kind: Kind::Close(code, _), .. }), .. })
        | Act::App(Command::Close(code, _), _) => code.unwrap_or_default(),
        _ => 0,
    };
    let bytes = match act {
        Act::Send(Send { unit: Unit::Frame(frame), .. }) => match frame.kind.content() {
            Content::Bytes(bytes) => bytes.iter().map(|byte| u64::from(*byte)).sum(),
            _ => 0,
        },
        _ => 0,
    };
    let numbers = numbers(act).iter().map(|number| u64::from(number.value)).sum::<u64>();
    numbers + u64::from(code) + bytes
}

/// The simpler steps that could stand in for `step`, the simplest first.
pub(super) fn steps(step: &Step) -> Vec<Step> {
    let joined = step.joined;
    let mut out = Vec::new();
    if joined {
        out.push(Step { joined: false, act: step.act.clone() });
    }
    out.extend(acts(&step.act).into_iter().map(|act| Step { joined, act }));
    out
}

fn acts(act: &Act) -> Vec<Act> {
    match act {
        Act::Send(Send { piece, unit: unit @ Unit::Upgrade(_), pace }) => {
            let with = |piece, unit, pace| Act::Send(Send { piece, unit, pace });
            let mut out = vec![with(Piece::Whole, Unit::Upgrade(None), Pace::Once)];
            out.push(with(Piece::First(1), Unit::Upgrade(None), Pace::Once));
            out.extend(paces(*pace).into_iter().map(|pace| with(*piece, unit.clone(), pace)));
            out
        }
        Act::Send(send) => {
            let mut out: Vec<Act> = plain_sends().into();
            out.truncate(usize::from(rank(act).saturating_sub(PLAIN_RANK)).min(out.len()));
            out.extend(sends(send).into_iter().map(Act::Send));
            out
        }
        Act::App(command, pace) => {
            let mut out: Vec<Act> =
                commands(command).into_iter().map(|command| Act::App(command, *pace)).collect();
            out.extend(paces(*pace).into_iter().map(|pace| Act::App(command.clone(), pace)));
            out
        }
        // A Close that comes by itself may be like one that is asked for.
        Act::Await(Awaited::Close) => vec![
            Act::App(Command::Close(None, Content::Empty), Pace::Once),
            Act::Await(Awaited::Upgrade),
        ],
        Act::Await(awaited) if *awaited != Awaited::Upgrade => vec![Act::Await(Awaited::Upgrade)],
        Act::Reset => vec![Act::Fin],
        Act::Drop => vec![Act::Fin, Act::Reset],
        Act::Cut => vec![Act::Fin, Act::Reset, Act::Drop],
        _ => Vec::new(),
    }
}

fn paces(pace: Pace) -> Vec<Pace> {
    match pace {
        Pace::Once => vec![],
        Pace::Times(_, Millis(0)) | Pace::Pieces(_, Millis(0)) => vec![Pace::Once],
        Pace::Times(times, _) => vec![Pace::Once, Pace::Times(times, Millis(0))],
        Pace::Pieces(size, _) => vec![Pace::Once, Pace::Pieces(size, Millis(0))],
    }
}

fn contents(content: &Content) -> Vec<Content> {
    match content {
        Content::Empty => vec![],
        Content::Fill(_) => vec![Content::Empty],
        Content::Text(text) => vec![Content::Empty, Content::Fill(Size(text.len() as u32))],
        Content::Bytes(bytes) => vec![
            Content::Empty,
            Content::Fill(Size(bytes.len() as u32)),
            // The plainest of what is no UTF-8.
            Content::Bytes(vec![0xff]),
        ],
    }
}

fn codes(code: Option<u16>) -> Vec<Option<u16>> {
    match code {
        None => vec![],
        Some(1000) => vec![None],
        Some(_) => vec![None, Some(1000), Some(0), Some(1001), Some(1005)],
    }
}

fn commands(command: &Command) -> Vec<Command> {
    match command {
        Command::SendText(content) => {
            contents(content).into_iter().map(Command::SendText).collect()
        }
        Command::SendBinary(content) => {
            let mut out = vec![Command::SendText(content.clone())];
            out.extend(contents(content).into_iter().map(Command::SendBinary));
            out
        }
        Command::Ping(content) => contents(content).into_iter().map(Command::Ping).collect(),
        Command::Close(code, reason) => {
            let mut out: Vec<Command> =
                codes(*code).into_iter().map(|code| Command::Close(code, reason.clone())).collect();
            out.extend(contents(reason).into_iter().map(|reason| Command::Close(*code, reason)));
            out
        }
        Command::Return => vec![Command::Close(None, Content::Empty)],
        Command::Keep => vec![],
    }
}

fn sends(send: &Send) -> Vec<Send> {
    let Send { piece, unit, pace } = send;
    let mut out = Vec::new();
    if let Pace::Pieces(size, _) = *pace {
        out.push(Send { piece: Piece::First(size), unit: unit.clone(), pace: Pace::Once });
    }
    if *piece != Piece::Whole {
        out.push(Send { piece: Piece::Whole, ..send.clone() });
    }
    out.extend(paces(*pace).into_iter().map(|pace| Send { pace, ..send.clone() }));
    let units = match unit {
        Unit::Upgrade(_) => vec![],
        Unit::Raw(content) => contents(content).into_iter().map(Unit::Raw).collect(),
        Unit::Frame(frame) => frames(frame).into_iter().map(Unit::Frame).collect(),
    };
    out.extend(units.into_iter().map(|unit| Send { unit, piece: *piece, pace: *pace }));
    out
}

fn frames(frame: &Frame) -> Vec<Frame> {
    let mut out = Vec::new();
    let ordinary = [
        Frame { fin: true, ..frame.clone() },
        Frame { rsv: 0, ..frame.clone() },
        Frame { masked: true, ..frame.clone() },
        Frame { length: Length::Minimal, ..frame.clone() },
    ];
    out.extend(ordinary.into_iter().filter(|simpler| simpler != frame));
    let content = frame.kind.content();
    let kinds = [Kind::Ping(content.clone()), Kind::Text(content.clone())];
    out.extend(kinds.into_iter().map(|kind| Frame { kind, ..frame.clone() }));
    if let Kind::Close(code, reason) = &frame.kind {
        let closes = codes(*code).into_iter().map(|code| Kind::Close(code, reason.clone()));
        out.extend(closes.map(|kind| Frame { kind, ..frame.clone() }));
    }
    out.extend(
        contents(content)
            .into_iter()
            .map(|content| Frame { kind: with_content(&frame.kind, content), ..frame.clone() }),
    );
    out
}

fn with_content(kind: &Kind, content: Content) -> Kind {
    match kind {
        Kind::Text(_) => Kind::Text(content),
        Kind::Binary(_) => Kind::Binary(content),
        Kind::Continuation(_) => Kind::Continuation(content),
        Kind::Ping(_) => Kind::Ping(content),
        Kind::Pong(_) => Kind::Pong(content),
        Kind::Close(code, _) => Kind::Close(*code, content),
        Kind::Other(opcode, _) => Kind::Other(*opcode, content),
    }
}

/// Every number of an act, in the order of [`with_number`]'s slots.
pub(super) fn numbers(act: &Act) -> Vec<Number> {
    let mut copy = act.clone();
    let mut out = Vec::new();
    visit(&mut copy, &mut |value, least| out.push(Number { value: *value, least }));
    out
}

/// `act` with its `slot`-th number set to `value`.
pub(super) fn with_number(act: &Act, slot: usize, value: u32) -> Act {
    let mut copy = act.clone();
    let mut place = 0;
    visit(&mut copy, &mut |number, _| {
        if place == slot {
            *number = value;
        }
        place += 1;
    });
    copy
}

/// Shows every number of an act with the least that it can be.
fn visit(act: &mut Act, see: &mut impl FnMut(&mut u32, u32)) {
    match act {
        #[cfg(hangup_test_step)]
        Act::Idle => {}
        Act::Send(Send { piece, unit, pace }) => {
            if let Piece::First(count) | Piece::After(count) = piece {
                see(count, 1);
            }
            match unit {
                Unit::Upgrade(Some(Size(size))) => see(size, 1),
                Unit::Upgrade(None) => {}
                Unit::Raw(content) => visit_content(content, see),
                Unit::Frame(frame) => visit_kind(&mut frame.kind, see),
            }
            visit_pace(pace, see);
        }
        Act::Wait(Millis(time)) => see(time, 1),
        Act::Set(_, Size(size)) => see(size, 1),
        Act::App(command, pace) => {
            match command {
                Command::SendText(content)
                | Command::SendBinary(content)
                | Command::Ping(content)
                | Command::Close(_, content) => visit_content(content, see),
                Command::Return | Command::Keep => {}
            }
            visit_pace(pace, see);
        }
        Act::Await(_)
        | Act::StopReading
        | Act::ResumeReading
        | Act::Fin
        | Act::Reset
        | Act::Drop
        | Act::Cut => {}
    }
}

fn visit_kind(kind: &mut Kind, see: &mut impl FnMut(&mut u32, u32)) {
    match kind {
        Kind::Text(content)
        | Kind::Binary(content)
        | Kind::Continuation(content)
        | Kind::Ping(content)
        | Kind::Pong(content)
        | Kind::Close(_, content)
        | Kind::Other(_, content) => visit_content(content, see),
    }
}

fn visit_content(content: &mut Content, see: &mut impl FnMut(&mut u32, u32)) {
    if let Content::Fill(Size(size)) = content {
        see(size, 1);
    }
}

fn visit_pace(pace: &mut Pace, see: &mut impl FnMut(&mut u32, u32)) {
    if let Pace::Times(times, Millis(every)) | Pace::Pieces(times, Millis(every)) = pace {
        see(times, 1);
        if *every > 0 {
            see(every, 1);
        }
    }
}

#[cfg(test)]
mod tests;
