//! A client under test over TCP: a command of the shell that is started for each play, with a listener
//! of its own, and killed with its children when the play is over.
//!
//! It listens, starts and kills. It plays nothing, and does not judge how a command ends.

use super::process_group::{Group, Seen, append_to, last_words, shown};
use super::process_members::Members;
use crate::exchange::Death;
use crate::transport::tcp::tls::OwnTls;
use crate::transport::tcp::{AcceptError, ConnectedSocket};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

/// Stands for the URL in commands.
pub const URL: &str = "{url}";
/// The variable of a command's environment that has the URL.
const VARIABLE: &str = "URL";
/// Stands for the file with the certificate to trust in commands.
pub const CA: &str = "{ca}";
/// The variables of their environment that have it: those of OpenSSL, which Python and others read, of
/// Node and of Deno.
const CA_VARIABLES: [&str; 3] = ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "DENO_CERT"];
/// What to do with a client that does not trust it.
pub(super) const TO_TRUST: &str = "have it trust the certificate in the file {ca}, which SSL_CERT_FILE, NODE_EXTRA_CA_CERTS \
     and DENO_CERT name as well";
/// How long a program whose connection came to nothing may take to print why.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// The connections that may wait to be accepted: one is.
const BACKLOG: u32 = 4;

/// A command whose program connects to a URL.
#[derive(Clone, Debug)]
pub struct ClientCommand {
    /// A line for `sh -c`, with [`URL`] where the URL is to stand, and [`CA`] where the file with the
    /// certificate is. The environment has the URL in `URL`.
    line: String,
    starts: ClientStarts,
}

/// What the commands of one run share; clones share it too.
#[derive(Clone, Debug)]
pub struct ClientStarts(Arc<Shared>);

/// TLS that hangup speaks to clients.
#[derive(Clone, Debug)]
pub struct ClientTls {
    /// hangup's side of it.
    pub own: OwnTls,
    /// The file with the certificate that clients have to trust.
    pub ca: PathBuf,
}

#[derive(Debug)]
struct Shared {
    output: PathBuf,
    connect_within: Duration,
    tls: Option<ClientTls>,
    /// How many programs may be starting: more than there are processors would start no sooner.
    starting: Semaphore,
    running: Mutex<BTreeMap<i32, Arc<Running>>>,
}

/// A program that was started.
#[derive(Debug)]
struct Running {
    group: Group,
    state: Mutex<RunState>,
    exit: watch::Sender<Option<Death>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RunState {
    Runs,
    /// hangup killed it.
    Killed,
    /// It has ended: its group's number may be another's by now.
    Over,
}

/// A program in play. Dropped, it is killed with its children.
#[derive(Debug)]
pub(super) struct ClientRun {
    running: Arc<Running>,
    starts: ClientStarts,
}

impl ClientStarts {
    /// Programs that have so long to connect, through `tls` where it is given; what they print is
    /// appended to `output`.
    pub fn new(output: PathBuf, connect_within: Duration, tls: Option<ClientTls>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let starting = Semaphore::new(processors);
        let running = Mutex::default();
        Self(Arc::new(Shared { output, connect_within, tls, starting, running }))
    }

    /// The file with what they print.
    pub fn output(&self) -> &PathBuf {
        &self.0.output
    }

    /// Kills all that run.
    pub fn kill(&self) {
        self.running().values().for_each(|running| running.kill());
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<i32, Arc<Running>>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientCommand {
    /// A command of this run.
    pub fn new(line: String, starts: &ClientStarts) -> Self {
        Self { line, starts: starts.clone() }
    }

    /// The line as it was given.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// Whether hangup speaks TLS to its program.
    pub(super) fn speaks_tls(&self) -> bool {
        self.starts.0.tls.is_some()
    }

    /// Listens on a free port of this machine, starts the program, and waits until it connects, and the
    /// TLS handshake is done where there is TLS. `window` is the size of the receive buffer.
    ///
    /// # Errors
    ///
    /// One line: nothing connects in time, the program ends before, or the TLS handshake fails.
    pub(super) async fn connect(
        &self,
        window: Option<u32>,
    ) -> Result<(ConnectedSocket, ClientRun), String> {
        let Shared { output, connect_within, tls, starting, .. } = &*self.starts.0;
        let _starts = starting.acquire().await;
        let failed = |error: io::Error| format!("cannot listen: {error}");
        let listener = listen(window).map_err(failed)?;
        let client = self.start(listener.local_addr().map_err(failed)?)?;
        let why = |why: &str| {
            format!("{why}; what it printed: {}{}", output.display(), last_words(output))
        };
        let accepted = tokio::select! {
            biased;
            accepted = listener.accept() => accepted.map_err(failed)?,
            how = client.ended() => return Err(why(&format!("the program {how} before it connected"))),
            () = sleep(*connect_within) => {
                let within = connect_within.as_secs_f64();
                return Err(why(&format!(
                    "no client connects within {within} s (--start-within) to the URL in {URL} or \
                     $URL"
                )));
            }
        };
        let (stream, peer) = accepted;
        let own = tls.as_ref().map(|tls| &tls.own);
        let error = match ConnectedSocket::accepted(stream, peer, own).await {
            Ok(connected) => return Ok((connected, client)),
            Err(AcceptError::Tls(error)) if error.may_be_distrust() => {
                format!("{error}: {TO_TRUST}")
            }
            Err(error) => error.to_string(),
        };
        client.ended_within(LAST_WORDS).await;
        Err(why(&error))
    }

    fn start(&self, address: SocketAddr) -> Result<ClientRun, String> {
        let tls = self.starts.0.tls.as_ref();
        let scheme = if tls.is_some() { "wss" } else { "ws" };
        let url = format!("{scheme}://{address}/");
        let mut line = self.line.replace(URL, &url);
        let mut variables: Vec<(&str, &OsStr)> = vec![(VARIABLE, url.as_ref())];
        if let Some(ClientTls { ca, .. }) = tls {
            line = line.replace(CA, &ca.to_string_lossy());
            variables.extend(CA_VARIABLES.map(|variable| (variable, ca.as_ref())));
        }
        let output = append_to(&self.starts.0.output)?;
        let group = Group::spawn(&line, &variables, output);
        let group = group.map_err(|error| format!("{}: {error}", shown(&self.line)))?;
        let state = Mutex::new(RunState::Runs);
        let running = Arc::new(Running { group, state, exit: watch::Sender::new(None) });
        let watched = Arc::clone(&running);
        std::thread::spawn(move || group.watch(&mut |seen| watched.take(seen)));
        self.starts.running().insert(group.id(), Arc::clone(&running));
        Ok(ClientRun { running, starts: self.starts.clone() })
    }
}

impl Running {
    /// Takes in what the watching thread saw; whether hangup kills the group by itself.
    fn take(&self, seen: Seen) -> bool {
        let mut state = self.state();
        let is_killed = *state == RunState::Killed;
        if let Seen::Ended(how) = seen {
            *state = RunState::Over;
            self.exit.send_replace(Some(how).filter(|_| !is_killed));
        }
        is_killed
    }

    fn kill(&self) {
        let mut state = self.state();
        if *state == RunState::Runs {
            *state = RunState::Killed;
            self.group.kill();
        }
    }

    fn state(&self) -> MutexGuard<'_, RunState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientRun {
    /// The number of its process group.
    pub fn group(&self) -> i32 {
        self.running.group.id()
    }

    /// Whether one of its processes runs, or waits for a disk, as far as that is seen.
    pub fn is_busy(&self) -> bool {
        Members::of(self.group()).are_busy()
    }

    /// How it ended by itself, once it has.
    pub async fn ended(&self) -> Death {
        let mut exit = self.running.exit.subscribe();
        let ended = exit.wait_for(Option::is_some).await;
        ended.ok().and_then(|exit| *exit).unwrap_or(Death::Unseen)
    }

    /// The same, where it does within so long.
    pub async fn ended_within(&self, time: Duration) -> Option<Death> {
        timeout(time, self.ended()).await.ok()
    }
}

impl Drop for ClientRun {
    fn drop(&mut self) {
        self.running.kill();
        self.starts.running().remove(&self.group());
    }
}

/// Listens on a free port, with receive buffers of this size.
pub(super) fn listen(window: Option<u32>) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    if let Some(window) = window {
        // Before it listens: what the window can grow to is agreed on when a client connects.
        socket.set_recv_buffer_size(window)?;
    }
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    socket.listen(BACKLOG)
}
