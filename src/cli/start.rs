//! `--run`: the server, or the clients, that hangup starts itself, the server's port, the file with what
//! they print, the one with the certificate that clients have to trust, and that they are stopped, and
//! the certificate is removed, however the command ends.

use super::Trouble;
use super::args::Start;
use super::clock::date;
use super::stop::Stop;
use crate::excerpt;
use crate::run::real_time::{
    CA, ClientCommand, ClientStarts, ClientTls, ServerCommand, ServerProcess,
};
use crate::script::Millis;
use crate::transport::tcp::endpoint::Endpoint;
use crate::transport::tcp::tls::OwnTls;
use std::cell::Cell;
use std::fs;
use std::io::{self, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempPath;

/// Stands for the port in commands and URLs.
pub(super) const PORT: &str = "{port}";

/// A server to start: its command, and the port that it gets.
pub(super) struct ToStart {
    line: String,
    port: u16,
    start_within: Millis,
}

/// How long the server has to end by itself after SIGTERM, and how long where somebody waits for the
/// end of an interrupted run.
const GRACE: Duration = Duration::from_secs(2);
const INTERRUPTED_GRACE: Duration = Duration::from_millis(500);

/// What hangup starts, and stops at the end.
pub(super) enum Started {
    /// A server.
    Server(StartedServer),
    /// A client, for each script.
    Clients(Clients),
}

/// A server that is stopped at the end.
pub(super) struct StartedServer {
    pub process: ServerProcess,
    stop: Stop,
    /// Whether somebody was told of the file with what it printed.
    is_output_told: Cell<bool>,
}

/// Clients that are killed at the end, where they are not by then.
pub(super) struct Clients {
    starts: ClientStarts,
    /// The file with the certificate that they have to trust, where hangup speaks TLS. Dropped, it is
    /// removed.
    ca: Option<TempPath>,
    /// Whether somebody was told of the file with what they printed.
    is_output_told: Cell<bool>,
}

impl ToStart {
    /// Chooses the port, where `--run` is given: that of `url`, where it has one of its own.
    pub fn new(options: &Start, url: &str) -> Result<Option<Self>, Trouble> {
        let Some(run) = &options.run else { return Ok(None) };
        let port = match port_of(url) {
            Some(port) => port,
            None => free_port().map_err(|error| format!("no free port: {error}"))?,
        };
        let line = run.replace(PORT, &port.to_string());
        Ok(Some(Self { line, port, start_within: options.start_within }))
    }

    /// The URL with the port in it.
    pub fn fill(&self, url: &str) -> String {
        url.replace(PORT, &self.port.to_string())
    }

    /// A server that is not started yet, and has to listen at `endpoint` then.
    pub fn at(self, endpoint: &Endpoint, stop: &Stop) -> Result<StartedServer, Trouble> {
        let output = output("hangup-server-")?;
        let process = ServerProcess::new(ServerCommand {
            line: self.line,
            port: self.port,
            addresses: endpoint.addresses.clone(),
            output,
            start_within: self.start_within.duration(),
        });
        let own = process.clone();
        stop.takes_along(move || own.kill());
        Ok(StartedServer { process, stop: stop.clone(), is_output_told: Cell::new(false) })
    }
}

impl Started {
    /// Where what it prints goes, for somebody to read: the file is kept.
    pub fn tell_output(&self) -> &Path {
        match self {
            Self::Server(server) => server.tell_output(),
            Self::Clients(clients) => clients.tell_output(),
        }
    }
}

impl Clients {
    /// Programs that have so long to connect, and that hangup speaks TLS to where `tls` is set; where
    /// the process ends at once, they are killed.
    pub fn new(start_within: Millis, tls: bool, stop: &Stop) -> Result<Self, Trouble> {
        let own = tls.then(|| OwnTls::new(date())).transpose()?;
        let ca = own.as_ref().map(ca_file).transpose()?;
        let path = ca.as_deref().map(Path::to_owned);
        let tls = own.zip(path.clone()).map(|(own, ca)| ClientTls { own, ca });
        let starts = ClientStarts::new(output("hangup-clients-")?, start_within.duration(), tls);
        let own = starts.clone();
        stop.takes_along(move || {
            own.kill();
            // Nothing is dropped then.
            if let Some(path) = &path {
                let _ = fs::remove_file(path);
            }
        });
        Ok(Self { starts, ca, is_output_told: Cell::new(false) })
    }

    /// One of them, by its command.
    pub fn command(&self, line: &str) -> Result<ClientCommand, Trouble> {
        if self.ca.is_none() && line.contains(CA) {
            let line = excerpt::clipped(line, excerpt::MOST_OF_A_PATH);
            return Err(format!("{line}: {CA} is the certificate of --tls, which is not given"));
        }
        Ok(ClientCommand::new(line.to_owned(), &self.starts))
    }

    /// Where what they print goes, for somebody to read: the file is kept.
    pub fn tell_output(&self) -> &Path {
        self.is_output_told.set(true);
        self.starts.output()
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.starts.kill();
        if !self.is_output_told.get() {
            let _ = fs::remove_file(self.starts.output());
        }
    }
}

impl StartedServer {
    /// Where what it prints goes, for somebody to read: the file is kept.
    pub fn tell_output(&self) -> &Path {
        self.is_output_told.set(true);
        &self.process.command().output
    }
}

impl Drop for StartedServer {
    /// Whoever listens for signals has a handle of the process too, for ever.
    fn drop(&mut self) {
        let grace = if self.stop.is_asked() { INTERRUPTED_GRACE } else { GRACE };
        self.process.stop_within(grace);
        if !self.is_output_told.get() {
            let _ = fs::remove_file(&self.process.command().output);
        }
    }
}

/// The port that a URL names; `None` where hangup is to choose one.
fn port_of(url: &str) -> Option<u16> {
    if url.contains(PORT) {
        return None;
    }
    let secure = url.starts_with("wss://");
    let authority = url.split("://").nth(1)?.split(['/', '?']).next()?;
    let named = authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
    Some(named.unwrap_or(if secure { 443 } else { 80 }))
}

/// A port that nobody listens on now. Another process may take it before the server does.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The option that a client's command needs for the certificate in it.
pub(super) fn tls_of(line: &str) -> &'static str {
    if line.contains(CA) { " --tls" } else { "" }
}

/// A file with the certificate that clients have to trust.
fn ca_file(tls: &OwnTls) -> Result<TempPath, Trouble> {
    let file = tempfile::Builder::new().prefix("hangup-ca-").suffix(".pem").tempfile();
    let written = file.and_then(|mut file| {
        file.write_all(tls.authority().as_bytes())?;
        Ok(file.into_temp_path())
    });
    written.map_err(|error: io::Error| format!("no file for the certificate: {error}"))
}

/// A file of its own for each run, which is kept.
fn output(prefix: &str) -> Result<PathBuf, Trouble> {
    let file = tempfile::Builder::new().prefix(prefix).suffix(".log").tempfile();
    let kept = file.and_then(|file| Ok(file.keep()?.1));
    kept.map_err(|error| format!("no file for what is printed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_the_urls_or_a_free_one() {
        assert_eq!(port_of("ws://127.0.0.1:{port}/chat"), None);
        assert_eq!(port_of("ws://127.0.0.1:9001/chat?at=1:2"), Some(9001));
        assert_eq!(port_of("ws://[::1]:9002"), Some(9002));
        assert_eq!(port_of("ws://localhost/"), Some(80));
        assert_eq!(port_of("wss://localhost"), Some(443));
        let start = Start {
            run: Some("serve --port {port}".to_owned()),
            start_within: Millis(1000),
            stop: None,
        };
        let server = ToStart::new(&start, "ws://127.0.0.1:{port}/").expect("a port");
        let server = server.expect("it is to be started");
        assert_eq!(server.line, format!("serve --port {}", server.port));
        assert_eq!(server.fill("ws://[::1]:{port}/"), format!("ws://[::1]:{}/", server.port));
    }
}
