//! A server on ezsockets that ends every connection in time, and its test: a whole
//! `tests/closing.rs`.
//!
//! ```toml
//! [dev-dependencies]
//! hangup = { version = "0.1", default-features = false }
//! async-trait = "0.1"
//! enfync = "0.1"
//! ezsockets = { version = "0.7", features = ["tungstenite"] }
//! tokio = { version = "1", features = ["io-util", "macros", "rt", "sync", "time"] }
//! # The version that ezsockets is built on.
//! tokio-tungstenite-026 = { package = "tokio-tungstenite", version = "0.26" }
//! tokio-util = { version = "0.7", features = ["rt"] }
//! ```

use async_trait::async_trait;
use enfync::TryAdopt as _;
use enfync::builtin::native::TokioHandle;
use ezsockets::{
    Bytes, CloseFrame, Error, Request, Server, ServerExt, SessionExt, Socket, SocketConfig,
    Utf8Bytes,
};
use hangup::script::Command;
use hangup::target::Deviation;
use hangup::verdict::{Cause, Condition, Invariant, Pattern, Symptom};
use hangup::{AppSteps, Application, Connection, Suite, secs};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use tokio_tungstenite_026::accept_async;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// The time of the opening, and of the closing: with a send before it, five seconds are kept.
const CLOSE: Duration = Duration::from_secs(3);

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
    let (_server, session) = serve(socket, &over);
    let Some(session) = session.await else { return };
    tokio::select! {
        () = over.cancelled() => {}
        // Until it closes.
        () = obey(&session, &application) => {
            let _ = session.close(None);
        }
    }
    // One deadline, set once, around all that is left.
    let _ = timeout(CLOSE, async { tokio::join!(relay, over.cancelled()) }).await;
}

type Session = ezsockets::Session<u16, ()>;

struct EchoSession {
    handle: Session,
    id: u16,
}

#[async_trait]
impl SessionExt for EchoSession {
    type ID = u16;
    type Call = ();

    fn id(&self) -> &Self::ID {
        &self.id
    }

    async fn on_text(&mut self, text: Utf8Bytes) -> Result<(), Error> {
        self.handle.text(text)?;
        Ok(())
    }

    async fn on_binary(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.handle.binary(bytes)?;
        Ok(())
    }

    async fn on_call(&mut self, (): Self::Call) -> Result<(), Error> {
        Ok(())
    }
}

struct EchoServer {
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
        let id = address.port();
        let session = Session::create(|handle| EchoSession { handle, id }, id, socket);
        let _ = self.started.send(session.clone());
        Ok(session)
    }

    async fn on_disconnect(
        &mut self,
        _: u16,
        _: Result<Option<CloseFrame>, Error>,
    ) -> Result<(), Error> {
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

/// As the library's own runner on tungstenite does, for one connection: the server, which
/// ends when it is dropped, and its session.
fn serve(
    socket: Socket,
    over: &CancellationToken,
) -> (AbortOnDropHandle<()>, impl Future<Output = Option<Session>>) {
    let (started, mut sessions) = unbounded_channel();
    let over = over.clone();
    let (server, running) = Server::create(|_| EchoServer { started, over });
    server.accept(socket, Request::new(()), SocketAddr::from((Ipv4Addr::LOCALHOST, 1)));
    (AbortOnDropHandle::new(running), async move { sessions.recv().await })
}

/// Obeys the application until it closes.
async fn obey(session: &Session, application: &Application) {
    loop {
        let _ = match application.command().await {
            Command::SendText(text) => session.text(text.text().into_owned()),
            Command::SendBinary(data) => session.binary(data.bytes().into_owned()),
            _ => return,
        };
    }
}

/// The server's bounds, and what the library does by itself whoever calls it.
pub fn suite() -> Suite {
    let lost = Deviation {
        pattern: Pattern::of(Invariant::AnswersClose).with_cause(Cause::ClientClose),
        reason: "where both sides close at once, the library drops the stream with the \
                 answer still queued",
        rfc: "5.5.1: If an endpoint receives a Close frame and did not previously send a \
              Close frame, the endpoint MUST send a Close frame in response.",
        rate: None,
    };
    let closeless = Deviation {
        pattern: Pattern::of(Invariant::RefusesIllegal).with_cause(Cause::ClientViolation),
        reason: "the library fails a connection without a Close, and ends the session \
                 before its handler could send one",
        rfc: "7.1.7: the endpoint SHOULD send a Close frame with an appropriate status code",
        rate: None,
    };
    hangup::suite(closing_well)
        .named("ezsockets")
        .obeying(AppSteps::SEND | AppSteps::CLOSE)
        .close_within(secs(5))
        .handshake_within(secs(5))
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::EndsInTime)
                .with_cause(Cause::ClientViolation)
                .with_condition(Condition::HalfSent),
            reason: "the library looks at a frame once all of it has come: one that its \
                     beginning proves illegal, and that never becomes complete, is no error yet",
            rfc: "5.1: The server MUST close the connection upon receiving a frame that is not \
                  masked.",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::ReleasesInTime).with_cause(Cause::ClientViolation),
            reason: "the library looks at a frame once all of it has come",
            rfc: "5.1: The server MUST close the connection upon receiving a frame that is not \
                  masked.",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::AcceptsLegal)
                .with_symptom(Symptom::RefusesRegisteredCode),
            reason: "the library does not know 1014 (Bad Gateway), registered since, and \
                     answers it with 1002",
            rfc: "7.4.2: Status codes in the range 1000-2999 are reserved for definition by \
                  this protocol, its future revisions, and extensions specified in a permanent \
                  and readily available public specification.",
            rate: None,
        })
        .accepting(lost)
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::AnswersClose).with_cause(Cause::AppClose),
            ..lost
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::SendsClose),
            reason: "a session that closes is gone once its Close is queued: the next message \
                     ends the tasks, and the Close may be lost",
            rfc: "5.5.1: If an endpoint receives a Close frame and did not previously send a \
                  Close frame, the endpoint MUST send a Close frame in response.",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::SendsEveryMessage).with_cause(Cause::AppClose),
            reason: "a session that closes is gone once its Close is queued: the next message \
                     ends the tasks, with a message before the Close half sent",
            rfc: "5.5.1: If an endpoint receives a Close frame and did not previously send a \
                  Close frame, the endpoint MUST send a Close frame in response.",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::LinearWork),
            reason: "tungstenite 0.26 fills all that is reserved for a message with zeros at \
                     each read",
            rfc: "none: a matter of work",
            rate: None,
        })
        .accepting(closeless)
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::RefusesIllegal).with_cause(Cause::AppClose),
            ..closeless
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::RefusesIllegal).with_cause(Cause::ClientClose),
            ..closeless
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::WaitsForAnswer).with_cause(Cause::AppClose),
            reason: "a session that closes is gone with its Close: the first message that comes \
                     then ends the connection",
            rfc: "7.1.2: Once an endpoint has both sent and received a Close control frame, \
                  that endpoint SHOULD _Close the WebSocket Connection_ as defined in Section \
                  7.1.1.",
            rate: None,
        })
        // Some of these take a coincidence that is rare.
        .stale_after(1_000_000)
}

#[test]
fn closes_in_time() {
    suite().check();
}
