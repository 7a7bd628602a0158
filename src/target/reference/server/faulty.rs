//! Whole servers that get one thing wrong, as people write them: the proof that the rules of whole
//! servers bite.
//!
//! Each is written out, from accept to the end of its shutdown, and says the problems that it shows.

use super::super::faults::PlantedFault;
use super::super::{HANDSHAKE, cancelling};
use super::sessions::{self, Orders, Patient, Sessions};
use super::{BESIDE, CLOSE, go_away, serve_until};
use crate::script::Command;
use crate::target::planted::planted;
use crate::target::{Connection, Listener, Serving, Stop};
use crate::wire::handshake;
use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, join, split};
use tokio::sync::{Mutex, Notify, Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout, timeout_at};

/// Defines the faults: story, name, the function that is the server, problems shown.
macro_rules! faults {
    ($($(#[doc = $about:literal])+ $variant:ident = $name:literal in $server:ident,
        shows [$($rule:ident: $symptom:ident),+];)+) => {
        planted! {
            /// A bug of a whole server.
            ServerFault of "reference-server" {
                $($(#[doc = $about])+ $variant = $name, shows [$($rule: $symptom),+];)+
            }
        }

        impl ServerFault {
            pub(super) fn run(self, listener: Listener, stop: Stop) -> Serving {
                match self { $(Self::$variant => Box::pin($server(listener, stop))),+ }
            }
        }
    };
}

faults! {
    /// It waits until every client has left, and tells none of them.
    WaitsForClients = "waits-for-clients" in waits_for_clients,
    shows [ShutsDownInTime: WaitsForClients, ShutsDownInTime: ShutsDownLate, ClosesAllAtShutdown: ForgottenAtShutdown];
    /// It closes one connection after the other, and waits for each.
    ClosesInTurn = "closes-in-turn" in closes_in_turn,
    shows [ShutsDownInTime: WaitsForClients, ShutsDownInTime: WaitsForNobody, ShutsDownInTime: ShutsDownLate, ClosesAllAtShutdown: ForgottenAtShutdown, IsolatesClients: CloseHeldUp];
    /// It gives the clients the time to leave by themselves, and then the time to close.
    TwoStages = "two-stages" in two_stages,
    shows [ShutsDownInTime: ShutsDownLate];
    /// Each session that does not end has a deadline of its own, one behind the other.
    DeadlineForEach = "deadline-for-each" in deadline_for_each,
    shows [ShutsDownInTime: ShutsDownLate, EndsInTime: OwnTimer, EndsInTime: WaitsToRead, EndsInTime: WaitsForRoom, ReleasesInTime: OwnTimer, ReleasesInTime: KeepsSocket, ReportsEndCorrectly: NeverTold];
    /// It waits for its sessions with no deadline, and they wait for their clients with none.
    JoinsWithoutDeadline = "joins-without-deadline" in joins_without_deadline,
    shows [ShutsDownInTime: WaitsForClients, EndsInTime: WaitsToRead, EndsInTime: WaitsForRoom, ReleasesInTime: KeepsSocket];
    /// A message for all is sent to one client after the other, and each send is awaited.
    BroadcastAwaits = "broadcast-awaits" in broadcast_awaits,
    shows [ShutsDownInTime: WaitsForClients, ClosesAllAtShutdown: ForgottenAtShutdown, IsolatesClients: OpeningHeldUp, IsolatesClients: BroadcastHeldUp, IsolatesClients: CloseHeldUp, ShutsDownInTime: ShutsDownLate, ShutsDownInTime: WaitsForNobody, StopsAccepting: HoldsNewcomers];
    /// The list of sessions is locked while a message for all is sent.
    LockAcrossSend = "lock-across-send" in lock_across_send,
    shows [ShutsDownInTime: WaitsForClients, ClosesAllAtShutdown: ForgottenAtShutdown, IsolatesClients: OpeningHeldUp, IsolatesClients: BroadcastHeldUp, IsolatesClients: CloseHeldUp, ShutsDownInTime: ShutsDownLate, ShutsDownInTime: WaitsForNobody, FreesResources: KeepsTasks, HandshakeInTime: OwnTimer];
    /// The listener is dropped when all connections have ended.
    ListenerLast = "listener-last" in listener_last,
    shows [StopsAccepting: HoldsNewcomers];
    /// Connections are accepted in a task that nobody tells of the shutdown.
    AcceptsOn = "accepts-on" in accepts_on,
    shows [StopsAccepting: ServesNewcomers, FreesResources: TasksAfterShutdown, ClosesAllAtShutdown: ForgottenAtShutdown];
    /// A connection that the shutdown meets during its opening is not told.
    OpeningsForgotten = "openings-forgotten" in openings_forgotten,
    shows [ClosesAllAtShutdown: DroppedAtShutdown, ReportsEndCorrectly: NeverTold];
    /// All tasks are aborted.
    AbortsEveryone = "aborts-everyone" in aborts_everyone,
    shows [ClosesAllAtShutdown: DroppedAtShutdown, WaitsForAnswer: EndsWithClose, ReportsEndCorrectly: NeverTold];
    /// Of the list of sessions every second one is told, since the list shrinks meanwhile.
    SkipsEverySecond = "skips-every-second" in skips_every_second,
    shows [ClosesAllAtShutdown: DroppedAtShutdown, IsolatesClients: CloseHeldUp, ReportsEndCorrectly: NeverTold];
    /// Whether to stop is looked at between two connections.
    StopSeenAtAccept = "stop-seen-at-accept" in stop_seen_at_accept,
    shows [ShutsDownInTime: WaitsForClients, ShutsDownInTime: WaitsForNobody, ShutsDownInTime: ShutsDownLate, ClosesAllAtShutdown: ForgottenAtShutdown];
    /// The opening is part of the accept loop.
    OpeningInAcceptLoop = "opening-in-accept-loop" in opening_in_accept_loop,
    shows [IsolatesClients: OpeningHeldUp];
    /// The number of open connections is not lowered where an opening fails.
    CounterNotLowered = "counter-not-lowered" in counter_not_lowered,
    shows [ShutsDownInTime: WaitsForNobody];
    /// A permit to be served is not given back where an opening fails.
    PermitLost = "permit-lost" in permit_lost,
    shows [IsolatesClients: OpeningHeldUp];
    /// The list keeps the queue into a session that has ended, and so the task behind it.
    SessionKept = "session-kept" in session_kept,
    shows [FreesResources: KeepsTasks];
    /// The list keeps what a session had to say.
    HistoryKept = "history-kept" in history_kept,
    shows [FreesResources: KeepsMemory];
}

async fn waits_for_clients(listener: Listener, stop: Stop) {
    let mut sessions = Sessions::new();
    serve_until(stop, &listener, &mut sessions).await;
    drop(listener);
    sessions.all_ended().await;
}

async fn closes_in_turn(listener: Listener, stop: Stop) {
    let mut sessions = Sessions::new();
    serve_until(stop, &listener, &mut sessions).await;
    drop(listener);
    let all: Vec<mpsc::Sender<Command>> = sessions.list.with(|all| all.values().cloned().collect());
    for orders in all {
        let _ = orders.try_send(go_away());
        orders.closed().await;
    }
    sessions.all_ended().await;
}

async fn two_stages(listener: Listener, stop: Stop) {
    let mut sessions = Sessions::new();
    serve_until(stop, &listener, &mut sessions).await;
    drop(listener);
    if timeout(CLOSE, sessions.all_ended()).await.is_err() {
        sessions.order_all(&go_away());
        let _ = timeout(CLOSE + BESIDE, sessions.all_ended()).await;
    }
}

async fn deadline_for_each(listener: Listener, mut stop: Stop) {
    let mut tasks: Vec<JoinHandle<()>> = Vec::new();
    let (sessions, one_ended) = (Sessions::new(), Arc::new(Notify::new()));
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            connection = listener.accept() => {
                let ((entry, orders), ended) = (sessions.list.enter(), Arc::clone(&one_ended));
                tasks.push(tokio::spawn(async move {
                    let _entry = entry;
                    sessions::serve(connection, orders, PlantedFault::NoDeadline.habits()).await;
                    ended.notify_one();
                }));
            }
            () = one_ended.notified() => tasks.retain(|task| !task.is_finished()),
        }
    }
    drop(listener);
    sessions.order_all(&go_away());
    for mut task in tasks {
        if timeout(CLOSE, &mut task).await.is_err() {
            task.abort();
        }
    }
}

async fn joins_without_deadline(listener: Listener, mut stop: Stop) {
    let mut sessions = Sessions::new();
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            connection = listener.accept() => {
                sessions.begin_with(connection, PlantedFault::NoDeadline.habits());
            }
            () = sessions.one_ended() => {}
        }
    }
    drop(listener);
    sessions.order_all(&go_away());
    sessions.all_ended().await;
}

/// The queues into sessions that await their sends, each with room for one order.
type Awaiting = Arc<Mutex<Orders>>;

/// A session that awaits its sends.
async fn awaiting_session(connection: Connection, number: u64, list: Awaiting) {
    let (sender, orders) = mpsc::channel(1);
    list.lock().await.insert(number, sender);
    sessions::serve_by(connection, orders, |connection| cancelling::serve(connection, Vec::new()))
        .await;
    list.lock().await.remove(&number);
}

/// A server whose sessions await their sends: `broadcast` hands a message for all on.
async fn awaiting_server<F: Future<Output = ()>>(
    listener: Listener,
    mut stop: Stop,
    broadcast: impl Fn(Awaiting, Command) -> F,
) {
    let list = Awaiting::default();
    let application = listener.application();
    let mut tasks = JoinSet::new();
    let mut begun = 0;
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            connection = listener.accept() => {
                begun += 1;
                tasks.spawn(awaiting_session(connection, begun, Arc::clone(&list)));
            }
            command = application.command() => if let Command::Broadcast(message) = command {
                broadcast(Arc::clone(&list), Command::SendText(message)).await;
            },
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
        }
    }
    drop(listener);
    let all: Vec<mpsc::Sender<Command>> = list.lock().await.values().cloned().collect();
    let mut telling = JoinSet::new();
    for orders in all {
        // Each waits for its own turn, and nobody for another.
        telling.spawn(async move {
            let _ = orders.send(go_away()).await;
        });
    }
    let _ = timeout(CLOSE + BESIDE, async { while tasks.join_next().await.is_some() {} }).await;
}

async fn broadcast_awaits(listener: Listener, stop: Stop) {
    let one_by_one = |list: Awaiting, message: Command| async move {
        let all: Vec<mpsc::Sender<Command>> = list.lock().await.values().cloned().collect();
        for orders in all {
            let _ = orders.send(message.clone()).await;
        }
    };
    awaiting_server(listener, stop, one_by_one).await;
}

async fn lock_across_send(listener: Listener, stop: Stop) {
    let locked = |list: Awaiting, message: Command| async move {
        // In a task of its own: the accept loop goes on.
        tokio::spawn(async move {
            for orders in list.lock().await.values() {
                let _ = orders.send(message.clone()).await;
            }
        });
    };
    awaiting_server(listener, stop, locked).await;
}

async fn listener_last(listener: Listener, stop: Stop) {
    let mut sessions = Sessions::new();
    serve_until(stop, &listener, &mut sessions).await;
    sessions.order_all(&go_away());
    let _ = timeout(CLOSE + BESIDE, sessions.all_ended()).await;
    drop(listener);
}

async fn accepts_on(listener: Listener, stop: Stop) {
    let mut sessions = Sessions::new();
    let list = sessions.list.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                connection = listener.accept() => sessions.begin(connection),
                () = sessions.one_ended() => {}
            }
        }
    });
    stop.await;
    list.order_all(&go_away());
    let all_ended = async {
        while !list.with(|all| all.is_empty()) {
            tokio::time::sleep(BESIDE / 10).await;
        }
    };
    let _ = timeout(CLOSE + BESIDE, all_ended).await;
}

async fn openings_forgotten(listener: Listener, mut stop: Stop) {
    let mut sessions = Sessions::new();
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            connection = listener.accept() => {
                let list = sessions.list.clone();
                sessions.tasks.spawn(async move {
                    let Some(connection) = opened(connection).await else { return };
                    let (_entry, orders) = list.enter();
                    sessions::serve(connection, orders, &Patient).await;
                });
            }
            () = sessions.one_ended() => {}
        }
    }
    drop(listener);
    sessions.order_all(&go_away());
    let _ = timeout(CLOSE + BESIDE, sessions.all_ended()).await;
}

async fn aborts_everyone(listener: Listener, stop: Stop) {
    let mut sessions = Sessions::new();
    serve_until(stop, &listener, &mut sessions).await;
    drop(listener);
    sessions.tasks.shutdown().await;
}

async fn skips_every_second(listener: Listener, stop: Stop) {
    let mut sessions = Sessions::new();
    serve_until(stop, &listener, &mut sessions).await;
    drop(listener);
    sessions.list.with(|all| {
        let mut index = 0;
        while let Some(number) = all.keys().nth(index).copied() {
            if let Some(orders) = all.remove(&number) {
                let _ = orders.try_send(go_away());
            }
            // The list is one shorter by now.
            index += 1;
        }
    });
    let _ = timeout(CLOSE + BESIDE, sessions.all_ended()).await;
}

async fn stop_seen_at_accept(listener: Listener, stop: Stop) {
    let mut sessions = Sessions::new();
    while !stop.is_told() {
        let connection = loop {
            tokio::select! {
                biased;
                connection = listener.accept() => break connection,
                () = sessions.one_ended() => {}
            }
        };
        sessions.begin(connection);
    }
    drop(listener);
    sessions.order_all(&go_away());
    let _ = timeout(CLOSE + BESIDE, sessions.all_ended()).await;
}

/// The connection, once its opening request is there; `None` where it does not come.
async fn opened(connection: Connection) -> Option<Connection> {
    let application = connection.application();
    let (mut reads, writes) = split(connection);
    let head = async {
        let mut head = Vec::new();
        while handshake::head_length(&head).is_none() && head.len() < handshake::HEAD_LIMIT {
            let mut buffer = [0; 1024];
            let count = reads.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
            head.extend_from_slice(&buffer[..count]);
        }
        Some(head)
    };
    let deadline = Instant::now() + HANDSHAKE;
    let head = timeout_at(deadline, head).await.ok()??;
    let is_whole = handshake::head_length(&head).is_some();
    let stream = join(Cursor::new(head).chain(reads), writes);
    let connection = Connection::controlled(stream, application.control().clone());
    if !is_whole {
        // A session refuses it, in the time that is left.
        let _ = timeout_at(deadline, super::super::serve(connection, &Patient)).await;
        return None;
    }
    Some(connection)
}

async fn opening_in_accept_loop(listener: Listener, mut stop: Stop) {
    let mut sessions = Sessions::new();
    loop {
        let connection = tokio::select! {
            biased;
            () = &mut stop => break,
            connection = listener.accept() => connection,
            () = sessions.one_ended() => continue,
        };
        tokio::select! {
            biased;
            () = &mut stop => break,
            Some(connection) = opened(connection) => sessions.begin(connection),
            else => {}
        }
    }
    drop(listener);
    sessions.order_all(&go_away());
    let _ = timeout(CLOSE + BESIDE, sessions.all_ended()).await;
}

async fn counter_not_lowered(listener: Listener, mut stop: Stop) {
    let open = Arc::new((AtomicUsize::new(0), Notify::new()));
    let mut sessions = Sessions::new();
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            connection = listener.accept() => {
                open.0.fetch_add(1, Ordering::Relaxed);
                let (open, (entry, mut orders)) = (Arc::clone(&open), sessions.list.enter());
                sessions.tasks.spawn(async move {
                    let _entry = entry;
                    let connection = tokio::select! {
                        connection = opened(connection) => connection,
                        _ = orders.recv() => None,
                    };
                    let Some(connection) = connection else { return };
                    sessions::serve(connection, orders, &Patient).await;
                    open.0.fetch_sub(1, Ordering::Relaxed);
                    open.1.notify_one();
                });
            }
            () = sessions.one_ended() => {}
        }
    }
    drop(listener);
    sessions.order_all(&go_away());
    while open.0.load(Ordering::Relaxed) > 0 {
        open.1.notified().await;
    }
}

async fn permit_lost(listener: Listener, mut stop: Stop) {
    let permits = Arc::new(Semaphore::new(2));
    let mut sessions = Sessions::new();
    loop {
        let permit = tokio::select! {
            biased;
            () = &mut stop => break,
            permit = permits.clone().acquire_owned() => permit,
            () = sessions.one_ended() => continue,
        };
        let connection = tokio::select! {
            biased;
            () = &mut stop => break,
            connection = listener.accept() => connection,
            () = sessions.one_ended() => continue,
        };
        let Ok(permit) = permit else { return };
        permit.forget();
        let (permits, (entry, mut orders)) = (Arc::clone(&permits), sessions.list.enter());
        sessions.tasks.spawn(async move {
            let _entry = entry;
            let connection = tokio::select! {
                connection = opened(connection) => connection,
                _ = orders.recv() => None,
            };
            let Some(connection) = connection else { return };
            sessions::serve(connection, orders, &Patient).await;
            permits.add_permits(1);
        });
    }
    drop(listener);
    sessions.order_all(&go_away());
    let _ = timeout(CLOSE + BESIDE, sessions.all_ended()).await;
}

async fn session_kept(listener: Listener, mut stop: Stop) {
    let mut sessions = Sessions::new();
    let mut list: BTreeMap<u64, mpsc::Sender<Command>> = BTreeMap::new();
    let mut pumps = JoinSet::new();
    let application = listener.application();
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            connection = listener.accept() => {
                let (entry, orders) = sessions.list.enter();
                let (sender, mut orders_of_list) = mpsc::channel(64);
                let number = list.len() as u64;
                list.insert(number, sender);
                let into = sessions.list.with(|all| all.get(&entry.number).cloned());
                pumps.spawn(async move {
                    while let Some(order) = orders_of_list.recv().await {
                        let Some(into) = &into else { return };
                        let _ = into.try_send(order);
                    }
                });
                sessions.tasks.spawn(async move {
                    let _entry = entry;
                    sessions::serve(connection, orders, &Patient).await;
                });
            }
            command = application.command() => if let Command::Broadcast(message) = command {
                for orders in list.values() {
                    let _ = orders.try_send(Command::SendText(message.clone()));
                }
                tokio::task::yield_now().await;
            },
            () = sessions.one_ended() => {}
        }
    }
    drop(listener);
    sessions.order_all(&go_away());
    let _ = timeout(CLOSE + BESIDE, sessions.all_ended()).await;
}

/// How much is kept of a session.
const HISTORY: usize = 24 << 10;

async fn history_kept(listener: Listener, mut stop: Stop) {
    let mut sessions = Sessions::new();
    let mut list: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    let application = listener.application();
    loop {
        tokio::select! {
            biased;
            () = &mut stop => break,
            connection = listener.accept() => {
                list.insert(list.len() as u64, vec![0; HISTORY]);
                sessions.begin(connection);
            }
            command = application.command() => if let Command::Broadcast(message) = command {
                sessions.order_all(&Command::SendText(message));
                tokio::task::yield_now().await;
            },
            () = sessions.one_ended() => {}
        }
    }
    drop(listener);
    sessions.order_all(&go_away());
    let _ = timeout(CLOSE + BESIDE, sessions.all_ended()).await;
}
