//! A play as a capture, for Wireshark, tshark and whatever else reads pcapng: its bytes, FIN and RST in
//! TCP over IPv4, between two addresses that are kept for documentation (RFC 5737).
//!
//! The handshake of TCP is made up, since no exchange has one; sequence numbers, acknowledgements
//! and checksums are right. Bytes that were not kept are missing here too, and the numbers behind them tell so.
//! The three blocks that it takes are written here: the crates that know all of pcapng bring more than
//! they spare. <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html>

use crate::exchange::{Bytes, ConnectionId, End, Event, Exchange, Time, What};

/// The most that one packet carries.
const SEGMENT: usize = 16_384;
/// Packets begin with an IP header (`LINKTYPE_RAW`).
const RAW_IP: u16 = 101;
/// The server's port; what goes there is read as HTTP, and then as WebSocket.
const HTTP: u16 = 80;
/// The client's port, of the first connection.
const FIRST_PORT: u16 = 50_000;
const CLIENT: [u8; 4] = [192, 0, 2, 1];
const SERVER: [u8; 4] = [192, 0, 2, 2];

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// An exchange as a file in pcapng, each connection as a stream of TCP from a port of its own. The times are
/// those of the exchange, from 1970-01-01 on; `about`, which may have lines, is the file's comment.
pub fn pcapng(exchange: &Exchange, about: &str) -> Vec<u8> {
    let mut capture = Capture::new(about);
    let mut flows: Vec<Flow<'_>> =
        exchange.connections().map(|id| Flow::of(exchange, id)).collect();
    let is_offered = |id| {
        let mut events = exchange.events.iter();
        events.any(|event| event.connection == id && event.what == What::Offered)
    };
    for (id, flow) in exchange.connections().zip(&mut flows) {
        // Who does not come to a listener was there from the start.
        if !is_offered(id) {
            capture.begin(flow, Time::default());
        }
    }
    let subjects_end_seen = exchange.both_ends;
    for event in &exchange.events {
        let Event { at, end, ref what, connection, .. } = *event;
        let Some(flow) = flows.get_mut(usize::from(connection.0)) else { continue };
        let only_actor_saw = end == End::Actor && !subjects_end_seen;
        if what.is_servers() {
            continue;
        }
        capture.begin(flow, at);
        match *what {
            What::Arrived { bytes } => {
                let bytes = take(&mut flow.to_subject, bytes);
                capture.data(flow, Side::Client, at, bytes);
            }
            What::Wrote { bytes } => {
                let bytes = take(&mut flow.to_actor, bytes);
                capture.data(flow, Side::Server, at, bytes);
            }
            What::Read { bytes } if only_actor_saw => {
                let bytes = take(&mut flow.to_actor, bytes);
                capture.data(flow, Side::Server, at, bytes);
            }
            What::Discarded { bytes } => flow.skip(Side::Server, bytes),
            What::FinArrived => capture.end(flow, Side::Client, at, FIN),
            What::ResetArrived => capture.end(flow, Side::Client, at, RST),
            What::ReadEnd if only_actor_saw => capture.end(flow, Side::Server, at, FIN),
            What::ReadReset if only_actor_saw => capture.end(flow, Side::Server, at, RST),
            What::Shut | What::Dropped { reset: false } => {
                capture.end(flow, Side::Server, at, FIN);
            }
            What::Dropped { reset: true } | What::Refused => {
                capture.end(flow, Side::Server, at, RST);
            }
            _ => {}
        }
    }
    capture.file
}

fn take<'a>(bytes: &mut &'a [u8], count: u32) -> &'a [u8] {
    let (taken, rest) = bytes.split_at((count as usize).min(bytes.len()));
    *bytes = rest;
    taken
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// What one side has sent.
#[derive(Clone, Copy, Default)]
struct Sent {
    /// The next sequence number.
    next: u32,
    /// It sends no more: FIN or RST is out.
    ended: bool,
}

/// One connection: its bytes that are not in the file yet, and what each side has sent.
struct Flow<'a> {
    to_subject: &'a [u8],
    to_actor: &'a [u8],
    /// The client's.
    port: u16,
    /// Its handshake is in the file.
    begun: bool,
    client: Sent,
    server: Sent,
}

impl<'a> Flow<'a> {
    fn of(exchange: &'a Exchange, connection: ConnectionId) -> Self {
        let Bytes { to_subject, to_actor } = exchange.bytes(connection);
        let port = FIRST_PORT.wrapping_add(connection.0);
        let (client, server) = (Sent::default(), Sent::default());
        Self { to_subject, to_actor, port, begun: false, client, server }
    }

    const fn sent(&mut self, side: Side) -> &mut Sent {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// Bytes were sent that nobody has.
    const fn skip(&mut self, side: Side, bytes: u64) {
        let sent = self.sent(side);
        sent.next = sent.next.wrapping_add(bytes as u32);
    }
}

/// A file that grows by packets.
struct Capture {
    file: Vec<u8>,
    packets: u16,
}

impl Capture {
    fn new(about: &str) -> Self {
        let mut section = 0x1A2B_3C4D_u32.to_le_bytes().to_vec();
        section.extend([1, 0, 0, 0]);
        section.extend(u64::MAX.to_le_bytes());
        section.extend(option(1, about.as_bytes()));
        section.extend(option(4, concat!("hangup ", env!("CARGO_PKG_VERSION")).as_bytes()));
        section.extend(option(0, &[]));
        let mut interface = RAW_IP.to_le_bytes().to_vec();
        interface.extend([0; 6]);
        let mut file = block(0x0A0D_0D0A, &section);
        file.extend(block(1, &interface));
        Self { file, packets: 0 }
    }

    /// The handshake of TCP, before all else of a connection.
    fn begin(&mut self, flow: &mut Flow<'_>, at: Time) {
        if std::mem::replace(&mut flow.begun, true) {
            return;
        }
        self.packet(flow, Side::Client, at, SYN, &[]);
        flow.client.next = 1;
        self.packet(flow, Side::Server, at, SYN | ACK, &[]);
        flow.server.next = 1;
        self.packet(flow, Side::Client, at, ACK, &[]);
    }

    fn data(&mut self, flow: &mut Flow<'_>, side: Side, at: Time, bytes: &[u8]) {
        for segment in bytes.chunks(SEGMENT) {
            self.packet(flow, side, at, PSH | ACK, segment);
            let sent = flow.sent(side);
            sent.next = sent.next.wrapping_add(segment.len() as u32);
        }
    }

    /// FIN or RST; each side sends one of them, and a RST behind a FIN.
    fn end(&mut self, flow: &mut Flow<'_>, side: Side, at: Time, flag: u8) {
        if flow.sent(side).ended && flag == FIN {
            return;
        }
        self.packet(flow, side, at, flag | ACK, &[]);
        let sent = flow.sent(side);
        sent.next = sent.next.wrapping_add(u32::from(flag == FIN));
        sent.ended = true;
    }

    fn packet(&mut self, flow: &Flow<'_>, side: Side, at: Time, flags: u8, payload: &[u8]) {
        let (from, to, ports, sent, got) = match side {
            Side::Client => (CLIENT, SERVER, [flow.port, HTTP], flow.client, flow.server),
            Side::Server => (SERVER, CLIENT, [HTTP, flow.port], flow.server, flow.client),
        };
        let got = if flags & ACK == 0 { 0 } else { got.next };
        let mut tcp = ports.iter().flat_map(|port| port.to_be_bytes()).collect::<Vec<u8>>();
        tcp.extend(sent.next.to_be_bytes());
        tcp.extend(got.to_be_bytes());
        // Five words of header, the flags, the largest window, no checksum yet, nothing urgent.
        tcp.extend([5 << 4, flags, 0xFF, 0xFF, 0, 0, 0, 0]);
        tcp.extend(payload);
        let pseudo = [&from[..], &to, &[0, 6], &(tcp.len() as u16).to_be_bytes()].concat();
        let sum = checksum(&[&pseudo, &tcp]);
        tcp[16..18].copy_from_slice(&sum.to_be_bytes());
        let mut ip = vec![0x45, 0];
        ip.extend((20 + tcp.len() as u16).to_be_bytes());
        ip.extend(self.packets.to_be_bytes());
        // Not to be fragmented, 64 hops, TCP, no checksum yet.
        ip.extend([0x40, 0, 64, 6, 0, 0]);
        ip.extend(from);
        ip.extend(to);
        let sum = checksum(&[&ip]);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        self.packets = self.packets.wrapping_add(1);
        ip.extend(tcp);
        let micros = at.since_accept().as_micros() as u64;
        let length = (ip.len() as u32).to_le_bytes();
        let mut packet = 0_u32.to_le_bytes().to_vec();
        packet.extend(((micros >> 32) as u32).to_le_bytes());
        packet.extend((micros as u32).to_le_bytes());
        packet.extend(length);
        packet.extend(length);
        packet.extend(ip);
        self.file.extend(block(6, &packet));
    }
}

/// A block: its type, its length, its body up to a multiple of four, its length again.
fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let length = (12 + padded as u32).to_le_bytes();
    let mut block = [&kind.to_le_bytes()[..], &length, body].concat();
    block.resize(8 + padded, 0);
    block.extend(length);
    block
}

/// An option of a block; the one numbered 0 ends them.
fn option(number: u16, value: &[u8]) -> Vec<u8> {
    // An option's length has 16 bits.
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    let length = value.len() as u16;
    let mut option = [&number.to_le_bytes()[..], &length.to_le_bytes(), value].concat();
    option.resize(option.len().next_multiple_of(4), 0);
    option
}

/// The checksum of IP and TCP (RFC 1071); parts but the last have an even number of bytes.
fn checksum(parts: &[&[u8]]) -> u16 {
    let words = parts.iter().flat_map(|part| part.chunks(2)).map(|word| {
        u32::from(u16::from_be_bytes([word[0], word.get(1).copied().unwrap_or_default()]))
    });
    let sum: u32 = words.sum();
    let folded = (sum >> 16) + (sum & 0xFFFF);
    !((folded >> 16) + folded) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_that_is_in_place_sums_up_to_nothing() {
        // The example of RFC 1071, 3.
        let words = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(checksum(&[&words]), !0xddf2);
        assert_eq!(checksum(&[&words, &(!0xddf2_u16).to_be_bytes()]), 0);
        assert_eq!(checksum(&[&vec![0xFF; 65_535]]), !0xFF00);
    }

    #[test]
    fn blocks_and_options_end_at_a_multiple_of_four() {
        assert_eq!(block(6, &[1, 2, 3]), [6, 0, 0, 0, 16, 0, 0, 0, 1, 2, 3, 0, 16, 0, 0, 0]);
        assert_eq!(option(1, b"ab"), [1, 0, 2, 0, b'a', b'b', 0, 0]);
        assert_eq!(option(1, &vec![b'a'; 70_000]).len(), 4 + 65_536);
    }
}
