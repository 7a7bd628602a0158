//! Mutants: a file with a few mistakes in it, by a seed. What files mean it does not know, but for
//! a few words that are costly, or that a terminal would obey.

use rand::{Rng, RngExt as _};
use rand_pcg::Pcg32;

/// The most bytes of a mutant: more than is read of most kinds.
const MOST: usize = 2 << 20;

/// What is put in somewhere; what begins with a line break, as a line of its own.
const WORDS: &[&str] = &[
    "\0",
    "\u{1b}[2J",
    "\u{202e}",
    "\u{2066}",
    "\u{feff}",
    "\u{7f}",
    "\r",
    "\n",
    "\n\n",
    "\"",
    "\"\"\"",
    "\\u{",
    "#",
    "=",
    "[",
    "]]",
    "{",
    ",",
    ": ",
    "0",
    "-1",
    "1e400",
    "nan",
    "4294967295",
    "18446744073709551616",
    "16MiB",
    "10000",
    "1193h",
    " x 10000",
    " x 10000 every 1193h",
    " in pieces of 1 byte",
    " in pieces of 0 bytes",
    " every 1ms",
    " declares 2^64-1",
    "+ ",
    "first 3 bytes of ",
    "\nupgrade with 16MiB header in pieces of 400 bytes\n",
    "\ntext 16MiB\n",
    "\ntext 64KiB x 300\n",
    "\napp send text 16MiB\n",
    "\napp send text 3KiB x 10000\n",
    "\nping x 10000 every 5s\n",
    "\nwindow 1B\n",
    "\nsend buffer 1B\n",
    "\nreceive buffer 1B\n",
    "\nsegment 1B\n",
    "\nwait 1193h\n",
    "\nstop reading\n",
    "\nresume reading\n",
    "\nawait close\n",
    "\nclose 1000\n",
    "\napp close 1000\n",
    "format = 3\n",
    "null",
    "[[[[[[[[[[[[[[[[",
];

/// A mutant of `seed`; `others` are files of the same kind, to take parts from.
pub fn mutant(seed: &[u8], others: &[Vec<u8>], rng: &mut Pcg32) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    // Most are nearly whole: what is refused at its first line shows little.
    for _ in 0..[1, 1, 1, 2, 3, 6][rng.random_range(0..6)] {
        mutate(&mut bytes, others, rng);
        bytes.truncate(MOST);
    }
    bytes
}

fn mutate(bytes: &mut Vec<u8>, others: &[Vec<u8>], rng: &mut Pcg32) {
    let length = bytes.len();
    let at = rng.random_range(0..=length);
    match rng.random_range(0..16) {
        0 if length > 0 => bytes[at.min(length - 1)] ^= 1 << rng.random_range(0..8),
        1 if length > 0 => bytes[at.min(length - 1)] = rng.next_u32() as u8,
        2 => bytes.truncate(at),
        3 => {
            let end = (at + rng.random_range(1..40)).min(length);
            bytes.drain(at..end);
        }
        4 => {
            let end = (at + rng.random_range(1..200)).min(length);
            let part = bytes[at..end].to_vec();
            let times = [1, 2, 50, 3000][rng.random_range(0..4)];
            insert(bytes, at, &part.repeat(times));
        }
        5 | 6 => lines(bytes, rng),
        7 if !others.is_empty() => {
            let other = &others[rng.random_range(0..others.len())];
            let from = rng.random_range(0..=other.len());
            let end = (from + rng.random_range(0..400)).min(other.len());
            insert(bytes, at, &other[from..end]);
        }
        8 => {
            let byte = [b'A', b'0', b' ', b'\n', b'[', 0x80][rng.random_range(0..6)];
            let times = [40, 700, 20_000, 1_200_000][rng.random_range(0..4)];
            insert(bytes, at, &vec![byte; times]);
        }
        // In the place of a number.
        9 | 10 => {
            let is_digit = |at: &usize| bytes[*at].is_ascii_digit();
            let digits: Vec<usize> = (0..length).filter(is_digit).collect();
            let Some(from) = digits.get(rng.random_range(0..digits.len().max(1))).copied() else {
                return;
            };
            let end = (from..length).find(|at| !bytes[*at].is_ascii_digit()).unwrap_or(length);
            let number = ["0", "1", "7", "65535", "9999", "50000", "4294967295", "99999999999"];
            let number = number[rng.random_range(0..number.len())];
            bytes.splice(from..end, number.bytes());
        }
        _ => {
            let word = WORDS[rng.random_range(0..WORDS.len())];
            let begins = |at: &usize| *at == 0 || bytes[at - 1] == b'\n';
            let lines: Vec<usize> = (0..=length).filter(begins).collect();
            match word.strip_prefix('\n').filter(|line| !line.is_empty()) {
                None => insert(bytes, at, word.as_bytes()),
                Some(line) => {
                    insert(bytes, lines[rng.random_range(0..lines.len())], line.as_bytes());
                }
            }
        }
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, part: &[u8]) {
    bytes.splice(at..at, part.iter().copied());
}

/// Takes a line out, doubles it many times, or exchanges it with another.
fn lines(bytes: &mut Vec<u8>, rng: &mut Pcg32) {
    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    if lines.is_empty() {
        return;
    }
    let (one, other) = (rng.random_range(0..lines.len()), rng.random_range(0..lines.len()));
    match rng.random_range(0..4) {
        0 => _ = lines.remove(one),
        1 => lines.swap(one, other),
        2 => lines.insert(other, lines[one]),
        _ => {
            let line = lines[one];
            let times = [2, 30, 2000][rng.random_range(0..3)].min(1 + MOST / line.len());
            lines.splice(one..one, std::iter::repeat_n(line, times));
        }
    }
    *bytes = lines.concat();
}
