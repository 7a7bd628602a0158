//! Finds WebSocket servers that fail to hang up.
//!
//! hangup plays random scripts of a misbehaving client (frames, pauses, half a frame,
//! no reply, FIN, RST, not reading) against a server, judges whether every connection
//! ended within its bound and by the rules of RFC 6455, shrinks a failing script to a
//! minimal one, and saves it as a file that people attach to bug reports. The server
//! runs in process on tokio's paused clock, over an in-memory TCP: that a connection
//! *never* ends is proven, in microseconds, and not waited for.
//!
//! ```text
//! rng/bytes -> generate -> Script --play(target)--> Exchange -> judge(bounds) -> Verdict -> report
//!                            ^                                                  |
//!                            +--------------------- shrink <--------------------+--> repro file
//! ```
//!
//! A server's whole test, here on tokio-tungstenite. It has the bug that hangup began with:
//!
//! ```
//! use futures_util::StreamExt;
//! use hangup::{AppSteps, Connection, secs};
//! use tokio_tungstenite::accept_async;
//!
//! async fn my_server(connection: Connection) {
//!     let application = connection.application();
//!     let Ok(mut socket) = accept_async(connection).await else { return };
//!     tokio::select! {
//!         // What comes is read, until the client closes or is gone.
//!         () = async { while let Some(Ok(_)) = socket.next().await {} } => return,
//!         // A shutdown: hangup tells the application when.
//!         _ = application.command() => {}
//!     }
//!     let _ = socket.close(None).await;
//!     // Waits for the client's Close: for ever, where none comes.
//!     while let Some(Ok(_)) = socket.next().await {}
//! }
//!
//! // In a crate of yours: #[test] fn closes_in_time() { .. .check(); }
//! let suite = hangup::suite(my_server).obeying(AppSteps::CLOSE).close_within(secs(5));
//! # let suite = suite.findings_in(std::env::temp_dir().join("hangup-doc")).scripts(500);
//! let failure = suite.try_check().expect_err("nothing ends the wait");
//! assert!(failure.to_string().contains("ends-in-time"));
//! ```
//!
//! With one `timeout` around the close and the wait, it ends. [`guide::closing_well`] has that server
//! whole, on seventeen libraries; [`guide::frameworks`] tells how axum, hyper, actix-web, warp, poem
//! and salvo are given a connection.
//!
//! # The modules
//!
//! | for | modules |
//! |---|---|
//! | testing a server | [`mod@suite`], `strategy` (feature `proptest`), [`fuzzing`], `cli` (feature `cli`) |
//! | describing it | [`target`], [`bounds`], [`heap`] |
//! | scripts | [`script`], [`generate`], [`wire`]: frames, close codes, the handshake |
//! | verdicts | [`verdict`] |
//! | guides | [`guide`]: frameworks, closing well, the rules, the notation, `probe` |
//!
//! Other modules are public for hangup's own tests and benches. They are hidden here, and
//! promise nothing. `docs/architecture.md` has the whole picture.
//!
//! # What it does not do
//!
//! In process, it does not judge servers that keep a clock of their own (`std::time`,
//! threads): virtual time is tokio's. It says so where it sees that. It does not test what happens on a connection that is not
//! about to close: frames are looked at as far as closing needs it. It does not test
//! extensions or HTTP/2.
//!
//! # Features
//!
//! `cli` (default): the command line, and targets on tokio-tungstenite. `tcp` (in `cli`):
//! the same scripts over real TCP. `proptest`:
//! [`scripts`]. `arbitrary`: `impl Arbitrary for Script`, for fuzz targets. Without
//! them the library is lean: `default-features = false`.

#[doc(hidden)]
pub mod actor;
pub mod bounds;
#[cfg(feature = "cli")]
pub mod cli;
#[doc(hidden)]
pub mod excerpt;
#[doc(hidden)]
pub mod exchange;
#[doc(hidden)]
pub mod finding;
pub mod fuzzing;
pub mod generate;
#[cfg(doc)]
pub mod guide;
pub mod heap;
#[doc(hidden)]
pub mod judge;
#[doc(hidden)]
pub mod report;
#[doc(hidden)]
pub mod run;
pub mod script;
#[doc(hidden)]
pub mod shrink;
#[cfg(feature = "proptest")]
pub mod strategy;
pub mod suite;
pub mod target;
#[doc(hidden)]
pub mod transport;
pub mod verdict;
#[doc(hidden)]
pub mod view;
pub mod wire;

/// The old name of [`exchange`].
#[doc(hidden)]
pub use exchange as trace;
pub use script::Script;
#[cfg(feature = "proptest")]
pub use strategy::scripts;
pub use suite::{Failure, ServeError, Suite, client_suite, secs, server_suite, suite, try_suite};
pub use target::{AppSteps, Application, Connection, Listener, Registry, Stop, Target};

/// The README's code blocks are doctests.
#[cfg(all(doctest, feature = "cli", feature = "proptest"))]
#[doc = include_str!("../README.md")]
struct Readme;
