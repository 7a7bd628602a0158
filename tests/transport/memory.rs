//! The simulated TCP connection, sentence by sentence: what `hangup::transport::memory` says of
//! itself, and section 7 of the design. Each test moves both ends by hand.

use hangup::exchange::What::{
    Arrived, Cut, Dropped, FinArrived, Flushed, Read, ReadEnd, ReadReset, ResetArrived, Shut, Spun,
    Writable, WriteBlocked, Wrote,
};
use hangup::exchange::{ConnectionId, End, What};
use hangup::script::Setting::{self, ReceiveBuffer, Segment, SendBuffer, Window};
use hangup::script::Size;
use hangup::transport::memory::{ActorRead, BUFFER, BUSY_POLLS, IDLE_POLLS, Link, SubjectEnd};
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll::{self, Pending, Ready};
use std::task::{Context, Wake, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::runtime::{Builder, Runtime};

/// What a poll of either end answers.
type Answer<T> = Poll<Result<T, ErrorKind>>;

const DONE: Answer<()> = Ready(Ok(()));
const RESET: Result<&str, ErrorKind> = Err(ErrorKind::ConnectionReset);
const WRITE_RESET: Answer<usize> = Ready(Err(ErrorKind::ConnectionReset));
const BROKEN_PIPE: Answer<usize> = Ready(Err(ErrorKind::BrokenPipe));

/// What a write answers that took so many bytes.
const fn took(bytes: usize) -> Answer<usize> {
    Ready(Ok(bytes))
}

const fn subject(what: What) -> (End, What) {
    (End::Subject, what)
}

/// The actor read so many bytes.
const fn got(bytes: u32) -> (End, What) {
    (End::Actor, Read { bytes })
}

/// Rings when the task of one end is woken.
#[derive(Default)]
struct Bell(AtomicBool);

impl Bell {
    /// Whether it rang since it was last asked.
    fn rang(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One connection and the two ends that a test moves by hand.
struct Story {
    runtime: Runtime,
    link: Link,
    server: Option<SubjectEnd>,
    client_bell: Arc<Bell>,
    server_bell: Arc<Bell>,
}

impl Story {
    fn begin() -> Self {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without I/O takes nothing from the system");
        let link = runtime.block_on(async { Link::new() });
        let server = Some(link.subject_end());
        let (client_bell, server_bell) = Default::default();
        Self { runtime, link, server, client_bell, server_bell }
    }

    /// A story with other sizes than the usual ones.
    fn with(settings: &[(Setting, u32)]) -> Self {
        let story = Self::begin();
        for (setting, size) in settings {
            story.set(*setting, *size);
        }
        story
    }

    fn set(&self, setting: Setting, size: u32) {
        self.client(|link, _| link.set(setting, Size(size)));
    }

    fn pass(&self, time: Duration) {
        self.runtime.block_on(tokio::time::advance(time));
    }

    fn client<T>(&self, act: impl FnOnce(&Link, &Context<'_>) -> T) -> T {
        let _clock = self.runtime.enter();
        let waker = Waker::from(Arc::clone(&self.client_bell));
        act(&self.link, &Context::from_waker(&waker))
    }

    fn client_sends(&self, bytes: &[u8]) -> Answer<usize> {
        self.client(|link, cx| link.poll_actor_write(cx, bytes)).map_err(|error| error.kind())
    }

    /// Reads until nothing comes; all that came since the beginning, and whether the end did.
    fn client_hears(&self) -> (String, bool) {
        let mut read = Ready(ActorRead::Bytes);
        while read == Ready(ActorRead::Bytes) {
            read = self.client(Link::poll_actor_read);
        }
        let all = self.link.with_received(|bytes| String::from_utf8_lossy(bytes).into_owned());
        (all, read.is_ready())
    }

    fn server<T>(
        &mut self,
        act: impl FnOnce(Pin<&mut SubjectEnd>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Answer<T> {
        let _clock = self.runtime.enter();
        let waker = Waker::from(Arc::clone(&self.server_bell));
        let end = self.server.as_mut().expect("the server holds its end");
        act(Pin::new(end), &mut Context::from_waker(&waker)).map_err(|error| error.kind())
    }

    /// Reads at most `room` bytes.
    fn server_reads(&mut self, room: usize) -> Answer<String> {
        let mut space = vec![0; room];
        let mut buffer = ReadBuf::new(&mut space);
        let read = self.server(|end, cx| end.poll_read(cx, &mut buffer));
        read.map_ok(|()| String::from_utf8_lossy(buffer.filled()).into_owned())
    }

    /// Reads at most four times, until nothing comes. An empty text is the end.
    #[track_caller]
    fn server_hears(&mut self, expected: &[Result<&str, ErrorKind>]) {
        let mut heard = Vec::new();
        while heard.len() < 4
            && let Ready(read) = self.server_reads(9)
        {
            heard.push(read);
        }
        let heard: Vec<_> = heard.iter().map(|read| read.as_deref().map_err(|e| *e)).collect();
        assert_eq!(heard, expected);
    }

    fn server_writes(&mut self, bytes: &[u8]) -> Answer<usize> {
        self.server(|end, cx| end.poll_write(cx, bytes))
    }

    /// Writes `x` until nothing more is taken; how many were.
    fn server_fills(&mut self) -> usize {
        let mut all = 0;
        while let Ready(taken) = self.server_writes(&[b'x'; 1 << 14]) {
            all += taken.expect("a connection that takes bytes or makes wait");
        }
        all
    }

    fn server_flushes(&mut self) -> Answer<()> {
        self.server(SubjectEnd::poll_flush)
    }

    fn server_shuts(&mut self) -> Answer<()> {
        self.server(SubjectEnd::poll_shutdown)
    }

    fn shuts(&mut self) {
        assert_eq!(self.server_shuts(), DONE);
    }

    fn server_drops(&mut self) {
        let _clock = self.runtime.enter();
        self.server = None;
    }

    /// What happened, but for the first `before` events.
    fn events(&self, before: usize) -> Vec<What> {
        self.events_at_ends(before).into_iter().map(|(_, what)| what).collect()
    }

    /// What happened, and at which end, but for the first `before` events.
    fn events_at_ends(&self, before: usize) -> Vec<(End, What)> {
        self.link.with_exchange(|exchange| {
            let events = exchange.events.iter().skip(before);
            events.map(|event| (event.end, event.what.clone())).collect()
        })
    }
}

#[test]
fn a_client_that_does_not_read_fills_its_window_then_the_send_buffer_then_a_write_pends() {
    let mut story = Story::with(&[(Window, 10), (SendBuffer, 4)]);
    assert_eq!(story.server_fills(), 14);
    assert_eq!(story.server_writes(b"x"), Pending, "and again");
    let wrote = [4, 4, 4, 2].map(|bytes| Wrote { bytes });
    assert_eq!(story.events(0), [wrote.as_slice(), &[WriteBlocked]].concat());
}

#[test]
fn each_buffer_has_the_same_size_until_a_script_sets_another() {
    let mut story = Story::begin();
    assert_eq!(story.server_fills(), 2 * BUFFER, "window and send buffer");
    assert_eq!(story.client_sends(&vec![b'x'; 3 * BUFFER]), took(BUFFER), "receive buffer");
    assert_eq!(story.client_sends(b"x"), Pending);
}

#[test]
fn a_client_that_reads_again_wakes_the_blocked_writer_and_the_trace_says_writable() {
    let mut story = Story::with(&[(Window, 10), (SendBuffer, 4)]);
    assert_eq!((story.server_fills(), story.server_bell.rang()), (14, false));
    assert_eq!(story.client_hears(), ("x".repeat(14), false));
    assert!(story.server_bell.rang());
    let events = [got(10), subject(Writable), got(4)];
    assert_eq!(story.events_at_ends(5), events);
    assert_eq!(story.server_writes(b"more"), took(4));
    assert!(story.client_bell.rang());
}

#[test]
fn after_the_clients_rst_what_had_arrived_is_read_then_one_error_then_the_end() {
    let mut story = Story::with(&[(Segment, 2)]);
    assert_eq!(story.client_sends(b"left"), took(4));
    story.client(|link, _| link.actor_reset());
    story.server_hears(&[Ok("le"), Ok("ft"), RESET, Ok("")]);
    assert_eq!(story.server_writes(b"x"), BROKEN_PIPE);
    assert_eq!(story.server_writes(b"x"), BROKEN_PIPE);
    assert_eq!(story.events(0)[..2], [Arrived { bytes: 4 }, ResetArrived]);
    assert_eq!(story.events(2), [Read { bytes: 2 }, Read { bytes: 2 }, ReadReset, ReadEnd]);
}

#[test]
fn a_write_after_the_clients_rst_is_reset_once_then_a_broken_pipe_and_loses_no_read() {
    let mut story = Story::begin();
    assert_eq!(story.client_sends(b"left"), took(4));
    assert_eq!((story.server_fills(), story.server_bell.rang()), (2 * BUFFER, false));
    story.client(|link, _| link.actor_reset());
    assert!(story.server_bell.rang(), "it waited to write");
    assert_eq!(story.server_writes(b"x"), WRITE_RESET);
    assert_eq!(story.server_writes(b"x"), BROKEN_PIPE);
    story.server_hears(&[Ok("left"), Ok(""), Ok(""), Ok("")]);
    assert!(
        story.link.with_exchange(
            |exchange| exchange.bytes(ConnectionId::FIRST).to_actor.len() == 2 * BUFFER
        )
    );
}

#[test]
fn a_server_that_drops_unread_bytes_of_a_client_that_is_gone_resets_nobody() {
    for gone in [Link::actor_reset, Link::actor_drop] {
        let mut story = Story::begin();
        assert_eq!(story.client_sends(b"unread"), took(6));
        story.client(|link, _| gone(link));
        assert_eq!(story.client_sends(b"x"), BROKEN_PIPE);
        story.server_drops();
        assert_eq!(story.events(2), [Dropped { reset: false }]);
    }
}

#[test]
fn a_server_that_drops_unread_bytes_sends_rst_and_the_client_loses_what_it_had_not_read() {
    let mut story = Story::begin();
    assert_eq!(story.server_writes(b"read"), took(4));
    assert_eq!(story.client_hears(), ("read".to_owned(), false));
    assert_eq!(story.client_sends(b"unread"), took(6));
    assert_eq!(story.server_writes(b"lost"), took(4));
    story.server_drops();
    assert!(story.client_bell.rang());
    assert_eq!(story.client_hears(), ("read".to_owned(), true));
    assert_eq!(story.client_sends(b"x"), BROKEN_PIPE, "data after the peer's RST");
    let reset = [subject(Dropped { reset: true }), (End::Actor, ReadReset)];
    assert_eq!(story.events_at_ends(4), reset);
}

#[test]
fn a_server_that_drops_clean_or_shuts_down_sends_fin_after_the_pending_data() {
    for end in [Dropped { reset: false }, Shut] {
        let mut story = Story::with(&[(Window, 3)]);
        assert_eq!(story.client_sends(b"read"), took(4));
        story.server_hears(&[Ok("read")]);
        assert_eq!(story.server_writes(b"goodbye"), took(7));
        let act = if end == Shut { Story::shuts } else { Story::server_drops };
        act(&mut story);
        assert_eq!(story.client_hears(), ("goodbye".to_owned(), true));
        assert!(story.client_hears().1, "told again, recorded once");
        let all = [subject(end), got(3), got(3), got(1), (End::Actor, ReadEnd)];
        assert_eq!(story.events_at_ends(3), all);
    }
}

#[test]
fn a_server_that_shuts_down_reads_on_and_writes_no_more() {
    let mut story = Story::begin();
    assert_eq!(story.server_shuts(), DONE);
    assert_eq!(story.server_writes(b"x"), BROKEN_PIPE);
    assert_eq!(story.client_sends(b"heard"), took(5));
    story.server_hears(&[Ok("heard")]);
    assert!(!story.link.is_over(), "a shut socket is not let go");
    story.server_drops();
    assert!(story.link.is_over());
}

#[test]
fn the_clients_fin_is_read_after_its_data_and_leaves_the_way_back_open() {
    let mut story = Story::begin();
    assert_eq!(story.client_sends(b"last"), took(4));
    story.client(|link, _| link.actor_fin());
    assert_eq!(story.client_sends(b"x"), BROKEN_PIPE);
    story.server_hears(&[Ok("last"), Ok(""), Ok(""), Ok("")]);
    assert_eq!(story.server_writes(b"answer"), took(6));
    assert_eq!(story.client_hears(), ("answer".to_owned(), false));
    assert_eq!(story.events(0)[1..4], [FinArrived, Read { bytes: 4 }, ReadEnd]);
}

#[test]
fn a_write_to_a_client_that_dropped_its_socket_is_answered_by_rst() {
    let mut story = Story::begin();
    story.client(|link, _| link.actor_drop());
    story.server_hears(&[Ok(""); 4]);
    assert_eq!(story.server_writes(b"hello?"), took(6));
    assert_eq!(story.server_writes(b"x"), BROKEN_PIPE, "after FIN it is no reset");
    assert_eq!(story.server_writes(b"x"), BROKEN_PIPE);
    story.server_hears(&[Ok(""); 4]);
    assert_eq!(story.events(0), [FinArrived, ReadEnd, Wrote { bytes: 6 }, ResetArrived]);
    assert_eq!(story.client_hears(), (String::new(), true), "nobody reads it");
}

#[test]
fn after_the_clients_fin_its_rst_is_the_end_to_a_read_and_a_broken_pipe_to_a_write() {
    let mut story = Story::begin();
    assert_eq!(story.client_sends(b"left"), took(4));
    story.client(|link, _| link.actor_fin());
    story.client(|link, _| link.actor_reset());
    story.server_hears(&[Ok("left"), Ok(""), Ok(""), Ok("")]);
    assert_eq!(story.server_writes(b"x"), BROKEN_PIPE);
    assert_eq!(story.events(1), [FinArrived, ResetArrived, Read { bytes: 4 }, ReadEnd]);
    // It is a reset to one that has shut down, as long as its own FIN is on the way.
    let mut story = Story::with(&[(Window, 3)]);
    assert_eq!(story.server_writes(b"goodbye"), took(7));
    story.client(|link, _| link.actor_fin());
    story.shuts();
    story.client(|link, _| link.actor_reset());
    assert_eq!(story.server_writes(b"x"), WRITE_RESET);
    assert_eq!(story.server_writes(b"x"), BROKEN_PIPE);
}

#[test]
fn once_both_fins_have_arrived_no_rst_follows() {
    let begin = || {
        let mut story = Story::begin();
        assert_eq!(
            (story.client_sends(b"unread"), story.server_writes(b"bye")),
            (took(6), took(3))
        );
        story.client(|link, _| link.actor_fin());
        story.shuts();
        story
    };
    let mut story = begin();
    story.server_drops();
    assert_eq!(story.events(4), [Dropped { reset: false }]);
    assert_eq!(story.client_hears(), ("bye".to_owned(), true));
    for act in [Link::actor_reset, Link::actor_drop] {
        let mut story = begin();
        story.client(|link, _| act(link));
        assert_eq!(story.events(4), []);
        story.server_hears(&[Ok("unread"), Ok(""), Ok(""), Ok("")]);
        assert_eq!(story.server_writes(b"x"), BROKEN_PIPE);
    }
}

#[test]
fn what_a_client_sends_to_a_server_that_dropped_its_socket_is_answered_by_rst() {
    let mut story = Story::begin();
    assert_eq!(story.server_writes(b"bye"), took(3));
    story.server_drops();
    assert_eq!((story.client_sends(b""), story.client_sends(b"late")), (took(0), took(4)));
    assert_eq!(story.client_sends(b"x"), BROKEN_PIPE);
    assert_eq!(story.client_hears(), ("bye".to_owned(), true), "its FIN had come");
    let ends = [subject(Dropped { reset: false }), got(3), (End::Actor, ReadEnd)];
    assert_eq!(story.events_at_ends(1), ends);
    // What is in the send buffer then never arrives.
    for told_by_write in [true, false] {
        let mut story = Story::with(&[(Window, 3)]);
        assert_eq!(story.server_writes(b"goodbye"), took(7));
        story.server_drops();
        assert_eq!(story.client_sends(b"late"), took(4));
        if told_by_write {
            assert_eq!(story.client_sends(b"x"), WRITE_RESET);
        }
        assert_eq!(story.client_hears(), ("goo".to_owned(), true));
        assert_eq!(story.client_sends(b"x"), BROKEN_PIPE);
        let ends = [subject(Dropped { reset: false }), (End::Actor, ReadReset), got(3)];
        assert_eq!(story.events_at_ends(1), ends);
    }
}

#[test]
fn a_client_that_has_read_fin_is_told_of_no_reset() {
    let mut story = Story::begin();
    assert_eq!((story.client_sends(b"unread"), story.server_shuts()), (took(6), DONE));
    let read_before = |story: &Story| assert_eq!(story.client_hears(), (String::new(), true));
    read_before(&story);
    story.server_drops();
    read_before(&story);
    assert_eq!(story.client_sends(b"x"), BROKEN_PIPE);
    let ends = [subject(Shut), (End::Actor, ReadEnd), subject(Dropped { reset: true })];
    assert_eq!(story.events_at_ends(1), ends);
}

#[test]
fn who_shuts_down_wakes_its_own_writer() {
    let mut story = Story::begin();
    assert!(story.server_fills() > 0 && !story.server_bell.rang());
    story.shuts();
    assert!(story.server_bell.rang());
    assert_eq!(story.server_writes(b"x"), BROKEN_PIPE);
    let story = Story::with(&[(ReceiveBuffer, 1)]);
    assert_eq!((story.client_sends(b"a"), story.client_sends(b"b")), (took(1), Pending));
    story.client(|link, _| link.actor_fin());
    assert!(story.client_bell.rang());
}

#[test]
fn a_client_that_drops_unread_bytes_sends_rst_and_one_that_has_read_all_sends_fin() {
    for (reads, sent) in [(false, ResetArrived), (true, FinArrived)] {
        let mut story = Story::begin();
        assert_eq!(story.server_writes(b"hello"), took(5));
        assert!(!reads || story.client_hears().0 == "hello");
        story.client(|link, _| link.actor_drop());
        assert_eq!(story.events(0).last(), Some(&sent));
    }
}

#[test]
fn a_cut_delivers_nothing_and_reports_nothing() {
    let mut story = Story::with(&[(SendBuffer, 8)]);
    story.client(|link, _| link.cut());
    assert_eq!(story.client_sends(b"lost"), took(4));
    assert_eq!(story.server_fills(), 8, "nothing leaves the send buffer");
    story.set(Window, 1 << 20);
    assert_eq!(story.client_hears(), (String::new(), false));
    story.client(|link, _| link.actor_fin());
    story.client(|link, _| link.actor_reset());
    story.server_hears(&[]);
    assert_eq!((story.server_writes(b"x"), story.server_bell.rang()), (Pending, false));
    assert_eq!(story.events(0), [Cut, Wrote { bytes: 8 }, WriteBlocked]);
}

#[test]
fn across_a_cut_a_client_does_not_see_the_servers_fin_or_rst() {
    for (unread, reset) in [(&b""[..], false), (b"unread", true)] {
        let mut story = Story::begin();
        assert_eq!(story.client_sends(unread), took(unread.len()));
        story.client(|link, _| link.cut());
        story.server_drops();
        assert_eq!(story.client_hears(), (String::new(), false));
        assert_eq!(story.events(0).last(), Some(&Dropped { reset }));
    }
}

#[test]
fn what_arrived_before_a_cut_is_still_read_by_both() {
    let mut story = Story::begin();
    assert_eq!((story.server_writes(b"bye"), story.client_sends(b"bye")), (took(3), took(3)));
    story.client(|link, _| link.actor_fin());
    story.client(|link, _| link.cut());
    story.server_hears(&[Ok("bye"), Ok(""), Ok(""), Ok("")]);
    assert_eq!(story.client_hears(), ("bye".to_owned(), false), "no FIN had come");
}

#[test]
fn the_servers_fin_that_arrived_before_a_cut_is_still_read() {
    let mut story = Story::begin();
    assert_eq!((story.server_writes(b"bye"), story.server_shuts()), (took(3), DONE));
    story.client(|link, _| link.cut());
    assert_eq!(story.client_hears(), ("bye".to_owned(), true));
}

#[test]
fn written_and_flushed_are_kept_apart() {
    let mut story = Story::begin();
    assert_eq!(story.server_flushes(), DONE, "nothing to flush");
    assert_eq!((story.server_writes(b"ab"), story.server_writes(b"c")), (took(2), took(1)));
    assert_eq!(story.events(0), [Wrote { bytes: 2 }, Wrote { bytes: 1 }]);
    assert_eq!((story.server_flushes(), story.server_flushes()), (DONE, DONE));
    assert_eq!(story.events(2), [Flushed], "once: the second had nothing new");
}

#[test]
fn every_read_write_shutdown_and_drop_of_the_server_is_in_the_trace_with_its_time() {
    let mut story = Story::begin();
    assert_eq!(story.client_sends(b"abc"), took(3));
    story.pass(Duration::from_millis(1));
    story.server_hears(&[Ok("abc")]);
    story.pass(Duration::from_secs(2));
    assert_eq!(story.server_writes(b"de"), took(2));
    story.pass(Duration::from_hours(12));
    assert_eq!((story.server_shuts(), story.server_shuts()), (DONE, DONE));
    story.pass(Duration::from_micros(5));
    story.server_drops();
    let events = [Read { bytes: 3 }, Wrote { bytes: 2 }, Shut, Dropped { reset: false }];
    assert_eq!(story.events(1), events);
    let exchange = story.client(|link, _| link.take_exchange());
    let times: Vec<_> = exchange.events.iter().map(|event| event.at.0).collect();
    assert_eq!(times, [0, 1_000, 2_001_000, 43_202_001_000, 43_202_001_005]);
    let bytes = exchange.bytes(ConnectionId::FIRST);
    assert_eq!((&bytes.to_subject[..], &bytes.to_actor[..]), (&b"abc"[..], &b"de"[..]));
}

#[test]
fn bytes_fin_rst_and_drop_wake_the_end_that_waits_for_them() {
    for act in [Link::actor_fin, Link::actor_reset] {
        let mut story = Story::begin();
        story.server_hears(&[]);
        assert_eq!((story.client_sends(b"x"), story.server_bell.rang()), (took(1), true));
        story.server_hears(&[Ok("x")]);
        story.client(|link, _| act(link));
        assert!(story.server_bell.rang(), "{:?}", story.events(0));
    }
    for act in [Story::shuts, Story::server_drops] {
        let mut story = Story::begin();
        assert!(!story.client_hears().1);
        assert_eq!((story.server_writes(b"x"), story.client_bell.rang()), (took(1), true));
        assert!(!story.client_hears().1);
        act(&mut story);
        assert!(story.client_bell.rang(), "{:?}", story.events(0));
    }
    let mut story = Story::with(&[(ReceiveBuffer, 1)]);
    assert_eq!((story.client_sends(b"a"), story.client_sends(b"b")), (took(1), Pending));
    story.server_drops();
    assert!(story.client_bell.rang(), "it waited to send");
}

#[test]
fn a_drop_of_the_server_wakes_who_waits_for_it_and_nothing_arrives_any_more() {
    let mut story = Story::begin();
    assert_eq!(story.client(Link::poll_over), Pending);
    story.server_drops();
    assert!(story.client_bell.rang() && story.client(Link::poll_over).is_ready());
    assert!(story.client_sends(b"late").is_ready());
    assert_eq!(story.events(0), [Dropped { reset: false }]);
}

#[test]
fn a_segment_size_caps_what_one_read_yields() {
    let mut story = Story::with(&[(Segment, 3)]);
    assert_eq!(story.client_sends(b"12345678"), took(8));
    story.server_hears(&[Ok("123"), Ok("456"), Ok("78")]);
    story.set(Segment, 0);
    assert_eq!(story.client_sends(b"ab"), took(2));
    story.server_hears(&[Ok("a"), Ok("b")]); // 0 is taken as 1.
}

#[test]
fn a_read_with_no_room_takes_nothing_and_is_not_told_the_end_before_the_data() {
    let mut story = Story::begin();
    assert_eq!(story.client_sends(b"last"), took(4));
    assert_eq!(story.server_reads(0), Ready(Ok(String::new())), "as `read(2)` of no bytes");
    story.client(|link, _| link.actor_fin());
    assert_eq!(story.server_reads(0), Ready(Ok(String::new())));
    assert_eq!(story.events(0), [Arrived { bytes: 4 }, FinArrived]);
}

#[test]
fn the_receive_buffer_caps_the_clients_writes_and_frees_when_the_server_reads() {
    let mut story = Story::with(&[(ReceiveBuffer, 5)]);
    assert_eq!(story.client_sends(b"12345678"), took(5));
    assert_eq!((story.client_sends(b"678"), story.client_bell.rang()), (Pending, false));
    assert_eq!(story.server_reads(2), Ready(Ok("12".to_owned())));
    assert!(story.client_bell.rang());
    assert_eq!(story.client_sends(b"678"), took(2));
    assert_eq!(story.events(0), [Arrived { bytes: 5 }, Read { bytes: 2 }, Arrived { bytes: 2 }]);
}

#[test]
fn a_buffer_made_larger_in_mid_connection_wakes_who_waited_for_it() {
    for grown in [Window, SendBuffer] {
        let mut story = Story::with(&[(Window, 4), (SendBuffer, 4)]);
        assert_eq!(story.server_fills(), 8);
        story.set(grown, 7);
        assert!(story.server_bell.rang(), "{grown:?}");
        assert_eq!(story.events(0).last(), Some(&Writable));
        assert_eq!(story.server_fills(), 3, "{grown:?}");
    }
    // Its own buffer has room whether the network is cut or not; the client's window is out of reach.
    for (grown, rings) in [(SendBuffer, true), (Window, false)] {
        let mut story = Story::with(&[(Window, 4), (SendBuffer, 4)]);
        assert_eq!(story.server_fills(), 8);
        story.link.cut();
        story.set(grown, 7);
        assert_eq!(story.server_bell.rang(), rings, "{grown:?}");
    }
    let story = Story::with(&[(ReceiveBuffer, 1)]);
    assert_eq!((story.client_sends(b"a"), story.client_sends(b"b")), (took(1), Pending));
    story.set(ReceiveBuffer, 2);
    assert!(story.client_bell.rang());
    assert_eq!(story.client_sends(b"bc"), took(1));
}

#[test]
fn a_buffer_made_smaller_keeps_what_it_has_and_takes_more_once_that_is_gone() {
    let mut story = Story::with(&[(Window, 6), (SendBuffer, 6)]);
    assert_eq!(story.server_fills(), 12);
    story.set(Window, 2);
    story.set(SendBuffer, 3);
    assert_eq!(story.server_writes(b"x"), Pending);
    assert_eq!(story.client_hears(), ("x".repeat(12), false));
    let all = [got(6), got(2), subject(Writable), got(2), got(2)];
    assert_eq!(story.events_at_ends(3), all);
    assert_eq!(story.server_fills(), 5);
    let mut story = Story::begin();
    assert_eq!(story.client_sends(b"12345"), took(5));
    story.set(ReceiveBuffer, 2);
    assert_eq!(story.server_reads(3), Ready(Ok("123".to_owned())));
    assert_eq!(story.client_sends(b"x"), Pending, "still as much as it holds");
    assert_eq!(story.server_reads(1), Ready(Ok("4".to_owned())));
    assert_eq!(story.client_sends(b"xy"), took(1));
}

#[test]
fn reads_and_writes_spend_no_coop_budget() {
    let story = Story::with(&[(Segment, 1)]);
    assert_eq!(story.client_sends(&[b'x'; 4_000]), took(4_000));
    let Story { runtime, link, server, .. } = story;
    let mut end = server.expect("the server holds its end");
    let all = runtime.block_on(poll_fn(|cx| {
        let ready = |_: &u32| {
            let read = Pin::new(&mut end).poll_read(cx, &mut ReadBuf::new(&mut [0]));
            let written = Pin::new(&mut end).poll_write(cx, b"y");
            let flushed = Pin::new(&mut end).poll_flush(cx);
            read.is_ready() && written.is_ready() && flushed.is_ready()
        };
        let all = (0..4_000).take_while(ready).count();
        assert!(tokio::task::coop::has_budget_remaining(), "spent after {all}");
        Ready(all)
    }));
    assert_eq!((all, link.polls()), (4_000, 12_000));
}

#[test]
fn polls_that_move_nothing_are_parked_for_ever_past_the_limit_and_the_trace_says_spun() {
    let limit = IDLE_POLLS as usize;
    // The clock is read once per limit: later than accept, a second one makes sure.
    for (start, most) in [(0, limit), (5, 2 * limit)] {
        let mut story = Story::begin();
        story.client(|link, _| link.actor_fin());
        story.pass(Duration::from_secs(start));
        assert_eq!(story.client(Link::poll_over), Pending);
        let idle = (0..3 * limit).take_while(|_| story.server_reads(9).is_ready()).count();
        assert!((limit - 1..most).contains(&idle), "{idle}");
        assert!(story.client_bell.rang() && story.link.is_over());
        story.pass(Duration::from_secs(1));
        assert_eq!((story.server_reads(9), story.server_writes(b"x")), (Pending, Pending));
        assert_eq!((story.server_flushes(), story.server_shuts()), (Pending, Pending));
        assert_eq!(story.events(0), [FinArrived, ReadEnd, Spun { polls: IDLE_POLLS }]);
    }
}

#[test]
fn bytes_that_move_acts_of_the_client_and_time_that_passes_give_new_polls() {
    let mut story = Story::begin();
    for round in 0..50 {
        for _ in 2..IDLE_POLLS {
            assert_eq!(story.server_flushes(), DONE);
        }
        match round % 4 {
            0 => assert_eq!(story.server_writes(b"x"), took(1)),
            1 => story.client(|link, _| link.actor_acted()),
            2 => assert_eq!(story.client_sends(b"x"), took(1)),
            _ => story.pass(Duration::from_millis(1)),
        }
    }
    assert!(!story.link.is_over(), "{:?}", story.events(0));
}

#[test]
fn a_write_of_no_bytes_is_no_progress() {
    let mut story = Story::begin();
    let idle = (0..2 * IDLE_POLLS).take_while(|_| story.server_writes(b"").is_ready()).count();
    assert_eq!((idle, story.events(0).len()), (IDLE_POLLS as usize - 1, 1));
}

#[test]
fn endless_writes_that_succeed_are_a_spin() {
    let mut story = Story::begin();
    let mut writes = 0;
    while story.server_writes(b"x").is_ready() {
        writes += 1;
        assert!(writes < BUSY_POLLS && (writes % 8_192 != 0 || !story.client_hears().1));
    }
    let spun = story.events(0).into_iter().find_map(|what| match what {
        Spun { polls } => Some(u64::from(polls)),
        _ => None,
    });
    assert_eq!(spun, Some(writes + 1), "it is told before the record is full");
}

#[test]
fn nothing_is_recorded_once_the_trace_is_taken() {
    let mut story = Story::begin();
    assert_eq!(story.server_writes(b"x"), took(1));
    assert_eq!(story.client(|link, _| link.take_exchange()).events.len(), 1);
    assert_eq!((story.server_writes(b"x"), story.server_reads(1)), (Pending, Pending));
    story.server_drops();
    assert_eq!(story.events(0), []);
}
