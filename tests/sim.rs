//! Playing in virtual time: the endings and their proofs, panics, the script's steps,
//! determinism and memory. Small hand-written servers are played and judged.

use hangup::bounds::Bounds;
use hangup::exchange::{AfterDeadline, Bytes, ConnectionId, End, Exchange, Note, Time, What};
use hangup::judge::{judge, judge_connection};
use hangup::run::virtual_time;
use hangup::target::reference::Reference;
use hangup::target::{AppSteps, Connection, Serving, Target};
use hangup::verdict::{Ending, Invariant, Verdict};
use hangup::wire::handshake;
use hangup::{Registry, Script};
use std::collections::BTreeSet;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::process::Command;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::{interval, sleep};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const YEAR: Duration = Duration::from_hours(365 * 24);

/// A server that is one async closure, and the commands that it obeys.
struct Acting<F>(AppSteps, F);

impl<F, S> Target for Acting<F>
where
    F: Fn(Connection) -> S + Send + Sync,
    S: Future<Output = ()> + Send + 'static,
{
    fn name(&self) -> &'static str {
        "acting"
    }

    fn version(&self) -> &'static str {
        "test"
    }

    fn about(&self) -> &'static str {
        "does what its closure does"
    }

    fn obeys(&self) -> AppSteps {
        self.0
    }

    fn serve(&self, connection: Connection) -> Serving {
        Box::pin((self.1)(connection))
    }
}

fn server<F, S>(serve: F) -> Arc<dyn Target>
where
    F: Fn(Connection) -> S + Send + Sync + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    Arc::new(Acting(AppSteps::ALL, serve))
}

/// A server that reads nothing and drops the connection after `time`.
fn dropping_after(time: Duration) -> Arc<dyn Target> {
    server(move |io| async move {
        sleep(time).await;
        drop(io);
    })
}

/// A server that keeps the connection and waits for what never comes.
fn holding() -> Arc<dyn Target> {
    server(|io| async move {
        pending::<()>().await;
        drop(io);
    })
}

/// A server that writes a byte every `period`, `times` times, and then drops the connection.
fn ticking(period: Duration, times: u32) -> Arc<dyn Target> {
    server(move |mut io| async move {
        for _ in 0..times {
            sleep(period).await;
            io.write_all(b"x").await.expect("a client that only sent FIN");
        }
    })
}

/// A server that reads the end of the stream again and again.
async fn spin(mut io: Connection) {
    while io.read(&mut [0; 16]).await.is_ok() {}
}

/// What came of a script, played within the default bound of 5 s.
struct Played {
    exchange: Exchange,
    ending: Ending,
    broken: Vec<Invariant>,
}

fn play_seeded(target: &Arc<dyn Target>, script: &str, seed: u64) -> Played {
    let script = script.parse().expect("a script");
    let exchange = virtual_time::play(target, &Bounds::default(), &script, seed);
    let violations = judge(&exchange, &Bounds::default()).violations;
    Played {
        exchange,
        ending: violations.first().map_or(Ending::InTime, |violation| violation.ending),
        broken: violations.iter().map(|violation| violation.identity.invariant()).collect(),
    }
}

fn play(target: &Arc<dyn Target>, script: &str) -> Played {
    play_seeded(target, script, 0)
}

impl Played {
    /// The events that `pick` picks, with their times.
    fn all<T>(&self, pick: impl Fn(&What) -> Option<T>) -> Vec<(Time, T)> {
        let events = self.exchange.events.iter();
        events.filter_map(|event| Some((event.at, pick(&event.what)?))).collect()
    }

    fn time_of(&self, what: &What) -> Option<Time> {
        self.exchange.events.iter().find(|event| event.what == *what).map(|event| event.at)
    }

    /// When the actor read so many bytes.
    fn actor_read(&self, bytes: u32) -> Option<Time> {
        let read = What::Read { bytes };
        self.exchange.events.iter().find(|event| event.is_actors(&read)).map(|event| event.at)
    }

    /// The sizes of the segments that arrived at the server.
    fn arrived(&self) -> Vec<u32> {
        let bytes = |what: &What| match what {
            What::Arrived { bytes } => Some(*bytes),
            _ => None,
        };
        self.all(bytes).into_iter().map(|(_, bytes)| bytes).collect()
    }

    fn panics(&self) -> Vec<String> {
        let message = |what: &What| match what {
            What::Panicked(message) => Some(message.to_string()),
            _ => None,
        };
        self.all(message).into_iter().map(|(_, message)| message).collect()
    }
}

#[track_caller]
fn assert_late(target: &Arc<dyn Target>, at: Duration) {
    assert_eq!(play(target, "fin").ending, Ending::Late(at.into()));
}

/// Runs an ignored test of this file in a process of its own; returns what that printed.
fn alone(test: &str) -> String {
    let (_, module) = module_path!().split_once("::").expect("a module of the test binary");
    let exe = std::env::current_exe().expect("the test binary has a path");
    let path = format!("{module}::{test}");
    let output = Command::new(exe)
        .args(["--exact", &path, "--ignored", "--nocapture"])
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("the test binary starts");
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    assert!(output.status.success() && printed.contains("1 passed"), "{printed}");
    printed
}

#[test]
fn an_end_by_the_deadline_is_in_time_and_one_beyond_the_grain_is_late() {
    for time in [0, 4_999, 5_000, 5_002] {
        let played = play(&dropping_after(Duration::from_millis(time)), "fin");
        assert_eq!((played.ending, played.broken), (Ending::InTime, vec![]), "{time} ms");
    }
    let late = Duration::from_millis(5_003);
    assert_late(&dropping_after(late), late);
}

#[test]
fn a_drop_after_12_hours_is_late_at_exactly_12_hours() {
    let played = play(&dropping_after(12 * HOUR), "fin");
    assert_eq!(played.ending, Ending::Late(Time(43_200_000_000)));
    assert_eq!(played.broken, [Invariant::EndsInTime]);
}

#[test]
fn a_timer_years_away_is_waited_for_and_not_called_never() {
    for time in [13 * DAY, 20 * DAY, 3 * YEAR, 5 * YEAR, 9 * YEAR, 9 * YEAR + HOUR] {
        assert_late(&dropping_after(time), time);
    }
}

#[test]
fn a_pending_far_timer_moves_no_nearer_one() {
    for time in [12 * HOUR, 20 * DAY, 5 * YEAR, 9 * YEAR] {
        let target = server(move |io| async move {
            tokio::select! {
                () = sleep(time) => {}
                () = sleep(Duration::MAX) => {}
            }
            drop(io);
        });
        assert_late(&target, time);
    }
}

#[test]
fn a_server_that_waits_for_nothing_never_ends_and_that_is_proven() {
    for script in ["fin", "wait 1ms\nfin", "wait 12h\nfin", "raw \"x\"\nwait 777ms\nfin", "reset"] {
        let played = play(&holding(), script);
        assert_eq!(played.ending, Ending::Never, "{script:?}");
        assert!(played.time_of(&What::Became(AfterDeadline::Quiet)).is_some());
    }
}

#[test]
fn a_connection_in_a_task_that_is_blocked_on_a_channel_never_ends() {
    let target = server(|io| async move {
        let (sender, mut receiver) = mpsc::channel::<()>(1);
        tokio::spawn(async move {
            receiver.recv().await;
            drop(io);
        });
        pending::<()>().await;
        drop(sender);
    });
    assert_eq!(play(&target, "fin").ending, Ending::Never);
}

#[test]
fn a_deadline_of_no_end_is_never_and_not_ticking() {
    let target = server(|io| async move {
        sleep(Duration::MAX).await;
        drop(io);
    });
    assert_eq!(play(&target, "fin").ending, Ending::Never);
}

#[test]
fn a_server_that_wakes_once_a_year_is_ticking_and_not_never() {
    let ending = play(&ticking(YEAR, u32::MAX), "fin").ending;
    assert!(matches!(ending, Ending::Ticking(_)), "{ending:?}");
}

#[test]
fn an_interval_of_1_s_for_ever_is_ticking_once_a_second() {
    let target = server(|io| async move {
        let mut ticks = interval(Duration::from_secs(1));
        loop {
            ticks.tick().await;
            let _kept = &io;
        }
    });
    let played = play(&target, "fin");
    let Ending::Ticking(period) = played.ending else { panic!("{:?}", played.ending) };
    assert!((990_000..=1_010_000).contains(&period), "every {period} us");
    assert_eq!(played.broken, [Invariant::EndsInTime]);
}

#[test]
fn a_keepalive_of_20_s_that_ends_after_12_hours_is_late_at_exactly_12_hours() {
    assert_late(&ticking(Duration::from_secs(20), 2_160), 12 * HOUR);
}

#[test]
fn a_keepalive_of_10_s_is_watched_for_half_a_day() {
    assert_late(&ticking(Duration::from_secs(10), 4_320), 12 * HOUR);
}

#[test]
fn reading_the_end_for_ever_is_spinning_from_the_time_it_began() {
    for start in [Duration::ZERO, Duration::from_secs(1), 6 * HOUR] {
        let target = server(move |io| async move {
            sleep(start).await;
            spin(io).await;
        });
        let played = play(&target, "fin");
        assert_eq!(played.ending, Ending::Spinning(start.into()));
        assert_eq!(played.broken, [Invariant::NoSpin]);
    }
}

#[test]
fn moving_a_mebibyte_through_a_send_buffer_of_one_byte_is_no_spin() {
    let reference: Arc<dyn Target> = Arc::new(Reference::HONEST);
    let script = "upgrade\nsend buffer 1B\napp send binary 1MiB\nawait message\nclose 1000\ndrop";
    assert_eq!(play(&reference, script).broken, []);
}

#[test]
fn a_close_that_the_server_begins_after_the_script_is_watched_to_its_end() {
    for (end, ending) in [(44, Ending::InTime), (60, Ending::Late(Time(60_000_000)))] {
        let target = server(move |mut io| async move {
            let opening = handshake::switching_protocols(handshake::ACCEPT);
            io.write_all(opening.as_bytes()).await.expect("an open connection");
            sleep(Duration::from_secs(40)).await;
            io.write_all(b"\x88\x00").await.expect("an open connection");
            sleep(Duration::from_secs(end - 40)).await;
        });
        assert_eq!(play(&target, "upgrade").ending, ending);
    }
}

#[test]
fn a_connection_on_which_nothing_is_owed_is_let_be() {
    let played = play(&holding(), "raw \"x\"");
    assert_eq!((played.ending, played.broken), (Ending::InTime, vec![]));
    assert!(matches!(played.exchange.events.last().map(|last| &last.what), Some(What::Froze)));
}

#[test]
fn a_panic_in_serve_or_in_a_subtask_is_recorded_with_its_message_and_place() {
    let target = server(|_io| async move {
        let subtask = tokio::spawn(async { panic!("in a subtask, {}", 1 + 1) });
        assert!(subtask.await.is_err_and(|error| error.is_panic()));
        std::panic::panic_any(7)
    });
    let played = play(&target, "fin");
    let [subtask, serve] = &played.panics()[..] else { panic!("{:?}", played.exchange) };
    assert!(subtask.starts_with("in a subtask, 2 (sim.rs:"), "{subtask}");
    assert!(serve.starts_with("a value that is no text (sim.rs:"), "{serve}");
    assert_eq!(played.broken, [Invariant::NoPanic]);
    assert_eq!(played.time_of(&What::Returned), None);
}

#[test]
fn a_panic_in_play_is_not_printed_and_any_other_is() {
    let printed = alone("panics_in_play_and_elsewhere");
    for panic in ["in serve", "in a subtask"] {
        assert!(!printed.contains(panic), "{panic}: {printed}");
    }
    for panic in ["on another thread", "after play"] {
        assert!(printed.contains(panic), "{panic}: {printed}");
    }
}

#[test]
#[ignore = "panics on purpose: run by the test above, which reads what it prints"]
fn panics_in_play_and_elsewhere() {
    let target = server(|_io| async move {
        let thread = std::thread::spawn(|| panic!("on another thread"));
        assert!(thread.join().is_err());
        assert!(tokio::spawn(async { panic!("in a subtask") }).await.is_err());
        panic!("in serve")
    });
    assert_eq!(play(&target, "fin").panics().len(), 2);
    assert!(std::panic::catch_unwind(|| panic!("after play")).is_err());
}

/// Says so, and panics, when it is dropped.
struct Noisy(Connection, &'static str);

impl Drop for Noisy {
    fn drop(&mut self) {
        self.0.application().note(Note::BeganToClose);
        panic!("{}", self.1);
    }
}

/// A server that would panic if its connection ended, and keeps it.
fn noisy() -> Arc<dyn Target> {
    server(|io| async move {
        let noisy = Noisy(io, "while torn down");
        pending::<()>().await;
        drop(noisy);
    })
}

#[test]
fn what_a_target_does_while_it_is_torn_down_is_not_in_the_trace() {
    let torn = play(&noisy(), "raw \"unread\"\nfin").exchange;
    let plain = play(&holding(), "raw \"unread\"\nfin").exchange;
    assert_eq!(torn.digest(), plain.digest());
    assert!(matches!(torn.events.last().map(|event| &event.what), Some(What::Became(_))));
}

#[test]
fn a_panic_while_torn_down_is_not_printed_either() {
    assert!(!alone("panics_while_torn_down").contains("while torn down"));
}

#[test]
#[ignore = "panics on purpose: run by the test above, which reads what it prints"]
fn panics_while_torn_down() {
    assert!(play(&noisy(), "fin").panics().is_empty());
}

#[test]
fn a_wait_for_what_never_comes_ends_the_script_and_not_the_test() {
    for awaited in ["upgrade", "close", "message", "pong", "end"] {
        let played = play(&holding(), &format!("raw \"a\"\nawait {awaited}\nraw \"b\"\nfin"));
        assert_eq!(played.arrived(), [1], "await {awaited}");
        assert_eq!(played.time_of(&What::Froze), Some(Time(60_000_000)));
        assert_eq!(played.time_of(&What::FinArrived), None);
    }
}

#[test]
fn joined_sends_arrive_as_one_segment_and_others_apart() {
    let apart = play(&holding(), "raw \"ab\"\nraw \"cd\"\nraw \"ef\"");
    assert_eq!(apart.arrived(), [2, 2, 2]);
    let joined = play(&holding(), "raw \"ab\"\n+ raw \"cd\"\n+ raw \"ef\"");
    assert_eq!(joined.arrived(), [6]);
    assert_eq!(joined.exchange.bytes(ConnectionId::FIRST).to_subject, b"abcdef");
}

#[test]
fn a_joined_command_is_there_when_the_bytes_before_it_are_read() {
    let target = server(|mut io| async move {
        let application = io.application();
        io.read_u8().await.expect("a client that sends");
        let mut command = pin!(application.command());
        let both = poll_fn(|cx| Poll::Ready(command.as_mut().poll(cx).is_ready())).await;
        io.write_all(if both { b"both" } else { b"one" }).await.expect("an open connection");
    });
    assert_eq!(
        play(&target, "raw \"x\"\n+ app close 1000").exchange.bytes(ConnectionId::FIRST).to_actor,
        b"both"
    );
    assert_eq!(
        play(&target, "raw \"x\"\napp close 1000").exchange.bytes(ConnectionId::FIRST).to_actor,
        b"one"
    );
    let target = server(|mut io| async move {
        io.application().command().await;
        let mut byte = [0];
        let mut read = pin!(io.read(&mut byte));
        let both = poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx).is_ready())).await;
        io.application().note(Note::Received { bytes: both.into() });
    });
    let received =
        |script, bytes| play(&target, script).time_of(&What::Noted(Note::Received { bytes }));
    assert!(received("app close 1000\n+ raw \"x\"", 1).is_some());
    assert!(received("app close 1000\nraw \"x\"", 0).is_some());
}

#[test]
fn an_application_is_sent_only_the_commands_that_its_target_obeys() {
    let script = "app send text \"a\"\napp ping\napp close 1000\napp return";
    for (obeys, obeyed) in
        [(AppSteps::NONE, 0), (AppSteps::PING | AppSteps::CLOSE, 2), (AppSteps::ALL, 4)]
    {
        let target: Arc<dyn Target> = Arc::new(Acting(obeys, |mut io: Connection| async move {
            loop {
                io.application().command().await;
                io.write_all(b"x").await.expect("an open connection");
            }
        }));
        assert_eq!(
            play(&target, script).exchange.bytes(ConnectionId::FIRST).to_actor.len(),
            obeyed
        );
    }
}

#[test]
fn a_frozen_client_keeps_its_reading_policy() {
    let deaf = play(&ticking(Duration::from_secs(1), 3), "stop reading\nfin");
    assert_eq!(deaf.actor_read(1), None);
    let hearing = play(&ticking(Duration::from_secs(1), 3), "stop reading\nresume reading\nfin");
    assert_eq!(hearing.actor_read(1), Some(Time(1_000_000)));
}

const BUSY_SCRIPT: &str = "upgrade\napp send text 100KiB\nping \"a\" x 30 every 1s\n\
    first 3 bytes of close 1000\nstop reading";

#[test]
fn one_script_has_one_digest_in_a_thousand_plays_and_in_another_process() {
    let reference: Arc<dyn Target> = Arc::new(Reference::HONEST);
    let digests: BTreeSet<_> =
        (0..1_000).map(|_| play(&reference, BUSY_SCRIPT).exchange.digest()).collect();
    assert_eq!(digests.len(), 1);
    let printed = alone("prints_a_digest");
    assert!(digests.iter().all(|digest| printed.contains(digest)), "{digests:?}: {printed}");
}

#[test]
#[ignore = "run by the test above, in another process"]
fn prints_a_digest() {
    let reference: Arc<dyn Target> = Arc::new(Reference::HONEST);
    println!("{}", play(&reference, BUSY_SCRIPT).exchange.digest());
}

/// Without the flag the runtime cannot be seeded.
#[cfg(tokio_unstable)]
#[test]
fn a_seed_fixes_the_order_of_an_unbiased_select() {
    let target = server(|mut io| async move {
        for _ in 0..16 {
            let chosen = tokio::select! {
                () = std::future::ready(()) => b"a",
                () = std::future::ready(()) => b"b",
            };
            io.write_all(chosen).await.expect("an open connection");
        }
    });
    let digests = |seeds: &mut dyn Iterator<Item = u64>| -> BTreeSet<_> {
        seeds.map(|seed| play_seeded(&target, "fin", seed).exchange.digest()).collect()
    };
    assert_eq!(digests(&mut std::iter::repeat_n(7, 1_000)).len(), 1);
    assert!(digests(&mut (0..100)).len() > 50, "an order that no seed moves proves nothing");
}

#[cfg(target_os = "linux")]
#[test]
fn twenty_thousand_plays_leak_nothing() {
    alone("plays_twenty_thousand_times");
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "run by the test above, in a process of its own, whose memory it measures"]
fn plays_twenty_thousand_times() {
    let resident = || {
        let status = std::fs::read_to_string("/proc/self/status").expect("procfs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let size = line.and_then(|line| line.trim().strip_suffix(" kB"));
        size.and_then(|size| size.parse::<u64>().ok()).expect("a size in kB")
    };
    let panicking = server(|_io| async { panic!("each time") });
    let targets = [holding(), dropping_after(12 * HOUR), Arc::new(Reference::HONEST), panicking];
    let plays = |times| {
        for _ in 0..times {
            for target in &targets {
                play(target, "upgrade\napp close 1000\nfin");
            }
        }
    };
    plays(500);
    let before = resident();
    plays(5_000);
    let grown = resident().saturating_sub(before);
    assert!(grown < 8 * 1024, "{grown} KiB more after 20,000 plays");
}

/// The events of one connection, and its bytes.
fn part(exchange: &Exchange, connection: ConnectionId) -> (Vec<(Time, End, What)>, Bytes) {
    let own = exchange.events.iter().filter(|event| event.connection == connection);
    let events = own.map(|event| (event.at, event.end, event.what.clone())).collect();
    (events, exchange.bytes(connection).clone())
}

#[test]
fn two_connections_of_one_exchange_are_each_judged_as_they_would_be_alone() {
    let registry = Registry::built_in();
    let bounds = Bounds::default();
    let scripts = [
        "upgrade\napp close",
        "upgrade\nclose 1000\nfin",
        "upgrade\nstop reading\napp send text 64KiB\nclose 1001",
        "upgrade\nunmasked ping \"x\"",
        "upgrade\nping x 5 every 1s\napp close 1001\nclose 1002",
    ]
    .map(|script| script.parse::<Script>().expect(script));
    for name in ["reference", "reference/no-deadline", "tungstenite/no-deadline"] {
        let target = registry.find(name).expect("built in");
        for (one, other) in scripts.iter().flat_map(|one| scripts.iter().map(move |b| (one, b))) {
            let both = [one.clone(), other.clone()];
            let together = virtual_time::play_together(target, &bounds, &both, 7);
            for (connection, script) in together.connections().zip(&both) {
                let alone = virtual_time::play(target, &bounds, script, 7);
                let facts = |verdict: Verdict| -> Vec<_> {
                    let violations = verdict.violations.into_iter();
                    violations.map(|violation| (violation.identity, violation.fact)).collect()
                };
                let in_company = facts(judge_connection(&together, connection, &bounds));
                let by_itself = facts(judge(&alone, &bounds));
                assert_eq!(in_company, by_itself, "{name}:\n{script}\nbeside:\n{one}{other}");
                let (events, bytes) = part(&together, connection);
                assert!(!events.is_empty());
                assert_eq!(bytes, *alone.bytes(ConnectionId::FIRST), "{name}:\n{script}");
            }
        }
    }
}
