//! A browser under test: a page that opens the sockets that it is asked for, and says what the browser
//! tells it of them.
//!
//! The page asks for sockets (`/next`), each with the URL of a listener of its own, and says line by
//! line what it is told (`/told`): that a socket is open, a message, the end with its code. That goes to
//! the record of the play, as what an application in process notes. This module starts no browser,
//! and judges nothing.

mod http;

use super::client_process::listen;
use super::record::Record;
use super::remote_subject::UrlRole;
use crate::exchange::{Note, What};
use crate::transport::tcp::ConnectedSocket;
use http::{Answer, Request};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

/// What a browser under test is called.
pub const BROWSER: &str = "browser";
/// The page.
const PAGE: &str = include_str!("page.html");
/// How long somebody has to open the page.
const VISIT_WITHIN: Duration = Duration::from_mins(5);
/// How long the page waits for an answer: shorter than anybody on the way would.
const ASKS_FOR: Duration = Duration::from_secs(20);

/// The page, on a port of this machine. Clones share it.
#[derive(Clone, Debug)]
pub struct BrowserPage(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    /// Until it is served.
    listener: Mutex<Option<std::net::TcpListener>>,
    connect_within: Duration,
    state: Mutex<State>,
    /// A socket was asked for.
    asked: Notify,
    /// The page was opened, and asked.
    visited: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the last socket.
    last: u64,
    /// Lines for the page.
    waiting: VecDeque<(u64, String)>,
    sockets: BTreeMap<u64, Socket>,
    told: PageTold,
}

/// A socket in play, as far as the page told of it.
#[derive(Debug)]
struct Socket {
    record: Option<Record>,
    is_open: bool,
    ended: watch::Sender<bool>,
}

/// How often the page told what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageTold {
    /// `onopen`.
    pub opened: u64,
    /// `onmessage`.
    pub messages: u64,
    /// `onclose` with `wasClean`.
    pub clean: u64,
    /// `onclose` without.
    pub unclean: u64,
}

/// The browser, where the page's sockets do this.
#[derive(Clone, Debug)]
pub struct Browser {
    page: BrowserPage,
    does: UrlRole,
}

/// A socket of the page, in play. Dropped, nothing more is heard of it.
#[derive(Debug)]
pub(super) struct PageSocket {
    id: u64,
    page: BrowserPage,
    ended: watch::Receiver<bool>,
}

impl BrowserPage {
    /// Takes a free port. A socket that is asked for has so long to connect.
    ///
    /// # Errors
    ///
    /// That there is none.
    pub fn new(connect_within: Duration) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        Ok(Self(Arc::new(Shared {
            address: listener.local_addr()?,
            listener: Mutex::new(Some(listener)),
            connect_within,
            state: Mutex::default(),
            asked: Notify::new(),
            visited: watch::Sender::new(false),
        })))
    }

    /// Where to open it.
    pub fn url(&self) -> String {
        format!("http://{}/", self.0.address)
    }

    /// The browser, where its sockets do this.
    pub fn browser(&self, does: UrlRole) -> Browser {
        Browser { page: self.clone(), does }
    }

    /// How often it told what.
    pub fn told(&self) -> PageTold {
        self.state().told
    }

    /// Serves it from now on, once. Needs a tokio runtime.
    fn serve(&self) -> io::Result<()> {
        let listener = self.0.listener.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(listener) = listener else { return Ok(()) };
        let (listener, page) = (TcpListener::from_std(listener)?, self.clone());
        tokio::spawn(async move {
            loop {
                if let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(page.clone().answer(stream));
                }
            }
        });
        Ok(())
    }

    async fn answer(self, mut stream: TcpStream) {
        let answer = match http::request(&mut stream, self.0.address).await {
            Ok(request) => self.answer_to(request, &mut stream).await,
            Err(status) => Some(Answer::status(status)),
        };
        if let Some(answer) = answer {
            // Who has gone needs none.
            let _ = http::answer(&mut stream, &answer).await;
        }
    }

    /// `None` where the page has gone meanwhile.
    async fn answer_to(&self, request: Request, stream: &mut TcpStream) -> Option<Answer> {
        match (request.method.as_str(), request.path.as_str()) {
            ("GET", "/") => Some(Answer {
                status: 200,
                content: "text/html; charset=utf-8",
                body: PAGE.to_owned(),
            }),
            ("GET", "/next") => {
                self.0.visited.send_replace(true);
                let mut byte = [0; 1];
                let lines = tokio::select! {
                    biased;
                    _ = stream.read(&mut byte) => return None,
                    lines = timeout(ASKS_FOR, self.next()) => lines.unwrap_or_default(),
                };
                Some(Answer::text(lines))
            }
            ("POST", "/told") => {
                request.body.lines().for_each(|line| _ = self.state().take(line));
                Some(Answer::status(204))
            }
            _ => Some(Answer::status(404)),
        }
    }

    /// The next sockets, once some are asked for.
    async fn next(&self) -> String {
        loop {
            let waiting = std::mem::take(&mut self.state().waiting);
            if !waiting.is_empty() {
                return waiting.into_iter().map(|(_, line)| line).collect();
            }
            self.0.asked.notified().await;
        }
    }

    /// Asks for a socket to this address.
    fn ask(&self, address: SocketAddr, does: UrlRole) -> PageSocket {
        let does = match does {
            UrlRole::Plain => "keeps",
            UrlRole::Bye => "closes",
            UrlRole::Echo | UrlRole::Push => "echoes",
        };
        let sender = watch::Sender::new(false);
        let ended = sender.subscribe();
        let mut state = self.state();
        state.last += 1;
        let id = state.last;
        state.waiting.push_back((id, format!("{id} ws://{address}/ {does}\n")));
        state.sockets.insert(id, Socket { record: None, is_open: false, ended: sender });
        drop(state);
        self.0.asked.notify_one();
        PageSocket { id, page: self.clone(), ended }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes in what the page was told; `None` for what is no such line, or of a socket that is in play
    /// no more.
    fn take(&mut self, line: &str) -> Option<()> {
        let mut words = line.split(' ');
        let id = words.next()?.parse().ok()?;
        let event = words.next()?;
        let number = words.next().and_then(|word| word.parse().ok());
        let is_clean = words.next() == Some("clean");
        let told = &mut self.told;
        match event {
            "open" => told.opened += 1,
            "message" => told.messages += 1,
            "close" if is_clean => told.clean += 1,
            "close" => told.unclean += 1,
            _ => return None,
        }
        let socket = self.sockets.get_mut(&id)?;
        let note = match event {
            "open" => Note::Opened,
            "message" => Note::Received { bytes: number? },
            _ if socket.is_open => Note::ToldOfEnd { code: Some(u16::try_from(number?).ok()?) },
            _ => Note::Refused,
        };
        socket.is_open |= event == "open";
        if let Some(record) = &socket.record {
            record.push(What::Noted(note));
        }
        if event == "close" {
            socket.ended.send_replace(true);
        }
        Some(())
    }
}

impl Browser {
    /// Listens on a free port of this machine, asks the page for a socket to it, and waits until it
    /// connects. `window` is the size of the receive buffer.
    ///
    /// # Errors
    ///
    /// One line: nobody opens the page, or it does not connect.
    pub(super) async fn connect(
        &self,
        window: Option<u32>,
    ) -> Result<(ConnectedSocket, PageSocket), String> {
        let failed = |error: io::Error| format!("cannot listen: {error}");
        let Shared { connect_within, visited, .. } = &*self.page.0;
        self.page.serve().map_err(failed)?;
        let mut visits = visited.subscribe();
        let is_visited = timeout(VISIT_WITHIN, visits.wait_for(|visited| *visited)).await.is_ok();
        if !is_visited {
            let (within, url) = (VISIT_WITHIN.as_secs(), self.page.url());
            return Err(format!("no browser opens {url} within {within} s"));
        }
        let listener = listen(window).map_err(failed)?;
        let socket = self.page.ask(listener.local_addr().map_err(failed)?, self.does);
        let accepted = timeout(*connect_within, listener.accept()).await.map_err(|_| {
            let (within, url) = (connect_within.as_secs_f64(), self.page.url());
            format!(
                "the page opens no socket within {within} s (--start-within): is {url} still open?"
            )
        })?;
        let (stream, peer) = accepted.map_err(failed)?;
        let connected = ConnectedSocket::accepted(stream, peer, None).await;
        Ok((connected.map_err(|error| error.to_string())?, socket))
    }
}

impl PageSocket {
    /// What the page is told of this socket goes to `record` from now on.
    pub fn tell(&self, record: &Record) {
        record.push(What::Noted(Note::Reports));
        if let Some(socket) = self.page.state().sockets.get_mut(&self.id) {
            socket.record = Some(record.clone());
        }
    }

    /// Whether the page is told of its end within so long.
    pub async fn ended_within(&self, time: Duration) -> bool {
        let mut ended = self.ended.clone();
        matches!(timeout(time, ended.wait_for(|ended| *ended)).await, Ok(Ok(_)))
    }
}

impl Drop for PageSocket {
    fn drop(&mut self) {
        let mut state = self.page.state();
        state.waiting.retain(|(id, _)| *id != self.id);
        state.sockets.remove(&self.id);
    }
}
