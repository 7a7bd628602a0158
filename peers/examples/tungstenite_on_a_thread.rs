//! A server on plain tungstenite, a thread for each connection, that ends every connection in time:
//! a whole `src/main.rs`.
//!
//! Its time is the machine's, so that it cannot be judged in virtual time: start it, and have
//! `hangup probe ws://127.0.0.1:9001/ --bye ws://127.0.0.1:9001/bye` test it.
//!
//! ```toml
//! [dependencies]
//! tungstenite = "0.30"
//! ```

use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;
use std::{io, thread};
use tungstenite::handshake::server::{Request, Response};
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Error, Message, accept_hdr};

/// The time of one send: a Close may arrive right after it began.
const SEND: Duration = Duration::from_millis(1500);
/// The time of the opening, and of the closing: with a send before it, five seconds are kept.
const CLOSE: Duration = Duration::from_secs(3);

fn main() -> io::Result<()> {
    serve(&TcpListener::bind("127.0.0.1:9001")?)
}

/// Accepts for ever.
pub fn serve(listener: &TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept()?;
        thread::spawn(move || closing_well(stream));
    }
}

fn closing_well(stream: TcpStream) {
    // A read's own time-out begins anew with every byte: what ends all waiting is the shutdown.
    let Ok(handle) = stream.try_clone() else { return };
    let _ = stream.set_write_timeout(Some(SEND));
    let opening = deadline(&handle);
    let mut bye = false;
    #[expect(clippy::result_large_err, reason = "the library's own type")]
    let look = |request: &Request, response: Response| {
        bye = request.uri().path() == "/bye";
        Ok(response)
    };
    let Ok(mut socket) = accept_hdr(stream, look) else { return };
    drop(opening);
    let own_close = loop {
        // On this path the application closes at once; yours is told by a channel or a flag.
        if bye {
            break Some(None);
        }
        let message = match socket.read() {
            Ok(Message::Close(_)) => break None,
            Ok(message @ (Message::Text(_) | Message::Binary(_))) => message,
            Ok(_) => continue,
            Err(Error::Io(_) | Error::ConnectionClosed | Error::AlreadyClosed) => return,
            // The Close that fails the connection is up to us.
            Err(_) => {
                break Some(Some(CloseFrame { code: CloseCode::Protocol, reason: "".into() }));
            }
        };
        // A client that does not read is given up.
        let sending = deadline(&handle);
        if socket.send(message).is_err() {
            return;
        }
        drop(sending);
    };
    // One deadline, set once, around the own Close, the wait for the client's and the end.
    let _closing = deadline(&handle);
    if let Some(close) = own_close
        && socket.send(Message::Close(close)).is_err()
    {
        return;
    }
    while socket.read().is_ok() {}
}

/// Ends the connection after [`CLOSE`], whoever reads or writes, unless it is dropped before.
fn deadline(stream: &TcpStream) -> Option<Sender<()>> {
    let stream = stream.try_clone().ok()?;
    let (done, waits) = channel();
    thread::spawn(move || {
        if waits.recv_timeout(CLOSE) == Err(RecvTimeoutError::Timeout) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    });
    Some(done)
}
