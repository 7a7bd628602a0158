//! The actor, hangup's own end of a connection: the misbehaving client or, where a client is under test,
//! the misbehaving server. It acts a script out on an [`ActorEnd`].
//!
//! It speaks raw bytes, keeps no protocol state but what `await` needs, and
//! knows neither simulation nor sockets: [`crate::run::virtual_time`] gives it an end in virtual
//! time, real TCP another. Pauses go through tokio's clock, whichever runs.

use crate::script::{
    Act, Awaited, Command, Encoding, Millis, Pace, Piece, Script, Send, Setting, Size, Step, Unit,
};
use crate::wire::{Decoder, Item, Opcode, Role, handshake};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Instant;

/// What a read on an end found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// Some bytes, which the end keeps.
    Bytes,
    /// The end of the stream: nothing more will come.
    End,
}

/// A place at which bytes of the server's are not kept: whole messages, or a piece of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// How many bytes are kept before it.
    pub at: usize,
    /// How many are missing. The last gap may still grow.
    pub bytes: u64,
}

/// Where a script is acted out: the client's end of one connection, and the way
/// to the server's application.
pub trait ActorEnd {
    /// The role of the actor: a script is the same for both.
    fn role(&self) -> Role {
        Role::Client
    }

    /// The opening request that this server is sent, whole.
    fn request(&self) -> &str {
        handshake::REQUEST
    }

    /// Connects, once, where that is not done from the start: before a server accepts.
    fn connect(&mut self) {}

    /// Reads what there is. Pending while there is nothing.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Read>;

    /// Sends `bytes` as one segment; ready with how many were taken.
    ///
    /// # Errors
    ///
    /// Where nothing can be sent any more.
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    /// Asks anew to be told, by [`poll_settled`](Self::poll_settled), when the server has settled.
    fn ask_settled(&mut self);

    /// Ready once the server has had the time to deal with what it was sent
    /// before [`ask_settled`](Self::ask_settled).
    fn poll_settled(&mut self, cx: &mut Context<'_>) -> Poll<()>;

    /// Whether the server has let go of the connection, so that nothing that is
    /// left of a script could still matter.
    fn is_over(&self) -> bool;

    /// Whether the server is late with an end that it owes: then the client does nothing more,
    /// so that what comes is the server's own doing.
    fn is_late(&mut self) -> bool {
        false
    }

    /// Shows all bytes read so far, and where some of them are missing.
    fn received(&mut self, look: &mut dyn FnMut(&[u8], &[Gap]));

    /// Tells the server's application to act, where it obeys that.
    fn tell(&mut self, command: &Command);

    /// Sends FIN.
    fn fin(&mut self);

    /// Sends RST.
    fn reset(&mut self);

    /// Drops the socket, as `close(2)` does.
    fn drop_socket(&mut self);

    /// Cuts the network.
    fn cut(&mut self);

    /// Sets a property of the connection.
    fn set(&mut self, setting: Setting, size: Size);

    /// The client stops (`false`) or resumes (`true`) reading.
    fn reading(&mut self, reads: bool);
}

/// What the script waits for did not come within the client's patience.
struct Stuck;

/// A client on its end.
pub struct Actor<S> {
    end: S,
    /// How long a step may wait for the server before the client freezes.
    patience: Duration,
    reads: bool,
    ended: bool,
    /// The server was late when time last passed.
    late: bool,
    /// How many steps it has begun.
    steps: u32,
    /// When it began each of them, where somebody wants to know.
    begun: Option<Vec<Instant>>,
    /// Bytes of joined sends, not yet on their way.
    segment: Vec<u8>,
    unit: Vec<u8>,
    awaits: AwaitDecoder,
    /// What answers the key of the request that came, once that was needed.
    accept: Option<String>,
}

/// How far `await` has looked at what the server sent.
struct AwaitDecoder {
    at: usize,
    /// How many gaps it has passed over, the last perhaps in part, and how much of that.
    gaps: usize,
    passed: u64,
    open: bool,
    /// Who sends what it looks at.
    sender: Role,
    decoder: Decoder,
}

impl<S: ActorEnd> Actor<S> {
    /// A client that reads, and waits at most `patience` for any one thing.
    pub fn new(end: S, patience: Duration) -> Self {
        let awaits = AwaitDecoder::new(end.role().other());
        Self {
            end,
            patience,
            reads: true,
            ended: false,
            late: false,
            steps: 0,
            begun: None,
            segment: Vec::with_capacity(256),
            unit: Vec::new(),
            awaits,
            accept: None,
        }
    }

    /// Acts the script out, until its end or until what it waits for does not come.
    pub async fn act(&mut self, script: &Script) {
        if !script.steps.first().is_some_and(Step::connects) {
            self.end.connect();
        }
        for (index, step) in script.steps.iter().enumerate() {
            let told = || script.steps[index..].iter().any(tells_the_server);
            if self.late || self.is_done() && !told() {
                return;
            }
            self.steps += 1;
            if let Some(begun) = &mut self.begun {
                begun.push(Instant::now());
            }
            let next_joined = script.steps.get(index + 1).is_some_and(|next| next.joined);
            if self.step(step, index == 0, next_joined).await.is_err() {
                return;
            }
        }
        self.settle().await;
    }

    /// The end of the connection that it acts at.
    #[cfg(feature = "tcp")]
    pub const fn end_mut(&mut self) -> &mut S {
        &mut self.end
    }

    /// Keeps the time of each step.
    pub fn keep_times(&mut self) {
        self.begun = Some(Vec::new());
    }

    /// When it began each of its steps, where it [keeps](Self::keep_times) that.
    pub fn begun(&self) -> &[Instant] {
        self.begun.as_deref().unwrap_or_default()
    }

    /// How many steps of the script it has begun.
    pub const fn steps(&self) -> u32 {
        self.steps
    }

    /// Whether nothing that is left of the script could still matter, or may still be done.
    fn is_done(&self) -> bool {
        self.late || self.ended && self.end.is_over()
    }

    /// Does nothing but read, where it reads, until `until` is ready.
    pub async fn read_until<F: Future>(&mut self, until: F) -> F::Output {
        let mut until = pin!(until);
        poll_fn(|cx| {
            self.poll_reads(cx);
            until.as_mut().poll(cx)
        })
        .await
    }

    async fn step(&mut self, step: &Step, first: bool, next_joined: bool) -> Result<(), Stuck> {
        if !first && !step.joined {
            self.settle().await;
        }
        if !matches!(step.act, Act::Send(_)) {
            self.flush().await?;
        }
        match &step.act {
            #[cfg(test)]
            Act::Idle => {}
            Act::Send(send) => return self.send(send, next_joined).await,
            // Who gives it its end may do so from the start.
            Act::Connect(time) => {
                self.wait(*time).await;
                self.end.connect();
            }
            Act::Wait(time) => self.wait(*time).await,
            Act::Await(awaited) => return self.await_(*awaited).await,
            Act::StopReading => {
                self.reads = false;
                self.end.reading(false);
            }
            Act::ResumeReading => {
                self.reads = true;
                self.end.reading(true);
            }
            Act::Fin => self.end.fin(),
            Act::Reset => self.end.reset(),
            Act::Drop => self.end.drop_socket(),
            Act::Cut => self.end.cut(),
            Act::Set(setting, size) => self.end.set(*setting, *size),
            Act::App(command, pace) => self.tell(command, *pace).await,
        }
        Ok(())
    }

    async fn send(&mut self, send: &Send, next_joined: bool) -> Result<(), Stuck> {
        if matches!(send.unit, Unit::Accept(_)) {
            self.await_request().await?;
        }
        if (send.piece, send.pace) == (Piece::Whole, Pace::Once) {
            let mut segment = std::mem::take(&mut self.segment);
            send.unit.encode_with(&self.encoding(), &mut segment);
            self.segment = segment;
            return self.sent(send, true, next_joined).await;
        }
        let mut unit = std::mem::take(&mut self.unit);
        unit.clear();
        send.unit.encode_with(&self.encoding(), &mut unit);
        self.unit = unit;
        let piece = send.piece.of(&self.unit);
        let whole = piece.len() == self.unit.len();
        match send.pace {
            Pace::Once => {
                self.segment.extend_from_slice(piece);
                self.sent(send, whole, next_joined).await
            }
            Pace::Times(times, every) => {
                let piece = piece.to_vec();
                for time in 0..times {
                    self.pause(time, every).await;
                    if self.is_done() {
                        break;
                    }
                    // What was joined before it goes out with the first.
                    self.flush_with(&piece).await?;
                }
                Ok(())
            }
            Pace::Pieces(size, every) => {
                let bytes = piece.to_vec();
                for (time, piece) in bytes.chunks(size.max(1) as usize).enumerate() {
                    self.pause(time as u32, every).await;
                    if self.is_done() {
                        break;
                    }
                    self.flush_with(piece).await?;
                }
                Ok(())
            }
        }
    }

    /// Sends what was gathered, and waits for the answer where that is the whole request.
    async fn sent(&mut self, send: &Send, whole: bool, next_joined: bool) -> Result<(), Stuck> {
        if next_joined {
            // Joined sends go out together with the last of them.
            return Ok(());
        }
        self.flush().await?;
        let is_client = self.end.role() == Role::Client;
        let opens = is_client && whole && matches!(send.unit, Unit::Upgrade(_));
        if opens && self.reads { self.await_(Awaited::Upgrade).await } else { Ok(()) }
    }

    /// What the bytes of units depend on.
    fn encoding(&self) -> Encoding<'_> {
        Encoding {
            sender: self.end.role(),
            request: self.end.request(),
            accept: self.accept.as_deref().unwrap_or(handshake::ACCEPT),
        }
    }

    /// A server answers a whole request, with its key. What the client answers is not awaited.
    async fn await_request(&mut self) -> Result<(), Stuck> {
        if self.end.role() == Role::Client || self.accept.is_some() {
            return Ok(());
        }
        if !self.awaits.open {
            self.await_(Awaited::Upgrade).await?;
        }
        let mut accept = None;
        self.end.received(&mut |bytes, _| accept = handshake::request(bytes).ok().flatten());
        // Whoever asks for no WebSocket is answered as if it did.
        self.accept = Some(accept.map_or_else(|| handshake::ACCEPT.to_owned(), |(_, hash)| hash));
        Ok(())
    }

    async fn tell(&mut self, command: &Command, pace: Pace) {
        let (times, every) = match pace {
            Pace::Once | Pace::Pieces(..) => (1, Millis(0)),
            Pace::Times(times, every) => (times, every),
        };
        for time in 0..times {
            self.pause(time, every).await;
            let is_servers = matches!(command, Command::Shutdown | Command::Broadcast(_));
            if self.late || self.is_done() && !is_servers {
                break;
            }
            self.end.tell(command);
        }
    }

    /// The pause before the `time`-th repetition: none before the first.
    async fn pause(&mut self, time: u32, every: Millis) {
        if time == 0 {
            return;
        }
        if every.0 == 0 { self.settle().await } else { self.wait(every).await }
    }

    async fn wait(&mut self, time: Millis) {
        self.read_until(tokio::time::sleep(time.duration())).await;
        self.late = !self.end.is_over() && self.end.is_late();
    }

    /// Lets the server deal with what it was sent.
    async fn settle(&mut self) {
        self.end.ask_settled();
        poll_fn(|cx| {
            self.poll_reads(cx);
            self.end.poll_settled(cx)
        })
        .await;
    }

    /// Sends what joined steps have gathered.
    async fn flush(&mut self) -> Result<(), Stuck> {
        if self.segment.is_empty() {
            return Ok(());
        }
        let mut segment = std::mem::take(&mut self.segment);
        let done = self.write(&segment).await;
        segment.clear();
        self.segment = segment;
        done
    }

    /// The same, with `bytes` behind it.
    async fn flush_with(&mut self, bytes: &[u8]) -> Result<(), Stuck> {
        if self.segment.is_empty() {
            return self.write(bytes).await;
        }
        self.segment.extend_from_slice(bytes);
        self.flush().await
    }

    /// Sends `bytes`, as one segment where there is room.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Stuck> {
        let mut sent = 0;
        while sent < bytes.len() {
            let writing =
                |this: &mut Self, cx: &mut Context<'_>| this.end.poll_write(cx, &bytes[sent..]);
            match self.patiently(writing).await? {
                Ok(taken) => sent += taken,
                // Nothing can be sent any more: the client goes on without.
                Err(_) => break,
            }
        }
        Ok(())
    }

    async fn await_(&mut self, awaited: Awaited) -> Result<(), Stuck> {
        self.patiently(|this, _| {
            let come = this.awaits.has(awaited, &mut this.end) || this.ended;
            if come { Poll::Ready(()) } else { Poll::Pending }
        })
        .await
    }

    /// Reads, then polls, until it is ready or patience ends.
    async fn patiently<T>(
        &mut self,
        mut poll: impl FnMut(&mut Self, &mut Context<'_>) -> Poll<T>,
    ) -> Result<T, Stuck> {
        let mut attempt = |this: &mut Self, cx: &mut Context<'_>| {
            this.poll_reads(cx);
            poll(this, cx)
        };
        self.end.ask_settled();
        // Most are ready within the instant; only the others pay for a timer.
        let settled = poll_fn(|cx| match attempt(self, cx) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending => self.end.poll_settled(cx).map(|()| None),
        })
        .await;
        if let Some(value) = settled {
            return Ok(value);
        }
        let patience = self.patience;
        let come = tokio::time::timeout(patience, poll_fn(|cx| attempt(self, cx))).await;
        self.late = !self.end.is_over() && self.end.is_late();
        come.map_err(|_| Stuck)
    }

    /// Reads what there is, where it reads.
    pub fn poll_reads(&mut self, cx: &mut Context<'_>) {
        while self.reads && !self.ended {
            match self.end.poll_read(cx) {
                Poll::Ready(Read::Bytes) => {}
                Poll::Ready(Read::End) => self.ended = true,
                Poll::Pending => return,
            }
        }
    }
}

/// Whether a step matters when its own connection is over: it tells the whole server something.
const fn tells_the_server(step: &Step) -> bool {
    matches!(step.act, Act::App(Command::Shutdown | Command::Broadcast(_), _))
}

impl AwaitDecoder {
    fn new(sender: Role) -> Self {
        Self { at: 0, gaps: 0, passed: 0, open: false, sender, decoder: Decoder::new(sender) }
    }

    /// Whether `awaited` has come since the last thing awaited; looks no further than it.
    fn has<S: ActorEnd>(&mut self, awaited: Awaited, end: &mut S) -> bool {
        let mut come = false;
        end.received(&mut |bytes, gaps| come = self.find(awaited, bytes, gaps));
        come
    }

    fn find(&mut self, awaited: Awaited, bytes: &[u8], gaps: &[Gap]) -> bool {
        if !self.open {
            let length = match self.sender {
                Role::Client => handshake::request_length(bytes),
                Role::Server => handshake::head_length(bytes),
            };
            let Some(length) = length else { return false };
            self.open = true;
            self.at = length;
        }
        let mut found = awaited == Awaited::Upgrade;
        while !found {
            let gap = gaps.get(self.gaps);
            found = self.find_before(awaited, &bytes[..gap.map_or(bytes.len(), |gap| gap.at)]);
            let Some(gap) = gap.filter(|_| !found) else { break };
            let whole = self.decoder.is_between_frames() && gap.bytes > self.passed;
            self.decoder.skip(gap.bytes - self.passed);
            self.passed = gap.bytes;
            found =
                whole && awaited == Awaited::Message || self.find_before(awaited, &bytes[..gap.at]);
            // The last one may grow, as long as nothing has come behind it.
            if gap.at == bytes.len() {
                break;
            }
            (self.gaps, self.passed) = (self.gaps + 1, 0);
        }
        found
    }

    /// As [`find`](Self::find), in `bytes`, which none is missing in from where it has got to.
    fn find_before(&mut self, awaited: Awaited, bytes: &[u8]) -> bool {
        let mut rest = &bytes[self.at..];
        let mut found = false;
        while !found {
            let Some(item) = self.decoder.next(&mut rest) else { break };
            let Item::Frame(head) = item else { continue };
            found = match awaited {
                Awaited::Close => head.opcode == Opcode::CLOSE,
                Awaited::Message => matches!(head.opcode, Opcode::TEXT | Opcode::BINARY),
                Awaited::Ping => head.opcode == Opcode::PING,
                Awaited::Pong => head.opcode == Opcode::PONG,
                Awaited::Upgrade | Awaited::End => false,
            };
        }
        self.at = bytes.len() - rest.len();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::FrameHead;

    #[test]
    fn what_is_awaited_is_found_before_behind_and_in_what_is_not_kept() {
        let mut bytes = handshake::switching_protocols(handshake::ACCEPT).into_bytes();
        let start = bytes.len();
        // Of a text a piece is missing; then whole messages are, with a Pong behind them.
        FrameHead::server(Opcode::TEXT).encode(&[b'x'; 100], &mut bytes);
        bytes.truncate(start + 30);
        let missing = Gap { at: start + 20, bytes: 72 };
        let mut found = AwaitDecoder::new(Role::Server);
        assert!(found.find(Awaited::Upgrade, &bytes[..start], &[]));
        assert!(!found.find(Awaited::Message, &bytes[..start + 20], &[]));
        let grows = [Gap { bytes: 70, ..missing }];
        assert!(!found.find(Awaited::Message, &bytes[..start + 20], &grows));
        assert!(found.find(Awaited::Message, &bytes, &[missing]), "a text, whole");
        let messages = Gap { at: bytes.len(), bytes: 500 };
        assert!(!found.find(Awaited::Pong, &bytes, &[missing]));
        assert!(!found.find(Awaited::Pong, &bytes, &[missing, messages]));
        assert!(!found.find(Awaited::Message, &bytes, &[missing, messages]), "passed over");
        let messages = Gap { bytes: 600, ..messages };
        assert!(found.find(Awaited::Message, &bytes, &[missing, messages]));
        FrameHead::server(Opcode::PONG).encode(b"", &mut bytes);
        assert!(found.find(Awaited::Pong, &bytes, &[missing, messages]));
    }
}
