//! Plays as captures: what tshark reads in them is what was played.

use hangup::exchange::{ConnectionId, Exchange};
use hangup::report::pcapng;
use hangup::run::virtual_time::play;
use hangup::target::reference::Reference;
use hangup::target::reference::faults::PlantedFault;
use hangup::view::{Frame, View};
use hangup::wire::Role;
use hangup::{Script, Target};
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;

/// What is played against each fault.
const SCRIPTS: [&str; 4] = [
    "upgrade\napp send text \"hello\"\nwait 30ms\nping 5B in pieces of 3 bytes\nclose 1000 \"bye\"\nfin\n",
    "upgrade\ntext 300B\napp close 4001\nwait 1s\nbinary 70KiB\nclose 1001\n",
    "upgrade\napp send binary 20KiB\nunmasked text \"no mask\"\nwait 2s\nreset\n",
    "upgrade\nunfinished text \"a\"\nping\ncontinuation \"b\"\n+ close\n",
];

/// A frame: when it was whole, whether the server sent it, its opcode, and a Close's code.
type Seen = (u64, bool, u8, Option<u16>);

fn played(exchange: &Exchange) -> Vec<Seen> {
    let view = View::of(exchange, ConnectionId::FIRST);
    let seen = |frame: &Frame, by_server: bool| -> Option<Seen> {
        let code = frame.code().map(|code| code.0);
        Some((exchange.events[frame.ended?].at.0, by_server, frame.opcode.bits(), code))
    };
    let client = view.actor_frames.iter().filter_map(|frame| seen(frame, false));
    let server = view.subject_frames.iter().filter_map(|frame| seen(frame, true));
    let mut all: Vec<Seen> = client.chain(server).collect();
    all.sort_unstable();
    all
}

/// What tshark tells of a file: its frames, and how many checksums it finds wrong.
fn read(file: &[u8]) -> (Vec<Seen>, usize) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("play.pcapng");
    std::fs::write(&path, file).expect("written");
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(&path).args(["-T", "fields", "-E", "separator=;"]);
    tshark.args(["-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"]);
    for field in [
        "frame.time_epoch",
        "tcp.srcport",
        "websocket.opcode",
        "websocket.payload.close.status_code",
        "tcp.checksum.status",
        "ip.checksum.status",
    ] {
        tshark.args(["-e", field]);
    }
    let told = tshark.output().expect("tshark, of the package of that name, is needed");
    assert!(told.status.success(), "{told:?}");
    let told = String::from_utf8(told.stdout).expect("text");
    let (mut all, mut wrong) = (Vec::new(), 0);
    for line in told.lines() {
        let [time, port, opcodes, codes, checks @ ..] = &line.split(';').collect::<Vec<_>>()[..]
        else {
            panic!("{line}")
        };
        wrong += checks.iter().filter(|status| **status != "1").count();
        let (seconds, rest) = time.split_once('.').expect("a time");
        let micros: u64 = format!("{seconds}{}", &rest[..6]).parse().expect("a time");
        let mut codes = codes.split(',').filter(|code| !code.is_empty());
        for opcode in opcodes.split(',').filter(|opcode| !opcode.is_empty()) {
            let opcode = opcode.parse().expect("an opcode");
            let code = (opcode == 8).then(|| codes.next()).flatten();
            let code = code.map(|code| code.parse().expect("a code"));
            all.push((micros, *port == "80", opcode, code));
        }
    }
    all.sort_unstable();
    (all, wrong)
}

/// What a file has of TCP: by the ports of a direction, how many SYN, and the bytes.
fn streams(file: &[u8]) -> BTreeMap<(u16, u16), (usize, Vec<u8>)> {
    let mut streams: BTreeMap<(u16, u16), (usize, Vec<u8>)> = BTreeMap::new();
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("four bytes"));
    let mut at = 0;
    while at < file.len() {
        let (kind, length) = (word(at), word(at + 4) as usize);
        if kind == 6 {
            let packet = &file[at + 28..][..word(at + 20) as usize];
            let port = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
            let stream = streams.entry((port(20), port(22))).or_default();
            stream.0 += usize::from(packet[33] & 2);
            stream.1.extend_from_slice(&packet[40..]);
        }
        at += length;
    }
    streams
}

#[test]
fn each_connection_is_a_stream_from_a_port_of_its_own() {
    let script = "upgrade\napp close\n2: upgrade\n2: + ping\n2: wait 1s\n2: close 1000\n3: wait 2s\n3: reset\n";
    let script: Script = script.parse().expect("a script");
    let target: Arc<dyn Target> = Arc::new(Reference::STYLES[0].clone());
    let exchange = play(&target, &target.bounds(), &script, 0);
    let streams = streams(&pcapng(&exchange, "three"));
    assert_eq!(streams.len(), 6, "both directions of three connections");
    for connection in exchange.connections() {
        let (port, bytes) = (50_000 + connection.0, exchange.bytes(connection));
        let (syns, sent) = &streams[&(port, 80)];
        assert_eq!((*syns, sent), (2, &bytes.to_subject), "port {port}");
        assert_eq!(streams[&(80, port)].1, bytes.to_actor, "port {port}");
    }
}

#[test]
#[ignore = "needs tshark: by hand"]
fn tshark_reads_the_frames_that_were_played_at_their_times() {
    let mut frames = 0;
    for fault in PlantedFault::ALL.iter().take(24) {
        let target: Arc<dyn Target> = Arc::new(Reference::with(*fault));
        for script in SCRIPTS {
            let script: Script = script.parse().expect("a script");
            let exchange = play(&target, &target.bounds(), &script, 0);
            assert_eq!(exchange.subject, Role::Server);
            let (read, wrong) = read(&pcapng(&exchange, &script.to_string()));
            let played = played(&exchange);
            assert_eq!((&read, wrong), (&played, 0), "{}:\n{script}", target.name());
            frames += played.len();
        }
    }
    assert!(frames > 400, "{frames}");
}
