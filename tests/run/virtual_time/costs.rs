//! What a play may cost: bounds that are counted, and work that grows as the script does.

use crate::run::virtual_time::{play, server};
use hangup::Registry;
use hangup::bounds::Bounds;
use hangup::exchange::{AfterDeadline, Exchange, What};
use hangup::report::{timeline, wire_log};
use hangup::run::virtual_time;
use hangup::script::Script;
use hangup::transport::memory::EVENTS;
use hangup::verdict::Ending;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::time::sleep;

#[test]
fn a_play_that_would_never_end_is_cut_short_at_a_number_of_events() {
    let target = server(|mut io| async move {
        while io.write_all(b"x").await.is_ok() {
            sleep(Duration::from_millis(1)).await;
        }
    });
    let played = play(&target, "wait 1193h");
    assert_eq!(played.exchange.events.len(), EVENTS + 1);
    assert!(played.exchange.was_cut_short());
    assert!(!play(&target, "wait 1s").exchange.was_cut_short());
}

#[test]
fn a_play_full_of_timers_is_cut_short_where_no_event_comes() {
    let target = server(|io| async move {
        for _ in 0..u64::MAX {
            sleep(Duration::from_millis(1)).await;
        }
        drop(io);
    });
    let played = play(&target, "wait 1193h");
    assert!(played.exchange.was_cut_short(), "{:?}", played.exchange.events);
    let gave_up = played.all(|what| (*what == What::Became(AfterDeadline::GaveUp)).then_some(()));
    let at = gave_up[0].0.since_accept();
    assert!((Duration::from_mins(30)..Duration::from_hours(2)).contains(&at), "{at:?}");
    assert_eq!((played.ending, played.broken), (Ending::InTime, Vec::new()), "nobody is accused");
}

/// What a processor spends in this thread on each of two works: the least of a few times, of more
/// where the second seems to cost over three times the first. What runs beside a test makes it dearer.
#[cfg(target_os = "linux")]
fn costs(mut works: [impl FnMut(); 2]) -> [Duration; 2] {
    let mut least = [Duration::MAX; 2];
    for round in 0..24 {
        if round >= 4 && least[1] < least[0] * 3 {
            break;
        }
        for (least, work) in least.iter_mut().zip(&mut works) {
            *least = cost(work).min(*least);
        }
    }
    least
}

/// What a processor spends in this thread on `work`.
#[cfg(target_os = "linux")]
fn cost(work: &mut impl FnMut()) -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    let now = || {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
    };
    let began = now();
    work();
    now().saturating_sub(began)
}

#[cfg(target_os = "linux")]
fn played(target: &str, text: &str) -> Exchange {
    let target = Registry::built_in().resolve(target).expect("built in");
    let script: Script = text.parse().expect("a script");
    virtual_time::play(&target, &Bounds::default(), &script, 0)
}

/// Four times the work for twice the script is the square of it; twice is in proportion.
#[test]
#[cfg(target_os = "linux")]
fn what_a_script_costs_grows_as_it_does() {
    let target = "tungstenite/no-deadline";
    for (line, times) in [
        ("upgrade\nping x TIMES every 5s\n", 4000),
        ("window 1B\nupgrade\napp send text TIMESB\n", 20_000),
        ("upgrade\ntext TIMESB in pieces of 1 byte\n", 20_000),
        ("upgrade\ntext 100B x TIMES\nclose 1001\n", 4000),
    ] {
        let text = |times: u32| line.replace("TIMES", &times.to_string());
        let texts = [text(times), text(times * 2)];
        let [one, two] = costs(texts.each_ref().map(|text| || drop(played(target, text))));
        assert!(two < one * 3, "{line}: {one:?}, {two:?}");
        let exchanges = texts.map(|text| played(target, &text));
        let [one, two] = costs(exchanges.each_ref().map(|exchange| {
            || {
                let drawn = timeline(exchange, None);
                assert!(!drawn.is_empty() && !wire_log(exchange).is_empty());
            }
        }));
        assert!(two < one * 3, "drawn, {line}: {one:?}, {two:?}");
    }
}
