//! Sockets of this machine, by the addresses of their two ends: asked of the kernel.
//!
//! Linux is asked for each socket alone, over a netlink socket (`sock_diag`), which takes microseconds
//! however many others there are. Where that is refused, all of `/proc/net/tcp` is read. Which
//! processes hold a socket stands in `/proc` alone. What it means, `kernel_table` decides.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// The two ends of a connection: the socket's own address, then its peer's, both
/// [`canonical`].
pub(super) type Pair = (SocketAddr, SocketAddr);

/// A socket as the kernel knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KernelSocket {
    pub state: KernelSocketState,
    /// 0 where no process has it: not yet accepted, or let go of.
    pub inode: u64,
    pub queues: Queues,
}

/// How much lies in a socket's queues, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Queues {
    /// Received, and not read by the process; a FIN counts as a byte.
    pub unread: u32,
    /// Written by the process, and not acknowledged by the other end.
    pub unsent: u32,
}

impl Queues {
    pub fn min(self, other: Self) -> Self {
        Self { unread: self.unread.min(other.unread), unsent: self.unsent.min(other.unsent) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KernelSocketState {
    /// Its FIN is not sent.
    Open,
    /// Its FIN is sent, or waits behind data.
    Shut,
    /// Both directions are over: a process may still hold what is left of it.
    Over,
}

pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// The number of the state of a socket that listens, in the kernel.
#[cfg(target_os = "linux")]
const LISTEN: u8 = 10;

/// What a state means, by its number in the kernel (`include/net/tcp_states.h`); `None` for one
/// that listens.
#[cfg(target_os = "linux")]
const fn state_of(number: u8) -> Option<KernelSocketState> {
    match number {
        LISTEN => None,
        // FIN_WAIT1, FIN_WAIT2, LAST_ACK, CLOSING.
        4 | 5 | 9 | 11 => Some(KernelSocketState::Shut),
        // TIME_WAIT, CLOSE.
        6 | 7 => Some(KernelSocketState::Over),
        _ => Some(KernelSocketState::Open),
    }
}

/// Asks the kernel.
pub(super) struct SocketReader {
    /// `None` where `/proc` is read.
    netlink: Option<netlink::Diagnostics>,
}

impl SocketReader {
    /// `None` where nothing tells.
    pub fn open() -> Option<Self> {
        let netlink = netlink::Diagnostics::open();
        (netlink.is_some() || proc::sockets().is_some()).then_some(Self { netlink })
    }

    /// Those of the `wanted` sockets that there are, and perhaps others; `None` where this look
    /// told nothing.
    pub fn look(&mut self, wanted: &[Pair]) -> Option<BTreeMap<Pair, KernelSocket>> {
        let Some(netlink) = &mut self.netlink else {
            return Some(proc::sockets()?.into_iter().collect());
        };
        let mut found = BTreeMap::new();
        for pair in wanted {
            match netlink.find(*pair) {
                Ok(socket) => found.extend(socket.map(|socket| (*pair, socket))),
                Err(_) => {
                    // What does not answer now may never do so again.
                    self.netlink = None;
                    return self.look(wanted);
                }
            }
        }
        Some(found)
    }
}

pub(super) use proc::{held_by, holders};

#[cfg(target_os = "linux")]
mod netlink {
    //! `sock_diag(7)`.

    use super::{KernelSocket, LISTEN, Pair, Queues, state_of};
    use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
    use netlink_packet_sock_diag::SockDiagMessage;
    use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
    use netlink_packet_sock_diag::inet::{
        ExtensionFlags, InetRequest, InetResponseHeader, SocketId, StateFlags,
    };
    use netlink_sys::protocols::NETLINK_SOCK_DIAG;
    use netlink_sys::{Socket, SocketAddr};
    use std::io;
    use std::net::TcpListener;

    /// More than an answer has: it carries no attributes.
    const ROOM: usize = 4096;

    /// A netlink socket to ask on.
    pub struct Diagnostics {
        socket: Socket,
        sequence: u32,
        answer: Vec<u8>,
    }

    impl Diagnostics {
        /// `None` where it is refused, or does not find a socket that there is: the kernel may
        /// lack the part that answers, which looks like no socket.
        pub fn open() -> Option<Self> {
            let mut socket = Socket::new(NETLINK_SOCK_DIAG).ok()?;
            socket.bind_auto().ok()?;
            socket.connect(&SocketAddr::new(0, 0)).ok()?;
            // The answer is there once the question is sent.
            socket.set_non_blocking(true).ok()?;
            let mut diagnostics = Self { socket, sequence: 0, answer: Vec::with_capacity(ROOM) };
            let listener = TcpListener::bind("127.0.0.1:0").ok()?;
            let pair = (listener.local_addr().ok()?, "0.0.0.0:0".parse().ok()?);
            let found = diagnostics.ask(pair).ok().flatten()?;
            (found.state == LISTEN).then_some(diagnostics)
        }

        /// The socket, where there is one.
        pub fn find(&mut self, pair: Pair) -> io::Result<Option<KernelSocket>> {
            Ok(self.ask(pair)?.as_ref().and_then(socket))
        }

        fn ask(&mut self, (own, peer): Pair) -> io::Result<Option<InetResponseHeader>> {
            self.sequence = self.sequence.wrapping_add(1);
            let request = InetRequest {
                family: if own.is_ipv4() { AF_INET } else { AF_INET6 },
                protocol: IPPROTO_TCP,
                extensions: ExtensionFlags::empty(),
                states: StateFlags::all(),
                socket_id: SocketId {
                    source_port: own.port(),
                    destination_port: peer.port(),
                    source_address: own.ip(),
                    destination_address: peer.ip(),
                    interface_id: 0,
                    // Any socket that has these addresses.
                    cookie: [0xff; 8],
                },
            };
            let mut header = NetlinkHeader::default();
            header.flags = NLM_F_REQUEST;
            header.sequence_number = self.sequence;
            let mut message =
                NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
            message.finalize();
            let mut bytes = vec![0; message.buffer_len()];
            message.serialize(&mut bytes);
            self.socket.send(&bytes, 0)?;
            loop {
                self.answer.clear();
                self.socket.recv(&mut self.answer, 0)?;
                let answer = NetlinkMessage::<SockDiagMessage>::deserialize(&self.answer)
                    .map_err(io::Error::other)?;
                if answer.header.sequence_number != self.sequence {
                    continue;
                }
                return match answer.payload {
                    NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(found)) => {
                        Ok(Some(found.header))
                    }
                    NetlinkPayload::Error(error) => match error.to_io() {
                        error if error.kind() == io::ErrorKind::NotFound => Ok(None),
                        error => Err(error),
                    },
                    other => Err(io::Error::other(format!("{other:?}"))),
                };
            }
        }
    }

    /// `None` where it only listens: the kernel looks for a listener where there is no connection.
    fn socket(found: &InetResponseHeader) -> Option<KernelSocket> {
        let queues = Queues { unread: found.recv_queue, unsent: found.send_queue };
        Some(KernelSocket { state: state_of(found.state)?, inode: found.inode.into(), queues })
    }
}

#[cfg(target_os = "linux")]
mod proc {
    //! `/proc`, as `proc(5)` describes it.

    use super::{BTreeSet, KernelSocket, Pair, Queues, canonical, state_of};
    use std::fs;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
    use std::path::Path;

    /// All TCP sockets that are connected.
    pub fn sockets() -> Option<Vec<(Pair, KernelSocket)>> {
        let four = fs::read_to_string("/proc/net/tcp").ok()?;
        // A kernel without IPv6 has no such file.
        let six = fs::read_to_string("/proc/net/tcp6").unwrap_or_default();
        Some(four.lines().chain(six.lines()).filter_map(socket).collect())
    }

    /// The socket of a line, as `0: 0100007F:1F90 0100007F:C350 01 00000000:00000005 00:00000000
    /// 00000000 0 0 4711 ..`: addresses, state, queues (to send, received), two timers, user, probes,
    /// inode. `None` for the heading.
    fn socket(line: &str) -> Option<(Pair, KernelSocket)> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, own, peer, state, queues, _, _, _, _, inode, ..] = fields[..] else { return None };
        let (unsent, unread) = queues.split_once(':')?;
        let hex = |text| u32::from_str_radix(text, 16).ok();
        let queues = Queues { unread: hex(unread)?, unsent: hex(unsent)? };
        let state = state_of(u8::from_str_radix(state, 16).ok()?)?;
        let pair = (canonical(address(own)?), canonical(address(peer)?));
        Some((pair, KernelSocket { state, inode: inode.parse().ok()?, queues }))
    }

    /// An address in words of 32 bits, each in the machine's order, and a port.
    fn address(text: &str) -> Option<SocketAddr> {
        let (address, port) = text.split_once(':')?;
        let word = |at: usize| {
            let word = u32::from_str_radix(address.get(at * 8..at * 8 + 8)?, 16).ok()?;
            Some(word.to_ne_bytes())
        };
        let ip = match address.len() {
            8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
            _ => {
                let words = [word(0)?, word(1)?, word(2)?, word(3)?];
                IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(words.as_flattened()).ok()?))
            }
        };
        Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
    }

    /// The sockets that a process holds; none where we may not look.
    pub fn held_by(process: i32) -> BTreeSet<u64> {
        let descriptors = fs::read_dir(format!("/proc/{process}/fd"));
        let descriptors = descriptors.into_iter().flatten().flatten();
        descriptors.filter_map(|descriptor| socket_of(&descriptor.path())).collect()
    }

    /// The socket that a descriptor is: a link to `socket:[4711]`.
    fn socket_of(descriptor: &Path) -> Option<u64> {
        let target = fs::read_link(descriptor).ok()?;
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    }

    /// The processes that hold one of `sockets`.
    pub fn holders(sockets: &BTreeSet<u64>) -> BTreeSet<i32> {
        let all = fs::read_dir("/proc").into_iter().flatten().flatten();
        let processes =
            all.filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok()));
        processes.filter(|process| !held_by(*process).is_disjoint(sockets)).collect()
    }
}

#[cfg(not(target_os = "linux"))]
mod netlink {
    //! No kernel that we know how to ask.

    use super::{KernelSocket, Pair};
    use std::io;

    pub struct Diagnostics;

    impl Diagnostics {
        pub fn open() -> Option<Self> {
            None
        }

        pub fn find(&mut self, _: Pair) -> io::Result<Option<KernelSocket>> {
            Ok(None)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod proc {
    //! No table that we know how to read.

    use super::{BTreeSet, KernelSocket, Pair};

    pub fn sockets() -> Option<Vec<(Pair, KernelSocket)>> {
        None
    }

    pub fn held_by(_: i32) -> BTreeSet<u64> {
        BTreeSet::new()
    }

    pub fn holders(_: &BTreeSet<u64>) -> BTreeSet<i32> {
        BTreeSet::new()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    /// The server's socket, by each of the two ways to ask, once they agree on what is `expected`.
    fn wait_for(pair: Pair, expected: impl Fn(Option<KernelSocket>) -> bool) {
        let mut ways =
            [SocketReader::open().expect("Linux has one"), SocketReader { netlink: None }];
        assert!(ways[0].netlink.is_some(), "this kernel answers no questions about sockets");
        loop {
            let looks =
                ways.each_mut().map(|way| way.look(&[pair]).expect("a look").get(&pair).copied());
            // Between the two looks something may happen.
            if looks[0] == looks[1] && expected(looks[0]) {
                return;
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_kernel_is_asked_for_one_socket_and_says_what_its_table_has() {
        for (server, client) in
            [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "::1"), ("[::]:0", "127.0.0.1")]
        {
            let listener = TcpListener::bind(server).expect("a port");
            let port = listener.local_addr().expect("an address").port();
            let mut client = TcpStream::connect((client, port)).expect("it listens");
            let address = |of: std::io::Result<SocketAddr>| canonical(of.expect("an address"));
            let pair = (address(client.peer_addr()), address(client.local_addr()));
            wait_for(pair, |one| one.is_some_and(|one| one.inode == 0));
            let (mut server, _) = listener.accept().expect("one waits");
            client.write_all(b"hello").expect("sent");
            let unread = |count| {
                move |one: Option<KernelSocket>| {
                    one.is_some_and(|one| one.inode > 0 && one.queues.unread == count)
                }
            };
            wait_for(pair, unread(5));
            server.read_exact(&mut [0; 5]).expect("read");
            wait_for(pair, unread(0));
            server.shutdown(std::net::Shutdown::Write).expect("shut");
            wait_for(pair, |one| one.is_some_and(|one| one.state == KernelSocketState::Shut));
            drop((client, server));
            // Only the listener is left of it, or what nobody holds.
            wait_for(pair, |one| one.is_none_or(|one| one.inode == 0));
            let nobody = (pair.0, canonical("127.0.0.2:9".parse().expect("an address")));
            wait_for(nobody, |one| one.is_none());
        }
    }
}
