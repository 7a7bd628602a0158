//! Two connected sockets of the kernel's, over loopback, that never block.

use super::Answer;
use super::sequence::Side;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// What the kernel is asked for; it doubles that. Small, so that filling it takes no time, and more
/// than the link's buffers, so that it takes what the link takes.
const BUFFER: usize = 16 << 10;

/// Where sockets are accepted.
pub struct Listener(Socket);

impl Listener {
    pub fn new() -> Self {
        let socket = unconnected();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        socket.bind(&address.into()).expect("a port");
        socket.listen(1).expect("it listens");
        Self(socket)
    }
}

fn unconnected() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_send_buffer_size(BUFFER).expect("its send buffer");
    socket.set_recv_buffer_size(BUFFER).expect("its receive buffer");
    socket
}

/// A connection of the kernel's.
pub struct SocketPair {
    ends: [Option<TcpStream>; 2],
}

impl SocketPair {
    pub fn new(listener: &Listener) -> Self {
        let client = unconnected();
        client.connect(&listener.0.local_addr().expect("an address")).expect("it connects");
        let (server, _) = listener.0.accept().expect("it accepts");
        let ends = [client, server].map(|socket| {
            socket.set_tcp_nodelay(true).expect("no delay");
            socket.set_nonblocking(true).expect("it does not block");
            Some(TcpStream::from(socket))
        });
        Self { ends }
    }

    fn end(&self, side: Side) -> &TcpStream {
        self.ends[side as usize].as_ref().expect("an open socket")
    }

    pub fn write(&self, side: Side, bytes: &[u8]) -> Answer {
        match self.end(side).write(bytes) {
            Ok(count) => Answer::Took(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Answer::Blocked,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Answer::Reset,
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Answer::Pipe,
            Err(error) => panic!("a write of the kernel's: {error}"),
        }
    }

    pub fn read(&self, side: Side, most: usize, at: usize) -> Answer {
        let mut space = vec![0; most];
        match self.end(side).read(&mut space) {
            Ok(0) => Answer::End,
            Ok(count) => Answer::checked(side.other(), at, &space[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Answer::Nothing,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => Answer::Reset,
            Err(error) => panic!("a read of the kernel's: {error}"),
        }
    }

    /// A socket that is closed already is no error, as tokio's `poll_shutdown` has it.
    pub fn shut(&self, side: Side) {
        match self.end(side).shutdown(Shutdown::Write) {
            Err(error) if error.kind() != ErrorKind::NotConnected => panic!("shutdown: {error}"),
            _ => {}
        }
    }

    pub fn drop_end(&mut self, side: Side) {
        self.ends[side as usize] = None;
    }

    pub fn reset(&mut self, side: Side) {
        if let Some(socket) = self.ends[side as usize].take() {
            SockRef::from(&socket).set_linger(Some(Duration::ZERO)).expect("SO_LINGER");
        }
    }

    /// How many bytes can be read now.
    pub fn unread(&self, side: Side) -> usize {
        rustix::io::ioctl_fionread(self.end(side)).expect("FIONREAD") as usize
    }

    pub fn poll(&self, side: Side) -> PollFlags {
        let asked = PollFlags::IN | PollFlags::OUT | PollFlags::RDHUP;
        let mut asked = [PollFd::new(self.end(side), asked)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut asked, Some(&now)).expect("poll");
        asked[0].revents()
    }
}

impl Drop for SocketPair {
    /// By RST where that is possible: a hundred thousand sockets that linger would be in the way.
    fn drop(&mut self) {
        for side in Side::BOTH {
            self.reset(side);
        }
    }
}
