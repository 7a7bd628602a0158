//! The simulated link is held against the kernel: what each end can observe of random operations
//! is the same on the link and on two sockets of this machine's, but for the differences that
//! `Explained` and the table in `docs/internals.md` have. Linux only: others differ from it too.

mod compare;
mod differences;
mod link_pair;
mod sequence;
mod socket_pair;

use compare::Play;
use sequence::{Sequence, Side};
use socket_pair::Listener;
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

/// How long the kernel may take to deliver. Nothing waits that long unless there is a difference.
const PATIENCE: Duration = Duration::from_secs(1);

/// What an operation answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// A write took so many bytes.
    Took(usize),
    /// A write would block.
    Blocked,
    /// A read got so many bytes, the ones that come next.
    Data(usize),
    /// A read got bytes that are not the ones that come next.
    WrongBytes,
    /// A read would block.
    Nothing,
    /// A read got the end of the stream.
    End,
    /// `ECONNRESET`.
    Reset,
    /// `EPIPE`.
    Pipe,
}

/// After so many positions the bytes repeat; no read or write is longer.
const PERIOD: usize = 1 << 16;

/// The bytes of `writer` from `at` on: each tells its position and its way.
fn bytes_of(writer: Side, at: usize, count: usize) -> &'static [u8] {
    static BYTES: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
        let byte = |at: usize| (at as u8).wrapping_mul(31).wrapping_add((at >> 8) as u8);
        let client: Vec<_> = (0..2 * PERIOD).map(byte).collect();
        let server = client.iter().map(|byte| byte.wrapping_add(128)).collect();
        [client, server]
    });
    &BYTES[writer as usize][at % PERIOD..][..count]
}

impl Answer {
    /// What a read answers that got `bytes` of `writer`'s, behind `at` others.
    fn checked(writer: Side, at: usize, bytes: &[u8]) -> Self {
        let right = bytes == bytes_of(writer, at, bytes.len());
        if right { Self::Data(bytes.len()) } else { Self::WrongBytes }
    }
}

/// How the link differs, for a reason: see `docs/internals.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Explained {
    /// Its buffers are smaller.
    BlocksSooner,
    /// What the client had not read is lost by the server's reset.
    ResetLosesUnread,
    /// Of full buffers that were partly drained, and of the client's, whose bytes and FIN arrive at
    /// once: whether a FIN comes before a reset is not the same.
    FinInFlight,
}

impl Explained {
    const ALL: [Self; 3] = [Self::BlocksSooner, Self::ResetLosesUnread, Self::FinInFlight];
}

/// What is not the same.
#[derive(Debug)]
struct Difference(String);

/// The smallest sequence that differs, and how. Bounded: each costs `patience` where it differs.
fn shrunk(sequence: Sequence, difference: Difference, listener: &Listener) -> String {
    let (mut sequence, mut difference) = (sequence, difference);
    let patience = Duration::from_millis(200);
    let mut tries = 400;
    loop {
        let mut candidates = sequence.smaller().into_iter();
        let found = candidates.find_map(|smaller| {
            tries -= 1;
            let differs = Play::of(&smaller, listener, patience).err();
            (tries > 0).then_some((smaller, differs?))
        });
        let Some((smaller, differs)) = found.filter(|_| tries > 0) else { break };
        (sequence, difference) = (smaller, differs);
    }
    format!("{}\n    same(\"{sequence}\");", difference.0)
}

/// Plays the sequences of these indices on all cores; how often each explained difference was seen.
fn play_all(count: u64) -> BTreeMap<Explained, u64> {
    let threads = thread::available_parallelism().map_or(1, |cores| cores.get().min(4)) as u64;
    let mut seen = BTreeMap::new();
    thread::scope(|scope| {
        let of = |first| scope.spawn(move || play_some((first..count).step_by(threads as usize)));
        let parts: Vec<_> = (0..threads).map(of).collect();
        for part in parts {
            match part.join().expect("the sequences play") {
                Ok(part) => part.into_iter().for_each(|(explained, count)| {
                    *seen.entry(explained).or_default() += count;
                }),
                Err(difference) => panic!("{difference}"),
            }
        }
    });
    seen
}

fn play_some(indices: impl Iterator<Item = u64>) -> Result<BTreeMap<Explained, u64>, String> {
    let mut listener = Listener::new();
    let mut seen = BTreeMap::new();
    for (played, index) in indices.enumerate() {
        if played % 2000 == 1999 {
            // Ports of closed connections are taken for a minute, for each address anew.
            listener = Listener::new();
        }
        let sequence = Sequence::draw(index);
        // A kernel that is kept from its work answers late: what differs is played again.
        let played = Play::of(&sequence, &listener, PATIENCE);
        match played.or_else(|_| Play::of(&sequence, &listener, 5 * PATIENCE)) {
            Ok(explained) => {
                for one in explained {
                    *seen.entry(one).or_default() += 1;
                }
            }
            Err(difference) => {
                let smallest = shrunk(sequence, difference, &listener);
                return Err(format!("sequence {index} differs\n{smallest}"));
            }
        }
    }
    Ok(seen)
}

/// Plays one sequence; which explained differences it shows.
#[track_caller]
fn explained(sequence: &str) -> Vec<Explained> {
    let sequence = sequence.parse().expect("a sequence");
    match Play::of(&sequence, &Listener::new(), PATIENCE) {
        Ok(explained) => explained.into_iter().collect(),
        Err(Difference(difference)) => panic!("{difference}\n    {sequence}"),
    }
}

/// A sequence that a failing test prints is pasted here.
#[track_caller]
fn same(sequence: &str) {
    assert_eq!(explained(sequence), [], "{sequence}");
}

/// Each of these differed until the link was mended.
#[test]
fn the_link_and_the_kernel_answer_alike_where_they_did_not() {
    same("server drop; client write 1; client write 1");
    same("client write 1; server drop; client write 1");
    same("client shut; client reset; server drain; server write 1; server write 1");
    same("client drop; server write 1; server write 1; server drain");
    same("client fill; client shut");
    same("server fill; server shut");
    same("server fill; server drop; client write 1; client write 1; client drain");
    same("client write 1; server write 1; client shut; server shut; server drop; client drain");
    same("server write 1; client shut; server shut; client reset; server write 1");
    same("client shut; server fill; server shut; client reset; server write 1");
    same("client write 1; server shut; server drop; client drain; client write 1");
    same("client write 1; client shut; server drop; client write 1; client write 1");
}

#[test]
fn the_link_and_the_kernel_answer_2_000_sequences_alike() {
    let seen = play_all(2_000);
    assert_eq!(seen.into_keys().collect::<Vec<_>>(), Explained::ALL);
}

#[test]
#[ignore = "16 s of processor time: .ci/run plays it"]
fn the_link_and_the_kernel_answer_100_000_sequences_alike() {
    let seen = play_all(100_000);
    println!("explained differences: {seen:?}");
    assert_eq!(seen.into_keys().collect::<Vec<_>>(), Explained::ALL);
}
