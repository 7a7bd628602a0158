//! The wire log: the bytes of both directions, each frame with what it says and how it looks.
//!
//! Frames are read by [`view`](crate::view), and by nobody here. Of the openings, it shows the
//! values of headers that concern the handshake alone: others may be secret, or change.

use super::text;
use super::timeline::{begins_as_http, clip, connection_number, not_kept, short, whole_frame};
use crate::exchange::{ConnectionId, End, Event, Exchange, Time, What};
use crate::view::{Frame, Stream};
use crate::wire::{Opcode, Role, handshake};
use std::fmt::Write as _;
use std::{iter, mem};

/// How wide a line is, in columns.
const WIDTH: usize = 80;
/// The columns of a line's time and arrow.
const MARGIN: usize = 16;
/// From which column, behind the margin, bytes are shown.
pub(super) const BYTES: usize = 36;
/// How many characters of a text are shown.
const PREVIEW: usize = 20;

/// Headers whose values concern the handshake alone, in lower case.
const SHOWN: [&str; 6] =
    ["host", "upgrade", "connection", "content-length", "content-type", "server"];
const SHOWN_PREFIX: &str = "sec-websocket-";

/// Bytes that came together, and what they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireLine {
    /// On which connection.
    pub connection: ConnectionId,
    /// When they were there: at the server, or where its own were written or seen.
    pub at: Time,
    /// Whether the client sent them.
    pub from_client: bool,
    /// What they are, in at most 64 columns.
    pub what: String,
    /// How they look, in hexadecimal; empty where they are text or none.
    pub bytes: String,
}

/// The bytes of all connections in lines of at most 80 columns, in order of time; a line that says
/// so where there are none. Of several connections each line begins with the number of its own.
pub fn wire_log(exchange: &Exchange) -> String {
    let mut out = String::new();
    let mut last = None;
    let several = exchange.connections().count() > 1;
    for WireLine { connection, at, from_client, what, bytes } in wire_lines(exchange) {
        let time = if last == Some(at) { String::new() } else { short(at) };
        last = Some(at);
        let arrow = if from_client { '>' } else { '<' };
        let number =
            if several { connection_number(connection).to_string() } else { String::new() };
        let mut say = |time: &str, text: &str| {
            let line = format!("{number:1}{time:>12} {arrow} {text}");
            let _ = writeln!(out, "{}", line.trim_end());
        };
        if bytes.is_empty() {
            say(&time, &what);
        } else if what.chars().count() < BYTES {
            say(&time, &format!("{what:BYTES$}{bytes}"));
        } else {
            say(&time, &what);
            say("", &format!("{:BYTES$}{bytes}", ""));
        }
    }
    if out.is_empty() { "nothing was sent\n".to_owned() } else { out }
}

/// The bytes of all connections, in order of time.
pub fn wire_lines(exchange: &Exchange) -> Vec<WireLine> {
    let mut lines: Vec<(usize, WireLine)> = Vec::new();
    for connection in exchange.connections() {
        lines.extend(lines_of(exchange, connection));
    }
    lines.sort_by_key(|(event, _)| *event);
    lines.into_iter().map(|(_, line)| line).collect()
}

/// The bytes of one connection, each line with the event that carried them.
fn lines_of(exchange: &Exchange, connection: ConnectionId) -> Vec<(usize, WireLine)> {
    let bytes = exchange.bytes(connection);
    let events = || {
        let events = exchange.events.iter().enumerate();
        events.filter(|(_, event)| event.connection == connection)
    };
    let gaps = events().scan(0, |taken, (_, event)| Some(gap(taken, event, exchange.both_ends)));
    let gaps = gaps.flatten();
    let mut to_subject =
        Direction::new(true, exchange.subject.other(), &bytes.to_subject, iter::empty());
    let mut to_actor = Direction::new(false, exchange.subject, &bytes.to_actor, gaps);
    let mut out = Vec::new();
    let mut has_fin = false;
    for (index, event) in events() {
        let is_actors = event.end == End::Actor;
        let is_fin = match event.what {
            What::Shut => true,
            What::ReadEnd => is_actors && !exchange.both_ends,
            _ => false,
        };
        // Over TCP the kernel may have told of it before the client read it.
        if is_fin && mem::replace(&mut has_fin, true) {
            continue;
        }
        // Where both ends were seen, what a server wrote is shown when it wrote it.
        let lines = match event.what {
            What::Arrived { bytes } => to_subject.take(bytes),
            What::Wrote { bytes } => to_actor.take(bytes),
            What::Read { bytes } if is_actors && !exchange.both_ends => to_actor.take(bytes),
            What::Discarded { bytes } => to_actor.says(&not_kept(bytes)),
            What::FinArrived => to_subject.says("FIN"),
            What::ResetArrived => to_subject.says("RST"),
            What::ReadEnd | What::Shut if is_fin => to_actor.says("FIN"),
            What::ReadReset if is_actors && !exchange.both_ends => to_actor.says("RST"),
            What::Dropped { reset: true } => to_actor.says("RST"),
            _ => Vec::new(),
        };
        let at = event.at;
        out.extend(lines.into_iter().map(|(from_client, what, bytes)| {
            (index, WireLine { connection, at, from_client, what, bytes })
        }));
    }
    out
}

/// Where bytes of the server's are missing, and how many; `taken` counts those that are there.
fn gap(taken: &mut usize, event: &Event, both_ends: bool) -> Option<(usize, u64)> {
    match event.what {
        What::Discarded { bytes } => return Some((*taken, bytes)),
        What::Wrote { bytes } => *taken += bytes as usize,
        What::Read { bytes } if event.end == End::Actor && !both_ends => *taken += bytes as usize,
        _ => {}
    }
    None
}

/// Whether the client sent it, what it is, and how it looks.
type Said = (bool, String, String);

/// One direction's bytes.
struct Direction<'a> {
    from_client: bool,
    sender: Role,
    bytes: &'a [u8],
    /// How long the HTTP head is, where it is whole; a response may be none that opens.
    head: Option<usize>,
    opens: bool,
    frames: Vec<Frame>,
    taken: usize,
    /// How many frames have come before that, whole, and where the next one begins.
    past: (usize, Option<usize>),
}

impl<'a> Direction<'a> {
    fn new(
        from_client: bool,
        sender: Role,
        bytes: &'a [u8],
        gaps: impl Iterator<Item = (usize, u64)>,
    ) -> Self {
        let mut stream = Stream::new(sender, bytes);
        let head = stream.opening().or_else(|| handshake::head_length(bytes));
        let opens = stream.opening().is_some();
        for (at, missing) in gaps {
            stream.take((at - stream.taken()) as u32, 0);
            stream.skip(missing, 0);
        }
        stream.take(u32::try_from(bytes.len() - stream.taken()).unwrap_or(u32::MAX), 0);
        Self {
            from_client,
            sender,
            bytes,
            head,
            opens,
            frames: stream.into_frames(),
            taken: 0,
            past: (0, None),
        }
    }

    fn says(&self, text: &str) -> Vec<Said> {
        vec![(self.from_client, text.to_owned(), String::new())]
    }

    /// The lines of the next `count` bytes.
    fn take(&mut self, count: u32) -> Vec<Said> {
        let (from, to) = (self.taken, (self.taken + count as usize).min(self.bytes.len()));
        self.taken = to;
        let mut lines = Vec::new();
        let head = self.head.unwrap_or(usize::MAX);
        // Its bytes are shown once it is whole, without what may be secret: not piece by piece.
        if from < head && head <= to {
            lines.extend(head_lines(&self.bytes[..head]).iter().flat_map(|line| self.says(line)));
        } else if from == 0 && to > 0 {
            let what = match self.sender {
                Role::Client => "request",
                Role::Server => "response",
            };
            let what = if begins_as_http(self.bytes) {
                format!("part of a {what}")
            } else {
                format!("in place of a {what}")
            };
            lines.extend(self.says(&format!("{what}, {}", text::count(to, "byte"))));
        }
        if to <= head {
            return lines;
        }
        // One that never ended has no end.
        let end_of = |frame: &Frame| frame.end_offset.min(self.bytes.len());
        let mut begin = self.past.1.unwrap_or(head);
        while let Some(frame) = self.frames.get(self.past.0).filter(|frame| end_of(frame) <= from) {
            begin = end_of(frame);
            self.past = (self.past.0 + 1, Some(begin));
        }
        for frame in self.frames[self.past.0..].iter().filter(|_| self.opens) {
            if begin >= to {
                break;
            }
            let end = end_of(frame);
            let (first, last) = (begin.max(from), end.min(to));
            // Of a frame in many pieces the first and the last are shown.
            if first < last && !(begin < from && last < end) {
                let what = frame_text(frame, &self.bytes[begin..end], (begin < from, last < end));
                lines.push(self.line(&what, first, last));
            }
            begin = end;
        }
        if begin.max(from) < to {
            lines.push(self.line("no frame", begin.max(from), to));
        }
        lines
    }

    /// What the bytes are, and how they look.
    fn line(&self, what: &str, from: usize, to: usize) -> Said {
        (self.from_client, clip(what, WIDTH - MARGIN), hex(&self.bytes[from..to]))
    }
}

/// A frame, of which a part may have come before, and another may come later.
fn frame_text(frame: &Frame, bytes: &[u8], (began, goes_on): (bool, bool)) -> String {
    if began {
        return format!("{}, its end", whole_frame(frame));
    }
    if goes_on || frame.head.is_none() {
        return format!("part of a {} frame", frame.opcode);
    }
    let mut text = whole_frame(frame);
    if let Some(head) = frame.head {
        if head.rsv != 0 {
            let _ = write!(text, ", rsv {}", head.rsv);
        }
        if head.masked {
            text.push_str(", masked");
        } else if frame.opcode == Opcode::TEXT
            && head.length > 0
            // Else a piece of it is not kept.
            && let Some(payload) = bytes.len().checked_sub(head.length as usize)
        {
            let payload = String::from_utf8_lossy(&bytes[payload..]);
            let _ = write!(text, " {:?}", clip(&payload, PREVIEW));
        }
    }
    if let Some((fault, _)) = frame.faults.last() {
        let _ = write!(text, ": {fault}");
    }
    text
}

/// The lines of a request or response, without the values that may be secret or change.
fn head_lines(head: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(head);
    let lines = text.split("\r\n").map(str::trim).filter(|line| !line.is_empty());
    lines
        .enumerate()
        .map(|(number, line)| {
            let shown = match line.split_once(':').filter(|_| number > 0) {
                Some((name, value)) if !is_shown(name) => {
                    format!("{name}: ({} bytes)", value.trim().len())
                }
                _ => line.to_owned(),
            };
            let escape = |c: char| if c.is_control() { '\u{fffd}' } else { c };
            clip(&shown.chars().map(escape).collect::<String>(), WIDTH - MARGIN)
        })
        .collect()
}

fn is_shown(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SHOWN.contains(&name.as_str()) || name.starts_with(SHOWN_PREFIX)
}

/// The first bytes in hexadecimal, and how many there are where they are more.
fn hex(bytes: &[u8]) -> String {
    const ALL: usize = (WIDTH - MARGIN - BYTES) / 3;
    const SOME: usize = 4;
    let shown = if bytes.len() <= ALL { bytes } else { &bytes[..SOME] };
    let words: Vec<String> = shown.iter().map(|byte| format!("{byte:02x}")).collect();
    let more = if bytes.len() <= ALL { String::new() } else { format!(" .. {} B", bytes.len()) };
    format!("{}{more}", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::FrameHead;

    /// A client whose bytes all arrive at once, and a server that answers them.
    fn log(client: &[u8], server: &[u8]) -> String {
        let mut exchange = Exchange::new(true);
        let bytes = exchange.bytes_mut(ConnectionId::FIRST);
        bytes.to_subject.extend(client);
        bytes.to_actor.extend(server);
        exchange.push(Time(0), What::Arrived { bytes: client.len() as u32 });
        exchange.push(Time(1_500_000), What::Wrote { bytes: server.len() as u32 });
        wire_log(&exchange)
    }

    fn request(header: &str) -> Vec<u8> {
        handshake::REQUEST.replacen("\r\n\r\n", &format!("\r\n{header}\r\n\r\n"), 1).into_bytes()
    }

    #[test]
    fn frames_are_shown_decoded_and_as_bytes() {
        let mut client = request("X-Odd: a");
        FrameHead::client(Opcode::CLOSE).encode(b"\x03\xe8bye", &mut client);
        let mut server = handshake::switching_protocols(handshake::ACCEPT).into_bytes();
        FrameHead::server(Opcode::TEXT).encode(b"\"hi\x07\xff", &mut server);
        server.extend(b"\x88");
        let log = log(&client, &server);
        let beside = |what: &str, bytes: &str| format!("{:14}{what:38}{bytes}", "");
        for line in [
            "      0.000 s > GET / HTTP/1.1".to_owned(),
            beside("> X-Odd: (1 bytes)", "").trim_end().to_owned(),
            beside("> Close 1000 \"bye\", masked", "88 85 37 fa .. 11 B"),
            "      1.500 s < HTTP/1.1 101 Switching Protocols".to_owned(),
            beside("< part of a Close frame", "88"),
        ] {
            assert!(log.lines().any(|shown| shown == line), "{line:?} in\n{log}");
        }
        assert!(
            log.contains("Text, 5 bytes \"\\\"hi\\u{7}\u{fffd}\": text that is not UTF-8"),
            "{log}"
        );
        assert!(log.lines().all(|line| line.chars().count() <= WIDTH), "{log}");
    }

    #[test]
    fn pieces_of_an_opening_and_of_a_frame_are_put_together() {
        let mut exchange = Exchange::new(true);
        let mut client = request("Cookie: abc");
        FrameHead::client(Opcode::TEXT).encode(b"four", &mut client);
        for (at, byte) in (0..).zip(&client) {
            exchange.bytes_mut(ConnectionId::FIRST).to_subject.push(*byte);
            exchange.push(Time(at), What::Arrived { bytes: 1 });
        }
        let log = wire_log(&exchange);
        assert!(log.starts_with("      0.000 s > part of a request, 1 byte\n"), "{log}");
        assert!(log.contains("> Cookie: (3 bytes)") && !log.contains("61"), "{log}");
        let lines: Vec<&str> = log.lines().rev().take(2).map(|line| &line[14..]).collect();
        assert!(
            lines[1].starts_with("> part of a Text frame") && lines[1].ends_with(" 81"),
            "{log}"
        );
        assert!(
            lines[0].starts_with("> Text, 4 bytes, its end") && lines[0].ends_with(" 4f"),
            "{log}"
        );
    }

    #[test]
    fn what_may_be_secret_or_change_is_not_shown() {
        let log =
            log(&request("Authorization: Bearer abc"), b"HTTP/1.1 404 No\r\nDate: now\r\n\r\nx");
        assert!(!log.contains("abc") && log.contains("> Authorization: (10 bytes)"), "{log}");
        assert!(!log.contains("now") && log.contains("< Date: (3 bytes)"), "{log}");
        assert!(log.contains("< no frame"), "{log}");
    }
}
