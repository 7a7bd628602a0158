//! The guide's server on plain tungstenite, over real TCP: virtual time cannot judge it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

#[path = "../examples/tungstenite_on_a_thread.rs"]
#[expect(dead_code, reason = "its `main` binds a port of its own")]
mod example;

const REQUEST: &str = " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// All that the server says, until it hangs up, to who sends this, `then` that once the server has
/// spoken (the library refuses what follows the request at once), and then nothing more.
fn said_to(bytes: &[u8], then: &[u8]) -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || example::serve(&listener));
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(15))).expect("a time");
    stream.write_all(bytes).expect("room");
    let mut said = Vec::new();
    if !then.is_empty() {
        said = vec![0; 1024];
        let count = stream.read(&mut said).expect("an answer");
        said.truncate(count);
        stream.write_all(then).expect("room");
    }
    stream.read_to_end(&mut said).expect("the end, in time");
    said
}

#[test]
fn it_ends_a_silent_opening_and_a_client_that_never_answers_its_close() {
    assert_eq!(said_to(b"GET / HTTP/1.1\r\n", b""), b"");
    let said = said_to(format!("GET /bye{REQUEST}").as_bytes(), b"");
    assert!(said.ends_with(&[0x88, 0]), "{said:?}");
}

#[test]
fn it_answers_a_close() {
    let close = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8];
    let said = said_to(format!("GET /{REQUEST}").as_bytes(), &close);
    assert!(said.ends_with(&[0x88, 2, 0x03, 0xe8]), "{said:?}");
}
