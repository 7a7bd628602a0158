//! The article's own test, over real TCP and in real seconds: a raw client sends the
//! upgrade request and then nothing, and looks every 250 ms whether the connection is
//! still open, for three seconds. The same server code in virtual time must get the
//! same answer. Slow: it waits for real.

use hangup::exchange::Note;
use hangup::script::{Command, Content};
use hangup::target::ApplicationControl;
use hangup::verdict::{Ending, Invariant};
use hangup::{Connection, Registry, Script, Target, wire};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// An application that closes as soon as it can, as the article's does.
struct ClosesOnOpen(AtomicBool);

impl ApplicationControl for ClosesOnOpen {
    fn poll_command(&self, _: &mut Context<'_>) -> Poll<Command> {
        if self.0.swap(true, Ordering::Relaxed) {
            return Poll::Pending;
        }
        Poll::Ready(Command::Close(None, Content::Empty))
    }

    fn note(&self, _: Note) {}
}

fn serve_one(target: &Arc<dyn Target>, listener: std::net::TcpListener, limit: Duration) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().expect("a runtime");
    runtime.block_on(async {
        listener.set_nonblocking(true).expect("tokio asks for it");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        let (stream, _) = listener.accept().await.expect("one client");
        let host = Arc::new(ClosesOnOpen(AtomicBool::new(false)));
        let _ =
            tokio::time::timeout(limit, target.serve(Connection::controlled(stream, host))).await;
    });
}

/// Whether the server ends a silent client's connection within `limit` of real time.
fn ends_over_tcp(target: &Arc<dyn Target>, limit: Duration) -> bool {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let target = Arc::clone(target);
    // It ends by itself, whatever the server does.
    std::thread::spawn(move || serve_one(&target, listener, limit * 2));
    let mut client = TcpStream::connect(address).expect("to connect");
    client.write_all(wire::handshake::REQUEST.as_bytes()).expect("to send the request");
    client.set_read_timeout(Some(Duration::from_millis(250))).expect("a read time-out");
    #[expect(clippy::disallowed_methods, reason = "the article's test takes real seconds")]
    let began = Instant::now();
    let mut ended = false;
    while !ended && began.elapsed() < limit {
        ended = match client.read(&mut [0; 1024]) {
            Ok(count) => count == 0,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        };
    }
    ended
}

/// What virtual time says of the same client: in time, or how it ended.
fn ends_in_virtual_time(target: &Arc<dyn Target>) -> Ending {
    let script: Script = "upgrade\napp close\n".parse().expect("a script");
    let bounds = target.bounds();
    let verdict = hangup::judge::judge(
        &hangup::run::virtual_time::play(target, &bounds, &script, 0),
        &bounds,
    );
    let late = verdict
        .violations
        .iter()
        .find(|violation| violation.identity.invariant() == Invariant::EndsInTime);
    late.map_or(Ending::InTime, |violation| violation.ending)
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn slow_real_tcp_and_virtual_time_say_the_same_of_the_articles_server() {
    let registry = Registry::built_in();
    let target = |name: &str| registry.find(name).expect("built in");
    // The fixes promise 5 s and give a silent client 3.
    let limit = Duration::from_secs(5);
    std::thread::scope(|scope| {
        for name in
            ["tungstenite/no-deadline", "tungstenite/read-deadline", "tungstenite/reader-task"]
        {
            let target = target(name);
            scope.spawn(move || {
                let ended = ends_over_tcp(target, limit);
                let in_virtual_time = ends_in_virtual_time(target);
                let expected = if ended { Ending::InTime } else { Ending::Never };
                assert_eq!(in_virtual_time, expected, "{name}");
                assert_eq!(ended, name != "tungstenite/no-deadline", "{name}");
            });
        }
    });
}
