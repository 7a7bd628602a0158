//! How a connection ends, to the microsecond, and the proofs that it never does.

use crate::run::virtual_time::{DAY, HOUR, YEAR, dropping_after, holding, play, server, ticking};
use hangup::exchange::{AfterDeadline, Time, What};
use hangup::target::reference::Reference;
use hangup::target::{Connection, Target};
use hangup::verdict::{Ending, Invariant};
use hangup::wire::handshake;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::{interval, sleep};

/// A server that reads the end of the stream again and again.
async fn spin(mut io: Connection) {
    while io.read(&mut [0; 16]).await.is_ok() {}
}

#[track_caller]
fn assert_late(target: &Arc<dyn Target>, at: Duration) {
    assert_eq!(play(target, "fin").ending, Ending::Late(at.into()));
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
fn a_timer_that_fires_once_and_ends_nothing_is_never_and_not_ticking() {
    let target = server(|io| async move {
        sleep(HOUR).await;
        pending::<()>().await;
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
fn moving_200_kib_through_a_send_buffer_of_one_byte_is_no_spin() {
    let reference: Arc<dyn Target> = Arc::new(Reference::HONEST);
    let script = "upgrade\nsend buffer 1B\napp send binary 200KiB\nawait message\nclose 1000\ndrop";
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
