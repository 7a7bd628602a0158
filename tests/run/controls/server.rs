//! A small server that does what a function of what it sees says. It has what controls are about:
//! an order between its own reasons and the client's, a timer, and an eye for half a frame.

use hangup::exchange::Note;
use hangup::script::Command;
use hangup::target::{Application, Connection};
use hangup::wire::{
    CloseCode, ClosePayload, Decoder, Fault, FrameHead, Item, Opcode, Role, handshake,
};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::time::{Sleep, sleep};

/// What a server sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The connection is open.
    Opened,
    /// A whole frame that is no Close.
    Frame(Opcode),
    /// A Close, with its payload.
    Close(Vec<u8>),
    /// A length in more bits than it needs.
    Wide,
    /// What was read ends within a frame.
    Half,
    /// A frame that no client may send.
    Fault,
    Fin,
    Reset,
    Command(Command),
    Timer,
    /// There is room again.
    Room,
}

/// What it makes of it.
pub type React = fn(&mut Session, Seen);

/// A server: what it does, and in which order.
#[derive(Clone, Copy)]
pub struct Server {
    /// Whether its timer and its application go before what it has read in the same moment.
    pub own_first: bool,
    /// Whether it throws away what was read together with the request.
    pub drops_early: bool,
    pub react: React,
}

/// One whose client goes first.
pub const fn server(react: React) -> Server {
    Server { own_first: false, drops_early: false, react }
}

/// One whose own reasons go first.
pub const fn own_first(react: React) -> Server {
    Server { own_first: true, ..server(react) }
}

/// What is right, but for a deadline: every row of the table does something else in one place.
pub fn well(session: &mut Session, seen: Seen) {
    match seen {
        Seen::Close(_) | Seen::Fault if session.state != State::Open => session.end(),
        Seen::Close(payload) => match ClosePayload::parse(&payload).code() {
            Some(CloseCode(code)) => session.answer(code),
            None => session.leave(),
        },
        Seen::Fault => session.answer(1002),
        Seen::Fin => session.end(),
        Seen::Reset => session.leave(),
        Seen::Command(Command::SendText(text)) => {
            session.send(Opcode::TEXT, text.text().as_bytes());
        }
        Seen::Command(Command::Close(code, _)) => session.close(code.unwrap_or(1000)),
        Seen::Command(Command::Return) => session.leave(),
        _ => {}
    }
}

/// How far a connection is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// It has begun a Close of its own.
    Closes,
    /// It ends once all is written.
    Ends,
    /// It ends now.
    IsOver,
}

/// One connection of such a server.
pub struct Session {
    connection: Connection,
    application: Application,
    opened: bool,
    read: Vec<u8>,
    decoder: Decoder,
    /// Nothing more is read: the end, or a violation, came.
    is_read: bool,
    unsent: Vec<u8>,
    room: Arc<Room>,
    timer: Option<Pin<Box<Sleep>>>,
    state: State,
    /// A payload that it keeps for later.
    pub kept: Vec<u8>,
}

impl Session {
    pub fn send(&mut self, opcode: Opcode, payload: &[u8]) {
        FrameHead::server(opcode).encode(payload, &mut self.unsent);
    }

    /// A Close, and the end behind it.
    pub fn answer(&mut self, code: u16) {
        self.send(Opcode::CLOSE, &code.to_be_bytes());
        self.end();
    }

    /// A Close of its own; the end waits for the client's.
    pub fn close(&mut self, code: u16) {
        self.send(Opcode::CLOSE, &code.to_be_bytes());
        self.state = State::Closes;
    }

    /// Ends the connection once all is written.
    pub const fn end(&mut self) {
        self.state = State::Ends;
    }

    /// Ends the connection now.
    pub const fn leave(&mut self) {
        self.state = State::IsOver;
    }

    /// Sets the timer.
    pub fn after(&mut self, millis: u64) {
        self.timer = Some(Box::pin(sleep(Duration::from_millis(millis))));
    }

    pub fn note(&self, note: Note) {
        self.application.note(note);
    }

    pub fn tell(&self, code: u16) {
        self.note(Note::ToldOfEnd { code: Some(code) });
    }

    /// All that is to be seen now.
    fn look(&mut self, server: Server, cx: &mut Context<'_>) -> Vec<Seen> {
        let mut seen = Vec::new();
        while !self.is_read && self.read_once(server, cx, &mut seen).is_ready() {}
        loop {
            let command = pin!(self.application.command()).poll(cx);
            let Poll::Ready(command) = command else { break };
            seen.push(Seen::Command(command));
        }
        if self.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready()) {
            self.timer = None;
            seen.push(Seen::Timer);
        }
        if self.room.came.swap(false, Ordering::Relaxed) {
            seen.push(Seen::Room);
        }
        let is_own = |seen: &Seen| matches!(seen, Seen::Command(_) | Seen::Timer);
        seen.sort_by_key(|seen| is_own(seen) != server.own_first);
        seen
    }

    fn read_once(
        &mut self,
        server: Server,
        cx: &mut Context<'_>,
        seen: &mut Vec<Seen>,
    ) -> Poll<()> {
        let mut bytes = [0; 1 << 10];
        let mut buffer = ReadBuf::new(&mut bytes);
        let result = std::task::ready!(Pin::new(&mut self.connection).poll_read(cx, &mut buffer));
        if result.is_err() || buffer.filled().is_empty() {
            self.is_read = true;
            seen.push(if result.is_err() { Seen::Reset } else { Seen::Fin });
            return Poll::Ready(());
        }
        self.read.extend_from_slice(buffer.filled());
        if !self.opened {
            let Ok(Some((length, accept))) = handshake::request(&self.read) else {
                return Poll::Ready(());
            };
            self.read.drain(..length);
            if server.drops_early {
                self.read.clear();
            }
            self.opened = true;
            self.unsent.extend(handshake::switching_protocols(&accept).into_bytes());
            seen.push(Seen::Opened);
        }
        let read = std::mem::take(&mut self.read);
        let mut rest = &read[..];
        while let Some(item) = self.decoder.next(&mut rest) {
            seen.extend(match item {
                Item::Started(_) => None,
                Item::Fault(Fault::LengthNotMinimal) => Some(Seen::Wide),
                Item::Fault(_) => Some(Seen::Fault),
                Item::Frame(head) if head.opcode == Opcode::CLOSE => {
                    Some(Seen::Close(self.decoder.body().to_vec()))
                }
                Item::Frame(head) => Some(Seen::Frame(head.opcode)),
            });
        }
        if !self.decoder.is_between_frames() {
            seen.push(Seen::Half);
        }
        Poll::Ready(())
    }

    /// Writes what there is room for; ready once the connection is over.
    fn write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let waker = Waker::from(Arc::clone(&self.room));
        *self.room.task.lock().expect("nobody panics here") = Some(cx.waker().clone());
        while !self.unsent.is_empty() {
            let mut cx = Context::from_waker(&waker);
            let connection = Pin::new(&mut self.connection);
            match std::task::ready!(connection.poll_write(&mut cx, &self.unsent)) {
                Ok(written) => drop(self.unsent.drain(..written)),
                Err(_) => return Poll::Ready(()),
            }
        }
        if self.state == State::Ends { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Tells room to write from other reasons to be woken.
#[derive(Default)]
struct Room {
    came: AtomicBool,
    task: std::sync::Mutex<Option<Waker>>,
}

impl Wake for Room {
    fn wake(self: Arc<Self>) {
        self.came.store(true, Ordering::Relaxed);
        if let Some(task) = &*self.task.lock().expect("nobody panics here") {
            task.wake_by_ref();
        }
    }
}

/// Serves one connection.
pub async fn serve(server: Server, connection: Connection) {
    let mut session = Session {
        application: connection.application(),
        connection,
        opened: false,
        read: Vec::new(),
        decoder: Decoder::new(Role::Client),
        is_read: false,
        unsent: Vec::new(),
        room: Arc::default(),
        timer: None,
        state: State::Open,
        kept: Vec::new(),
    };
    poll_fn(|cx| {
        loop {
            let seen = session.look(server, cx);
            let is_new = !seen.is_empty();
            for seen in seen {
                if session.state != State::IsOver {
                    (server.react)(&mut session, seen);
                }
            }
            if session.state == State::IsOver || session.write(cx).is_ready() {
                return Poll::Ready(());
            }
            if !is_new {
                return Poll::Pending;
            }
        }
    })
    .await;
}
