//! The events of the script in play, in the file that a worker shares with its supervisor: they are
//! there even when the worker dies in the next moment, and to add one wakes nobody.
//!
//! The worker appends; the supervisor reads once the play has ended, however that was. What kinds of
//! events are frequent has a form of a few bytes, the others are JSON.

use crate::exchange::{ConnectionId, End, Event, Exchange, Time, What};
use crate::script::ConnectionNumber;
use rustix::process::{Resource, getrlimit};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt as _;

/// Where the log begins: behind the page of counters.
const START: u64 = 4096;

/// What a record is, in its first byte.
mod kind {
    pub const TO_SUBJECT: u8 = 0;
    pub const TO_ACTOR: u8 = 1;
    pub const ARRIVED: u8 = 2;
    pub const READ: u8 = 3;
    pub const WROTE: u8 = 4;
    pub const WRITE_BLOCKED: u8 = 5;
    pub const WRITABLE: u8 = 6;
    pub const OTHER: u8 = 7;
    /// As the first two, of another connection than the first, whose number comes next.
    pub const TO_SUBJECT_OF: u8 = 8;
    pub const TO_ACTOR_OF: u8 = 9;
}

/// The supervisor's side.
#[derive(Debug)]
pub(super) struct EventLog(File);

impl EventLog {
    /// The log in the file that the worker gets.
    ///
    /// # Errors
    ///
    /// If the system gives no further handle of it.
    pub fn of(file: &File) -> io::Result<Self> {
        file.try_clone().map(Self)
    }

    /// Forgets the last play.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn clear(&self) -> io::Result<()> {
        // Where no file may have so much, nothing was written.
        if may_have(START) { self.0.set_len(START) } else { Ok(()) }
    }

    /// Appends what was recorded of the play. A record that the worker's death cut short is none.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn read_into(&self, exchange: &mut Exchange) -> io::Result<()> {
        let log = ReadFrom { file: &self.0, at: START };
        read_records(BufReader::with_capacity(64 << 10, log), exchange)
    }
}

/// Appends what records say, up to the first that is cut short.
///
/// # Errors
///
/// The system's, and what no record says.
pub(super) fn read_records(mut log: impl Read, exchange: &mut Exchange) -> io::Result<()> {
    loop {
        match read_record(&mut log, exchange) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Whether a file may be so long: to write more is a signal that ends the process.
fn may_have(bytes: u64) -> bool {
    getrlimit(Resource::Fsize).current.is_none_or(|most| bytes <= most)
}

/// A file from a place on, whatever other handles of it have read.
struct ReadFrom<'a> {
    file: &'a File,
    at: u64,
}

impl Read for ReadFrom<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

/// The worker's side, of one play.
#[derive(Debug)]
pub(super) struct EventWriter {
    file: File,
    /// Where the next record goes.
    at: u64,
    record: Vec<u8>,
    /// How much of the exchange is in the log: events, and bytes of both streams of each connection.
    events: usize,
    streams: Vec<[usize; 2]>,
    /// The most bytes that a file may have, and whether the log takes nothing more.
    most: u64,
    is_full: bool,
}

impl EventWriter {
    /// A writer of a log that has nothing in it yet.
    ///
    /// # Errors
    ///
    /// If the system gives no further handle of the file.
    pub fn of(file: &File) -> io::Result<Self> {
        let most = getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX);
        Ok(Self {
            file: file.try_clone()?,
            at: START,
            record: Vec::new(),
            events: 0,
            streams: vec![[0; 2]],
            most,
            is_full: false,
        })
    }

    /// Appends what `exchange` has gained since the last call; what the log cannot take, as where the
    /// length of files is limited, it returns, and takes nothing more.
    pub fn append(&mut self, exchange: &Exchange) -> Option<&[u8]> {
        self.record.clear();
        for connection in exchange.connections() {
            let place = usize::from(connection.0);
            if place == self.streams.len() {
                self.streams.push([0; 2]);
            }
            let bytes = exchange.bytes(connection);
            let streams = [
                (kind::TO_SUBJECT, kind::TO_SUBJECT_OF, &bytes.to_subject),
                (kind::TO_ACTOR, kind::TO_ACTOR_OF, &bytes.to_actor),
            ];
            for (known, (kind, kind_of, stream)) in self.streams[place].iter_mut().zip(streams) {
                let new = stream.get(*known..).unwrap_or_default();
                *known = stream.len();
                if new.is_empty() {
                    continue;
                }
                if connection == ConnectionId::FIRST {
                    push_sized(&mut self.record, kind, new);
                } else {
                    self.record.push(kind_of);
                    self.record.extend_from_slice(&connection.0.to_le_bytes());
                    push_length_and(&mut self.record, new);
                }
            }
        }
        for event in exchange.events.get(self.events..).unwrap_or_default() {
            push_event(&mut self.record, event);
        }
        self.events = exchange.events.len();
        let end = self.at + self.record.len() as u64;
        // Once it is full, a short record that would still fit must not get in before what did not.
        self.is_full = self.is_full
            || end > self.most
            || self.file.write_all_at(&self.record, self.at).is_err();
        if self.is_full {
            return Some(self.record.as_slice()).filter(|record| !record.is_empty());
        }
        self.at = end;
        None
    }
}

fn push_sized(record: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    record.push(kind);
    push_length_and(record, bytes);
}

fn push_length_and(record: &mut Vec<u8>, bytes: &[u8]) {
    record.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    record.extend_from_slice(bytes);
}

fn push_event(record: &mut Vec<u8>, event: &Event) {
    let (kind, bytes) = match event.what {
        What::Arrived { bytes } => (kind::ARRIVED, bytes),
        What::Read { bytes } => (kind::READ, bytes),
        What::Wrote { bytes } => (kind::WROTE, bytes),
        What::WriteBlocked => (kind::WRITE_BLOCKED, 0),
        What::Writable => (kind::WRITABLE, 0),
        _ => {
            let json = serde_json::to_vec(event).unwrap_or_default();
            return push_sized(record, kind::OTHER, &json);
        }
    };
    record.push(kind);
    record.push(u8::from(event.end == End::Actor) | u8::from(event.inferred) << 1);
    record.extend_from_slice(&event.connection.0.to_le_bytes());
    record.extend_from_slice(&bytes.to_le_bytes());
    record.extend_from_slice(&event.at.0.to_le_bytes());
}

fn read_record(log: &mut impl Read, exchange: &mut Exchange) -> io::Result<()> {
    let [kind] = take(log)?;
    let event = match kind {
        kind::TO_SUBJECT | kind::TO_ACTOR => {
            return read_stream(log, kind == kind::TO_SUBJECT, ConnectionId::FIRST, exchange);
        }
        kind::TO_SUBJECT_OF | kind::TO_ACTOR_OF => {
            let connection = ConnectionId(u16::from_le_bytes(take(log)?));
            return read_stream(log, kind == kind::TO_SUBJECT_OF, connection, exchange);
        }
        kind::OTHER => {
            let mut json = Vec::new();
            read_sized(log, &mut json)?;
            serde_json::from_slice(&json)?
        }
        kind => read_event(log, kind)?,
    };
    has_connection(exchange, event.connection)?;
    exchange.events.push(event);
    Ok(())
}

/// Reads bytes of a connection's one stream or the other.
fn read_stream(
    log: &mut impl Read,
    to_subject: bool,
    connection: ConnectionId,
    exchange: &mut Exchange,
) -> io::Result<()> {
    has_connection(exchange, connection)?;
    let bytes = exchange.bytes_mut(connection);
    read_sized(log, if to_subject { &mut bytes.to_subject } else { &mut bytes.to_actor })
}

/// The exchange has this connection, and all below it, from now on.
fn has_connection(exchange: &mut Exchange, connection: ConnectionId) -> io::Result<()> {
    if connection.0 >= u16::from(ConnectionNumber::MOST) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    while exchange.connections().count() <= usize::from(connection.0) {
        exchange.connect();
    }
    Ok(())
}

fn read_event(log: &mut impl Read, kind: u8) -> io::Result<Event> {
    let [flags] = take(log)?;
    let connection = ConnectionId(u16::from_le_bytes(take(log)?));
    let bytes = u32::from_le_bytes(take(log)?);
    let at = Time(u64::from_le_bytes(take(log)?));
    let what = match kind {
        kind::ARRIVED => What::Arrived { bytes },
        kind::READ => What::Read { bytes },
        kind::WROTE => What::Wrote { bytes },
        kind::WRITE_BLOCKED => What::WriteBlocked,
        kind::WRITABLE => What::Writable,
        _ => return Err(io::ErrorKind::InvalidData.into()),
    };
    let end = if flags & 1 == 0 { End::Subject } else { End::Actor };
    Ok(Event { at, connection, end, inferred: flags & 2 != 0, what })
}

fn take<const N: usize>(log: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    log.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Appends a record's bytes to `out`: all of them, or none.
fn read_sized(log: &mut impl Read, out: &mut Vec<u8>) -> io::Result<()> {
    let length = u64::from(u32::from_le_bytes(take(log)?));
    let before = out.len();
    if log.take(length).read_to_end(out)? as u64 == length {
        return Ok(());
    }
    out.truncate(before);
    Err(io::ErrorKind::UnexpectedEof.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{AfterDeadline, Death, Note};

    /// An exchange that grows by one event, and bytes, at a time.
    fn growing() -> Vec<Exchange> {
        let mut exchange = Exchange::new(true);
        let mut states = Vec::new();
        for (time, what) in [
            What::Arrived { bytes: 3 },
            What::Read { bytes: 2 },
            What::Panicked("two\nlines, \"quoted\"".into()),
            What::Noted(Note::ToldOfEnd { code: Some(1000) }),
            What::Wrote { bytes: 2 },
            What::WriteBlocked,
            What::Writable,
            What::Became(AfterDeadline::Ticking { wakes: 1, lasting: u64::MAX }),
            What::Died(Death::Signal(6)),
        ]
        .into_iter()
        .enumerate()
        {
            let bytes = exchange.bytes_mut(ConnectionId::FIRST);
            match what {
                What::Arrived { .. } => bytes.to_subject.extend(b"\x00\xffa"),
                What::Wrote { .. } => bytes.to_actor.extend(b"\n\x80"),
                _ => {}
            }
            let event = Event::new(Time(u64::MAX - 9 + time as u64), what);
            exchange.events.push(if time == 1 { event.at_actor().inferred() } else { event });
            states.push(exchange.clone());
        }
        for number in 1..4 {
            let connection = exchange.connect();
            let event = |what| Event { connection, ..Event::new(Time(u64::MAX), what) };
            exchange.bytes_mut(connection).to_subject.extend([number; 3]);
            exchange.events.push(event(What::Arrived { bytes: 3 }));
            states.push(exchange.clone());
            exchange.bytes_mut(ConnectionId(1)).to_actor.push(number);
            exchange.events.push(event(What::Froze));
            states.push(exchange.clone());
        }
        states
    }

    fn file() -> File {
        let file = tempfile::tempfile().expect("a file");
        file.set_len(START).expect("set");
        file
    }

    fn read(log: &EventLog) -> Exchange {
        let mut copy = Exchange::new(true);
        log.read_into(&mut copy).expect("readable");
        copy
    }

    #[test]
    fn what_is_written_event_by_event_is_read_whole_and_then_forgotten() {
        let file = file();
        let log = EventLog::of(&file).expect("a handle");
        for _ in 0..2 {
            let mut writer = EventWriter::of(&file).expect("a handle");
            let states = growing();
            for exchange in states.iter().step_by(2) {
                assert_eq!(writer.append(exchange), None);
                assert_eq!(read(&log), *exchange, "also in the middle of a play");
            }
            log.clear().expect("cleared");
            assert_eq!(read(&log), Exchange::new(true));
        }
    }

    #[test]
    fn what_the_log_cannot_take_is_given_back_and_reads_the_same() {
        let file = file();
        let log = EventLog::of(&file).expect("a handle");
        let states = growing();
        let whole = states.last().expect("states");
        for most in [0, START, START + 60, START + 100] {
            log.clear().expect("cleared");
            let mut writer = EventWriter { most, ..EventWriter::of(&file).expect("a handle") };
            let mut rest = Vec::new();
            for exchange in &states {
                rest.extend_from_slice(writer.append(exchange).unwrap_or_default());
            }
            let mut copy = read(&log);
            assert!(copy != *whole && !rest.is_empty(), "{most}");
            read_records(&rest[..], &mut copy).expect("records");
            assert_eq!(copy, *whole, "{most}");
        }
    }

    #[test]
    fn a_record_that_is_cut_short_is_none() {
        let file = file();
        let log = EventLog::of(&file).expect("a handle");
        let states = growing();
        let mut writer = EventWriter::of(&file).expect("a handle");
        let ends: Vec<u64> = states
            .iter()
            .map(|exchange| {
                assert_eq!(writer.append(exchange), None);
                writer.at
            })
            .collect();
        for length in (START..writer.at).rev() {
            file.set_len(length).expect("cut");
            let whole = ends.iter().filter(|end| **end <= length).count();
            assert_eq!(read(&log).events.len(), whole, "{length}");
        }
    }
}
