//! The vocabulary of the stories: one connection, told event by event.

use hangup::bounds::Bounds;
use hangup::exchange::{AfterDeadline, ConnectionId, Death, Exchange, Note, Standing, Time, What};
use hangup::judge::judge;
use hangup::verdict::{Cause, Condition, Ending, Excuse, Invariant, Reason, Verdict, Violation};
use hangup::view::View;
use hangup::wire::{FrameHead, LengthForm, Opcode, handshake};
use std::time::Duration;

/// A legal frame: its opcode and payload. Who sends it decides on the mask.
pub type Frame<'a> = (Opcode, &'a [u8]);

pub const BYE: Frame<'_> = (Opcode::CLOSE, b"\x03\xe8bye");
pub const TEXT: Frame<'_> = (Opcode::TEXT, b"news");
pub const PING: Frame<'_> = (Opcode::PING, b"");
pub const PONG: Frame<'_> = (Opcode::PONG, b"");
/// A client's frame that breaks the protocol, proven by its second byte.
pub const UNMASKED: &[u8] = &[0x81, 0];

/// Of a server that neither reads nor writes, and had read all.
pub const FORGOTTEN: Standing = Standing {
    reads: Some(false),
    writes: Some(false),
    has_input: false,
    unsent: 0,
    room: Some(4096),
};

pub fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], reason].concat()
}

pub fn encoded(head: FrameHead, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    head.encode(payload, &mut out);
    out
}

/// A client's frame whose length is written in more bits than it needs.
pub fn wide((opcode, payload): Frame<'_>) -> Vec<u8> {
    encoded(FrameHead { length: LengthForm::Bits16, ..FrameHead::client(opcode) }, payload)
}

/// A client's frame that leaves its message open.
pub fn fragment((opcode, payload): Frame<'_>) -> Vec<u8> {
    encoded(FrameHead { fin: false, ..FrameHead::client(opcode) }, payload)
}

pub fn masked((opcode, payload): Frame<'_>) -> Vec<u8> {
    encoded(FrameHead::client(opcode), payload)
}

pub fn plain((opcode, payload): Frame<'_>) -> Vec<u8> {
    encoded(FrameHead::server(opcode), payload)
}

pub const DEATHS: [Death; 4] =
    [Death::Signal(6), Death::Exited(0), Death::OutOfMemory, Death::StoodStill];

/// What somebody does in a story.
pub type Act = fn(Story) -> Story;

/// One connection as it is told, with the bounds that it is judged by.
#[derive(Clone)]
pub struct Story {
    pub exchange: Exchange,
    pub bounds: Bounds,
    pub now: Time,
    pub read: usize,
    pub got: usize,
}

/// What a story can tell in one word.
macro_rules! words {
    ($($name:ident => $what:expr,)+) => { $(pub fn $name(self) -> Self { self.then($what) })+ };
}

impl Story {
    words! {
        fin => What::FinArrived,
        reset => What::ResetArrived,
        deaf => What::StoppedReading,
        hears => What::ResumedReading,
        cut => What::Cut,
        server_shuts => What::Shut,
        app_closes => What::Noted(Note::BeganToClose),
        app_returns => What::Noted(Note::BeganToReturn),
        panics => What::Panicked("oops".into()),
        spins => What::Spun { polls: 10_000 },
        outlives => What::Outlived { tasks: 1 },
        blocked => What::WriteBlocked,
        writable => What::Writable,
        resets => What::Dropped { reset: true },
        reports => What::Noted(Note::Reports),
        given => What::Noted(Note::Received { bytes: 4 }),
        aborts => What::Died(Death::Signal(6)),
        exits => What::Died(Death::Exited(0)),
        eats_all_memory => What::Died(Death::OutOfMemory),
        stands_still => What::Died(Death::StoodStill),
        watched => What::Froze,
    }

    /// Accepted, both ends watched; the client has sent nothing yet.
    pub fn accepted() -> Self {
        let bounds = Bounds::close_within(Duration::from_secs(5));
        Self { exchange: Exchange::new(true), bounds, now: Time::ZERO, read: 0, got: 0 }
    }

    /// An open WebSocket, both ends watched.
    pub fn open() -> Self {
        Self::accepted().client_bytes(handshake::REQUEST).server_reads_all().server_accepts()
    }

    /// An open WebSocket of which only the client's end is watched.
    pub fn open_seen_by_client() -> Self {
        let mut story = Self::accepted();
        story.exchange.both_ends = false;
        story.exchange.sees_release = false;
        story.client_bytes(handshake::REQUEST).server_accepts()
    }

    pub fn promising(mut self, change: impl FnOnce(&mut Bounds)) -> Self {
        change(&mut self.bounds);
        self
    }

    pub fn at(mut self, ms: u64) -> Self {
        self.now = Time(ms * 1000);
        self
    }

    pub fn later(mut self, ms: u64) -> Self {
        self.now.0 += ms * 1000;
        self
    }

    pub fn then(mut self, what: What) -> Self {
        self.exchange.push(self.now, what);
        self
    }

    /// What the client reads, or is told.
    pub fn actor(mut self, what: What) -> Self {
        self.exchange.push_at_actor(self.now, what);
        self
    }

    pub fn told_of_reset(self) -> Self {
        self.actor(What::ReadReset)
    }

    pub fn client(self, frame: Frame<'_>) -> Self {
        self.client_bytes(masked(frame))
    }

    pub fn client_bytes(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.exchange.bytes_mut(ConnectionId::FIRST).to_subject.extend_from_slice(bytes.as_ref());
        self.then(What::Arrived { bytes: bytes.as_ref().len() as u32 })
    }

    pub fn server(self, frame: Frame<'_>) -> Self {
        self.server_bytes(plain(frame))
    }

    pub fn server_bytes(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.exchange.bytes_mut(ConnectionId::FIRST).to_actor.extend_from_slice(bytes.as_ref());
        let (both, bytes) = (self.exchange.both_ends, bytes.as_ref().len() as u32);
        if both { self.then(What::Wrote { bytes }) } else { self.actor(What::Read { bytes }) }
    }

    /// The client sends a Close with `code` and no reason.
    pub fn client_closes(self, code: u16) -> Self {
        self.client((Opcode::CLOSE, &close(code, b"")))
    }

    /// The server sends a Close with `code` and no reason.
    pub fn server_closes(self, code: u16) -> Self {
        self.server((Opcode::CLOSE, &close(code, b"")))
    }

    /// The application takes the command to send a text.
    pub fn app_sends(self, text: &str) -> Self {
        self.then(What::Noted(Note::sends(true, text.as_bytes())))
    }

    /// The application is given this message.
    pub fn given_message(self, message: &str) -> Self {
        self.then(What::Noted(Note::received(message.as_bytes())))
    }

    /// The application is given a message of so many bytes.
    pub fn given_bytes(self, bytes: u32) -> Self {
        self.then(What::Noted(Note::Received { bytes }))
    }

    /// The server sends a text.
    pub fn server_says(self, text: &str) -> Self {
        self.server((Opcode::TEXT, text.as_bytes()))
    }

    /// The client sends a text.
    pub fn client_says(self, text: &str) -> Self {
        self.client((Opcode::TEXT, text.as_bytes()))
    }

    /// The application is told of the end.
    pub fn told(self, code: Option<u16>) -> Self {
        self.then(What::Noted(Note::ToldOfEnd { code }))
    }

    /// The client gets all that the server sent, where both ends are watched.
    pub fn client_gets_all(mut self) -> Self {
        let bytes = (self.exchange.bytes(ConnectionId::FIRST).to_actor.len() - self.got) as u32;
        self.got = self.exchange.bytes(ConnectionId::FIRST).to_actor.len();
        self.actor(What::Read { bytes })
    }

    pub fn server_accepts(self) -> Self {
        self.server_bytes(handshake::switching_protocols(handshake::ACCEPT))
    }

    pub fn server_reads_all(mut self) -> Self {
        let bytes = (self.exchange.bytes(ConnectionId::FIRST).to_subject.len() - self.read) as u32;
        self.read = self.exchange.bytes(ConnectionId::FIRST).to_subject.len();
        self.then(What::Read { bytes })
    }

    /// The server drops its transport; a client alone sees the end of the stream.
    pub fn server_drops(self) -> Self {
        let both = self.exchange.both_ends;
        if both { self.then(What::Dropped { reset: false }) } else { self.actor(What::ReadEnd) }
    }

    /// It stays as it is for ever, as was proven a minute after accept.
    pub fn quiet(self) -> Self {
        self.at(60_000).then(What::Became(AfterDeadline::Quiet))
    }

    /// The same; by then the server was doing this.
    pub fn stands(self, standing: Standing) -> Self {
        self.at(60_000).then(What::Stands(standing)).then(What::Became(AfterDeadline::Quiet))
    }

    pub fn broken(&self) -> Vec<Invariant> {
        let Verdict { violations, .. } = judge(&self.exchange, &self.bounds);
        violations.iter().map(|violation| violation.identity.invariant()).collect()
    }

    #[track_caller]
    pub fn is_clean(&self) {
        assert_eq!(
            judge(&self.exchange, &self.bounds).violations,
            [],
            "{:?}",
            self.exchange.events
        );
    }

    /// The violation of `invariant`, which must be the only one.
    #[track_caller]
    pub fn breaks(&self, invariant: Invariant) -> Violation {
        assert_eq!(self.broken(), [invariant], "{:?}", self.exchange.events);
        judge(&self.exchange, &self.bounds).violations.remove(0)
    }

    /// The excuse that dismisses a suspicion by `invariant`; `None` where there was none to
    /// dismiss. Nothing is broken.
    #[track_caller]
    pub fn excused(&self, invariant: Invariant) -> Option<Excuse> {
        self.is_clean();
        let Verdict { dismissals, .. } = judge(&self.exchange, &self.bounds);
        dismissals.iter().find_map(|dismissal| match dismissal.reason {
            Reason::Excuse(excuse) if dismissal.violation.identity.invariant() == invariant => {
                Some(excuse)
            }
            _ => None,
        })
    }

    /// For what this owes the end.
    #[track_caller]
    fn owes(&self) -> Cause {
        let never = self.clone().quiet();
        let identity = judge(&never.exchange, &never.bounds).violations[0].identity;
        identity.cause().expect("a rule about time")
    }

    /// The server, about to end the connection for `cause`, sends its Close where nobody but
    /// its application or a timer of its own asks for the end: one that says that something
    /// went wrong, so that there is no answer to wait for. One that has closed, or waits for
    /// room, sends none.
    pub fn says_why(self, cause: Cause) -> Self {
        let view = View::of(&self.exchange, ConnectionId::FIRST);
        let could = view.own_close().is_none() && !view.blocked;
        let should = view.firsts.began.is_some() || cause == Cause::Idle;
        if could && should { self.server_closes(1011) } else { self }
    }

    /// Hanging up never is reported for this.
    #[track_caller]
    pub fn never(&self) -> (Cause, Condition) {
        let never = self.clone().quiet();
        let identity = judge(&never.exchange, &never.bounds).violations[0].identity;
        let cause = self.owes();
        assert_eq!(never.breaks(rule(cause)).ending, Ending::Never);
        (cause, identity.condition().expect("a rule about time"))
    }

    /// Hanging up by `deadline` and 2 ms is in time, and 1 ms later is late, for this.
    #[track_caller]
    pub fn due(&self, deadline: u64) -> (Cause, Condition) {
        let cause = self.owes();
        self.clone().at(deadline + 2).says_why(cause).server_drops().is_clean();
        let late = self.clone().at(deadline + 3).says_why(cause).server_drops();
        let identity = judge(&late.exchange, &late.bounds).violations[0].identity;
        assert_eq!(identity.cause(), Some(cause));
        let Violation { ending, owed, events, .. } = late.breaks(rule(cause));
        let owed = owed.expect("a rule about time");
        assert_eq!((owed.cause, owed.deadline), (cause, Time(deadline * 1000)));
        assert_eq!(ending, Ending::Late(late.now));
        assert_eq!(events, [owed.event, late.exchange.events.len() - 1]);
        (cause, identity.condition().expect("a rule about time"))
    }
}

/// What obliges a server to end a connection.
pub fn causes() -> impl Iterator<Item = Cause> {
    Cause::ALL.iter().copied().filter(|cause| *cause != Cause::Shutdown)
}

/// The rule that a server breaks which owes the end for `cause` and does not end.
pub fn rule(cause: Cause) -> Invariant {
    match cause {
        Cause::Handshake => Invariant::HandshakeInTime,
        Cause::Idle => Invariant::IdleInTime,
        Cause::ClientReset => Invariant::ReleasesInTime,
        _ => Invariant::EndsInTime,
    }
}

/// A WebSocket on which the client sent a ping before the 101.
pub fn hasty() -> Story {
    let early = Story::accepted().client_bytes(handshake::REQUEST).client(PING);
    early.server_reads_all().server_accepts()
}

/// A connection with a promise for its opening: 6 s.
pub fn opening() -> Story {
    Story::accepted().promising(|bounds| bounds.handshake = Some(Duration::from_secs(6)))
}

/// An open connection with a promise for idle clients: 5 s.
pub fn idling() -> Story {
    Story::open().promising(|bounds| bounds.idle = Some(Duration::from_secs(5)))
}

/// A connection whose end is owed for `cause`, since 1 s (the handshake: since accept), by 6 s.
pub fn owing(cause: Cause) -> Story {
    let open = Story::open().at(1000);
    match cause {
        Cause::Handshake => opening().client_bytes("GET /"),
        Cause::ClientClose => open.client(BYE),
        Cause::OwnClose => open.server(BYE),
        Cause::AppClose => open.app_closes(),
        Cause::ClientViolation => open.client_bytes(UNMASKED),
        Cause::ClientFin => open.fin(),
        Cause::ClientReset => open.reset(),
        Cause::Idle => idling().at(1000).client(PING),
        Cause::Shutdown => unreachable!("it is owed by a server, and not on a connection"),
    }
}

/// The client's Close has come and been read.
pub fn asked() -> Story {
    Story::open().at(1000).client(BYE).server_reads_all()
}

/// The client has sent `bytes`, and the server has read them.
pub fn has_read(bytes: &[u8]) -> Story {
    Story::open().at(1000).client_bytes(bytes).server_reads_all()
}

/// Both Closes are through, the own one first; `before` came before the client's.
pub fn both_closes(before: &[Frame<'_>]) -> Story {
    let own = owing(Cause::OwnClose).at(1500);
    before.iter().fold(own, |story, frame| story.client(*frame)).client(BYE).server_reads_all()
}

/// Only the own Close, both, and the own as the client sees it.
pub fn own_closes() -> [Story; 3] {
    [owing(Cause::OwnClose), both_closes(&[]), Story::open_seen_by_client().server(BYE)]
}
