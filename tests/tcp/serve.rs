//! `hangup serve`, met by a WebSocket client that is not ours.

use crate::server::Server;
use futures_util::{SinkExt as _, StreamExt as _};
use hangup::run::real_time::listen;
use hangup::{Connection, Target, secs};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(url: &str) -> Socket {
    connect_async(url).await.unwrap_or_else(|error| panic!("{url}: {error}")).0
}

/// The next message, or `None` at the clean end of the stream.
async fn next(socket: &mut Socket) -> Option<Message> {
    let next = timeout(secs(3), socket.next()).await.expect("something comes in time");
    next.map(|message| message.expect("no error"))
}

fn code(message: Option<Message>) -> u16 {
    match message {
        Some(Message::Close(Some(CloseFrame { code, .. }))) => code.into(),
        other => panic!("no Close with a code: {other:?}"),
    }
}

#[tokio::test]
async fn a_real_client_talks_and_closes() {
    let server = Server::hangup("reference");
    let mut socket = connect(&server.url("/")).await;
    socket.send(Message::Ping("still here".into())).await.expect("sent");
    assert_eq!(next(&mut socket).await, Some(Message::Pong("still here".into())));
    let bye = CloseFrame { code: 3000.into(), reason: "bye".into() };
    socket.close(Some(bye)).await.expect("sent");
    assert_eq!(code(next(&mut socket).await), 3000);
    assert_eq!(next(&mut socket).await, None);
}

#[tokio::test]
#[ignore = "real time: .ci/run plays it"]
async fn the_path_commands_the_application() {
    for target in ["reference", "tungstenite/read-deadline", "tungstenite/reader-task"] {
        let server = Server::hangup(target);
        assert_eq!(code(next(&mut connect(&server.url("/bye?now")).await).await), 1000, "{target}");
        let mut pushed = connect(&server.url("/push")).await;
        for _ in 0..3 {
            assert_eq!(next(&mut pushed).await, Some(Message::Text("news".into())), "{target}");
        }
        let mut plain = connect(&server.url("/goodbye")).await;
        assert!(timeout(Duration::from_millis(300), plain.next()).await.is_err(), "{target}");
    }
}

#[tokio::test]
#[ignore = "real time: .ci/run plays it"]
async fn ctrl_c_closes_every_connection_with_1001() {
    let server = Server::hangup("reference");
    let mut sockets = Vec::new();
    for _ in 0..20 {
        sockets.push(connect(&server.url("/")).await);
    }
    server.interrupt();
    for socket in &mut sockets {
        assert_eq!(code(next(socket).await), 1001);
        assert_eq!(next(socket).await, None);
    }
    assert_eq!(tokio::task::spawn_blocking(|| server.wait().0).await.expect("joins"), Some(0));
}

#[tokio::test]
#[ignore = "real time: .ci/run plays it"]
async fn a_client_that_never_replies_does_not_keep_it_from_ending() {
    for target in ["reference", "tungstenite/no-deadline"] {
        let server = Server::hangup(target);
        let _silent = connect(&server.url("/")).await;
        let began = Instant::now();
        server.interrupt();
        let end = tokio::task::spawn_blocking(|| server.wait().0);
        assert_eq!(end.await.expect("joins"), Some(0), "{target}");
        let took = began.elapsed();
        assert!(took > secs(4) && took < secs(7), "{target}: its bound is 5 s, it took {took:?}");
    }
}

/// Holds its connection for ever.
async fn holds(mut conn: Connection) {
    let mut sink = [0; 100];
    while conn.read(&mut sink).await.is_ok_and(|count| count > 0) {}
    std::future::pending::<()>().await;
}

#[tokio::test]
#[ignore = "real time: .ci/run plays it"]
async fn a_target_that_obeys_no_command_to_close_is_dropped_at_once() {
    let target: Arc<dyn Target> = Arc::new(hangup::suite(holds).into_target());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(listen::serve(target, listener, async {
        let _ = stopped.await;
    }));
    let mut client = TcpStream::connect(address).await.expect("it listens");
    let mut byte = [0];
    assert!(timeout(Duration::from_millis(200), client.read(&mut byte)).await.is_err());
    stop.send(()).expect("it serves");
    let end = timeout(secs(1), client.read(&mut byte)).await.expect("dropped at once");
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    serving.await.expect("it returns");
}

/// Goes on in a task of its own, as an upgraded connection of hyper's does.
async fn hands_over(conn: Connection) {
    let target = hangup::Registry::built_in().resolve("reference").expect("a target");
    tokio::spawn(async move { target.serve(conn).await });
}

#[tokio::test]
async fn a_connection_that_lives_on_in_a_task_of_its_own_keeps_its_application() {
    let suite = hangup::suite(hands_over).obeying(hangup::AppSteps::CLOSE);
    let target: Arc<dyn Target> = Arc::new(suite.into_target());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(listen::serve(target, listener, async {
        let _ = stopped.await;
    }));
    for (path, expected) in [("/bye", 1000), ("/?do=close%203001", 3001)] {
        let mut socket = connect(&format!("ws://{address}{path}")).await;
        assert_eq!(code(next(&mut socket).await), expected, "{path}");
        assert_eq!(next(&mut socket).await, None, "{path}");
    }
    let mut open = connect(&format!("ws://{address}/")).await;
    stop.send(()).expect("it serves");
    assert_eq!(code(next(&mut open).await), 1001);
    assert_eq!(next(&mut open).await, None);
    drop(open);
    timeout(secs(3), serving).await.expect("all are gone").expect("it returns");
}

#[test]
fn an_unknown_target_and_a_taken_port_are_errors_on_one_line() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    for (arguments, named) in [
        (
            ["serve", "refrence", "--listen", "127.0.0.1:0"],
            "no target `refrence`; the nearest are: reference, ",
        ),
        (["serve", "reference", "--listen", &address], &format!("cannot listen on {address}: ")),
    ] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_hangup"));
        let output = command.args(arguments).output().expect("it starts");
        let error = String::from_utf8(output.stderr).expect("text");
        assert_eq!((output.status.code(), error.lines().count()), (Some(2), 1), "{error}");
        assert!(error.contains(named), "{error}");
    }
}
