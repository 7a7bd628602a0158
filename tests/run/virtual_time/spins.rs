//! What is a spin, what is only much work at one instant, and how soon a spin is told.

use crate::run::virtual_time::{play, server};
use hangup::verdict::{Ending, Invariant};
use std::future::{poll_fn, ready};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// A task that asks an elapsed timer for ever is polled anew only when its budget is used up.
#[test]
#[cfg(tokio_unstable)]
fn a_task_that_asks_an_elapsed_timer_for_ever_is_told_within_a_hundred_thousand_asks() {
    let asked = Arc::new(AtomicU64::new(0));
    let asks = Arc::clone(&asked);
    let target = server(move |io| {
        let asks = Arc::clone(&asks);
        async move {
            sleep(Duration::from_secs(1)).await;
            loop {
                asks.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::ZERO).await;
                if asks.load(Ordering::Relaxed) == u64::MAX {
                    return drop(io);
                }
            }
        }
    });
    let played = play(&target, "fin");
    assert_eq!(played.ending, Ending::Spinning(Duration::from_secs(1).into()));
    assert_eq!(played.broken, [Invariant::NoSpin]);
    let asks = asked.load(Ordering::Relaxed);
    assert!((5_000..100_000).contains(&asks), "{asks} asks");
}

/// More than a tenth of what makes a spin, twice over: 2,000 tasks, and 20,000 messages through a
/// channel, at one instant and with no byte moved.
#[test]
fn a_server_that_fans_out_to_many_tasks_and_messages_at_one_instant_does_not_spin() {
    let target = server(|mut io| async move {
        let mut buffer = [0; 16];
        while io.read(&mut buffer).await.is_ok_and(|count| count > 0) {
            let tasks: Vec<_> = (0..2_000).map(|_| tokio::spawn(ready(()))).collect();
            let (give, mut take) = mpsc::unbounded_channel();
            let reader = tokio::spawn(async move {
                let mut sum = 0_u64;
                while let Some(message) = take.recv().await {
                    sum += message;
                }
                sum
            });
            (0..20_000).for_each(|message| give.send(message).expect("a reader"));
            drop(give);
            for task in tasks {
                task.await.expect("no panic");
            }
            assert_eq!(reader.await.expect("no panic"), 199_990_000);
        }
    });
    let played = play(&target, "raw \"a\"\nraw \"b\"\nwait 1s\nraw \"c\"\nfin");
    assert_eq!(played.arrived(), [1, 1, 1]);
    assert_eq!((played.ending, played.broken), (Ending::InTime, vec![]));
}

/// A step waits for a server that has put off its turn, be it with `yield_now`, by waking itself,
/// or through another task.
#[test]
fn the_next_step_waits_until_all_tasks_have_had_their_turn() {
    let target = server(|mut io| async move {
        use tokio::io::AsyncWriteExt as _;
        let mut buffer = [0; 16];
        while io.read(&mut buffer).await.is_ok_and(|count| count > 0) {
            for turn in 0..5 {
                tokio::task::yield_now().await;
                tokio::spawn(tokio::task::yield_now()).await.expect("no panic");
                let mut woken = false;
                let mut itself = pin!(poll_fn(|cx| {
                    cx.waker().wake_by_ref();
                    if std::mem::replace(&mut woken, true) {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                }));
                itself.as_mut().await;
                if turn % 2 == 0 {
                    io.write_all(b"x").await.expect("a client that reads");
                }
            }
        }
    });
    let played =
        play(&target, "raw \"a\"\nstop reading\nraw \"b\"\nresume reading\nraw \"c\"\nfin");
    let words: String = played
        .exchange
        .events
        .iter()
        .filter_map(|event| match event.what {
            hangup::exchange::What::Arrived { .. } => Some('>'),
            hangup::exchange::What::Wrote { .. } => Some('<'),
            hangup::exchange::What::FinArrived => Some('.'),
            _ => None,
        })
        .collect();
    assert_eq!(words, "><<<><<<><<<.");
}
