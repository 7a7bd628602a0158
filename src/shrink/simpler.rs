//! The order of scripts by complexity, and the simpler variants of a step.
//!
//! [`Complexity`] orders scripts; every accepted candidate is smaller by it, so that
//! shrinking ends. [`steps`] lists the acts that could stand in for a step, the
//! simplest first, and [`numbers`] the values that can be bisected.

mod raw_bytes;

use crate::script::{
    Accept, Act, Answer, Awaited, Command, Content, DeclaredLength, Frame, Kind, Length, Masking,
    Millis, Pace, Piece, Script, Send, Size, Step, Unit,
};
use crate::wire::CloseCode;

/// How complex a script is. The first field that differs decides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Complexity {
    /// How many connections it has.
    connections: u8,
    /// How many steps it has.
    steps: usize,
    /// The sum of the ranks of its acts.
    ranks: u32,
    /// How many things are out of the ordinary, joined steps included.
    oddities: u32,
    /// The sum of all its numbers.
    magnitude: u64,
    /// The sum of the numbers of its steps' connections, from 0: where one connection does more than
    /// another one, it comes first.
    numbers: u32,
    /// The ranks of its acts, in order.
    order: Vec<u8>,
}

impl Complexity {
    pub fn of(script: &Script) -> Self {
        let steps = &script.steps;
        Self {
            connections: script.connections(),
            steps: steps.len(),
            ranks: steps.iter().map(|step| u32::from(rank(&step.act))).sum(),
            oddities: steps.iter().map(|step| u32::from(step.joined) + oddities(&step.act)).sum(),
            magnitude: steps.iter().map(|step| magnitude(&step.act)).sum(),
            numbers: steps.iter().map(|step| u32::from(step.connection.get()) - 1).sum(),
            order: steps.iter().map(|step| rank(&step.act)).collect(),
        }
    }
}

/// A value of an act that can be smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub value: u32,
    pub minimum: u32,
    pub kind: NumberKind,
}

/// What a number of an act counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberKind {
    /// Bytes of a payload, or of a header's filler.
    Payload,
    /// Bytes of what is sent of a unit, or left out of it.
    Part,
    /// Bytes of a buffer, or of a segment.
    Buffer,
    /// Bytes of each piece.
    Piece,
    /// How often something is done.
    Times,
    /// Milliseconds.
    Pause,
}

/// The ranks of acts: the lower, the simpler, and the earlier in a script's usual order.
mod ranks {
    /// Sets a buffer.
    pub const SET: u8 = 0;
    /// The opening request, or what answers it, whole or in part.
    pub const UPGRADE: u8 = 1;
    pub const STOP_READING: u8 = 2;
    pub const APP_PING: u8 = 3;
    pub const APP_SEND_TEXT: u8 = 4;
    pub const APP_SEND_BINARY: u8 = 5;
    pub const APP_CLOSE: u8 = 6;
    pub const APP_RETURN: u8 = 7;
    pub const APP_KEEP: u8 = 8;
    pub const AWAIT_UPGRADE: u8 = 9;
    pub const AWAIT_OTHER: u8 = 10;
    pub const WAIT: u8 = 11;
    pub const RESUME_READING: u8 = 12;
    /// The first of [`plain_sends`](super::plain_sends); the others follow.
    pub const FIRST_PLAIN_SEND: u8 = 13;
    /// Every other send: after all plain ones, with a gap for more of them.
    pub const OTHER_SEND: u8 = 30;
    /// What a whole server is told, behind what one connection's application is.
    pub const APP_BROADCAST: u8 = 31;
    pub const APP_SHUTDOWN: u8 = 32;
    pub const FIN: u8 = 40;
    pub const RESET: u8 = 41;
    pub const DROP: u8 = 42;
    pub const CUT: u8 = 43;
}

/// How far the content of a raw send is from a plain frame, in oddities: a reader decodes bytes
/// in his head, so that nearly any frame is simpler.
const RAW_ODDITIES: u32 = 6;

/// What a declared length that is no edge adds to the magnitude: more than any edge.
const ODD_LENGTH: u64 = 1000;

/// The code of an ordinary Close.
const NORMAL_CLOSURE: u16 = CloseCode::NORMAL.0;

/// Simpler codes to try in the place of an unusual one: the lowest, which is illegal; one that
/// is legal; one that no frame may carry.
const SIMPLER_CODES: [u16; 3] = [0, CloseCode::GOING_AWAY.0, 1005];

/// A byte that is never valid UTF-8.
const INVALID_UTF8: u8 = 0xff;

/// How many [`plain_sends`] there are.
pub(super) const PLAIN_SENDS: usize = 8;

/// The `choice`-th simplest send, where `first` and `second` are sends that it could
/// stand in for: two of them may be no more than one frame in two parts.
pub(super) fn merged(first: &Act, second: &Act, choice: usize) -> Option<Act> {
    let is_upgrade = |act: &Act| matches!(act, Act::Send(Send { unit: Unit::Upgrade(_), .. }));
    let is_accept = |act: &Act| matches!(act, Act::Send(Send { unit: Unit::Accept(_), .. }));
    if is_accept(first) && is_accept(second) {
        return (choice == 0).then(|| whole_send(Unit::Accept(Accept::USUAL)));
    }
    if is_upgrade(first) && is_upgrade(second) {
        let (piece, unit, pace) = (Piece::Whole, Unit::Upgrade(None), Pace::Once);
        return (choice == 0).then_some(Act::Send(Send { piece, unit, pace }));
    }
    let is_send = |act: &Act| matches!(act, Act::Send(_)) && rank(act) > ranks::UPGRADE;
    if !is_send(first) || !is_send(second) {
        return None;
    }
    plain_sends().into_iter().nth(choice)
}

fn whole_send(unit: Unit) -> Act {
    Act::Send(Send { piece: Piece::Whole, unit, pace: Pace::Once })
}

/// The simplest frame that breaks a rule in a server's mouth alone.
fn masked_ping() -> Act {
    let ping = Frame::new(Kind::Ping(Content::Empty));
    whole_send(Unit::Frame(Frame { mask: Masking::Masked, ..ping }))
}

/// The simplest things that a client can send, the simplest first. Whatever it
/// sends is replaced by one of them where the failure stays the same.
fn plain_sends() -> [Act; PLAIN_SENDS] {
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
        whole(Frame { mask: Masking::Unmasked, ..ping.clone() }),
        Act::Send(Send {
            piece: Piece::First(2),
            unit: Unit::Frame(Frame {
                mask: Masking::Unmasked,
                ..Frame::new(Kind::Ping(Content::Fill(Size(1))))
            }),
            pace: Pace::Once,
        }),
        whole(Frame::new(Kind::Close(Some(NORMAL_CLOSURE), Content::Empty))),
        whole(Frame { fin: false, ..Frame::new(Kind::Text(Content::Empty)) }),
    ]
}

/// The rank of an act among all acts: by how much a reader has to understand, and by the usual
/// order of a script.
fn rank(act: &Act) -> u8 {
    match act {
        #[cfg(test)]
        Act::Idle => ranks::SET,
        Act::Set(..) => ranks::SET,
        Act::Send(Send { unit: Unit::Upgrade(_) | Unit::Accept(_), .. }) => ranks::UPGRADE,
        Act::StopReading => ranks::STOP_READING,
        Act::App(Command::Ping(_), _) => ranks::APP_PING,
        Act::App(Command::SendText(_), _) => ranks::APP_SEND_TEXT,
        Act::App(Command::SendBinary(_), _) => ranks::APP_SEND_BINARY,
        Act::App(Command::Close(..), _) => ranks::APP_CLOSE,
        Act::App(Command::Return, _) => ranks::APP_RETURN,
        Act::App(Command::Keep, _) => ranks::APP_KEEP,
        Act::App(Command::Broadcast(_), _) => ranks::APP_BROADCAST,
        Act::App(Command::Shutdown, _) => ranks::APP_SHUTDOWN,
        Act::Await(Awaited::Upgrade) => ranks::AWAIT_UPGRADE,
        Act::Await(_) => ranks::AWAIT_OTHER,
        // Where it stands is no question of ranks; connections that are there from the start come first.
        Act::Wait(_) | Act::Connect(_) => ranks::WAIT,
        Act::ResumeReading => ranks::RESUME_READING,
        Act::Send(_) => {
            let plain = plain_sends().iter().position(|plain| plain == act);
            let plain = plain.or_else(|| (*act == masked_ping()).then_some(PLAIN_SENDS));
            plain.map_or(ranks::OTHER_SEND, |place| ranks::FIRST_PLAIN_SEND + place as u8)
        }
        Act::Fin => ranks::FIN,
        Act::Reset => ranks::RESET,
        Act::Drop => ranks::DROP,
        Act::Cut => ranks::CUT,
    }
}

/// How many things about an act are out of the ordinary.
fn oddities(act: &Act) -> u32 {
    match act {
        Act::Send(Send { piece, unit, pace }) => {
            let unit = match unit {
                Unit::Upgrade(header) => u32::from(header.is_some()),
                Unit::Accept(Accept { answer, filler }) => {
                    u32::from(*answer != Answer::Opens) + u32::from(filler.is_some())
                }
                Unit::Raw(content) => RAW_ODDITIES + content_oddities(content),
                Unit::Frame(frame) => {
                    u32::from(!frame.fin)
                        + u32::from(frame.rsv != 0)
                        + u32::from(frame.mask != Masking::Usual)
                        + u32::from(frame.length != Length::Minimal)
                        + u32::from(frame.declares.is_some())
                        + content_oddities(frame.kind.content())
                        + kind_oddities(&frame.kind)
                        + match frame.kind {
                            Kind::Close(Some(NORMAL_CLOSURE), _) => 1,
                            Kind::Close(Some(_), _) => 2,
                            _ => 0,
                        }
                }
            };
            unit + u32::from(*piece != Piece::Whole) + pace_oddities(*pace)
        }
        Act::App(command, pace) => {
            let command = match command {
                Command::SendText(content)
                | Command::SendBinary(content)
                | Command::Ping(content)
                | Command::Broadcast(content) => content_oddities(content),
                Command::Close(code, content) => {
                    let code = match code {
                        None => 0,
                        Some(NORMAL_CLOSURE) => 1,
                        Some(_) => 2,
                    };
                    code + content_oddities(content)
                }
                Command::Return | Command::Keep | Command::Shutdown => 0,
            };
            command + pace_oddities(*pace)
        }
        _ => 0,
    }
}

const fn kind_oddities(kind: &Kind) -> u32 {
    match kind {
        Kind::Ping(_) | Kind::Close(..) => 0,
        Kind::Text(_) => 1,
        Kind::Binary(_) | Kind::Pong(_) => 2,
        Kind::Continuation(_) | Kind::Other(..) => 3,
    }
}

const fn content_oddities(content: &Content) -> u32 {
    match content {
        Content::Empty => 0,
        Content::Fill(_) => 1,
        Content::Text(_) => 2,
        Content::Bytes(_) => 3,
    }
}

const fn pace_oddities(pace: Pace) -> u32 {
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
        Act::Send(Send { unit: Unit::Frame(frame), .. }) => {
            let bytes = match frame.kind.content() {
                Content::Bytes(bytes) => bytes.iter().map(|byte| u64::from(*byte)).sum(),
                _ => 0,
            };
            bytes + frame.declares.map_or(0, declared_magnitude)
        }
        Act::Send(Send { unit: Unit::Raw(Content::Bytes(bytes)), .. }) => bytes.len() as u64,
        _ => 0,
    };
    let numbers = numbers(act).iter().map(|number| u64::from(number.value)).sum::<u64>();
    numbers + u64::from(code) + bytes
}

/// The later a length is among the edges, the larger it is.
fn declared_magnitude(length: DeclaredLength) -> u64 {
    let past_edges = || ODD_LENGTH + u64::from(length.0.checked_ilog2().unwrap_or_default());
    length.edge().map_or_else(past_edges, |edge| edge as u64 + 1)
}

/// The simpler steps that could stand in for `step`, the simplest first.
pub(super) fn steps(step: &Step) -> Vec<Step> {
    let Step { connection, joined, .. } = *step;
    let mut out = Vec::new();
    if joined {
        out.push(Step { joined: false, ..step.clone() });
    }
    out.extend(simpler_acts(&step.act).into_iter().map(|act| Step { connection, joined, act }));
    out
}

fn simpler_acts(act: &Act) -> Vec<Act> {
    match act {
        Act::Send(Send { piece, unit: unit @ Unit::Upgrade(_), pace }) => {
            let with = |piece, unit, pace| Act::Send(Send { piece, unit, pace });
            let mut out = vec![with(Piece::Whole, Unit::Upgrade(None), Pace::Once)];
            out.push(with(Piece::First(1), Unit::Upgrade(None), Pace::Once));
            out.extend(
                simpler_paces(*pace).into_iter().map(|pace| with(*piece, unit.clone(), pace)),
            );
            out
        }
        Act::Send(Send { piece, unit: Unit::Accept(accept), pace }) => {
            let with = |piece, unit, pace| Act::Send(Send { piece, unit, pace });
            let answers =
                [Answer::Opens, Answer::WrongKey, Answer::UnaskedProtocol, Answer::Status(200)];
            let mut out = vec![whole_send(Unit::Accept(Accept::USUAL))];
            let unit = Unit::Accept(*accept);
            out.extend(
                simpler_paces(*pace).into_iter().map(|pace| with(*piece, unit.clone(), pace)),
            );
            let simpler = |answer: &Answer| *answer < accept.answer;
            for answer in answers.into_iter().filter(simpler) {
                out.push(whole_send(Unit::Accept(Accept { answer, filler: None })));
            }
            if accept.filler.is_some() {
                out.push(with(*piece, Unit::Accept(Accept { filler: None, ..*accept }), *pace));
            }
            out.push(with(Piece::First(1), Unit::Accept(Accept::USUAL), Pace::Once));
            out
        }
        Act::Send(send) => {
            let mut out: Vec<Act> = plain_sends().into();
            out.truncate(
                usize::from(rank(act).saturating_sub(ranks::FIRST_PLAIN_SEND)).min(out.len()),
            );
            // For an actor that is the client it is no other than `ping`, which comes before.
            let is_masked =
                matches!(&send.unit, Unit::Frame(frame) if frame.mask == Masking::Masked);
            out.extend((is_masked && *act != masked_ping()).then(masked_ping));
            out.extend(simpler_sends(send).into_iter().map(Act::Send));
            out
        }
        Act::App(command, pace) => {
            let mut out: Vec<Act> = simpler_commands(command)
                .into_iter()
                .map(|command| Act::App(command, *pace))
                .collect();
            out.extend(
                simpler_paces(*pace).into_iter().map(|pace| Act::App(command.clone(), pace)),
            );
            out
        }
        // A Close that the server sends by itself may be like one that the application sends.
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

fn simpler_paces(pace: Pace) -> Vec<Pace> {
    match pace {
        Pace::Once => vec![],
        Pace::Times(_, Millis(0)) | Pace::Pieces(_, Millis(0)) => vec![Pace::Once],
        Pace::Times(times, _) => vec![Pace::Once, Pace::Times(times, Millis(0))],
        Pace::Pieces(size, _) => vec![Pace::Once, Pace::Pieces(size, Millis(0))],
    }
}

fn simpler_contents(content: &Content) -> Vec<Content> {
    match content {
        Content::Empty => vec![],
        Content::Fill(_) => vec![Content::Empty],
        Content::Text(text) => vec![Content::Empty, Content::Fill(Size(text.len() as u32))],
        Content::Bytes(bytes) => vec![
            Content::Empty,
            Content::Fill(Size(bytes.len() as u32)),
            // The simplest content that is not UTF-8.
            Content::Bytes(vec![INVALID_UTF8]),
        ],
    }
}

fn simpler_codes(code: Option<u16>) -> Vec<Option<u16>> {
    match code {
        None => vec![],
        Some(NORMAL_CLOSURE) => vec![None],
        Some(_) => {
            let simpler = SIMPLER_CODES.map(Some);
            [None, Some(NORMAL_CLOSURE)].into_iter().chain(simpler).collect()
        }
    }
}

fn simpler_commands(command: &Command) -> Vec<Command> {
    match command {
        Command::SendText(content) => {
            simpler_contents(content).into_iter().map(Command::SendText).collect()
        }
        Command::SendBinary(content) => {
            let mut out = vec![Command::SendText(content.clone())];
            out.extend(simpler_contents(content).into_iter().map(Command::SendBinary));
            out
        }
        Command::Ping(content) => {
            simpler_contents(content).into_iter().map(Command::Ping).collect()
        }
        Command::Close(code, reason) => {
            let mut out: Vec<Command> = simpler_codes(*code)
                .into_iter()
                .map(|code| Command::Close(code, reason.clone()))
                .collect();
            out.extend(
                simpler_contents(reason).into_iter().map(|reason| Command::Close(*code, reason)),
            );
            out
        }
        Command::Return | Command::Shutdown => vec![Command::Close(None, Content::Empty)],
        Command::Broadcast(content) => {
            let mut out = vec![Command::SendText(content.clone())];
            out.extend(simpler_contents(content).into_iter().map(Command::Broadcast));
            out
        }
        Command::Keep => vec![],
    }
}

fn simpler_sends(send: &Send) -> Vec<Send> {
    let Send { piece, unit, pace } = send;
    let mut out = Vec::new();
    if let Pace::Pieces(size, _) = *pace {
        out.push(Send { piece: Piece::First(size), unit: unit.clone(), pace: Pace::Once });
    }
    if *piece != Piece::Whole {
        out.push(Send { piece: Piece::Whole, ..send.clone() });
    }
    out.extend(simpler_paces(*pace).into_iter().map(|pace| Send { pace, ..send.clone() }));
    let units = match unit {
        Unit::Upgrade(_) | Unit::Accept(_) => vec![],
        Unit::Raw(content) => {
            let bytes: &[u8] = if let Content::Bytes(bytes) = content { bytes } else { &[] };
            let frame = raw_bytes::frame(bytes).map(Unit::Frame);
            let contents = simpler_contents(content).into_iter().chain(raw_bytes::fewer(bytes));
            frame.into_iter().chain(contents.map(Unit::Raw)).collect()
        }
        Unit::Frame(frame) => simpler_frames(frame).into_iter().map(Unit::Frame).collect(),
    };
    out.extend(units.into_iter().map(|unit| Send { unit, piece: *piece, pace: *pace }));
    out
}

fn simpler_frames(frame: &Frame) -> Vec<Frame> {
    let mut out = Vec::new();
    let ordinary = [
        Frame { fin: true, ..frame.clone() },
        Frame { rsv: 0, ..frame.clone() },
        Frame { mask: Masking::Usual, ..frame.clone() },
        Frame { length: Length::Minimal, ..frame.clone() },
        Frame { declares: None, ..frame.clone() },
    ];
    out.extend(ordinary.into_iter().filter(|simpler| simpler != frame));
    if let Some(length) = frame.declares {
        let smaller =
            &DeclaredLength::EDGES[..length.edge().unwrap_or(DeclaredLength::EDGES.len())];
        let declaring =
            |length: &DeclaredLength| Frame { declares: Some(*length), ..frame.clone() };
        out.extend(smaller.iter().map(declaring));
    }
    let content = frame.kind.content();
    let kinds = [Kind::Ping(content.clone()), Kind::Text(content.clone())];
    out.extend(kinds.into_iter().map(|kind| Frame { kind, ..frame.clone() }));
    if let Kind::Close(code, reason) = &frame.kind {
        let closes = simpler_codes(*code).into_iter().map(|code| Kind::Close(code, reason.clone()));
        out.extend(closes.map(|kind| Frame { kind, ..frame.clone() }));
    }
    out.extend(
        simpler_contents(content)
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
    visit_numbers(&mut copy, &mut |value, minimum, kind| {
        out.push(Number { value: *value, minimum, kind });
    });
    out
}

/// `act` with its `slot`-th number set to `value`.
pub(super) fn with_number(act: &Act, slot: usize, value: u32) -> Act {
    let mut copy = act.clone();
    let mut place = 0;
    visit_numbers(&mut copy, &mut |number, _, _| {
        if place == slot {
            *number = value;
        }
        place += 1;
    });
    copy
}

/// Calls `on_number` with every number of an act and its minimum.
fn visit_numbers(act: &mut Act, on_number: &mut impl FnMut(&mut u32, u32, NumberKind)) {
    match act {
        #[cfg(test)]
        Act::Idle => {}
        Act::Send(Send { piece, unit, pace }) => {
            if let Piece::First(count) | Piece::After(count) = piece {
                on_number(count, 1, NumberKind::Part);
            }
            match unit {
                Unit::Upgrade(Some(Size(size))) => on_number(size, 1, NumberKind::Payload),
                Unit::Upgrade(None) => {}
                Unit::Accept(accept) => {
                    if let Some(Size(size)) = &mut accept.filler {
                        on_number(size, 1, NumberKind::Payload);
                    }
                }
                Unit::Raw(content) => visit_content(content, on_number),
                Unit::Frame(frame) => visit_kind(&mut frame.kind, on_number),
            }
            visit_pace(pace, on_number);
        }
        Act::Connect(Millis(time)) | Act::Wait(Millis(time)) => {
            on_number(time, 1, NumberKind::Pause);
        }
        Act::Set(_, Size(size)) => on_number(size, 1, NumberKind::Buffer),
        Act::App(command, pace) => {
            match command {
                Command::SendText(content)
                | Command::SendBinary(content)
                | Command::Ping(content)
                | Command::Close(_, content)
                | Command::Broadcast(content) => visit_content(content, on_number),
                Command::Return | Command::Keep | Command::Shutdown => {}
            }
            visit_pace(pace, on_number);
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

fn visit_kind(kind: &mut Kind, on_number: &mut impl FnMut(&mut u32, u32, NumberKind)) {
    match kind {
        Kind::Text(content)
        | Kind::Binary(content)
        | Kind::Continuation(content)
        | Kind::Ping(content)
        | Kind::Pong(content)
        | Kind::Close(_, content)
        | Kind::Other(_, content) => visit_content(content, on_number),
    }
}

fn visit_content(content: &mut Content, on_number: &mut impl FnMut(&mut u32, u32, NumberKind)) {
    if let Content::Fill(Size(size)) = content {
        on_number(size, 1, NumberKind::Payload);
    }
}

fn visit_pace(pace: &mut Pace, on_number: &mut impl FnMut(&mut u32, u32, NumberKind)) {
    let is_pieces = matches!(pace, Pace::Pieces(..));
    if let Pace::Times(times, Millis(every)) | Pace::Pieces(times, Millis(every)) = pace {
        on_number(times, 1, if is_pieces { NumberKind::Piece } else { NumberKind::Times });
        if *every > 0 {
            on_number(every, 1, NumberKind::Pause);
        }
    }
}

#[cfg(test)]
mod tests;
