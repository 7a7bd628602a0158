//! `reference/split-tasks`: a task reads, a task writes, and a third one keeps the time,
//! obeys the application and decides.
//!
//! What it takes to close well in this style: only one task decides; the others tell it
//! what they saw, and nothing that they say can be lost; it never waits for one of them
//! without a deadline; and it ends both before it returns, since each holds a half of
//! the transport.

use super::faults::Fault;
use super::habits::{Good, Habits as _, legal_close};
use super::inbox::{Inbox, News, open};
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
const PATIENCE: Duration = IDLE.saturating_sub(CLOSE);

/// How often the keepalive pings, where there is one.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// Serves one connection.
pub(super) async fn serve(mut io: Connection, fault: Option<Fault>) {
    let application = io.application();
    application.note(Note::Reports);
    let opening = timeout(HANDSHAKE, open(&mut io, &application)).await;
    let mut code = None;
    if let Ok(Ok(Some(behind))) = opening {
        code = Server::start(io, application.clone(), fault, &behind).converse().await;
    }
    application.note(Note::ToldOfEnd { code });
}

/// The writer's half, as the writer and a careless handle of the session share it.
type Writer = Arc<Mutex<WriteHalf<Connection>>>;

/// What the writer is told.
enum Order {
    Write(Vec<u8>),
    /// FIN, and no more.
    Finish,
}

/// The way to the writer, which holds nothing of the transport; clones share it.
#[derive(Clone)]
struct Outbox {
    orders: UnboundedSender<Order>,
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
        let _ = self.orders.send(Order::Write(frame));
        true
    }
}

/// A bell for the client's Close, by a reader that has no better way to tell. Who does
/// not wait when it rings does not hear it.
#[derive(Default)]
struct Bell {
    ring: Notify,
    payload: std::sync::Mutex<Vec<u8>>,
}

impl Bell {
    fn ring(&self, payload: Vec<u8>) {
        *self.payload.lock().unwrap_or_else(PoisonError::into_inner) = payload;
        self.ring.notify_waiters();
    }

    async fn rung(&self) -> Vec<u8> {
        self.ring.notified().await;
        self.payload.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Where the connection stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// The own Close is on its way, the client's is awaited.
    Closing,
    /// The last word is said; what is left are both ends' FINs.
    Finishing,
    Over,
}

struct Server {
    application: Application,
    outbox: Outbox,
    news: UnboundedReceiver<News>,
    bell: Arc<Bell>,
    /// Held by the writer while it writes.
    gate: Arc<Mutex<()>>,
    writer: Writer,
    reading: JoinHandle<()>,
    writing: JoinHandle<io::Result<()>>,
    /// Whether the reader has seen the end, and whether the writer has said FIN.
    read_end: bool,
    said_fin: bool,
    phase: Phase,
    /// When patience with the present phase ends.
    deadline: Instant,
    /// The code of the client's Close.
    code: Option<u16>,
    fault: Option<Fault>,
}

impl Server {
    /// Starts the tasks of an open connection.
    fn start(
        io: Connection,
        application: Application,
        fault: Option<Fault>,
        behind: &[u8],
    ) -> Self {
        let (reader, writer) = tokio::io::split(io);
        let (orders, to_write) = unbounded_channel();
        let (tell, news) = unbounded_channel();
        let queued = Arc::new(AtomicUsize::new(0));
        let outbox = Outbox { orders, queued: Arc::clone(&queued) };
        let bell = Arc::new(Bell::default());
        let gate = Arc::new(Mutex::new(()));
        let writer = Arc::new(Mutex::new(writer));
        let rings = (fault == Some(Fault::LosesWakeUp)).then(|| Arc::clone(&bell));
        let mut inbox = Inbox::new();
        if !behind.is_empty() {
            inbox.take(behind).into_iter().for_each(|news| drop(tell.send(news)));
        }
        if fault == Some(Fault::DetachedTicker) {
            drop(tokio::spawn(tick(outbox.clone())));
        }
        Self {
            application,
            outbox,
            news,
            bell,
            writing: tokio::spawn(write(Arc::clone(&writer), to_write, queued, Arc::clone(&gate))),
            gate,
            writer,
            reading: tokio::spawn(read(reader, inbox, tell, rings)),
            read_end: false,
            said_fin: false,
            phase: Phase::Open,
            deadline: Instant::now() + PATIENCE,
            code: None,
            fault,
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// Decides, until it is over. Gives the code of the client's Close.
    async fn converse(mut self) -> Option<u16> {
        while self.phase != Phase::Over {
            let closing = self.phase != Phase::Open;
            let obeys = !closing || (self.has(Fault::SendsWhileClosing) && self.waits());
            // "The timer will have set its flag when the reader comes back."
            let timer_acts = !(closing && self.has(Fault::TimerWakesNobody));
            let bell = Arc::clone(&self.bell);
            tokio::select! {
                biased;
                () = sleep_until(self.deadline), if timer_acts => self.deadline_passed().await,
                wrote = &mut self.writing, if !self.said_fin => {
                    self.said_fin = true;
                    let ends = self.read_end || !matches!(wrote, Ok(Ok(())));
                    self.phase = if ends { Phase::Over } else { self.phase };
                }
                command = self.application.command(), if obeys => self.obey(command).await,
                payload = bell.rung() => self.heard(News::Close(payload)).await,
                Some(news) = self.news.recv() => self.heard(news).await,
            }
            if !timer_acts && Instant::now() >= self.deadline {
                self.phase = Phase::Over;
            }
        }
        self.end().await;
        self.code
    }

    /// Whether the client's Close is awaited.
    fn waits(&self) -> bool {
        self.phase == Phase::Closing
    }

    /// Ends both tasks: each of them holds a half of the transport.
    async fn end(&mut self) {
        self.reading.abort();
        let _ = (&mut self.reading).await;
        if self.has(Fault::KeepsWriterHalf) {
            // "It ends by itself once it has written what there is."
            let _ = self.outbox.orders.send(Order::Finish);
            return;
        }
        if !self.said_fin {
            self.writing.abort();
            let _ = (&mut self.writing).await;
        }
    }

    async fn deadline_passed(&mut self) {
        // What the reader has told by now came before the deadline.
        while self.phase == Phase::Open
            && let Ok(news) = self.news.try_recv()
        {
            self.heard(news).await;
        }
        if self.deadline > Instant::now() {
            return;
        }
        if self.phase == Phase::Open {
            self.close(&CloseCode::GOING_AWAY.0.to_be_bytes()).await;
            self.begin(Phase::Closing);
        } else {
            self.phase = Phase::Over;
        }
    }

    async fn heard(&mut self, news: News) {
        if matches!(news, News::Alive | News::Message(_) | News::Ping(_))
            && self.phase == Phase::Open
        {
            self.deadline = Instant::now() + PATIENCE;
        }
        match news {
            News::Alive => {}
            News::Message(bytes) => self.application.note(Note::Received { bytes }),
            News::Ping(payload) => self.send(Opcode::PONG, &payload),
            News::Close(payload) => {
                self.code = Some(ClosePayload::parse(&payload).code().map_or(1005, |code| code.0));
                self.finish(Good.answer(&payload)).await;
            }
            News::Fault(fault) => {
                let code = Good.failing(fault).map(|code| code.0.to_be_bytes().to_vec());
                self.finish(code).await;
            }
            News::End => {
                self.finish(None).await;
                self.read_end = true;
                self.phase = if self.said_fin { Phase::Over } else { self.phase };
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
                if self.phase == Phase::Open {
                    self.close(&legal_close(code, &reason)).await;
                    self.begin(Phase::Closing);
                }
            }
            // More than is ever queued, or an application that has gone.
            Command::SendText(_) | Command::SendBinary(_) | Command::Return => {
                self.phase = Phase::Over;
            }
            Command::Keep if self.has(Fault::KeptHandleHoldsTransport) => {
                self.application.keep(Arc::clone(&self.writer));
            }
            Command::Keep => self.application.keep(self.outbox.clone()),
        }
    }

    /// Queues a frame. A client that does not read what it is sent is given up.
    fn send(&mut self, opcode: Opcode, payload: &[u8]) {
        if !self.outbox.send(opcode, payload) {
            self.phase = Phase::Over;
        }
    }

    async fn close(&mut self, payload: &[u8]) {
        if self.has(Fault::CloseWaitsForSend) {
            // "No send is cut in two by the Close."
            let gate = Arc::clone(&self.gate);
            let _turn = gate.lock().await;
        }
        self.send(Opcode::CLOSE, payload);
    }

    /// Says the last word, where one is due, and lets the writer finish.
    async fn finish(&mut self, answer: Option<Vec<u8>>) {
        if let Some(payload) = answer.filter(|_| self.phase == Phase::Open) {
            self.close(&payload).await;
        }
        self.begin(Phase::Finishing);
        let _ = self.outbox.orders.send(Order::Finish);
    }

    /// The deadline is set by what begins the closing, and by nothing after it.
    fn begin(&mut self, phase: Phase) {
        if self.phase == Phase::Open {
            self.deadline = Instant::now() + CLOSE;
        }
        if self.phase != Phase::Over {
            self.phase = phase;
        }
    }
}

/// The reader: says what came, to its end.
async fn read(
    mut half: ReadHalf<Connection>,
    mut inbox: Inbox,
    tell: UnboundedSender<News>,
    rings: Option<Arc<Bell>>,
) {
    let mut buffer = [0; 1024];
    loop {
        let count = half.read(&mut buffer).await.unwrap_or(0);
        for news in inbox.take(&buffer[..count]) {
            match (&rings, news) {
                (Some(bell), News::Close(payload)) => bell.ring(payload),
                (_, news) => drop(tell.send(news)),
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
    mut orders: UnboundedReceiver<Order>,
    queued: Arc<AtomicUsize>,
    gate: Arc<Mutex<()>>,
) -> io::Result<()> {
    while let Some(Order::Write(frame)) = orders.recv().await {
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
