//! The timeline: what happened as a sequence of client, time and server, in at most
//! 80 columns, with the violation marked.

use crate::trace::{Event, Note, Outcome, Time, Trace, What};
use crate::verdict::{Ending, Violation};
use crate::wire::{ClosePayload, Decoder, Head, Item, Opcode, Role, handshake};
use std::fmt::Write as _;

/// Columns of a line, and of its time with the gap behind it.
const WIDTH: usize = 80;
const TIME: usize = 15;
const LANES: usize = WIDTH - TIME;
/// What repeats more often than this is drawn once, with a count.
const ALIKE: usize = 3;
/// The longest run of rows whose repetition is looked for.
const LONGEST: usize = 4;

/// The time of what never happens.
const EVER: Time = Time(u64::MAX);

/// Draws the timeline of `trace`; where there is a `violation`, its deadline and
/// the events that prove it are marked.
pub fn timeline(trace: &Trace, violation: Option<&Violation>) -> String {
    let mut rows = rows(trace);
    if let Some(violation) = violation {
        mark(&mut rows, violation);
    }
    let mut out = format!("{:>13}  client{:>width$}\n", "time", "server", width = LANES - 6);
    let mut rest = rows.as_slice();
    let mut last_time = None;
    while !rest.is_empty() {
        let (length, times) = cycle(rest);
        for row in &rest[..length] {
            row.draw(&mut out, &mut last_time);
        }
        if times > 1 {
            let until = rest[length * times - 1].at;
            let what =
                if length == 1 { "this".to_owned() } else { format!("these {length} lines") };
            let _ = writeln!(out, "{:TIME$}... {what} {} times more, to {until}", "", times - 1);
            last_time = Some(until);
        }
        rest = &rest[length * times..];
    }
    out
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

/// One line of the picture.
#[derive(Debug)]
struct Row {
    at: Time,
    event: usize,
    lane: Lane,
    text: String,
    marked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
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
}

impl Row {
    fn draws_as(&self, other: &Self) -> bool {
        !self.marked && !other.marked && (self.lane, &self.text) == (other.lane, &other.text)
    }

    fn draw(&self, out: &mut String, last_time: &mut Option<Time>) {
        let time = match *last_time {
            _ if self.at == EVER => "for ever".to_owned(),
            Some(last) if last == self.at => String::new(),
            _ => short(self.at),
        };
        *last_time = Some(self.at);
        // A panic's message may have lines; a row has one.
        let text = self.text.replace(char::is_control, " ");
        let text = clip(&text, LANES - 8);
        let fill = LANES - text.chars().count();
        let line = match self.lane {
            Lane::ToServer => format!("{text} {}>", "-".repeat(fill - 2)),
            Lane::ToClient(true) => format!("<{} {text}", "-".repeat(fill - 2)),
            Lane::ToClient(false) => format!("x{} {text}", " -".repeat((fill - 2) / 2)),
            Lane::Client => text,
            Lane::Server => format!("{}{text}", " ".repeat(fill)),
            Lane::Across => {
                let side = "=".repeat(fill.saturating_sub(2) / 2);
                format!("{side} {text} {side}")
            }
        };
        let mark = if self.marked { '!' } else { ' ' };
        let _ = writeln!(out, "{}", format!("{mark}{time:>12}  {line}").trim_end());
    }
}

/// A time in at most twelve columns.
fn short(at: Time) -> String {
    let exact = at.to_string();
    let seconds = at.0 / 1_000_000;
    match exact.len() {
        ..=12 => exact,
        // Without milliseconds it fits up to 317 years.
        _ if seconds < 10_000_000_000 => format!("{seconds} s"),
        _ => format!("{:.3e} s", at.seconds()),
    }
}

fn clip(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 3).chain("...".chars()).collect()
}

/// Marks the events that prove the violation, and puts its deadline in.
fn mark(rows: &mut Vec<Row>, violation: &Violation) {
    for row in rows.iter_mut() {
        row.marked = violation.events.contains(&row.event);
    }
    let id = violation.key.invariant;
    if let Some(owed) = violation.owed {
        let place = rows.iter().position(|row| row.at > owed.deadline).unwrap_or(rows.len());
        let text = format!("{id}: deadline, set at {}", owed.since);
        let event = usize::MAX;
        rows.insert(
            place,
            Row { at: owed.deadline, event, lane: Lane::Across, text, marked: true },
        );
    }
    let (at, text) = match violation.ending {
        Ending::Never => (EVER, "open: nothing is left that could run".to_owned()),
        Ending::Ticking(period) => (EVER, format!("open: a timer every {} or so", Time(period))),
        Ending::Open(at) => (at, "still open, and watching ended".to_owned()),
        Ending::InTime | Ending::Late(_) | Ending::Spinning(_) => return,
    };
    rows.push(Row { at, event: usize::MAX, lane: Lane::Across, text, marked: true });
}

fn rows(trace: &Trace) -> Vec<Row> {
    let mut narrator = Narrator {
        to_server: Side::new(&trace.to_server, Role::Client),
        to_client: Side::new(&trace.to_client, Role::Server),
        rows: Vec::new(),
        got: trace.events.iter().map(|event| got(&event.what)).sum(),
    };
    for (index, event) in trace.events.iter().enumerate() {
        narrator.tell(index, event, trace.both_ends);
    }
    narrator.rows
}

const fn got(what: &What) -> usize {
    match what {
        What::Got { bytes } => *bytes as usize,
        _ => 0,
    }
}

struct Narrator<'a> {
    to_server: Side<'a>,
    to_client: Side<'a>,
    rows: Vec<Row>,
    /// How many bytes the client got in all.
    got: usize,
}

impl Narrator<'_> {
    fn tell(&mut self, index: usize, event: &Event, both_ends: bool) {
        let at = event.at;
        let mut row = |lane, text: &str| {
            self.rows.push(Row { at, event: index, lane, text: text.to_owned(), marked: false });
        };
        match &event.what {
            What::Arrived { bytes } => {
                for (text, _) in self.to_server.take(*bytes) {
                    row(Lane::ToServer, &text);
                }
            }
            What::Wrote { bytes } => self.wrote(index, at, *bytes),
            What::Got { bytes } if !both_ends => self.wrote(index, at, *bytes),
            What::FinArrived => row(Lane::ToServer, "FIN"),
            What::ResetArrived => row(Lane::ToServer, "RST"),
            What::StoppedReading => row(Lane::Client, "stops reading"),
            What::ResumedReading => row(Lane::Client, "reads again"),
            What::Cut => row(Lane::Across, "the network is cut"),
            What::Froze => row(Lane::Client, "does nothing more"),
            What::WriteBlocked => row(Lane::Server, "cannot write: its send buffer is full"),
            What::Writable => row(Lane::Server, "can write again"),
            What::Shut => row(Lane::ToClient(true), "FIN"),
            What::Dropped { reset: true } => row(Lane::ToClient(true), "RST, transport dropped"),
            What::Dropped { reset: false } => row(Lane::Server, "transport dropped"),
            What::Panicked(message) => row(Lane::Server, &format!("panicked: {message}")),
            What::Spun { polls } => row(Lane::Server, &format!("spins: {polls} polls in no time")),
            What::Outlived { tasks } => {
                let plural = if *tasks == 1 { "" } else { "s" };
                row(Lane::Server, &format!("{tasks} task{plural} left behind"));
            }
            What::Noted(Note::BeganToClose) => row(Lane::Server, "application: closes"),
            What::Noted(Note::BeganToReturn) => row(Lane::Server, "application: returns"),
            What::Noted(Note::Received { bytes }) => {
                row(Lane::Server, &format!("application: is given {bytes} bytes"));
            }
            What::Noted(Note::ToldOfEnd { code: Some(code) }) => {
                row(Lane::Server, &format!("application: is told of the end, {code}"));
            }
            What::Noted(Note::ToldOfEnd { code: None }) => {
                row(Lane::Server, "application: is told of the end");
            }
            What::Died(death) => row(Lane::Server, &death.to_string()),
            What::ReadReset => row(Lane::Server, "is told of the reset"),
            What::GotEnd if !both_ends => row(Lane::ToClient(true), "FIN"),
            What::GotReset if !both_ends => row(Lane::ToClient(true), "RST"),
            What::Became(Outcome::Quiet | Outcome::Ticking { .. } | Outcome::GaveUp)
            | What::Read { .. }
            | What::ReadEnd
            | What::Flushed
            | What::Got { .. }
            | What::GotEnd
            | What::GotReset
            | What::Returned
            | What::Noted(Note::Reports) => {}
        }
    }

    fn wrote(&mut self, index: usize, at: Time, bytes: u32) {
        for (text, end) in self.to_client.take(bytes) {
            let lane = Lane::ToClient(end <= self.got);
            let text = if end <= self.got { text } else { format!("{text} (not read)") };
            self.rows.push(Row { at, event: index, lane, text, marked: false });
        }
    }
}

/// One direction's bytes, as they are put into words.
struct Side<'a> {
    bytes: &'a [u8],
    taken: usize,
    sender: Role,
    /// How long the HTTP head is, where it is whole.
    head: Option<usize>,
    decoder: Decoder,
}

impl<'a> Side<'a> {
    fn new(bytes: &'a [u8], sender: Role) -> Self {
        let head = match sender {
            Role::Client => handshake::request_length(bytes),
            Role::Server => handshake::head_length(bytes),
        };
        Self { bytes, taken: 0, sender, head, decoder: Decoder::new(sender) }
    }

    /// What the next `count` bytes complete or begin, each with the offset of its end.
    fn take(&mut self, count: u32) -> Vec<(String, usize)> {
        let from = self.taken;
        self.taken = (from + count as usize).min(self.bytes.len());
        let mut told = Vec::new();
        let head = self.head.unwrap_or(usize::MAX);
        if from < head {
            told.push((self.opening(from, head), self.taken.min(head)));
        }
        if self.taken <= head {
            return told;
        }
        let before = told.len();
        let begun_before = !self.decoder.is_between_frames();
        let mut rest = &self.bytes[from.max(head)..self.taken];
        let mut opcode = None;
        let mut fault = String::new();
        while let Some(item) = self.decoder.next(&mut rest) {
            match item {
                Item::Started(started) => opcode = Some(started.opcode),
                Item::Fault(found) => fault = format!(": {found}"),
                Item::Frame(head) => {
                    told.push((self.frame(head) + &fault, self.taken - rest.len()));
                    opcode = None;
                    fault.clear();
                }
            }
        }
        if let Some(opcode) = opcode.filter(|_| !self.decoder.is_between_frames()) {
            told.push((format!("part of a {opcode} frame{fault}"), self.taken));
        } else if begun_before && told.len() == before {
            told.push((format!("more of it{fault}"), self.taken));
        }
        told
    }

    fn opening(&self, from: usize, head: usize) -> String {
        let what = match self.sender {
            Role::Client => "upgrade request",
            Role::Server => "response",
        };
        if self.taken < head {
            return format!("{} bytes of its {what}", self.taken - from);
        }
        match self.sender {
            Role::Client => "upgrade request".to_owned(),
            Role::Server => {
                let line = self.bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
                let line = String::from_utf8_lossy(line).into_owned();
                line.split_once(' ').map_or(line.clone(), |(_, status)| status.to_owned())
            }
        }
    }

    fn frame(&self, head: Head) -> String {
        let mut text = head.opcode.to_string();
        if !head.fin {
            text.push_str(", not the last fragment");
        }
        if head.opcode == Opcode::CLOSE {
            match ClosePayload::parse(self.decoder.body()) {
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
            let _ =
                write!(text, ", {} byte{}", head.length, if head.length == 1 { "" } else { "s" });
        }
        text
    }
}
