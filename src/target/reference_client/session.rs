//! The protocol of a client as a state machine, without I/O and without a clock. Where a planted
//! fault makes it decide otherwise, it asks [`is`](Session::is).

use super::faults::ClientFault;
use super::{CLOSE, CONNECT, IDLE, QUEUE, random};
use crate::exchange::Note;
use crate::script::{Command, Content};
use crate::target::Application;
use crate::wire::{
    CloseCode, ClosePayload, Decoder, Fault, FrameHead, Head, Item, Opcode, Role, handshake,
};
use std::time::Duration;
use tokio::time::Instant;

/// A deadline that was never set.
const NEVER: Duration = Duration::from_secs(u32::MAX as u64);

/// Where the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No answer has opened the WebSocket yet.
    Opening,
    /// Messages flow.
    Open,
    /// The deadline of the closing is set for good.
    Closing {
        /// Both Closes are there, or the connection was failed: frames mean nothing any more.
        done: bool,
    },
    /// Nothing is left to do but to drop the transport.
    Over,
}

/// One connection's state.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not one state")]
pub(super) struct Session {
    fault: Option<ClientFault>,
    phase: Phase,
    /// When patience with the present phase ends.
    pub deadline: Instant,
    /// The request that was sent.
    request: String,
    /// The answer, as far as it came.
    head: Vec<u8>,
    decoder: Decoder,
    /// How many bytes the message at hand has so far.
    message_bytes: u64,
    queue: Vec<u8>,
    /// How much of the queue is on its way.
    sent: usize,
    pub fin_sent: bool,
    pub fin_received: bool,
    /// Whether the client failed the connection, and ends TCP itself.
    failed: bool,
    pub was_open: bool,
    pub was_told_to_close: bool,
    /// The payload of the server's Close.
    server_close: Option<Vec<u8>>,
    /// The code of the own Close, where one was sent with one.
    own_code: Option<u16>,
    application: Application,
}

impl Session {
    pub fn new(now: Instant, application: Application, fault: Option<ClientFault>) -> Self {
        let request = handshake::request_with(&random::key());
        let is_patient = fault == Some(ClientFault::ConnectsForEver);
        Self {
            fault,
            phase: Phase::Opening,
            deadline: now + if is_patient { NEVER } else { CONNECT },
            head: Vec::new(),
            decoder: Decoder::new(Role::Server),
            message_bytes: 0,
            queue: request.clone().into_bytes(),
            request,
            sent: 0,
            fin_sent: false,
            fin_received: false,
            failed: false,
            was_open: false,
            was_told_to_close: false,
            server_close: None,
            own_code: None,
            application,
        }
    }

    fn is(&self, fault: ClientFault) -> bool {
        self.fault == Some(fault)
    }

    /// Whether commands of the application are taken: once the closing has begun, none is.
    pub fn obeys(&self) -> bool {
        matches!(self.phase, Phase::Opening | Phase::Open)
    }

    /// Whether dropping the transport loses nothing: all is sent, and the server has ended, who
    /// closes TCP (7.1.1).
    pub fn is_over(&self) -> bool {
        match self.phase {
            Phase::Over => true,
            Phase::Closing { done } => {
                let ends_first = done && self.is(ClientFault::EndsTcpFirst);
                let waits = !ends_first && !self.is(ClientFault::DropsBehindItsClose);
                self.queue.is_empty() && (self.fin_received || !waits)
            }
            Phase::Opening | Phase::Open => false,
        }
    }

    /// Whether the own side is to be shut down: by a client that has failed the connection. Any
    /// other leaves it to the server to begin.
    pub fn wants_fin(&self) -> bool {
        let half_closes = self.is(ClientFault::HalfClosesBehindItsClose);
        let closing = matches!(self.phase, Phase::Closing { .. });
        (self.failed || half_closes && closing) && !self.fin_sent
    }

    /// The code of the connection's end (7.1.5): that of the server's Close, 1005 where it had
    /// none, 1006 where none came.
    pub fn close_code(&self) -> u16 {
        let Some(payload) = self.server_close.as_deref() else { return self.code_of_a_loss() };
        let none = if self.is(ClientFault::TellsNormalForNone) { 1000 } else { 1005 };
        ClosePayload::parse(payload).code().map_or(none, |code| code.0)
    }

    fn code_of_a_loss(&self) -> u16 {
        match self.fault {
            Some(ClientFault::TellsOwnCode) => self.own_code.unwrap_or(1006),
            Some(ClientFault::TellsLossAsNone) => 1005,
            _ => 1006,
        }
    }

    /// How often the application is told of the end.
    pub fn reports_of_the_end(&self) -> u32 {
        match self.fault {
            Some(ClientFault::NeverTells) => 0,
            Some(ClientFault::TellsTwice) => 2,
            _ => 1,
        }
    }

    /// What waits to be sent.
    pub fn to_send(&self) -> Option<&[u8]> {
        self.queue.get(self.sent..).filter(|left| !left.is_empty())
    }

    /// So many bytes of it are on their way.
    pub fn wrote(&mut self, count: usize) {
        self.sent += count;
        if self.sent == self.queue.len() {
            self.queue.clear();
            self.sent = 0;
        }
    }

    /// Bytes came, or none: the server's FIN.
    pub fn received(&mut self, bytes: &[u8], now: Instant) {
        if bytes.is_empty() {
            return self.read_end(now);
        }
        if self.phase == Phase::Opening {
            return self.answered(bytes, now);
        }
        self.decode(bytes, now);
    }

    fn read_end(&mut self, now: Instant) {
        self.fin_received = true;
        match self.phase {
            Phase::Opening => self.phase = Phase::Over,
            Phase::Open if self.is(ClientFault::IgnoresFin) => {}
            _ => self.begin_closing(now, true),
        }
    }

    /// Part of the answer came, and perhaps frames behind it.
    fn answered(&mut self, bytes: &[u8], now: Instant) {
        if self.is(ClientFault::ReadRearmsConnect) {
            self.deadline = now + CONNECT;
        }
        let searched = self.head.len().saturating_sub(3);
        self.head.extend_from_slice(bytes);
        let Some(end) = handshake::head_length(&self.head[searched..]) else {
            if self.head.len() > handshake::HEAD_LIMIT {
                self.phase = Phase::Over;
            }
            return;
        };
        // What was passed over has no end of a head in it, but perhaps the begin of the first line.
        let end = handshake::head_length(&self.head).unwrap_or(searched + end);
        let frames = self.head.split_off(end);
        let opens = handshake::opens(self.request.as_bytes(), &self.head) == Some(end);
        let takes_any =
            self.is(ClientFault::TakesAnyAnswer) && self.head.starts_with(b"HTTP/1.1 101");
        if !(opens || takes_any) || end > handshake::HEAD_LIMIT {
            self.phase = Phase::Over;
            return;
        }
        self.head = Vec::new();
        self.phase = Phase::Open;
        self.was_open = true;
        self.application.note(Note::Opened);
        self.seen_alive(now);
        self.decode(&frames, now);
    }

    /// A whole frame came: the connection is not idle.
    fn seen_alive(&mut self, now: Instant) {
        if self.phase == Phase::Open {
            self.deadline = now + IDLE.saturating_sub(CLOSE);
        } else if self.is(ClientFault::FrameRearmsClose) {
            self.deadline = now + CLOSE;
        }
    }

    fn decode(&mut self, mut bytes: &[u8], now: Instant) {
        while matches!(self.phase, Phase::Open | Phase::Closing { done: false }) {
            let Some(item) = self.decoder.next(&mut bytes) else { return };
            match item {
                Item::Started(_) => {}
                Item::Fault(Fault::LengthNotMinimal) => {}
                Item::Fault(Fault::Masked) if self.is(ClientFault::TakesMasked) => {}
                Item::Fault(fault) => self.fail(fault, now),
                Item::Frame(head) => self.frame(head, now),
            }
        }
    }

    fn frame(&mut self, head: Head, now: Instant) {
        self.seen_alive(now);
        match head.opcode {
            Opcode::CLOSE => self.closed(now),
            Opcode::PING => {
                let payload = self.decoder.body().to_vec();
                self.send(Opcode::PONG, &payload);
            }
            Opcode::PONG => {
                assert!(
                    !(self.is(ClientFault::PongPanics) && self.phase != Phase::Open),
                    "a pong came while closing"
                );
            }
            _ => {
                self.message_bytes += head.length;
                if head.fin {
                    let bytes = u32::try_from(self.message_bytes).unwrap_or(u32::MAX);
                    self.application.note(Note::Received { bytes });
                    self.message_bytes = 0;
                }
            }
        }
    }

    /// The server's Close is whole: it is answered, unless it is an answer itself.
    fn closed(&mut self, now: Instant) {
        let payload = self.decoder.body().to_vec();
        if self.phase == Phase::Open && !self.is(ClientFault::NeverAnswers) {
            let code = ClosePayload::parse(&payload).code().filter(|code| code.is_sendable());
            let code = code.map(|code| {
                if self.is(ClientFault::AnswersNormal) { CloseCode::NORMAL } else { code }
            });
            let answer = code.map_or_else(Vec::new, |code| code.0.to_be_bytes().to_vec());
            self.send(Opcode::CLOSE, &answer);
        }
        self.server_close = Some(payload);
        self.begin_closing(now, true);
    }

    /// The server broke the protocol: it is told so, and TCP ends (7.1.7).
    fn fail(&mut self, fault: Fault, now: Instant) {
        let code = match fault {
            Fault::TextNotUtf8 | Fault::CloseReasonNotUtf8 => CloseCode::INVALID_DATA,
            _ => CloseCode::PROTOCOL_ERROR,
        };
        if self.phase == Phase::Open {
            self.send(Opcode::CLOSE, &code.0.to_be_bytes());
        }
        self.failed = true;
        self.begin_closing(now, true);
    }

    /// From here on the connection ends. The deadline is set once: nothing moves it later.
    fn begin_closing(&mut self, now: Instant, done: bool) {
        match self.phase {
            Phase::Over => return,
            Phase::Closing { done: before } => self.phase = Phase::Closing { done: done || before },
            Phase::Opening | Phase::Open => {
                self.phase = Phase::Closing { done };
                let is_patient = self.is(ClientFault::CloseWaitsForEver);
                self.deadline = now + if is_patient { NEVER } else { CLOSE };
            }
        }
        if self.is(ClientFault::WaitsForFinForEver) && self.phase == (Phase::Closing { done: true })
        {
            self.deadline = now + NEVER;
        }
    }

    /// The application wants something.
    pub fn commanded(&mut self, command: Command, now: Instant) {
        self.was_told_to_close |= matches!(command, Command::Close(..));
        if self.phase == Phase::Opening {
            // Before there is a connection, there is nobody to send anything to.
            let ends = matches!(command, Command::Close(..) | Command::Return);
            self.phase = if ends { Phase::Over } else { self.phase };
            return;
        }
        match command {
            Command::SendText(content) => self.send(Opcode::TEXT, content.text().as_bytes()),
            Command::SendBinary(content) => self.send(Opcode::BINARY, &content.bytes()),
            Command::Ping(content) => {
                let payload = content.bytes();
                self.send(Opcode::PING, &payload[..payload.len().min(125)]);
            }
            Command::Close(..) if self.is(ClientFault::DropsAtClose) => self.phase = Phase::Over,
            Command::Close(code, reason) => {
                self.send(Opcode::CLOSE, &legal_close(code, &reason));
                self.begin_closing(now, false);
            }
            Command::Return => self.phase = Phase::Over,
            // What a program would hold: nothing of the transport's.
            Command::Keep => self.application.keep(self.application.clone()),
            // A server's.
            Command::Shutdown | Command::Broadcast(_) => {}
        }
    }

    /// When the deadline of the present phase passes.
    pub fn deadline_passed(&mut self, now: Instant) {
        if self.phase == Phase::Open {
            self.send(Opcode::CLOSE, &CloseCode::GOING_AWAY.0.to_be_bytes());
            self.begin_closing(now, false);
        } else {
            self.phase = Phase::Over;
        }
    }

    /// Queues a frame, with a mask of its own. A server that leaves too much unread is given up.
    fn send(&mut self, opcode: Opcode, payload: &[u8]) {
        if self.queue.len() - self.sent + payload.len() > QUEUE {
            self.phase = Phase::Over;
            return;
        }
        if opcode == Opcode::CLOSE {
            self.own_code = ClosePayload::parse(payload).code().map(|code| code.0);
        }
        let mask = match self.fault {
            Some(ClientFault::SameMask) => Some([1, 2, 3, 4]),
            Some(ClientFault::TwoMasks) if opcode.is_control() => Some([1, 2, 3, 4]),
            Some(ClientFault::TwoMasks) => Some([5, 6, 7, 8]),
            Some(ClientFault::ZeroMask) if opcode == Opcode::CLOSE => Some([0; 4]),
            Some(ClientFault::NoMask) => None,
            _ => Some(random::mask()),
        };
        FrameHead { mask, ..FrameHead::server(opcode) }.encode(payload, &mut self.queue);
    }
}

/// The payload of a Close that the application wants with this code and reason, as far
/// as they may be sent.
fn legal_close(code: Option<u16>, reason: &Content) -> Vec<u8> {
    let Some(code) = code else { return Vec::new() };
    let code = if CloseCode(code).is_sendable() { code } else { CloseCode::NORMAL.0 };
    let reason = reason.text();
    let reason = &reason[..reason.floor_char_boundary(123)];
    [&code.to_be_bytes(), reason.as_bytes()].concat()
}
