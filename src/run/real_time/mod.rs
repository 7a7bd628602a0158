//! Real time and real sockets: the same scripts, judged by the same code, against a
//! server that runs somewhere, or clients that are started here, in whatever language.
//!
//! | file | has |
//! |---|---|
//! | `subject` | a server at a URL, a client's command, or a browser: how a connection with it is had |
//! | `remote_subject` | a server's URLs, or a client's commands, what the application does on each, and the scripts that suit them |
//! | `preflight`, `polite_client` | a look before testing: does it speak WebSocket there |
//! | `client_check` | the same of clients: does one connect, and act as its command is to |
//! | `idle_client` | beside a campaign: what becomes of a client that does nothing |
//! | `tcp_end`, `record` | the actor's socket, and the record of it |
//! | `keeper` | which of the subject's bytes are kept |
//! | `kernel_table`, `kernel_sockets` | the subject's end, as the kernel knows it; asking the kernel |
//! | `delay_monitor`, `run_queue` | how late our own process is; how long the subject waited for a processor |
//! | `play`, `player` | a script; a script again, and shrunk |
//! | `candidates`, `rounds` | which smaller scripts are played next, side by side |
//! | `witness` | whether the server answers others meanwhile |
//! | `process_group`, `process_members` | a command of the shell with its children; what they hold |
//! | `server_process`, `client_process` | a server that hangup starts itself; a client, for each play |
//! | `browser` | a page that opens a socket for each play, and says what the browser tells it |
//! | `whole_server` | several connections at once, a shutdown, and what is left |
//! | `play_log`, `deaths` | after which script a server died; which takes it down |
//! | `probe` | a campaign |
//! | [`listen`], [`connect`] | a target in process, listening, or connecting |
//!
//! This module owns the wall clock and the sockets. What can be seen over TCP is less
//! than in virtual time: nothing is proven, so that no ending is *never*, and of the
//! subject's application nothing is heard.

mod browser;
mod candidates;
mod client_check;
mod client_process;
pub mod connect;
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
mod process_group;
mod process_members;
mod record;
mod remote_subject;
mod rounds;
mod run_queue;
mod server_process;
mod subject;
mod tcp_end;
mod whole_server;
mod witness;

pub use browser::{BROWSER, Browser, BrowserPage, PageTold};
pub use client_process::{CA, ClientCommand, ClientStarts, ClientTls, URL};
pub use idle_client::IdleEnd;
pub use player::{PlayLimits, Player, REMOTE_BUDGET, RemoteShrunk};
pub use probe::{DeathsFound, Probe, ProbeFinding, ProbeOutcome, ProbeProgress, ShutdownSeen};
pub use process_group::StopSignal;
pub use process_members::Holdings;
pub use remote_subject::{RemoteSubject, UrlRole, longest_script, pauses};
pub use server_process::{MemoryGrowth, ServerCommand, ServerDeath, ServerProcess};
pub use subject::Subject;
pub use whole_server::{SHUTDOWN_ROUNDS, says_shutdown};
