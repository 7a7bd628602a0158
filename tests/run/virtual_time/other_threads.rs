//! Servers whose time is not tokio's: what is not proven is not called so, and what is, is.

use crate::run::virtual_time::{play, server};
use hangup::bounds::Bounds;
use hangup::exchange::{Exchange, OtherThreads};
use hangup::judge::judge;
use hangup::target::Target;
use hangup::target::clock::OwnClock;
use hangup::verdict::{Ending, WhyUnproven};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::sleep;

/// How what cannot be judged ended.
fn unproven(exchange: &Exchange) -> Option<Ending> {
    let verdict = judge(exchange, &Bounds::default());
    assert!(verdict.is_clean(), "{:?}", verdict.violations);
    verdict.unproven().next().map(|suspicion| suspicion.ending)
}

#[test]
fn a_server_that_waits_for_a_thread_is_not_said_to_hang() {
    let target: Arc<dyn Target> = Arc::new(OwnClock::Thread);
    for script in ["upgrade\nclose 1000\n", "upgrade\nclose\nreset\n"] {
        let ending = unproven(&play(&target, script).exchange);
        assert_eq!(
            ending,
            Some(Ending::Unproven(WhyUnproven::Threads(OtherThreads::WokeTask))),
            "{script}"
        );
    }
}

/// As one whose thread is done before the play has its turn: what is seen once beside a thread, and not
/// again, is no proof.
#[test]
fn what_is_proven_beside_a_thread_has_to_be_proven_twice() {
    let plays = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let seen = Arc::clone(&plays);
    let target = server(move |io| {
        let play = seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        async move {
            if play == 0 {
                std::thread::spawn(|| std::thread::park_timeout(Duration::from_millis(300)));
                pending::<()>().await;
            }
            drop(io);
        }
    });
    let exchange = play(&target, "fin").exchange;
    assert_eq!((plays.load(std::sync::atomic::Ordering::Relaxed), unproven(&exchange)), (2, None));
}

#[test]
fn virtual_time_waits_for_the_blocking_pool() {
    let target: Arc<dyn Target> = Arc::new(OwnClock::BlockingPool);
    assert_eq!(unproven(&play(&target, "upgrade\nclose 1000\n").exchange), None);
}

#[test]
fn a_hang_behind_work_in_the_blocking_pool_is_proven() {
    let target = server(|io| async move {
        let _ = tokio::task::spawn_blocking(|| std::hint::black_box(1 + 1)).await;
        pending::<()>().await;
        drop(io);
    });
    assert_eq!(play(&target, "fin").ending, Ending::Never);
}

#[test]
fn a_hang_is_proven_whatever_other_threads_the_process_has() {
    let (end, wait) = std::sync::mpsc::channel::<()>();
    let other = std::thread::spawn(move || wait.recv());
    let target = server(|io| async move {
        pending::<()>().await;
        drop(io);
    });
    assert_eq!(play(&target, "fin").ending, Ending::Never);
    drop(end);
    let _ = other.join();
}

#[test]
fn a_connection_that_another_thread_serves_is_not_judged() {
    let target = server(|io| async move {
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            runtime.expect("a runtime").block_on(async {
                sleep(Duration::from_millis(1)).await;
                drop(io);
            });
        });
    });
    let ending = unproven(&play(&target, "fin").exchange);
    assert!(matches!(ending, Some(Ending::Unproven(_))), "{ending:?}");
}

#[test]
#[cfg(tokio_unstable)]
fn a_server_that_a_thread_has_woken_once_is_not_said_to_hang() {
    let target = server(|io| async move {
        let (done, wait) = oneshot::channel();
        let (begin, begun) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let _ = begun.recv();
            let _ = done.send(());
        });
        // While the other task waits for the thread; which is gone when threads are looked for.
        tokio::spawn(async move {
            let _ = begin.send(());
            let _ = thread.join();
        });
        let _ = wait.await;
        pending::<()>().await;
        drop(io);
    });
    let ending = unproven(&play(&target, "fin").exchange);
    assert_eq!(ending, Some(Ending::Unproven(WhyUnproven::Threads(OtherThreads::WokeTask))));
}
