//! `reference/split-tasks`: a task reads, a task writes, and a third one keeps the time,
//! obeys the application and decides.
//!
//! What it takes to close well in this style: only one task decides; the others send it
//! their events, and none is lost; it never waits for one of them without a deadline; and it
//! ends both before it returns, since each holds a half of the transport.

use super::faults::PlantedFault;
use super::habits::{CorrectHabits, Habits as _, legal_close};
use super::inbox::{Inbox, InboxEvent, open};
use super::{CLOSE, HANDSHAKE, IDLE, QUEUE};
use crate::exchange::Note;
use crate::script::Command;
use crate::target::{Application, Connection};
use crate::wire::{CloseCode, ClosePayload, FrameHead, Opcode};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// How long nothing may come, with the time to close behind it.
const READ_TIMEOUT: Duration = IDLE.saturating_sub(CLOSE);

/// How often the keepalive pings, where there is one.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// Serves one connection.
pub(super) async fn serve(mut io: Connection, faults: Vec<PlantedFault>) {
    let application = io.application();
    application.note(Note::Reports);
    let opening = timeout(HANDSHAKE, open(&mut io, &application)).await;
    let mut code = None;
    if let Ok(Ok(Some(behind))) = opening {
        code = SplitServer::start(io, application.clone(), faults, &behind).converse().await;
    }
    application.note(Note::ToldOfEnd { code });
}

/// The writer's half, as the writer and a careless handle of the session share it.
type Writer = Arc<Mutex<WriteHalf<Connection>>>;

/// An order for the writer.
enum WriterOrder {
    Write(Vec<u8>),
    /// FIN, and no more.
    Finish,
}

/// The way to the writer, which holds nothing of the transport; clones share it.
#[derive(Clone)]
struct Outbox {
    orders: UnboundedSender<WriterOrder>,
    /// Bytes that wait.
    queued: Arc<AtomicUsize>,
}

impl Outbox {
    /// Queues a frame; false where too much waits already.
    fn send(&self, opcode: Opcode, payload: &[u8]) -> bool {
        if self.queued.load(Ordering::Relaxed) + payload.len() > QUEUE {
            return false;
        }
        let mut frame = Vec::with_capacity(payload.len() + 10);
        FrameHead::server(opcode).encode(payload, &mut frame);
        self.queued.fetch_add(frame.len(), Ordering::Relaxed);
        // A writer that has ended is seen by its handle.
        let _ = self.orders.send(WriterOrder::Write(frame));
        true
    }
}

/// Signals the client's Close in a way that loses wake-ups: a task that does not wait at that
/// moment misses it.
#[derive(Default)]
struct CloseSignal {
    notify: Notify,
    payload: std::sync::Mutex<Vec<u8>>,
}

impl CloseSignal {
    fn signal(&self, payload: Vec<u8>) {
        *self.payload.lock().unwrap_or_else(PoisonError::into_inner) = payload;
        self.notify.notify_waiters();
    }

    async fn signalled(&self) -> Vec<u8> {
        self.notify.notified().await;
        self.payload.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Where the connection stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SplitPhase {
    Open,
    /// The own Close is on its way, the client's is awaited.
    Closing,
    /// The Close is queued or not needed; only both ends' FINs are missing.
    Finishing,
    Over,
}

struct SplitServer {
    application: Application,
    outbox: Outbox,
    events: UnboundedReceiver<InboxEvent>,
    close_signal: Arc<CloseSignal>,
    /// Held by the writer while it writes.
    gate: Arc<Mutex<()>>,
    writer: Writer,
    reading: JoinHandle<()>,
    writing: JoinHandle<io::Result<()>>,
    /// Whether the reader has seen the end, and whether the writer has said FIN.
    read_end: bool,
    sent_fin: bool,
    phase: SplitPhase,
    /// When patience with the present phase ends.
    deadline: Instant,
    /// The code of the client's Close.
    code: Option<u16>,
    faults: Vec<PlantedFault>,
}

impl SplitServer {
    /// Starts the tasks of an open connection.
    fn start(
        io: Connection,
        application: Application,
        faults: Vec<PlantedFault>,
        behind: &[u8],
    ) -> Self {
        let (reader, writer) = tokio::io::split(io);
        let (orders, to_write) = unbounded_channel();
        let (event_sender, events) = unbounded_channel();
        let queued = Arc::new(AtomicUsize::new(0));
        let outbox = Outbox { orders, queued: Arc::clone(&queued) };
        let close_signal = Arc::new(CloseSignal::default());
        let gate = Arc::new(Mutex::new(()));
        let writer = Arc::new(Mutex::new(writer));
        let signals =
            faults.contains(&PlantedFault::LosesWakeUp).then(|| Arc::clone(&close_signal));
        let mut inbox = Inbox::new();
        if !behind.is_empty() {
            inbox.take(behind).into_iter().for_each(|event| drop(event_sender.send(event)));
        }
        if faults.contains(&PlantedFault::DetachedTicker) {
            drop(tokio::spawn(tick(outbox.clone())));
        }
        Self {
            application,
            outbox,
            events,
            close_signal,
            writing: tokio::spawn(write(Arc::clone(&writer), to_write, queued, Arc::clone(&gate))),
            gate,
            writer,
            reading: tokio::spawn(read(reader, inbox, event_sender, signals)),
            read_end: false,
            sent_fin: false,
            phase: SplitPhase::Open,
            deadline: Instant::now() + READ_TIMEOUT,
            code: None,
            faults,
        }
    }

    fn has(&self, fault: PlantedFault) -> bool {
        self.faults.contains(&fault)
    }

    /// Decides, until it is over. Gives the code of the client's Close.
    async fn converse(mut self) -> Option<u16> {
        while self.phase != SplitPhase::Over {
            let closing = self.phase != SplitPhase::Open;
            let obeys =
                !closing || (self.has(PlantedFault::SendsWhileClosing) && self.awaits_close());
            // "The timer will have set its flag when the reader comes back."
            let timer_acts = !(closing && self.has(PlantedFault::TimerWakesNobody));
            let close_signal = Arc::clone(&self.close_signal);
            tokio::select! {
                biased;
                () = sleep_until(self.deadline), if timer_acts => self.deadline_passed().await,
                wrote = &mut self.writing, if !self.sent_fin => {
                    self.sent_fin = true;
                    let ends = self.read_end || !matches!(wrote, Ok(Ok(())));
                    self.phase = if ends { SplitPhase::Over } else { self.phase };
                }
                command = self.application.command(), if obeys => self.obey(command).await,
                payload = close_signal.signalled() => self.handle(InboxEvent::Close(payload)).await,
                Some(event) = self.events.recv() => self.handle(event).await,
            }
            if !timer_acts && Instant::now() >= self.deadline {
                self.phase = SplitPhase::Over;
            }
        }
        self.end().await;
        self.code
    }

    /// Whether the client's Close is awaited.
    fn awaits_close(&self) -> bool {
        self.phase == SplitPhase::Closing
    }

    /// Ends both tasks: each of them holds a half of the transport.
    async fn end(&mut self) {
        self.reading.abort();
        let _ = (&mut self.reading).await;
        if self.has(PlantedFault::KeepsWriterHalf) {
            // "It ends by itself once it has written what there is."
            let _ = self.outbox.orders.send(WriterOrder::Finish);
            return;
        }
        if !self.sent_fin {
            self.writing.abort();
            let _ = (&mut self.writing).await;
        }
    }

    async fn deadline_passed(&mut self) {
        // Events that the reader has sent by now came before the deadline.
        while self.phase == SplitPhase::Open
            && let Ok(event) = self.events.try_recv()
        {
            self.handle(event).await;
        }
        if self.deadline > Instant::now() {
            return;
        }
        if self.phase == SplitPhase::Open {
            self.close(&CloseCode::GOING_AWAY.0.to_be_bytes()).await;
            self.begin(SplitPhase::Closing);
        } else {
            self.phase = SplitPhase::Over;
        }
    }

    async fn handle(&mut self, event: InboxEvent) {
        if matches!(event, InboxEvent::Alive | InboxEvent::Message(_) | InboxEvent::Ping(_))
            && self.phase == SplitPhase::Open
        {
            self.deadline = Instant::now() + READ_TIMEOUT;
        }
        match event {
            InboxEvent::Alive => {}
            InboxEvent::Message(bytes) => self.application.note(Note::Received { bytes }),
            InboxEvent::Ping(payload) => self.send(Opcode::PONG, &payload),
            InboxEvent::Close(payload) => {
                self.code = Some(ClosePayload::parse(&payload).code().map_or(1005, |code| code.0));
                self.finish(CorrectHabits.answer(&payload)).await;
            }
            InboxEvent::Fault(fault) => {
                let code =
                    CorrectHabits.failure_code(fault).map(|code| code.0.to_be_bytes().to_vec());
                self.finish(code).await;
            }
            InboxEvent::End => {
                self.finish(None).await;
                self.read_end = true;
                self.phase = if self.sent_fin { SplitPhase::Over } else { self.phase };
            }
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::SendText(content) if content.len() <= QUEUE => {
                self.send(Opcode::TEXT, content.text().as_bytes());
            }
            Command::SendBinary(content) if content.len() <= QUEUE => {
                self.send(Opcode::BINARY, &content.bytes());
            }
            Command::Ping(content) => {
                let payload = content.bytes();
                self.send(Opcode::PING, &payload[..payload.len().min(125)]);
            }
            Command::Close(code, reason) => {
                if self.phase == SplitPhase::Open {
                    self.close(&legal_close(code, &reason)).await;
                    self.begin(SplitPhase::Closing);
                }
            }
            // More than is ever queued, or an application that has gone.
            Command::SendText(_) | Command::SendBinary(_) | Command::Return => {
                self.phase = SplitPhase::Over;
            }
            Command::Keep if self.has(PlantedFault::KeptHandleHoldsTransport) => {
                self.application.keep(Arc::clone(&self.writer));
            }
            Command::Keep => self.application.keep(self.outbox.clone()),
            // A whole server's, and not a connection's.
            Command::Shutdown | Command::Broadcast(_) => {}
        }
    }

    /// Queues a frame. A client that does not read what it is sent is given up.
    fn send(&mut self, opcode: Opcode, payload: &[u8]) {
        if !self.outbox.send(opcode, payload) {
            self.phase = SplitPhase::Over;
        }
    }

    async fn close(&mut self, payload: &[u8]) {
        if self.has(PlantedFault::CloseWaitsForSend) {
            // "No send is cut in two by the Close."
            let gate = Arc::clone(&self.gate);
            let _turn = gate.lock().await;
        }
        self.send(Opcode::CLOSE, payload);
    }

    /// Says the last word, where one is due, and lets the writer finish.
    async fn finish(&mut self, answer: Option<Vec<u8>>) {
        if let Some(payload) = answer.filter(|_| self.phase == SplitPhase::Open) {
            self.close(&payload).await;
        }
        self.begin(SplitPhase::Finishing);
        let _ = self.outbox.orders.send(WriterOrder::Finish);
    }

    /// The deadline is set by what begins the closing, and by nothing after it.
    fn begin(&mut self, phase: SplitPhase) {
        if self.phase == SplitPhase::Open {
            self.deadline = Instant::now() + CLOSE;
        }
        if self.phase != SplitPhase::Over {
            self.phase = phase;
        }
    }
}

/// The reader: says what came, to its end.
async fn read(
    mut half: ReadHalf<Connection>,
    mut inbox: Inbox,
    event_sender: UnboundedSender<InboxEvent>,
    signals: Option<Arc<CloseSignal>>,
) {
    let mut buffer = [0; 1024];
    loop {
        let count = half.read(&mut buffer).await.unwrap_or(0);
        for event in inbox.take(&buffer[..count]) {
            match (&signals, event) {
                (Some(close_signal), InboxEvent::Close(payload)) => close_signal.signal(payload),
                (_, event) => drop(event_sender.send(event)),
            }
        }
        if count == 0 {
            return;
        }
    }
}

/// The writer: writes what is queued, to the order to finish or an error.
async fn write(
    half: Writer,
    mut orders: UnboundedReceiver<WriterOrder>,
    queued: Arc<AtomicUsize>,
    gate: Arc<Mutex<()>>,
) -> io::Result<()> {
    while let Some(WriterOrder::Write(frame)) = orders.recv().await {
        let _turn = gate.lock().await;
        let mut half = half.lock().await;
        half.write_all(&frame).await?;
        half.flush().await?;
        queued.fetch_sub(frame.len(), Ordering::Relaxed);
    }
    half.lock().await.shutdown().await
}

/// A keepalive that nobody ends.
async fn tick(outbox: Outbox) {
    loop {
        sleep(KEEPALIVE).await;
        outbox.send(Opcode::PING, b"");
    }
}
