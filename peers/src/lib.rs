//! Real WebSocket servers and clients of the Rust ecosystem, as targets of hangup.
//!
//! One file a library in `adapters`, in styles that people write:
//!
//! | style | the server |
//! |---|---|
//! | `docs` | the loop and the close as the library's documentation shows them |
//! | `bounded` | the same with one timeout around the close and the reads after it |
//! | `split` | a reading and a writing task |
//! | `closing-well` | the guide's server: closes within its bound against every client |
//!
//! The last is a file of `examples`, shown by `docs/closing-well.md` and `docs/frameworks.md`.
//! The client side of the libraries is in `adapters/client`, with styles of its own.
//! `axum-server` and the other `-server`s are whole servers, with a listener and a shutdown: `docs` is the
//! framework's graceful shutdown as documented, `closing-well` a file that `docs/shutdown.md` shows.
//! `MATRIX.md` has what was found in all of them,
//! `FINDINGS.md` what the findings mean. Nothing here judges: hangup does.

mod adapters;
mod heard;
mod host;
mod peer;

use hangup::Registry;

/// All targets, in the order in which they are listed.
pub fn registry() -> Registry {
    adapters::all().fold(Registry::new(), Registry::with)
}
