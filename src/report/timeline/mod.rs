//! The timeline: what happened on one connection, or on all, as rows of client, time and server, with the
//! violation marked.
//!
//! [`Timeline`] is data; [`Timeline::text`] lays it out in lines, of several connections by `columns`. Frames are read by
//! [`view`](crate::view), and by nobody here.

mod columns;
mod item;
mod kind;
#[cfg(feature = "cli")]
mod saved;

pub(super) use columns::connection_number;
pub use item::Item;
pub use kind::{Kind, Sort};
#[cfg(feature = "cli")]
pub(super) use saved::{items_of_text, name_as_of_a_client, time_of};

use super::text::thousands;
use crate::exchange::{ConnectionId, End, Event, Exchange, HeldAfter, Note, Standing, Time, What};
use crate::verdict::{Class, Ending, Invariant, Owed, Violation};
use crate::view::{Frame, Stream};
use crate::wire::{ClosePayload, Opcode, Role, handshake};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::iter;

/// How wide a timeline is drawn where nobody says otherwise, in columns.
const WIDTH: usize = 80;
/// The columns of a line's time with the gap behind it.
const TIME: usize = 15;
/// What repeats more often than this is drawn once, with a count.
const ALIKE: usize = 3;
/// The longest run of rows whose repetition is looked for.
const LONGEST: usize = 4;
/// The time of what never happens.
pub(super) const NEVER: Time = Time(u64::MAX);

/// Draws the timeline of an exchange, in 80 columns; where there is a
/// `violation`, its deadline and the events that prove it are marked.
pub fn timeline(exchange: &Exchange, violation: Option<&Violation>) -> String {
    Timeline::of(exchange, violation).text(WIDTH)
}

/// What happened, row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// The rows, in order of time.
    pub rows: Vec<Row>,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// When; `Time(u64::MAX)` for what is so for ever.
    pub at: Time,
    /// On which connection; the first one for what is the whole server's ([`Lane::Whole`]).
    pub connection: ConnectionId,
    /// The event that it shows, as an index into the exchange; `None` for a deadline and for
    /// how it ended.
    pub event: Option<usize>,
    /// Whose doing it is.
    pub lane: Lane,
    /// What it is, for layouts that draw and do not write.
    pub kind: Kind,
    /// What, in a few words.
    pub text: String,
    /// Whether it proves the violation.
    pub marked: bool,
}

/// Where a row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Something on its way from the client to the server.
    ToServer,
    /// Something on its way to the client; `false` where it did not get there.
    ToClient(bool),
    /// The client's own doing.
    Client,
    /// The server's own doing.
    Server,
    /// Across both: the network, a deadline, an ending.
    Across,
    /// Across all connections: the whole server, where there are several.
    Whole,
}

impl Lane {
    /// The same where the ends have each other's roles: rows are made as of a server under test.
    pub(super) const fn mirrored(self) -> Self {
        match self {
            Self::ToServer => Self::ToClient(true),
            Self::ToClient(_) => Self::ToServer,
            Self::Client => Self::Server,
            Self::Server => Self::Client,
            Self::Across => Self::Across,
            Self::Whole => Self::Whole,
        }
    }
}

impl Timeline {
    /// Reads all connections; where there is a `violation`, its deadline is put in, and the
    /// events that prove it are marked.
    pub fn of(exchange: &Exchange, violation: Option<&Violation>) -> Self {
        let mut rows: Vec<Row> = Vec::new();
        let several = exchange.connections().count() > 1;
        for connection in exchange.connections() {
            rows.extend(self::rows(exchange, connection, several));
        }
        if several {
            // In the order in which it happened.
            rows.sort_by_key(|row| row.event);
        }
        if exchange.subject == Role::Client {
            for row in &mut rows {
                row.lane = row.lane.mirrored();
            }
        }
        if let Some(violation) = violation {
            mark(&mut rows, violation);
        }
        Self { rows }
    }

    /// The connections that it shows, in order.
    pub fn connections(&self) -> Vec<ConnectionId> {
        connections(self.rows.iter())
    }

    /// Lays it out in lines of at most `width` columns, 60 at least.
    pub fn text(&self, width: usize) -> String {
        let lanes = width.max(60) - TIME;
        let connections = self.connections();
        if connections.len() > 1 {
            return columns::text(self, &connections, lanes);
        }
        let mut out = format!("{:>13}  client{:>width$}\n", "time", "server", width = lanes - 6);
        let mut last_time = None;
        for item in self.items() {
            match item {
                Item::Row(row) => row.draw(&mut out, lanes, &mut last_time),
                Item::Again { rows, times, until } => {
                    out.push_str(&again(rows, times, until));
                    last_time = Some(until);
                }
                Item::LeftOut(_) => {}
            }
        }
        out
    }
}

/// The connections of rows, in order; what is the whole server's is of none.
fn connections<'a>(rows: impl Iterator<Item = &'a Row>) -> Vec<ConnectionId> {
    let rows = rows.filter(|row| row.lane != Lane::Whole);
    rows.map(|row| row.connection).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The line that says how often the rows before it come once more.
fn again(rows: usize, times: usize, until: Time) -> String {
    let what = if rows == 1 { "this".to_owned() } else { format!("these {rows} lines") };
    format!("{:TIME$}... {what} {times} times more, to {until}\n", "")
}

/// What stands across all lanes.
fn across(text: &str, lanes: usize) -> String {
    let text = clip(text, lanes - 8);
    let side = "=".repeat((lanes - text.chars().count()).saturating_sub(2) / 2);
    format!("{side} {text} {side}")
}

/// How many rows at the start repeat, and how often: `(rows, times)`. Few repetitions
/// are drawn as they are.
fn cycle(rows: &[Row]) -> (usize, usize) {
    let repeats = |length: usize| {
        let (first, _) = rows.split_at_checked(length)?;
        let same = |other: &&[Row]| other.iter().zip(first).all(|(a, b)| a.draws_as(b));
        let times = rows.chunks_exact(length).take_while(same).count();
        (times > ALIKE).then_some((length, times))
    };
    (1..=LONGEST).find_map(repeats).unwrap_or((1, 1))
}

impl Row {
    fn draws_as(&self, other: &Self) -> bool {
        let drawn = |row: &Self| (row.connection, row.lane);
        !self.marked && !other.marked && drawn(self) == drawn(other) && self.text == other.text
    }

    fn draw(&self, out: &mut String, lanes: usize, last_time: &mut Option<Time>) {
        let time = match *last_time {
            _ if self.at == NEVER => "for ever".to_owned(),
            Some(last) if last == self.at => String::new(),
            _ => short(self.at),
        };
        *last_time = Some(self.at);
        // A panic's message may have lines; a row has one.
        let text = self.text.replace(char::is_control, " ");
        let text = clip(&text, lanes - 8);
        let fill = lanes - text.chars().count();
        let line = match self.lane {
            Lane::ToServer => format!("{text} {}>", "-".repeat(fill - 2)),
            Lane::ToClient(true) => format!("<{} {text}", "-".repeat(fill - 2)),
            Lane::ToClient(false) => format!("x{} {text}", " -".repeat((fill - 2) / 2)),
            Lane::Client => text,
            Lane::Server => format!("{}{text}", " ".repeat(fill)),
            Lane::Across | Lane::Whole => across(&text, lanes),
        };
        let mark = if self.marked { '!' } else { ' ' };
        let _ = writeln!(out, "{}", format!("{mark}{time:>12}  {line}").trim_end());
    }
}

/// A time in at most twelve columns.
pub(super) fn short(at: Time) -> String {
    let exact = at.to_string();
    let seconds = at.0 / 1_000_000;
    match exact.len() {
        ..=12 => exact,
        // Without milliseconds it fits up to 317 years.
        _ if seconds < 10_000_000_000 => format!("{seconds} s"),
        _ => format!("{:.3e} s", at.seconds()),
    }
}

pub(super) fn clip(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 3).chain("...".chars()).collect()
}

/// Marks the events that prove the violation, and puts its deadline in.
fn mark(rows: &mut Vec<Row>, violation: &Violation) {
    for row in rows.iter_mut() {
        row.marked = row.event.is_some_and(|event| violation.events.contains(&event));
    }
    let (id, connection) = (violation.identity.invariant(), violation.connection);
    // A whole server's is of all connections.
    let is_whole = id.is_told_of_the_whole_server() && connections(rows.iter()).len() > 1;
    let lane = if is_whole { Lane::Whole } else { Lane::Across };
    if let Some(owed) = violation.owed {
        let place = rows.iter().position(|row| row.at > owed.deadline).unwrap_or(rows.len());
        let text = latest_allowed(id, owed);
        let at = owed.deadline;
        let kind = Kind::Deadline { since: owed.since };
        rows.insert(place, Row { at, connection, event: None, lane, kind, text, marked: true });
    }
    let (at, text) = match violation.ending {
        Ending::Never if id == Invariant::ShutsDownInTime => {
            (NEVER, "still running: no task can run, no timer set".to_owned())
        }
        Ending::Never => (NEVER, "still open: no task can run, no timer set".to_owned()),
        Ending::Ticking(period) => (NEVER, format!("open: a timer every {} or so", Time(period))),
        Ending::Open(at) => (at, "still open; hangup stops watching".to_owned()),
        Ending::Unproven(why) => (NEVER, format!("unproven: {why}")),
        Ending::InTime | Ending::Late(_) | Ending::Spinning(_) => return,
    };
    let kind = if violation.ending == Ending::Never { Kind::Never } else { Kind::Open };
    // What was sent proves a violation however the connection ends, but for one that was to end it.
    let marked = violation.owed.is_some()
        || id == Invariant::RefusesIllegal
        || id.rule().class == Class::Liveness;
    rows.push(Row { at, connection, event: None, lane, kind, text, marked });
}

/// What the target has to have done by a deadline, in how long, and since when.
fn latest_allowed(rule: Invariant, owed: Owed) -> String {
    let what = match rule {
        Invariant::ReleasesInTime => "release",
        Invariant::ShutsDownInTime => "shutdown",
        _ => "end",
    };
    let within = Time(owed.deadline.0.saturating_sub(owed.since.0));
    format!("latest allowed {what}: {within} after {}", owed.since)
}

/// One connection's. Beside others what is the whole server's stands on the first, across all.
fn rows(exchange: &Exchange, connection: ConnectionId, several: bool) -> Vec<Row> {
    let bytes = exchange.bytes(connection);
    let events = || {
        let events = exchange.events.iter().enumerate();
        events.filter(move |(_, event)| event.connection == connection)
    };
    let mut reader = Reader {
        connection,
        several,
        to_subject: Direction::new(exchange.subject.other(), &bytes.to_subject),
        to_actor: Direction::new(exchange.subject, &bytes.to_actor),
        rows: Vec::new(),
        got: events().map(|(_, event)| got(event)).sum(),
    };
    for (index, event) in events() {
        reader.read(index, event, exchange.both_ends);
    }
    reader.rows
}

fn got(event: &Event) -> usize {
    match event.what {
        What::Read { bytes } if event.end == End::Actor => bytes as usize,
        _ => 0,
    }
}

/// Reads events into rows.
struct Reader<'a> {
    connection: ConnectionId,
    /// Whether other connections are shown beside it.
    several: bool,
    to_subject: Direction<'a>,
    to_actor: Direction<'a>,
    rows: Vec<Row>,
    /// How many bytes the actor got in all.
    got: usize,
}

impl Reader<'_> {
    fn read(&mut self, index: usize, event: &Event, both_ends: bool) {
        let is_actors_read = event.end == End::Actor
            && matches!(event.what, What::Read { .. } | What::ReadEnd | What::ReadReset);
        if is_actors_read {
            // Where both ends were seen, it was shown when the server wrote it.
            if !both_ends {
                self.read_by_actor(index, event);
            }
            return;
        }
        match &event.what {
            What::Arrived { bytes } => {
                for shown in self.to_subject.take(*bytes, index) {
                    self.push(index, event, Lane::ToServer, (shown.kind, shown.text));
                }
            }
            What::Wrote { bytes } => self.wrote(index, event, *bytes),
            What::Discarded { bytes } => {
                for shown in self.to_actor.skip(*bytes, index) {
                    self.push(index, event, Lane::ToClient(true), shown);
                }
            }
            // In virtual time it was looked at after the proof, years later.
            What::Stands(standing) if both_ends => {
                let (event, lane, text) = (Some(index), Lane::Server, stands(standing));
                let (kind, connection) = (Kind::Waits, self.connection);
                self.rows.push(Row {
                    at: NEVER,
                    connection,
                    event,
                    lane,
                    kind,
                    text,
                    marked: false,
                });
            }
            // Over TCP there are no tasks to see, but a client's program.
            What::Outlived { .. } if !both_ends => {
                let text = "its program still runs".to_owned();
                self.push(index, event, Lane::Server, (Kind::Waits, text));
            }
            // The client has read it: what the kernel's table says of it later is the same FIN.
            What::Shut if !both_ends && self.has_shown_fin() => {}
            what => {
                if let Some((lane, kind, text)) = own_doing(what) {
                    let lane = if self.several && what.is_servers() { Lane::Whole } else { lane };
                    self.push(index, event, lane, (kind, text));
                }
            }
        }
    }

    fn read_by_actor(&mut self, index: usize, event: &Event) {
        match event.what {
            What::Read { bytes } => self.wrote(index, event, bytes),
            What::ReadEnd => {
                self.push(index, event, Lane::ToClient(true), (Kind::Fin, "FIN".to_owned()));
            }
            _ => self.push(index, event, Lane::ToClient(true), (Kind::Reset, "RST".to_owned())),
        }
    }

    fn has_shown_fin(&self) -> bool {
        let is_fin = |row: &Row| row.kind == Kind::Fin && matches!(row.lane, Lane::ToClient(_));
        self.rows.iter().any(is_fin)
    }

    fn wrote(&mut self, index: usize, event: &Event, bytes: u32) {
        for Shown { text, kind, end } in self.to_actor.take(bytes, index) {
            let was_read = end <= self.got;
            let text = if was_read { text } else { format!("{text} (not read)") };
            self.push(index, event, Lane::ToClient(was_read), (kind, text));
        }
    }

    fn push(&mut self, index: usize, event: &Event, lane: Lane, (kind, text): (Kind, String)) {
        let text = if event.inferred { format!("{text} (inferred)") } else { text };
        let (at, connection, event) = (event.at, self.connection, Some(index));
        self.rows.push(Row { at, connection, event, lane, kind, text, marked: false });
    }
}

/// What is no bytes on their way: where it stands, what it is, and in which words. `None` for what is
/// not drawn.
fn own_doing(what: &What) -> Option<(Lane, Kind, String)> {
    let (lane, kind, text) = match what {
        What::FinArrived => (Lane::ToServer, Kind::Fin, "FIN"),
        What::ResetArrived => (Lane::ToServer, Kind::Reset, "RST"),
        What::StoppedReading => (Lane::Client, Kind::StopsReading, "stops reading"),
        What::ResumedReading => (Lane::Client, Kind::ReadsAgain, "reads again"),
        What::Cut => (Lane::Across, Kind::Cut, "the network is cut"),
        What::Froze => (Lane::Client, Kind::Silent, "does nothing more"),
        What::WriteBlocked => {
            (Lane::Server, Kind::Blocked, "cannot write: its send buffer is full")
        }
        What::Writable => (Lane::Server, Kind::Writable, "can write again"),
        What::Shut => (Lane::ToClient(true), Kind::Fin, "FIN"),
        What::Dropped { reset: true } => (Lane::ToClient(true), Kind::Reset, "RST, socket closed"),
        What::Dropped { reset: false } => (Lane::Server, Kind::Released, "socket closed"),
        What::Noted(Note::BeganToClose) => {
            (Lane::Server, Kind::ApplicationCloses, "application: closes")
        }
        What::Noted(Note::BeganToReturn) => {
            (Lane::Server, Kind::ApplicationCloses, "application: returns")
        }
        What::Noted(Note::Opened) => {
            (Lane::Server, Kind::Application, "application: the connection is open")
        }
        What::Noted(Note::Refused) => {
            (Lane::Server, Kind::Application, "application: no connection opens")
        }
        What::Noted(Note::CloseReturned { code: None }) => {
            (Lane::Server, Kind::Application, "application: its close returned")
        }
        What::Noted(Note::CloseReturned { code: Some(code) }) => {
            let text = format!("application: its close returned, code {code}");
            return Some((Lane::Server, Kind::Application, text));
        }
        What::Noted(Note::ToldOfEnd { code: None }) => {
            (Lane::Server, Kind::Application, "application: end reported")
        }
        What::ReadReset => (Lane::Server, Kind::Other, "reads the reset"),
        What::Panicked(message) => {
            return Some((Lane::Server, Kind::Crash, format!("panicked: {message}")));
        }
        What::Lacked(lack) => return Some((Lane::Server, Kind::Crash, lack.to_string())),
        What::Spun { polls } => {
            let text = format!("spins: {polls} polls in no time");
            return Some((Lane::Server, Kind::Crash, text));
        }
        What::Outlived { tasks } => {
            let plural = if *tasks == 1 { "" } else { "s" };
            return Some((Lane::Server, Kind::Waits, format!("{tasks} task{plural} left behind")));
        }
        What::Noted(Note::Sends { text, bytes, .. }) => {
            let kind = if *text { "text" } else { "binary" };
            let text = format!("application: sends {kind}, {bytes} bytes");
            return Some((Lane::Server, Kind::Application, text));
        }
        What::Noted(Note::Received { bytes } | Note::ReceivedContent { bytes, .. }) => {
            let text = format!("application: receives {bytes} bytes");
            return Some((Lane::Server, Kind::Application, text));
        }
        What::Noted(Note::ToldOfEnd { code: Some(code) }) => {
            let text = format!("application: end reported, code {code}");
            return Some((Lane::Server, Kind::Application, text));
        }
        What::Rests { tasks, .. } if *tasks > 0 => {
            let plural = if *tasks == 1 { "" } else { "s" };
            return Some((Lane::Server, Kind::Waits, format!("{tasks} task{plural} left behind")));
        }
        What::Offered => (Lane::Client, Kind::Other, "connects"),
        What::Accepted => (Lane::Server, Kind::Other, "accepts the connection"),
        What::Refused => (Lane::ToClient(true), Kind::Reset, "RST: nobody listens"),
        What::ToldToShutDown => (Lane::Server, Kind::ApplicationCloses, "server: shutdown command"),
        What::ToldToBroadcast { bytes, .. } => {
            let text = format!("server: broadcast command, {bytes} bytes");
            return Some((Lane::Server, Kind::Application, text));
        }
        What::Held(held) => return Some((Lane::Server, Kind::Waits, after_a_wave(held))),
        What::StoppedListening => (Lane::Server, Kind::Other, "server: stops listening"),
        What::ServerReturned => (Lane::Server, Kind::Released, "server: has shut down"),
        What::Died(death) => return Some((Lane::Server, Kind::Crash, death.to_string())),
        What::Stands(standing) => return Some((Lane::Server, Kind::Waits, stands(standing))),
        What::Became(_)
        | What::ServerBecame(_)
        | What::Rests { .. }
        | What::Arrived { .. }
        | What::Wrote { .. }
        | What::Read { .. }
        | What::Discarded { .. }
        | What::ReadEnd
        | What::Flushed
        | What::Returned
        | What::Noted(Note::Reports) => return None,
    };
    Some((lane, kind, text.to_owned()))
}

/// What the processes of a server hold once a wave of connections has ended.
fn after_a_wave(held: &HeldAfter) -> String {
    let HeldAfter { connections, descriptors, threads, memory } = *held;
    let mib = memory as f64 / f64::from(1 << 20);
    format!("{connections} have ended: {descriptors} descriptors, {threads} threads, {mib:.1} MiB")
}

/// What a server that has not let go is doing, as far as that was seen.
fn stands(standing: &Standing) -> String {
    let Standing { reads, writes, has_input, unsent, room } = standing;
    let mut words = Vec::new();
    match writes {
        Some(true) => words.push("waits to write".to_owned()),
        _ if *unsent > 0 => words.push(format!("{unsent} bytes not sent on")),
        _ => {}
    }
    match reads {
        Some(true) => words.push("waits to read".to_owned()),
        Some(false) => words.push("does not read".to_owned()),
        None => {}
    }
    if *has_input {
        words.push("has input".to_owned());
    }
    match room {
        Some(0) => words.push("no room to send".to_owned()),
        Some(room) => words.push(format!("{} of room to send", in_bytes(u64::from(*room)))),
        None => {}
    }
    if words.is_empty() { "holds its socket".to_owned() } else { words.join(", ") }
}

/// What some bytes complete or begin, with the offset of its end.
struct Shown {
    text: String,
    kind: Kind,
    end: usize,
}

impl Shown {
    fn of(kind: Kind, text: String, end: usize) -> Self {
        Self { text, kind, end }
    }
}

/// One direction's bytes, as they are put into words.
struct Direction<'a> {
    sender: Role,
    bytes: &'a [u8],
    /// How long the HTTP head is, where it is whole; a response may be none that opens.
    head: Option<usize>,
    stream: Stream<'a>,
    /// How many of its frames were complete before.
    complete: usize,
}

impl<'a> Direction<'a> {
    fn new(sender: Role, bytes: &'a [u8]) -> Self {
        let stream = Stream::new(sender, bytes);
        let head = stream.opening().or_else(|| handshake::head_length(bytes));
        Self { sender, bytes, head, stream, complete: 0 }
    }

    /// What the next `count` bytes, which `event` carried, complete or begin.
    fn take(&mut self, count: u32, event: usize) -> Vec<Shown> {
        let from = self.stream.taken();
        let begun_before = self.stream.is_inside_frame();
        self.stream.take(count, event);
        let taken = self.stream.taken();
        let head = self.head.unwrap_or(usize::MAX);
        let mut shown = Vec::new();
        if from < head {
            let kind = if taken < head { Kind::PartOfOpening } else { Kind::Opening };
            shown.push(Shown::of(kind, self.opening(from, taken, head), taken.min(head)));
        }
        if taken <= head {
            return shown;
        }
        if self.stream.opening().is_none() {
            // No WebSocket was opened: what follows is the response's body.
            let body = taken - from.max(head);
            let text = format!("{body} bytes after its response");
            shown.push(Shown::of(Kind::Other, text, taken));
            return shown;
        }
        let before = shown.len();
        for frame in &self.stream.frames()[self.complete..] {
            let fault = fault(frame, event);
            let kind = |whole| Kind::frame(frame.opcode, whole, fault.is_empty());
            if frame.ended.is_some() {
                // Its beginning has a line of its own.
                let rest = if frame.started == event { "" } else { "rest of " };
                let text = format!("{rest}{}{fault}", whole_frame(frame));
                shown.push(Shown::of(kind(true), text, frame.end_offset));
                self.complete += 1;
            } else if frame.started == event {
                let text = format!("part of a {} frame{fault}", frame.opcode);
                shown.push(Shown::of(kind(false), text, taken));
            } else if begun_before && shown.len() == before {
                let more = Kind::Frame { sort: Sort::More, whole: false, legal: fault.is_empty() };
                shown.push(Shown::of(more, format!("more of it{fault}"), taken));
            }
        }
        shown
    }

    /// What `count` bytes that are not kept were, and the frame that they complete.
    fn skip(&mut self, count: u64, event: usize) -> Vec<(Kind, String)> {
        self.stream.skip(count, event);
        let completed = self.stream.frames()[self.complete..].iter();
        let completed = completed.filter(|frame| frame.ended.is_some());
        let completed =
            completed.map(|frame| (Kind::frame(frame.opcode, true, true), whole_frame(frame)));
        let messages = Kind::Frame { sort: Sort::Message, whole: true, legal: true };
        let shown: Vec<(Kind, String)> =
            iter::once((messages, not_kept(count))).chain(completed).collect();
        self.complete += shown.len() - 1;
        shown
    }

    fn opening(&self, from: usize, taken: usize, head: usize) -> String {
        let what = match self.sender {
            Role::Client => "upgrade request",
            Role::Server => "response",
        };
        if taken < head {
            let bytes = in_bytes((taken - from) as u64);
            return if begins_as_http(self.bytes) {
                format!("{bytes} of its {what}")
            } else {
                format!("{bytes} in place of its {what}")
            };
        }
        match self.sender {
            Role::Client => what.to_owned(),
            Role::Server => {
                let line = self.bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
                let line = String::from_utf8_lossy(line).into_owned();
                line.split_once(' ').map_or(line.clone(), |(_, status)| status.to_owned())
            }
        }
    }
}

/// Whether what stands where the opening belongs may be the begin of one: a frame's first byte is no letter.
pub(super) fn begins_as_http(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(u8::is_ascii_alphabetic)
}

/// `1 byte`, `4096 bytes`: without a sign between thousands, as in scripts.
fn in_bytes(count: u64) -> String {
    format!("{count} byte{}", if count == 1 { "" } else { "s" })
}

/// The last fault of a frame that `event` proved, behind a colon.
fn fault(frame: &Frame, event: usize) -> String {
    let proven = frame.faults.iter().rfind(|(_, at)| *at == event);
    proven.map_or_else(String::new, |(fault, _)| format!(": {fault}"))
}

/// Bytes that the client read and hangup did not keep.
pub(super) fn not_kept(bytes: u64) -> String {
    format!("{} bytes of messages, not kept", thousands(bytes))
}

pub(super) fn whole_frame(frame: &Frame) -> String {
    let mut text = frame.opcode.to_string();
    let Some(head) = frame.head else { return text };
    if !head.fin {
        text.push_str(", not the last fragment");
    }
    if head.opcode == Opcode::CLOSE {
        match ClosePayload::parse(frame.close.as_deref().unwrap_or_default()) {
            ClosePayload::Empty => {}
            ClosePayload::OneByte(_) => text.push_str(", 1 byte"),
            ClosePayload::Code(code, reason) => {
                let _ = write!(text, " {code}");
                if !reason.is_empty() {
                    let reason = String::from_utf8_lossy(reason);
                    let _ = write!(text, " {:?}", clip(&reason, 20));
                }
            }
        }
    } else if head.length > 0 {
        let _ = write!(text, ", {}", in_bytes(head.length));
    }
    text
}
