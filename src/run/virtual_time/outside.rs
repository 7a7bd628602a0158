//! A thread outside of any tokio runtime, for callers within one: a play is a runtime of its own,
//! and tokio allows none in another.

use std::panic::resume_unwind;
use std::thread;

/// Does `work` here, or, where this thread drives a tokio runtime, on a thread of its own of the
/// same name. Panics pass through.
pub(crate) fn outside_of_runtimes<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    if tokio::runtime::Handle::try_current().is_err() {
        return work();
    }
    let current = thread::current();
    let mut builder = thread::Builder::new();
    if let Some(name) = current.name() {
        builder = builder.name(name.to_owned());
    }
    thread::scope(|scope| {
        let thread = builder.spawn_scoped(scope, work).expect("the system gives a thread");
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}
