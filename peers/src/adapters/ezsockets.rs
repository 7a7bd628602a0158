//! ezsockets: sessions with handlers, over tungstenite and four tasks a connection.
//!
//! Its example answers text from `on_text`; a session closes by its handle. Its heartbeat
//! (a ping every 5 s, an end after 10 s) reads the real clock, which stands still here:
//! neither comes, and nothing is claimed of them.

use crate::known;
use crate::peer::{CLOSE, Peer};
use async_trait::async_trait;
use enfync::TryAdopt as _;
use enfync::builtin::native::TokioHandle;
use ezsockets::{
    Bytes, CloseCode, CloseFrame, Error, Request, Server, ServerExt, SessionExt, Socket,
    SocketConfig, Utf8Bytes,
};
use hangup::exchange::Note;
use hangup::script::Command;
use hangup::target::Deviation;
use hangup::verdict::{Cause, Invariant, Pattern};
use hangup::{AppSteps, Application, Connection};
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use tokio_tungstenite_026::accept_async;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

const VERSION: &str = "ezsockets 0.7.2";

const LOSES_ANSWER: Deviation = Deviation {
    pattern: Pattern::of(Invariant::AnswersClose).with_cause(Cause::ClientClose),
    reason: "where both sides close at once, the library drops the stream with the answer still \
             queued (findings/ezsockets-crossing-closes-lose-the-answer.toml)",
    rfc: "5.5.1: If an endpoint receives a Close frame and did not previously send a Close \
          frame, the endpoint MUST send a Close frame in response.",
    rate: None,
};

const SLOW_READS: Deviation = Deviation {
    pattern: Pattern::of(Invariant::WorkInProportion),
    reason: "tungstenite 0.26 fills all that is reserved for a message with zeros at each read",
    rfc: "",
    rate: None,
};

const NO_CLOSE: Deviation = Deviation {
    pattern: Pattern::of(Invariant::RefusesIllegal).with_cause(Cause::ClientViolation),
    reason: "the library fails a connection without a Close, and ends the session before its \
             handler could send one",
    rfc: "7.1.7: the endpoint SHOULD send a Close frame with an appropriate status code",
    rate: None,
};

const CUTS: Deviation = Deviation {
    pattern: Pattern::of(Invariant::LetsThePoliteFinish).with_cause(Cause::AppClose),
    reason: "a session that closes is gone with its Close: the first message that comes then \
             ends the connection",
    rfc: "7.1.2: Once an endpoint has both sent and received a Close control frame, that \
          endpoint SHOULD _Close the WebSocket Connection_ as defined in Section 7.1.1.",
    rate: None,
};

const TOLD_1002: Deviation = Deviation {
    pattern: Pattern::of(Invariant::QuietApplication).with_cause(Cause::ClientClose),
    reason: "the library does not know 1014, and reports it as 1002",
    rfc: "7.1.5: _The WebSocket Connection Close Code_ is defined as the status code contained \
          in the first Close control frame received",
    rate: None,
};

pub(crate) fn targets() -> Vec<Peer> {
    vec![
        Peer::new(
            "ezsockets/docs",
            VERSION,
            "a session that echoes and closes by its handle (its heartbeat has its own clock)",
            docs,
        )
        .obeying(AppSteps::SEND | AppSteps::CLOSE | AppSteps::KEEP),
        Peer::new(
            "ezsockets/closing-well",
            VERSION,
            "the guide's server: a relay that can be ended (its heartbeat has its own clock)",
            closing_well,
        )
        .obeying(AppSteps::SEND | AppSteps::CLOSE)
        .accepting(known::WHOLE_FRAMES)
        .accepting(known::WHOLE_FRAMES_RELEASE)
        .accepting(known::CODE_1014)
        .accepting(LOSES_ANSWER)
        .accepting(Deviation {
            pattern: LOSES_ANSWER.pattern.with_cause(Cause::AppClose),
            ..LOSES_ANSWER
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::SendsClose),
            reason: "a session that closes is gone once its Close is queued: the next message ends \
                     the tasks, and the Close may be lost",
            ..LOSES_ANSWER
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::SendsEveryMessage).with_cause(Cause::AppClose),
            reason: "a session that closes is gone once its Close is queued: the next message ends \
                     the tasks, with a message before the Close half sent",
            ..LOSES_ANSWER
        })
        .accepting(SLOW_READS)
        .accepting(NO_CLOSE)
        .accepting(Deviation { pattern: NO_CLOSE.pattern.with_cause(Cause::AppClose), ..NO_CLOSE })
        .accepting(Deviation {
            pattern: NO_CLOSE.pattern.with_cause(Cause::ClientClose),
            ..NO_CLOSE
        })
        .accepting(CUTS)
        .accepting(TOLD_1002)
        .with_handshake(),
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
            Command::Ping(_) | Command::Return => {}
            close @ Command::Close(..) => return close,
        }
    }
}

// docs/closing-well.md: begin
/// The library's tasks keep the stream for as long as the client likes, and nobody can end
/// them. A relay between them and the connection is ours to end.
async fn closing_well(mut connection: Connection) {
    let application = connection.application();
    let (mut near, far) = tokio::io::duplex(64 * 1024);
    let relay = AbortOnDropHandle::new(tokio::spawn(async move {
        let _ = tokio::io::copy_bidirectional(&mut connection, &mut near).await;
    }));
    let Ok(Some(socket)) = timeout(CLOSE, accept(far)).await else { return };
    // Cancelled by `on_disconnect`: the client closed, broke the protocol or is gone.
    let over = CancellationToken::new();
    let (_server, session) = serve(socket, &application, &over);
    let Some(session) = session.await else { return };
    tokio::select! {
        () = over.cancelled() => {}
        // Until it closes.
        _ = obey(&session, &application) => {
            let _ = session.close(None);
        }
    }
    // One deadline, set once, around all that is left.
    let _ = timeout(CLOSE, async { tokio::join!(relay, over.cancelled()) }).await;
}
// docs/closing-well.md: end
