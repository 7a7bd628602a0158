//! ezsockets: sessions with handlers, over tungstenite and four tasks a connection.
//!
//! Its example answers text from `on_text`; a session closes by its handle. Its heartbeat
//! (a ping every 5 s, an end after 10 s) reads the real clock, which stands still here:
//! neither comes, and nothing is claimed of them.

#[path = "../../examples/ezsockets.rs"]
mod guide;

use crate::peer::Peer;
use async_trait::async_trait;
use enfync::TryAdopt as _;
use enfync::builtin::native::TokioHandle;
use ezsockets::{
    Bytes, CloseCode, CloseFrame, Error, Request, Server, ServerExt, SessionExt, Socket,
    SocketConfig, Utf8Bytes,
};
use hangup::exchange::Note;
use hangup::script::Command;
use hangup::{AppSteps, Application, Connection};
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_tungstenite_026::accept_async;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

const VERSION: &str = "ezsockets 0.7.2";

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::new(
            "ezsockets/docs",
            VERSION,
            "a session that echoes and closes by its handle (its heartbeat has its own clock)",
            docs,
        )
        .obeying(AppSteps::SEND | AppSteps::CLOSE | AppSteps::KEEP),
        Peer::of(
            "ezsockets/closing-well",
            VERSION,
            "the guide's server: a relay that can be ended (its heartbeat has its own clock)",
            guide::suite(),
        ),
    ]
}

type Session = ezsockets::Session<u16, ()>;

struct EchoSession {
    handle: Session,
    id: u16,
    application: Application,
}

impl EchoSession {
    fn heard(&self, bytes: usize) {
        self.application.note(Note::Received { bytes: bytes.try_into().unwrap_or(u32::MAX) });
    }
}

#[async_trait]
impl SessionExt for EchoSession {
    type ID = u16;
    type Call = ();

    fn id(&self) -> &Self::ID {
        &self.id
    }

    async fn on_text(&mut self, text: Utf8Bytes) -> Result<(), Error> {
        self.heard(text.len());
        self.handle.text(text)?;
        Ok(())
    }

    async fn on_binary(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.heard(bytes.len());
        self.handle.binary(bytes)?;
        Ok(())
    }

    async fn on_call(&mut self, (): Self::Call) -> Result<(), Error> {
        Ok(())
    }
}

struct EchoServer {
    application: Application,
    /// Where the one session goes, to the rest of the program.
    started: UnboundedSender<Session>,
    /// The session is over.
    over: CancellationToken,
}

#[async_trait]
impl ServerExt for EchoServer {
    type Session = EchoSession;
    type Call = ();

    async fn on_connect(
        &mut self,
        socket: Socket,
        _: Request,
        address: SocketAddr,
    ) -> Result<Session, Option<CloseFrame>> {
        self.application.note(Note::Reports);
        let id = address.port();
        let application = self.application.clone();
        let session = Session::create(|handle| EchoSession { handle, id, application }, id, socket);
        let _ = self.started.send(session.clone());
        Ok(session)
    }

    async fn on_disconnect(
        &mut self,
        _: u16,
        reason: Result<Option<CloseFrame>, Error>,
    ) -> Result<(), Error> {
        let code = reason.ok().flatten().map(|frame| frame.code.into());
        self.application.note(Note::ToldOfEnd { code });
        self.over.cancel();
        Ok(())
    }

    async fn on_call(&mut self, (): Self::Call) -> Result<(), Error> {
        Ok(())
    }
}

async fn accept<S>(io: S) -> Option<Socket>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let stream = accept_async(io).await.ok()?;
    Some(Socket::new(stream, SocketConfig::default(), TokioHandle::try_adopt()?))
}

async fn docs(connection: Connection) {
    let application = connection.application();
    let Some(socket) = accept(connection).await else { return };
    let over = CancellationToken::new();
    let (server, session) = serve(socket, &application, &over);
    let Some(session) = session.await else { return };
    let closed = |session: &Session, command: &Command| match command {
        Command::Close(Some(code), reason) => session.close(Some(CloseFrame {
            code: CloseCode::from(*code),
            reason: reason.text().into_owned().into(),
        })),
        _ => session.close(None),
    };
    let obeying = async {
        let command = obey(&session, &application).await;
        let _ = closed(&session, &command);
        over.cancelled().await;
    };
    tokio::select! {
        () = obeying => {}
        () = over.cancelled() => {}
    }
    drop(server);
}

/// As the library's own runner on tungstenite does, for one connection: the server, which
/// ends when it is dropped, and its session.
fn serve(
    socket: Socket,
    application: &Application,
    over: &CancellationToken,
) -> (AbortOnDropHandle<()>, impl Future<Output = Option<Session>>) {
    let (started, mut sessions) = unbounded_channel();
    let (application, over) = (application.clone(), over.clone());
    let (server, running) = Server::create(|_| EchoServer { application, started, over });
    server.accept(socket, Request::new(()), SocketAddr::from((Ipv4Addr::LOCALHOST, 1)));
    (AbortOnDropHandle::new(running), async move { sessions.recv().await })
}

/// Obeys the application until it closes.
async fn obey(session: &Session, application: &Application) -> Command {
    loop {
        match application.command().await {
            Command::SendText(content) => {
                let _ = session.text(content.text().into_owned());
            }
            Command::SendBinary(content) => {
                let _ = session.binary(content.bytes().into_owned());
            }
            Command::Keep => application.keep(session.clone()),
            // Those to a whole server are not a connection's.
            Command::Ping(_) | Command::Return | Command::Shutdown | Command::Broadcast(_) => {}
            close @ Command::Close(..) => return close,
        }
    }
}
