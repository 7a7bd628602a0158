//! Real time and real sockets: the same scripts, judged by the same code, against a
//! server that runs somewhere, in whatever language.
//!
//! | file | has |
//! |---|---|
//! | `remote_urls` | a server's URLs, what its application does on each, and the scripts that suit them |
//! | `preflight`, `polite_client` | a look before testing: does it speak WebSocket there |
//! | `idle_client` | beside a campaign: what becomes of a client that does nothing |
//! | `tcp_end`, `record` | the client's socket, and the record of it |
//! | `keeper` | which of a server's bytes are kept |
//! | `kernel_table`, `kernel_sockets` | the server's end, as the kernel knows it; asking the kernel |
//! | `delay_monitor`, `run_queue` | how late our own process is; how long the server waited for a processor |
//! | `play`, `player` | a script; a script again, and shrunk |
//! | `candidates`, `rounds` | which smaller scripts are played next, side by side |
//! | `witness` | whether the server answers others meanwhile |
//! | `server_process`, `process_members` | a server that hangup starts itself; what its processes hold |
//! | `whole_server` | several connections at once, a shutdown, and what is left |
//! | `play_log`, `deaths` | after which script a server died; which takes it down |
//! | `probe` | a campaign |
//! | [`listen`] | a target in process, listening |
//!
//! This module owns the wall clock and the sockets. What can be seen over TCP is less
//! than in virtual time: nothing is proven, so that no ending is *never*, and of the
//! server's application nothing is heard.

mod candidates;
mod deaths;
mod delay_monitor;
mod idle_client;
mod keeper;
mod kernel_sockets;
mod kernel_table;
pub mod listen;
mod play;
mod play_log;
mod player;
mod polite_client;
mod preflight;
mod probe;
mod process_members;
mod record;
mod remote_urls;
mod rounds;
mod run_queue;
mod server_process;
mod tcp_end;
mod whole_server;
mod witness;

pub use idle_client::IdleEnd;
pub use player::{PlayLimits, Player, REMOTE_BUDGET, RemoteShrunk};
pub use probe::{DeathsFound, Probe, ProbeFinding, ProbeOutcome, ProbeProgress, ShutdownSeen};
pub use process_members::Holdings;
pub use remote_urls::{RemoteServer, UrlRole, longest_script, pauses};
pub use server_process::{MemoryGrowth, ServerCommand, ServerDeath, ServerProcess, StopSignal};
pub use whole_server::{SHUTDOWN_ROUNDS, says_shutdown};
