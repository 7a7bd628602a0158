//! Panics are recorded and not printed; what is torn down leaves no exchange.

use crate::run::virtual_time::{alone, holding, play, server};
use hangup::exchange::{Note, What};
use hangup::target::{Connection, Target};
use hangup::verdict::Invariant;
use std::future::pending;
use std::sync::Arc;

#[test]
fn a_panic_in_serve_or_in_a_subtask_is_recorded_with_its_message_and_place() {
    let target = server(|_io| async move {
        let subtask = tokio::spawn(async { panic!("in a subtask, {}", 1 + 1) });
        assert!(subtask.await.is_err_and(|error| error.is_panic()));
        std::panic::panic_any(7)
    });
    let played = play(&target, "fin");
    let [subtask, serve] = &played.panics()[..] else { panic!("{:?}", played.exchange) };
    assert!(subtask.starts_with("in a subtask, 2 (panics.rs:"), "{subtask}");
    assert!(serve.starts_with("a value that is no text (panics.rs:"), "{serve}");
    assert_eq!(played.broken, [Invariant::NoPanic]);
    assert_eq!(played.time_of(&What::Returned), None);
}

#[test]
fn a_panic_in_play_is_not_printed_and_any_other_is() {
    let printed = alone(module_path!(), "panics_in_play_and_elsewhere");
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
    assert!(!alone(module_path!(), "panics_while_torn_down").contains("while torn down"));
}

#[test]
#[ignore = "panics on purpose: run by the test above, which reads what it prints"]
fn panics_while_torn_down() {
    assert!(play(&noisy(), "fin").panics().is_empty());
}
