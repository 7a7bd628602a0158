//! The subject's end of a connection, as the kernel knows it: mostly a server's.
//!
//! A client that does not read sees no FIN, and FIN is not release. Where the server
//! runs on this machine (Linux), the kernel tells both: the state of the server's
//! socket, and whether a process still holds it. It is read every [`POLL_INTERVAL`], and less
//! often on a busy machine: what a look newly shows is dated to the look before, so that
//! nobody is called late because the table was read late. Of a server that still holds its
//! socket it also tells what lies in the socket's two queues.

use super::kernel_sockets::{
    self, KernelSocket, KernelSocketState, Pair, Queues, SocketReader, canonical,
};
use super::process_members;
use super::record::Record;
use super::run_queue::RunQueue;
use crate::exchange::{Standing, Time, What};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep, timeout};

/// The pause between two polls.
pub const POLL_INTERVAL: Duration = Duration::from_millis(25);
/// How long a fresh connection is waited for, to be accepted by the server's process.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(2);
/// A socket counts as gone after so many polls that did not find it: the table is no
/// snapshot, and may miss one while it changes.
const MISSES_UNTIL_GONE: u8 = 2;
/// A client that reads sees the end by itself, and more exactly: the table waits so many polls
/// for that.
const CLIENT_GRACE_POLLS: u8 = 1;
/// After so many polls what was so before the first of them has been told.
const POLLS_UNTIL_TOLD: u8 =
    1 + if CLIENT_GRACE_POLLS > MISSES_UNTIL_GONE { CLIENT_GRACE_POLLS } else { MISSES_UNTIL_GONE };
/// Bytes count as left in a queue where so many polls in a row find some: a server that is
/// about to read, and an acknowledgement that is about to be sent (40 ms), empty it meanwhile.
const QUEUE_POLLS: u8 = 4;
/// The pause between two searches through all processes.
const SEARCH_EVERY: Duration = Duration::from_secs(1);

/// Polls the kernel's table until it is dropped.
pub(super) struct KernelTable {
    watches: Arc<WatchList>,
    /// When the last look began that is over.
    polls: watch::Receiver<Instant>,
    polling: JoinHandle<()>,
    waits: Arc<Mutex<Waits>>,
}

/// How long processes waited for a processor: the server's, and those of each group of a client's.
type Waits = BTreeMap<Option<i32>, RunQueue>;

#[derive(Default)]
struct WatchList {
    all: Mutex<(u64, BTreeMap<u64, WatchedConnection>)>,
}

/// A connection that is watched.
struct WatchedConnection {
    /// The subject's address, then hangup's own.
    pair: Pair,
    /// The process group that holds the subject's socket, where hangup started it for this connection.
    group: Option<i32>,
    record: Record,
    since: Instant,
    inode: Option<u64>,
    missed: u8,
    /// So many polls since an end that the client should see.
    polls_since_end: u8,
    /// When the last look began that showed no FIN, and a process that holds it.
    open_at: Time,
    held_at: Time,
    /// As the last look showed them; `None` where none has shown the socket.
    queues: Option<Queues>,
    fin: bool,
    released: bool,
}

/// Ends the watch of one connection when it is dropped.
pub(super) struct WatchGuard {
    id: u64,
    watches: Arc<WatchList>,
    polls: watch::Receiver<Instant>,
}

impl KernelTable {
    /// Begins to look; `None` where there is no such table.
    pub fn start() -> Option<Self> {
        let reader = SocketReader::open()?;
        let watches = Arc::<WatchList>::default();
        let (polled, polls) = watch::channel(Instant::now());
        let waits = Arc::<Mutex<Waits>>::default();
        let polling =
            tokio::spawn(poll_forever(reader, Arc::clone(&watches), polled, Arc::clone(&waits)));
        Some(Self { watches, polls, polling, waits })
    }

    /// How long the server, or the client that is this process group, waited for a processor since
    /// then, as far as it was watched.
    pub fn waited_since(&self, group: Option<i32>, start: Instant) -> Duration {
        lock(&self.waits).get(&group).map_or(Duration::ZERO, |waits| waits.since(start))
    }

    /// Watches the connection between the subject's address and hangup's own. `group` is the process
    /// group that holds the subject's socket, where hangup started it for this connection alone.
    pub fn watch(
        &self,
        subject: SocketAddr,
        own: SocketAddr,
        group: Option<i32>,
        record: Record,
    ) -> WatchGuard {
        let mut all = self.watches.all();
        all.0 += 1;
        let id = all.0;
        let watched = WatchedConnection {
            pair: (canonical(subject), canonical(own)),
            group,
            record,
            since: Instant::now(),
            inode: None,
            missed: 0,
            polls_since_end: 0,
            open_at: Time::ZERO,
            held_at: Time::ZERO,
            queues: None,
            fin: false,
            released: false,
        };
        all.1.insert(id, watched);
        WatchGuard { id, watches: Arc::clone(&self.watches), polls: self.polls.clone() }
    }

    /// Waits until what was so at this moment has been seen and told.
    #[cfg(test)]
    pub async fn catch_up(&self) {
        let mut polls = self.polls.clone();
        for _ in 0..POLLS_UNTIL_TOLD {
            let now = Instant::now();
            let _ = polls.wait_for(|began| *began >= now).await;
        }
    }
}

impl Drop for KernelTable {
    fn drop(&mut self) {
        self.polling.abort();
    }
}

impl WatchGuard {
    /// Waits until the server's process holds the socket; false where the table does
    /// not show that in good time, as of a server elsewhere.
    pub async fn is_accepted(&mut self) -> bool {
        let accepted = async {
            while self.watches.all().1.get(&self.id).is_none_or(|watched| watched.inode.is_none()) {
                if self.polls.changed().await.is_err() {
                    return false;
                }
            }
            true
        };
        timeout(ACCEPT_TIMEOUT, accepted).await.unwrap_or(false)
    }

    /// Waits for a few polls, which also see and tell what was so before; then says what the
    /// server leaves in its socket's queues. The client must not act meanwhile. `None` where
    /// a poll did not show the socket.
    pub async fn standing(&self) -> Option<Standing> {
        let mut polls = self.polls.clone();
        let mut least = Some(Queues { unread: u32::MAX, unsent: u32::MAX });
        for _ in 0..QUEUE_POLLS.max(POLLS_UNTIL_TOLD) {
            let now = Instant::now();
            let _ = polls.wait_for(|began| *began >= now).await;
            let queues = self.watches.all().1.get(&self.id).and_then(|watched| watched.queues);
            least = least.zip(queues).map(|(least, queues)| least.min(queues));
        }
        let Queues { unread, unsent } = least?;
        let (reads, writes, room) = (None, None, None);
        Some(Standing { reads, writes, has_input: unread > 0, unsent, room })
    }
}

impl Drop for WatchGuard {
    fn drop(&mut self) {
        self.watches.all().1.remove(&self.id);
    }
}

impl WatchList {
    fn all(&self) -> MutexGuard<'_, (u64, BTreeMap<u64, WatchedConnection>)> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn poll_forever(
    mut reader: SocketReader,
    watches: Arc<WatchList>,
    polled: watch::Sender<Instant>,
    waits: Arc<Mutex<Waits>>,
) {
    let mut processes = Holders::default();
    loop {
        sleep(POLL_INTERVAL).await;
        if watches.all().1.is_empty() {
            continue;
        }
        let (watches, waits) = (Arc::clone(&watches), Arc::clone(&waits));
        let began = Instant::now();
        let look = spawn_blocking(move || {
            poll_table(&mut reader, &watches, &mut processes, began);
            processes.look_at_waits(&mut lock(&waits), began);
            (reader, processes)
        });
        let Ok(back) = look.await else { return };
        (reader, processes) = back;
        polled.send_replace(began);
        // Of a machine with a large table no more than a third of a core is used.
        sleep(began.elapsed() * 2).await;
    }
}

/// One look. The locks are held for moments only: asking the kernel takes longer.
fn poll_table(
    reader: &mut SocketReader,
    watches: &WatchList,
    processes: &mut Holders,
    began: Instant,
) {
    let wanted: Vec<Pair> = {
        let all = watches.all();
        all.1.values().filter(|watched| watched.since < began).map(|one| one.pair).collect()
    };
    let Some(sockets) = reader.look(&wanted) else { return };
    let (mut fresh, mut questioned) = (BTreeSet::new(), BTreeSet::new());
    let mut groups = BTreeSet::new();
    for watched in watches.all().1.values_mut().filter(|watched| watched.since < began) {
        groups.extend(watched.group);
        let socket = sockets.get(&watched.pair);
        let inode = socket.map(|socket| socket.inode).filter(|inode| *inode != 0);
        if let (Some(inode), None) = (inode, watched.inode) {
            watched.inode = Some(inode);
            if watched.group.is_none() {
                fresh.insert(inode);
            }
        }
        if !watched.released && socket.is_none_or(|socket| socket.state == KernelSocketState::Over)
        {
            questioned.extend(watched.inode);
        }
    }
    processes.learn(&fresh, began);
    processes.learn_groups(&groups, began);
    let held = if questioned.is_empty() { BTreeSet::new() } else { processes.held() };
    for watched in watches.all().1.values_mut().filter(|watched| watched.since < began) {
        let is_held = watched.inode.is_some_and(|inode| held.contains(&inode));
        watched.record_changes(sockets.get(&watched.pair).copied(), is_held, began);
    }
}

fn lock(waits: &Mutex<Waits>) -> MutexGuard<'_, Waits> {
    waits.lock().unwrap_or_else(PoisonError::into_inner)
}

impl WatchedConnection {
    /// Records what the look that began at `began` newly shows.
    fn record_changes(&mut self, socket: Option<KernelSocket>, is_held: bool, began: Instant) {
        self.missed = if socket.is_none() { self.missed.saturating_add(1) } else { 0 };
        self.queues = match socket {
            Some(socket) => Some(socket.queues),
            None if self.missed < MISSES_UNTIL_GONE => self.queues,
            // Both directions are over, and the kernel has nothing more to do with it.
            None => self.inode.map(|_| Queues { unread: 0, unsent: 0 }),
        };
        let (fin, released) = match socket {
            None => (false, self.missed >= MISSES_UNTIL_GONE && !is_held),
            Some(KernelSocket { state: KernelSocketState::Open, .. }) => (false, false),
            // Without an inode no process has it any more: the kernel sees it off alone.
            Some(KernelSocket { state: KernelSocketState::Shut, inode, .. }) => (true, inode == 0),
            Some(KernelSocket { state: KernelSocketState::Over, .. }) => (true, !is_held),
        };
        let now = Time::from(began.saturating_duration_since(self.record.start()));
        if (fin || released) && self.record.looks_out() && self.polls_since_end < CLIENT_GRACE_POLLS
        {
            self.polls_since_end += 1;
            return;
        }
        if !fin && !self.fin && socket.is_some() {
            self.open_at = now;
        } else if fin && !self.fin {
            self.fin = true;
            self.record.put_in(self.open_at, What::Shut);
        }
        if !released && self.missed == 0 {
            self.held_at = now;
        } else if released && !self.released {
            self.released = true;
            self.record.put_in(self.held_at, What::Dropped { reset: false });
        }
    }
}

/// The processes that hold the subjects' sockets.
#[derive(Default)]
struct Holders {
    /// The server's, found by its sockets.
    pids: BTreeSet<i32>,
    searched: Option<Instant>,
    /// Those of each group that hangup started for one connection.
    groups: BTreeMap<i32, BTreeSet<i32>>,
    listed: Option<Instant>,
}

impl Holders {
    /// Finds out which processes hold `fresh` sockets. All processes are searched
    /// now and then only: servers do not often begin a new one.
    fn learn(&mut self, fresh: &BTreeSet<u64>, now: Instant) {
        let due = self.searched.is_none_or(|searched| searched + SEARCH_EVERY < now);
        if fresh.is_empty() || !due || fresh.is_subset(&self.held()) {
            return;
        }
        self.searched = Some(now);
        self.pids.extend(kernel_sockets::holders(fresh));
    }

    /// Which processes these groups have: at the first sight of one, and then now and then. Those of
    /// others are forgotten.
    fn learn_groups(&mut self, groups: &BTreeSet<i32>, now: Instant) {
        self.groups.retain(|group, _| groups.contains(group));
        let is_new = groups.iter().any(|group| !self.groups.contains_key(group));
        let due = self.listed.is_none_or(|listed| listed + SEARCH_EVERY < now);
        if groups.is_empty() || !(is_new || due) {
            return;
        }
        self.listed = Some(now);
        let mut all = process_members::by_group();
        let of =
            |group: &i32| (*group, all.remove(group).unwrap_or_default().into_iter().collect());
        self.groups = groups.iter().map(of).collect();
    }

    /// The sockets that these processes hold.
    fn held(&self) -> BTreeSet<u64> {
        let all = self.groups.values().flatten().chain(&self.pids);
        all.flat_map(|process| kernel_sockets::held_by(*process)).collect()
    }

    /// Looks how long they have waited for a processor.
    fn look_at_waits(&self, waits: &mut Waits, now: Instant) {
        waits.retain(|group, _| group.is_none_or(|group| self.groups.contains_key(&group)));
        waits.entry(None).or_default().look(&self.pids, now);
        for (group, pids) in &self.groups {
            waits.entry(Some(*group)).or_default().look(pids, now);
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::exchange::Exchange;
    use std::io::Read as _;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    struct Pair {
        client: TcpStream,
        server: TcpStream,
        record: Record,
        guard: WatchGuard,
        table: KernelTable,
    }

    impl Pair {
        /// The events so far, after enough polls.
        async fn seen(&self) -> Vec<What> {
            self.table.catch_up().await;
            events(&self.record)
        }
    }

    fn events(record: &Record) -> Vec<What> {
        record.look(|exchange| exchange.events.iter().map(|event| event.what.clone()).collect())
    }

    async fn pair() -> Pair {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let client = TcpStream::connect(address).await.expect("it listens");
        let table = KernelTable::start().expect("Linux has one");
        let record = Record::begin(Exchange::new(false));
        let ours = client.local_addr().expect("an address");
        let mut guard = table.watch(address, ours, None, record.clone());
        sleep(POLL_INTERVAL * 4).await;
        let early = timeout(POLL_INTERVAL * 4, guard.is_accepted()).await;
        assert!(early.is_err(), "nobody has accepted yet");
        let (server, _) = listener.accept().await.expect("one waits");
        assert!(guard.is_accepted().await);
        Pair { client, server, record, guard, table }
    }

    /// What the server leaves in its queues.
    async fn left(pair: &Pair) -> (bool, u32) {
        let standing = pair.guard.standing().await.expect("it is in the table");
        (standing.has_input, standing.unsent)
    }

    #[tokio::test]
    #[ignore = "real time: .ci/run plays it"]
    async fn what_a_server_does_not_read_and_what_its_client_does_not_read_shows() {
        let mut pair = pair().await;
        assert_eq!(left(&pair).await, (false, 0));
        pair.client.write_all(b"hello").await.expect("sent");
        assert_eq!(left(&pair).await, (true, 0));
        pair.server.read_exact(&mut [0; 5]).await.expect("read");
        assert_eq!(left(&pair).await, (false, 0));
        pair.client.shutdown().await.expect("shut");
        assert_eq!(left(&pair).await, (true, 0), "a FIN is input");
        assert_eq!(pair.server.read(&mut [0]).await.expect("the end"), 0);
        assert_eq!(left(&pair).await, (false, 0));
        let write = async |server: &mut TcpStream| server.write_all(&[0; 16_384]).await;
        while timeout(Duration::from_millis(50), write(&mut pair.server)).await.is_ok() {}
        let (has_input, unsent) = left(&pair).await;
        assert!(!has_input && unsent > 64 << 10, "{unsent}");
    }

    #[tokio::test]
    #[ignore = "real time: .ci/run plays it"]
    async fn a_socket_that_is_kept_when_the_table_has_it_no_more_has_empty_queues() {
        let mut pair = pair().await;
        pair.client.shutdown().await.expect("shut");
        assert_eq!(pair.server.read(&mut [0]).await.expect("the end"), 0);
        pair.server.shutdown().await.expect("shut");
        assert_eq!(pair.client.read(&mut [0]).await.expect("the end"), 0);
        assert!(!pair.seen().await.contains(&DROPPED));
        assert_eq!(left(&pair).await, (false, 0));
    }

    const DROPPED: What = What::Dropped { reset: false };

    #[tokio::test]
    #[ignore = "real time: .ci/run plays it"]
    async fn an_open_socket_is_neither_shut_nor_released() {
        let pair = pair().await;
        assert_eq!(pair.seen().await, []);
        let Pair { client: _client, server, record, guard: _guard, table } = pair;
        drop(server);
        table.catch_up().await;
        assert_eq!(events(&record), [What::Shut, DROPPED]);
    }

    #[tokio::test]
    #[ignore = "real time: .ci/run plays it"]
    async fn a_half_closed_socket_is_shut_and_not_released() {
        let mut pair = pair().await;
        pair.server.shutdown().await.expect("shut");
        assert_eq!(pair.seen().await, [What::Shut]);
        // Both directions are over, and the descriptor is kept.
        pair.client.shutdown().await.expect("shut");
        assert_eq!(pair.server.read(&mut [0]).await.expect("the end"), 0);
        assert_eq!(pair.seen().await, [What::Shut]);
        let Pair { client: _client, server, record, guard: _guard, table } = pair;
        drop(server);
        table.catch_up().await;
        assert_eq!(events(&record), [What::Shut, DROPPED]);
    }

    #[tokio::test]
    #[ignore = "real time: .ci/run plays it"]
    async fn a_socket_that_was_reset_is_held_until_its_process_closes_it() {
        let Pair { client, server, record, guard: _guard, table } = pair().await;
        socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).expect("set");
        drop(client);
        table.catch_up().await;
        assert_eq!(events(&record), []);
        drop(server);
        table.catch_up().await;
        assert_eq!(events(&record), [DROPPED]);
    }

    #[tokio::test]
    #[ignore = "real time: .ci/run plays it"]
    async fn the_fin_and_the_release_show_even_while_the_client_does_not_read() {
        let Pair { client, mut server, record, guard: _guard, table } = pair().await;
        record.push(What::StoppedReading);
        let mut filled = 0;
        while let Ok(Ok(count)) =
            timeout(Duration::from_millis(50), server.write(&[0; 16_384])).await
        {
            filled += count;
        }
        assert!(filled > 0);
        drop(server);
        table.catch_up().await;
        // The FIN waits behind the data.
        let seen = events(&record);
        assert!(
            seen.len() == 3 && seen.contains(&What::Shut) && seen.contains(&DROPPED),
            "{seen:?}"
        );
        let client = client.into_std().expect("a socket");
        client.set_nonblocking(false).expect("set");
        let mut data = (&client).take(filled as u64);
        assert_eq!(data.read_to_end(&mut Vec::new()).expect("data"), filled);
    }
}
