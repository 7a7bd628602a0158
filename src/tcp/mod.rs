//! Real time and real sockets: the same scripts, judged by the same code, against a
//! server that runs somewhere, in whatever language.
//!
//! | file | has |
//! |---|---|
//! | `endpoint`, `tls` | where a server is, and how it is asked |
//! | `server` | its URLs, what its application does on each, and the scripts that suit them |
//! | `greet` | a look before testing: does it speak WebSocket there |
//! | `transport`, `stage`, `record` | the client's socket, and the trace of it |
//! | `sockets` | the server's end, from the kernel's table |
//! | `pulse` | how late our own process is |
//! | `play`, `player`, `probe` | a script; a script again, and shrunk; a campaign |
//! | [`host`] | a target in process, listening |
//!
//! This module owns the wall clock and the sockets. What can be seen over TCP is less
//! than in virtual time: nothing is proven, so that no ending is *never*, and of the
//! server's application nothing is heard.

mod control;
mod endpoint;
mod greet;
pub mod host;
mod play;
mod player;
mod probe;
mod pulse;
mod record;
mod server;
mod sockets;
mod stage;
pub mod tls;
mod transport;

pub use endpoint::{Asking, Endpoint};
pub use player::{BUDGET, Measures, Player, Shrunk};
pub use probe::{Found, Outcome, Probe, Progress};
pub use server::{Part, Server, longest_script, pauses};
