//! The protocol as a state machine, without I/O and without a clock. Every decision that a
//! server can get wrong is a method of its [`Habits`].

use super::habits::Habits;
use super::{HANDSHAKE, IDLE};
use crate::exchange::Note;
use crate::script::Command;
use crate::target::Application;
use crate::wire::{ClosePayload, Decoder, Fault, Head, Item, Opcode, Role, handshake};
use tokio::time::Instant;

/// Where the connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The request is not complete.
    Opening,
    /// Messages flow.
    Open,
    /// A Close was queued or is not worth sending; the deadline is set for good.
    Closing {
        /// Nothing more is wanted of the client but its FIN.
        client_done: bool,
    },
    /// Nothing is left to do but to drop the transport.
    Over,
}

/// One connection's state.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "two for each end's FIN, two of faulty servers: independent facts, not one state"
)]
pub(super) struct Session<'h> {
    pub habits: &'h dyn Habits,
    pub phase: Phase,
    /// When patience with the present phase ends.
    pub deadline: Instant,
    /// The request, as far as it came.
    head: Vec<u8>,
    decoder: Decoder,
    /// What was read and is not looked at yet: nothing, where all of it is at once.
    left: Vec<u8>,
    /// How many bytes the message at hand has so far.
    message_bytes: u64,
    /// The message at hand, if a faulty server buffers it.
    pub message: Vec<u8>,
    /// Messages that a faulty server has not handed on yet, by their lengths.
    pub waiting: Vec<u32>,
    /// Frames that a faulty server has not queued yet, or may send again.
    pub held: Vec<u8>,
    /// What a faulty server keeps beside that.
    pub kept: Vec<u8>,
    /// Whether a faulty server has lost sight of its queue: a write found no room.
    pub stalled: bool,
    /// Whether a faulty server tries to write its Close when the time for it is over.
    pub late_close: bool,
    pub queue: Vec<u8>,
    /// How much of the queue is on its way.
    pub sent: usize,
    /// Where in the queue the Close begins; `None` where it is not queued or all sent.
    pub close_at: Option<usize>,
    pub fin_sent: bool,
    pub fin_received: bool,
    /// The payload of the client's Close.
    client_close: Option<Vec<u8>>,
    application: Application,
}

impl<'h> Session<'h> {
    pub fn new(now: Instant, application: Application, habits: &'h dyn Habits) -> Self {
        Self {
            habits,
            phase: Phase::Opening,
            deadline: now + HANDSHAKE,
            head: Vec::new(),
            decoder: Decoder::new(Role::Client),
            left: Vec::new(),
            message_bytes: 0,
            message: Vec::new(),
            waiting: Vec::new(),
            held: Vec::new(),
            kept: Vec::new(),
            stalled: false,
            late_close: false,
            queue: Vec::with_capacity(256),
            sent: 0,
            close_at: None,
            fin_sent: false,
            fin_received: false,
            client_close: None,
            application,
        }
    }

    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether commands of the application are taken.
    pub fn obeys(&self) -> bool {
        self.habits.obeys_in(self.phase)
    }

    /// Whether dropping the transport loses nothing: all is sent, and the client has ended.
    pub fn is_over(&self) -> bool {
        match self.phase {
            Phase::Over => true,
            Phase::Closing { .. } => self.habits.is_done(self),
            Phase::Opening | Phase::Open => false,
        }
    }

    /// Whether the own side can be shut down: the last frame is sent, and no reply
    /// to it is awaited.
    pub fn wants_fin(&self) -> bool {
        self.phase == Phase::Closing { client_done: true }
            && !self.fin_sent
            && self.habits.sends_fin_first()
    }

    /// The code that the client's Close had, where one came: 1005 for none.
    pub fn close_code(&self) -> Option<u16> {
        let payload = self.client_close.as_deref()?;
        Some(ClosePayload::parse(payload).code().map_or(1005, |code| code.0))
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
            self.close_at = None;
        }
    }

    /// Bytes came, or none: the client's FIN.
    pub fn received(&mut self, bytes: &[u8], now: Instant) {
        if bytes.is_empty() {
            return self.habits.reads_end(self, now);
        }
        self.habits.received_bytes(self, now);
        let left = std::mem::take(&mut self.left);
        let joined = (!left.is_empty()).then(|| [&left, bytes].concat());
        let mut rest = joined.as_deref().unwrap_or(bytes);
        if self.phase == Phase::Opening {
            let Some(length) = self.opening(bytes, now) else { return };
            rest = self.habits.bytes_after_request(&bytes[bytes.len() - length..]);
        }
        while self.habits.decodes_in(self.phase) {
            let Some(item) = self.decoder.next(&mut rest) else {
                if let Some(head) = self.decoder.awaited() {
                    self.habits.awaits_payload(self, head, now);
                }
                if !self.decoder.is_between_frames() {
                    self.habits.received_part_of_frame(self, bytes);
                }
                return;
            };
            match item {
                Item::Started(_) => {}
                Item::Fault(fault) if self.habits.overlooks(fault) => {}
                Item::Fault(fault) => self.fail(fault, now),
                Item::Frame(head) => {
                    self.frame(head, now);
                    if !self.habits.decodes_whole_reads() {
                        self.left = rest.to_vec();
                        return;
                    }
                }
            }
        }
    }

    /// More of the request. Once it is complete: how many bytes came behind it.
    fn opening(&mut self, bytes: &[u8], now: Instant) -> Option<usize> {
        // Looked at only where new bytes could complete it.
        let seen = self.habits.head_search_start(self.head.len());
        self.head.extend_from_slice(bytes);
        if handshake::head_length(&self.head[seen..]).is_none()
            && self.head.len() <= self.habits.head_limit()
        {
            return None;
        }
        let Ok(Some((length, accept))) = handshake::request(&self.head) else {
            self.queue.extend_from_slice(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
            self.begin_closing(now, true);
            return None;
        };
        let accept = self.habits.accept(accept);
        self.queue.extend_from_slice(handshake::switching_protocols(&accept).as_bytes());
        let behind = self.head.len() - length;
        self.head = Vec::new();
        self.phase = Phase::Open;
        self.deadline = now + IDLE.saturating_sub(super::CLOSE);
        Some(behind)
    }

    fn frame(&mut self, head: Head, now: Instant) {
        self.habits.received_frame(self, head.opcode, now);
        if let Some(fault) = self.habits.refuses(head, self) {
            return self.fail(fault, now);
        }
        match head.opcode {
            // A ping is answered until the client's Close is here (5.5.2).
            Opcode::PING => {
                let body = self.decoder.body().to_vec();
                self.send(Opcode::PONG, &body, now);
            }
            Opcode::CLOSE => self.close_came(now),
            opcode if opcode.is_data() => {
                self.habits.buffers_data(self, head.length);
                self.message_bytes += head.length;
                if head.fin {
                    self.habits.received_message(self, head.length);
                    self.message = Vec::new();
                    let bytes = std::mem::take(&mut self.message_bytes);
                    self.habits.hands_on(self, bytes, head.length);
                }
            }
            _ => {}
        }
    }

    /// The application is given a message of so many bytes.
    pub fn give(&self, bytes: u64) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.application.note(Note::Received { bytes });
    }

    fn close_came(&mut self, now: Instant) {
        let payload = self.decoder.body().to_vec();
        if self.habits.answers_in(self.phase)
            && let Some(answer) = self.habits.answer(&payload)
        {
            self.close(&answer, now);
        }
        self.client_close.get_or_insert(payload);
        self.begin_closing(now, true);
    }

    /// Whether the client has begun a message and not finished it.
    pub const fn is_inside_message(&self) -> bool {
        self.decoder.is_inside_message()
    }

    /// The client broke the protocol: a Close that says so, and no more reading (7.1.7).
    pub fn fail(&mut self, fault: Fault, now: Instant) {
        if self.is_open()
            && let Some(code) = self.habits.failure_code(fault)
        {
            self.close(&code.0.to_be_bytes(), now);
        }
        self.begin_closing(now, true);
        self.habits.connection_failed(self);
    }

    /// The application got a command.
    pub fn commanded(&mut self, command: Command, now: Instant) {
        if self.phase == Phase::Opening {
            // Before there is a session, there is nobody to send anything to.
            let ends = matches!(command, Command::Close(..) | Command::Return);
            self.phase = if ends && self.habits.ends_openings() { Phase::Over } else { self.phase };
            return;
        }
        if self.habits.ignores(self, &command) {
            return;
        }
        if !self.habits.has_queue_room(self, &command) {
            // A client that does not read what it is sent is given up.
            self.phase = Phase::Over;
            return;
        }
        match command {
            Command::SendText(content) => {
                self.send(Opcode::TEXT, self.habits.sends_of(content.text().as_bytes()), now);
            }
            Command::SendBinary(content) => {
                self.send(Opcode::BINARY, self.habits.sends_of(&content.bytes()), now);
            }
            Command::Ping(content) => {
                let payload = content.bytes();
                self.send(Opcode::PING, &payload[..payload.len().min(125)], now);
            }
            Command::Close(code, reason) => self.habits.wants_to_close(self, code, &reason, now),
            Command::Return => self.phase = Phase::Over,
            // What a registry of sessions would hold: nothing of the transport's.
            Command::Keep => self.application.keep(self.application.clone()),
            // A whole server's, and not a connection's.
            Command::Shutdown | Command::Broadcast(_) => {}
        }
    }

    /// When the deadline of the present phase passes.
    pub fn deadline_passed(&mut self, now: Instant) {
        match self.phase {
            Phase::Open => self.habits.gives_up_waiting(self, now),
            Phase::Closing { .. } => self.habits.runs_out_of_time(self, now),
            Phase::Opening | Phase::Over => self.phase = Phase::Over,
        }
    }

    /// Queues a frame.
    pub fn send(&mut self, opcode: Opcode, payload: &[u8], now: Instant) {
        if self.queue.len() - self.sent + payload.len() > self.habits.queue_limit() {
            self.phase = Phase::Over;
            return;
        }
        self.habits.frame(opcode).encode(payload, &mut self.queue);
        self.habits.queued(self, now);
    }

    /// Queues the one Close that this connection sends.
    pub fn close(&mut self, payload: &[u8], now: Instant) {
        self.close_at = Some(self.queue.len());
        self.habits.frame(Opcode::CLOSE).encode(payload, &mut self.queue);
        self.habits.queued(self, now);
    }

    /// From here on the end is owed. Sets the deadline the first time, and never again.
    pub fn begin_closing(&mut self, now: Instant, client_done: bool) {
        match self.phase {
            Phase::Opening => {
                // The opening's own deadline stands where it is earlier.
                self.deadline = self.deadline.min(self.habits.closing_deadline(now, client_done));
                self.phase = Phase::Closing { client_done };
            }
            Phase::Open => {
                self.deadline = self.habits.closing_deadline(now, client_done);
                self.phase = Phase::Closing { client_done };
            }
            Phase::Closing { client_done: before } => {
                self.phase = Phase::Closing { client_done: before || client_done };
            }
            Phase::Over => {}
        }
    }

    /// The own side is shut down.
    pub fn sent_fin(&mut self, now: Instant) {
        self.fin_sent = true;
        self.habits.after_fin(self, now);
    }
}
