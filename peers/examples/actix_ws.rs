//! A server on actix-web, with actix-ws that ends every connection in time, and its test: a whole
//! `tests/closing.rs`.
//!
//! ```toml
//! [dev-dependencies]
//! hangup = { version = "0.1", default-features = false }
//! actix-http = "3"
//! actix-service = "2"
//! actix-web = { version = "4", default-features = false }
//! actix-ws = "0.4"
//! futures-util = { version = "0.3", features = ["sink"] }
//! send_wrapper = { version = "0.6", features = ["futures"] }
//! tokio = { version = "1", features = ["macros", "rt", "time"] }
//! tokio-io-timeout = "1.2"
//! ```

use actix_http::HttpService;
use actix_service::{Service as _, ServiceFactory as _, map_config};
use actix_web::dev::AppConfig;
use actix_web::{HttpRequest, HttpResponse, rt, web};
use actix_ws::{
    AggregatedMessage, CloseCode, Closed, Message, MessageStream, ProtocolError, Session,
};
use futures_util::SinkExt as _;
use hangup::script::Command;
use hangup::target::Deviation;
use hangup::verdict::{Cause, Invariant, Pattern};
use hangup::{AppSteps, Application, Connection, Suite, secs};
use send_wrapper::SendWrapper;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::task::LocalSet;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;

/// The time of one send: a Close may arrive right after it began.
const SEND: Duration = Duration::from_millis(1500);
/// The time of the closing: with a send before it, five seconds are kept.
const CLOSE: Duration = Duration::from_secs(3);

/// The program's routes; stands for yours.
fn routes(config: &mut web::ServiceConfig, application: Application) {
    config.app_data(web::Data::new(application)).route("/", web::get().to(upgrade));
}

async fn upgrade(
    request: HttpRequest,
    body: web::Payload,
    application: web::Data<Application>,
) -> actix_web::Result<HttpResponse> {
    let (response, session, stream) = actix_ws::handle(&request, body)?;
    rt::spawn(closing_well(session, stream, Application::clone(&application)));
    Ok(response)
}

/// One connection on actix-http, with the times of `HttpServer` but for that of the request: those
/// read the real clock, which stands still here, and bound nothing. So that no opening is judged.
fn serve(connection: Connection) -> impl Future<Output = ()> + Send {
    let application = connection.application();
    // A write that makes no progress for so long fails: actix writes in its own time.
    let mut io = TimeoutStream::new(connection);
    io.set_write_timeout(Some(SEND));
    // actix is not `Send`: all of it stays on the thread that plays, in a `LocalSet`.
    SendWrapper::new(async move {
        let local = LocalSet::new();
        let http = local.run_until(async move {
            let app = actix_web::App::new();
            let app = app.configure(move |config| routes(config, application.clone()));
            let http = HttpService::build()
                .client_request_timeout(Duration::ZERO)
                .client_disconnect_timeout(secs(1))
                .h1(map_config(app, |()| AppConfig::default()));
            if let Ok(service) = http.new_service(()).await {
                let _ = service.call((Box::pin(io), None)).await;
            }
        });
        http.await;
        // An upgraded connection lives on in tasks of its own.
        local.await;
    })
}

async fn closing_well(mut session: Session, stream: MessageStream, application: Application) {
    let mut stream = stream.aggregate_continuations();
    let reason = loop {
        let sending = tokio::select! {
            message = stream.recv() => match message {
                Some(Ok(AggregatedMessage::Close(reason))) => break reason,
                Some(Ok(message)) => match message {
                    AggregatedMessage::Text(text) => Message::Text(text),
                    AggregatedMessage::Binary(data) => Message::Binary(data),
                    AggregatedMessage::Ping(data) => Message::Pong(data),
                    _ => continue,
                },
                Some(Err(ProtocolError::Io(error))) if error.kind() == ErrorKind::InvalidData => {
                    break Some(CloseCode::Invalid.into());
                }
                // FIN, reported before a Close that came with it.
                Some(Err(ProtocolError::Io(_))) => break None,
                None => return,
                // Too long, or reserved bits: the error does not tell.
                Some(Err(ProtocolError::Overflow)) => break Some(CloseCode::Policy.into()),
                Some(Err(_)) => break Some(CloseCode::Protocol.into()),
            },
            command = application.command() => match command {
                Command::SendText(text) => Message::Text(text.text().into_owned().into()),
                Command::SendBinary(data) => Message::Binary(data.bytes().into_owned().into()),
                _ => break None,
            },
        };
        // A client that does not read is given up.
        let Ok(Ok(())) = timeout(SEND, session.send(sending)).await else { return };
    };
    // One deadline, set once, around the own Close and the wait for the client's.
    let _ = timeout(CLOSE, async {
        session.close(reason).await?;
        while let Some(Ok(_)) = stream.recv().await {}
        Ok::<(), Closed>(())
    })
    .await;
}

/// The server's bounds, and what the library does by itself whoever calls it.
pub fn suite() -> Suite {
    hangup::suite(serve)
        .named("actix-ws")
        .obeying(AppSteps::SEND | AppSteps::CLOSE)
        .close_within(secs(5))
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::EndsInTime).with_cause(Cause::ClientViolation),
            reason: "the library looks at a frame once all of it has come: one that its \
                     beginning proves illegal, and that never becomes complete, is no error yet",
            rfc: "5.1: The server MUST close the connection upon receiving a frame that is not \
                  masked.",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::RefusesIllegal).with_cause(Cause::ClientViolation),
            reason: "what the library does not take for a violation it does not answer as one",
            rfc: "7.1.7: the endpoint SHOULD send a Close frame with an appropriate status code",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::RefusesIllegal).with_cause(Cause::ClientClose),
            reason: "the library takes a Close payload of one byte for an empty one",
            rfc: "7.1.7: the endpoint SHOULD send a Close frame with an appropriate status code",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::RefusesIllegal).with_cause(Cause::ClientFin),
            reason: "the library takes a Close payload of one byte for an empty one",
            rfc: "7.1.7: the endpoint SHOULD send a Close frame with an appropriate status code",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::EchoesCode).with_cause(Cause::ClientClose),
            reason: "a Close that comes together with FIN is not delivered: the error that FIN \
                     is reported as comes first, and the code is lost",
            rfc: "5.5.1: When sending a Close frame in response, the endpoint typically echos \
                  the status code it received.",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::EchoesCode).with_cause(Cause::ClientFin),
            reason: "a Close that comes together with FIN is not delivered: the error that FIN \
                     is reported as comes first, and the code is lost",
            rfc: "5.5.1: When sending a Close frame in response, the endpoint typically echos \
                  the status code it received.",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::AcceptsLegal).with_cause(Cause::ClientClose),
            reason: "`MessageStream::poll_next` decodes all that was read before it hands the \
                     first of it on, and returns an error at once: a violation behind the \
                     client's Close, which nobody need look at, comes before the Close",
            rfc: "5.5.1: If an endpoint receives a Close frame and did not previously send a \
                  Close frame, the endpoint MUST send a Close frame in response.",
            rate: None,
        })
        .accepting(Deviation {
            pattern: Pattern::of(Invariant::LinearWork),
            reason: "the library parses the head of a request anew with every piece of it that \
                     comes",
            rfc: "none: a matter of work",
            rate: None,
        })
        // Some of these take a coincidence that is rare.
        .stale_after(1_000_000)
}

#[test]
fn closes_in_time() {
    suite().check();
}
