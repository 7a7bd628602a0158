//! The process's panic hook, which concerns the process as a whole and so has one of its own.

use hangup::fuzzing::Fuzz;
use hangup::{Connection, suite};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

/// What the hook before ours was told.
static ABORTED: Mutex<Vec<String>> = Mutex::new(Vec::new());

async fn panics(_: Connection) {
    panic!("of the server's own");
}

/// Under libFuzzer, a panic hook aborts the process before anything is unwound. A panic
/// of the server's must be a finding all the same, and not the end of the night.
#[test]
fn a_servers_panic_is_recorded_and_only_the_finding_reaches_the_hook_that_aborts() {
    std::panic::set_hook(Box::new(|info| {
        // libFuzzer's calls abort here.
        ABORTED.lock().expect("sound").push(info.payload_as_str().unwrap_or("").to_owned());
    }));
    let directory = tempfile::tempdir().expect("a directory");
    let prefix = format!("-artifact_prefix={}/", directory.path().display());
    let fuzz = Fuzz::from(suite(panics)).with_arguments(["fuzz".to_owned(), prefix]);
    assert!(catch_unwind(AssertUnwindSafe(|| fuzz.script(b"upgrade\n"))).is_err());
    let aborted = std::mem::take(&mut *ABORTED.lock().expect("sound"));
    let _ = std::panic::take_hook();
    assert_eq!(aborted.len(), 1, "{aborted:?}");
    assert!(aborted[0].contains(": no-panic (should)"), "{aborted:?}");
    assert!(fuzz.script(b"upgrade\n"), "the night goes on");
}
