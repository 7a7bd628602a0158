//! The seed corpora, named for the behaviour that each shows.
//!
//! All of them come from one table of scripts: as they are for `script` and `notation`,
//! as raw bytes for `bytes`, as frames for `wire`, in a repro file for `repro`.
//! `cargo run --example fuzz_seeds` writes them to `fuzz/seeds`, and the dictionaries of
//! those targets that read text to `fuzz/dictionaries`.

#[cfg(feature = "arbitrary")]
use super::raw::RawStep;
use crate::bounds::Bounds;
use crate::exchange::Time;
use crate::finding::repro::{Repro, Seen};
use crate::generate::GeneratorConfig;
use crate::script::{Act, Frame, Masking, Script, Unit};
use crate::verdict::{Cause, Condition, Ending, Identity, Invariant, Level};
use crate::wire::{Opening, Role};
use std::collections::BTreeSet;
use std::time::Duration;

/// One file of a seed corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// The fuzz target: `script`, `bytes`, `wire`, `notation` or `repro`.
    pub target: &'static str,
    /// The file's name.
    pub name: String,
    /// Its contents.
    pub bytes: Vec<u8>,
}

/// The scripts of all seeds, by name.
const SEED_SCRIPTS: &[(&str, &str)] = &[
    ("app-closes-and-the-client-is-silent", "upgrade\napp close\n"),
    (
        "app-closes-and-the-client-answers",
        "upgrade\napp close 1001 \"bye\"\nawait close\nclose 1001\nawait end\n",
    ),
    ("app-closes-and-the-client-pings-on", "upgrade\napp close\nping x 12 every 4999ms\n"),
    (
        "app-closes-and-the-client-drips-a-header",
        "upgrade\napp close\nfirst 14 bytes of text 70000B in pieces of 1 byte every 1s\n",
    ),
    ("app-closes-and-the-client-resets", "upgrade\napp close\nreset\n"),
    ("app-closes-before-the-request", "app close\nwait 1s\nupgrade\n"),
    (
        "app-closes-while-it-sends-to-the-deaf",
        "upgrade\nstop reading\napp send text 10000B\napp close\nwait 4999ms\nresume reading\n",
    ),
    ("app-closes-twice", "upgrade\napp close 1000\n+ app close 1001\n"),
    ("app-closes-with-an-unsendable-code", "upgrade\napp close 1005\n"),
    ("app-pings-the-mute", "upgrade\napp ping x 12 every 1s\napp close\n"),
    ("app-returns", "upgrade\nping \"x\"\napp return\n"),
    ("client-closes", "upgrade\nclose 1000 \"bye\"\nawait close\nawait end\n"),
    ("client-closes-and-holds-on", "upgrade\nclose\n"),
    ("client-closes-deaf", "upgrade\nstop reading\nclose 1000\n"),
    (
        "client-closes-in-single-bytes",
        "upgrade\nclose 1000 \"bye\" in pieces of 1 byte every 100ms\n",
    ),
    (
        "client-closes-inside-a-message",
        "upgrade\nunfinished text \"a\"\nclose 1000\ncontinuation \"b\"\n",
    ),
    ("client-closes-through-tiny-buffers", "window 1B\nsend buffer 2B\nupgrade\nclose 1000 123B\n"),
    ("client-closes-twice", "upgrade\nclose 1000\n+ close 1000\n"),
    ("client-closes-with-one-byte", "upgrade\nclose hex 03\n"),
    ("client-closes-with-bad-text", "upgrade\nclose 1000 hex e282\n"),
    ("client-closes-with-an-unsendable-code", "upgrade\nclose 1006\n"),
    ("client-closes-with-too-much", "upgrade\nclose 1000 124B\n"),
    ("closes-cross", "upgrade\napp close 1000\n+ close 1001\n"),
    ("data-after-close", "upgrade\nclose 1000\ntext \"late\"\nping\n"),
    (
        "echo",
        "upgrade\ntext \"hello\"\nbinary 126B\napp send text \"hello\"\nawait message\nclose\n",
    ),
    ("fin", "upgrade\nfin\n"),
    ("fin-inside-a-header", "upgrade\nfirst 1 byte of ping\nfin\n"),
    ("half-a-frame", "upgrade\nfirst 5 bytes of text \"hello\"\n"),
    ("half-a-request", "first 100 bytes of upgrade\n"),
    ("illegal-continuation", "upgrade\ncontinuation \"of nothing\"\n"),
    ("illegal-length", "upgrade\n64-bit ping\n16-bit text \"x\"\n"),
    ("illegal-message-in-a-message", "upgrade\nunfinished text\ntext\n"),
    ("illegal-opcode", "upgrade\nopcode 11\n"),
    ("illegal-ping", "upgrade\nping 126B\nunfinished ping\n"),
    ("illegal-reserved-bits", "upgrade\nrsv 4 text \"x\"\n"),
    ("illegal-text", "upgrade\ntext hex eda080\n"),
    ("illegal-unmasked", "upgrade\nunmasked text \"x\"\n"),
    ("no-request", "raw \"GET / HTTP/1.1\\r\\n\\r\\n\"\n"),
    ("nothing", "wait 10s\n"),
    ("ping-flood", "upgrade\nping 125B x 30\n"),
    ("request-and-close-in-one-segment", "upgrade\n+ text \"x\"\n+ close 1000\n"),
    ("request-in-pieces", "upgrade in pieces of 20 bytes every 1s\n"),
    ("request-with-a-long-header", "upgrade with 15000B header\n"),
    (
        "one-is-deaf-and-one-polite-at-a-shutdown",
        "upgrade\nstop reading\napp broadcast text 8KiB\napp shutdown\n2: upgrade\n2: await close\n2: close 1001\n2: await end\n",
    ),
    (
        "two-are-silent-and-one-comes-late",
        "upgrade\napp close\n2: upgrade\n2: + close 1000\n3: connect after 6s\n3: upgrade\n",
    ),
    ("vanishes", "upgrade\napp send text \"x\"\ncut\n"),
    ("walks-away", "upgrade\nping\ndrop\n"),
];

/// All seed corpora.
///
/// # Panics
///
/// Never: a test makes them.
pub fn seeds() -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (name, text) in SEED_SCRIPTS {
        let script: Script = text.parse().expect("a seed is a script");
        let printed = script.to_string().into_bytes();
        let mut add = |target, name: String, bytes| seeds.push(Seed { target, name, bytes });
        add("script", (*name).to_owned(), printed);
        add("notation", (*name).to_owned(), text.as_bytes().to_vec());
        #[cfg(feature = "arbitrary")]
        if let Some(bytes) = as_raw_steps(&script) {
            add("bytes", (*name).to_owned(), bytes);
        }
        for (choice, side) in [(0, "from-a-client"), (1, "from-a-server")] {
            let frames = as_frames(&script, choice == 0);
            if !frames.is_empty() {
                let bytes = [&[choice][..], &frames].concat();
                add("wire", format!("{name}-{side}"), bytes);
            }
        }
    }
    for (name, repro) in repros() {
        let bytes = without_comments(&repro.to_text()).into_bytes();
        seeds.push(Seed { target: "repro", name: name.to_owned(), bytes });
    }
    seeds
}

/// The dictionaries of the targets `notation` and `repro`: each its target and a text in
/// libFuzzer's form, of the words that the generator and the seeds use.
pub fn dictionaries() -> Vec<(&'static str, String)> {
    let of = |words: BTreeSet<String>| {
        let lines = words.iter().map(|word| format!("{word:?}\n"));
        lines.collect::<String>()
    };
    let is_word = |word: &&str| word.chars().any(char::is_alphabetic) && word.is_ascii();
    let scripts = (0..2_000).map(|index| GeneratorConfig::default().nth(0, index).to_string());
    let plain = |word: &&str| is_word(word) && !word.contains(['"', '\\']) && !is_number(word);
    let notation = scripts
        .flat_map(|text| {
            text.split_whitespace().filter(plain).map(str::to_owned).collect::<Vec<_>>()
        })
        .chain(
            ["\\u{", "hex -", "MiB", "min", "2: ", "connect after ", "app shutdown"]
                .map(str::to_owned),
        )
        .chain(["app broadcast text".to_owned()])
        .collect();
    let files = repros().into_iter().map(|(_, repro)| repro.to_text());
    let keys = files.flat_map(|text| {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let key = |line: &str| match line.split_once(" = ") {
            Some((key, _)) => Some(format!("{key} = ")),
            None => line.starts_with('[').then(|| line.to_owned()),
        };
        lines.filter_map(key).collect::<Vec<_>>()
    });
    let words = Invariant::ALL
        .iter()
        .map(|invariant| invariant.id())
        .chain(Cause::ALL.iter().map(|cause| cause.id()))
        .chain(Condition::ALL.iter().map(|condition| condition.id()))
        .chain(Level::ALL.iter().map(|level| level.id()))
        .chain(Ending::KINDS)
        .map(str::to_owned);
    vec![("notation", of(notation)), ("repro", of(keys.chain(words).collect()))]
}

/// A number with its unit, or bytes in hex: mutations find others by themselves.
fn is_number(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_digit()) && !word.ends_with("-bit")
        || word.len().is_multiple_of(2) && word.chars().all(|digit| digit.is_ascii_hexdigit())
}

/// All frames of a script, whole, one after the other.
fn as_frames(script: &Script, masked: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for step in &script.steps {
        if let Act::Send(send) = &step.act
            && let Unit::Frame(frame) = &send.unit
            && frame.kind.content().len() < 300
        {
            let mask = if masked { frame.mask } else { Masking::Unmasked };
            Frame { mask, ..frame.clone() }.encode(Role::Client, &mut out);
        }
    }
    out
}

/// The steps of a script after its upgrade as raw steps, if all of them have that form.
#[cfg(feature = "arbitrary")]
fn as_raw_steps(script: &Script) -> Option<Vec<u8>> {
    use crate::script::{Command, Step};

    let (first, rest) = script.steps.split_first()?;
    // Its bytes know one connection.
    if script.connections() > 1 {
        return None;
    }
    if first.to_string() != "upgrade" || rest.is_empty() {
        return None;
    }
    let mut out = Vec::new();
    for Step { joined, act, .. } in rest {
        let one = match act {
            Act::Send(send) => {
                let mut bytes = Vec::new();
                send.unit.encode(&mut bytes);
                let bytes = send.piece.of(&bytes).to_vec();
                if bytes.len() > 255 {
                    return None;
                }
                if *joined { RawStep::SendJoined(bytes) } else { RawStep::Send(bytes) }
            }
            Act::Wait(time) => RawStep::Wait((time.0 / 625) as u8, 1),
            Act::App(Command::Close(..), _) => RawStep::AppClose,
            Act::StopReading => RawStep::StopReading,
            Act::ResumeReading => RawStep::ResumeReading,
            Act::Fin => RawStep::Fin,
            _ => return None,
        };
        one.encode(&mut out);
    }
    Some(out)
}

/// The comments of a repro are prose, which says nothing to a parser.
fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with('#')).flat_map(|line| [line, "\n"]).collect()
}

/// Repro files with each kind of field.
fn repros() -> Vec<(&'static str, Repro)> {
    let base = Repro {
        hangup: "0.1.0".to_owned(),
        target: ("reference/no-deadline".to_owned(), "hangup".to_owned()),
        role: Role::Server,
        opening: Opening::new(),
        bounds: Bounds::default(),
        identity: Identity::liveness(Invariant::EndsInTime, Cause::OwnClose, Condition::Silent),
        level: Level::Should,
        ending: Ending::Never.kind().to_owned(),
        at_seconds: None,
        sentence: "The server never ends the connection.".to_owned(),
        script: "upgrade\napp close\n".parse().expect("a script"),
        runtime_seed: 0,
        digest: "0123456789abcdef".to_owned(),
        confirmed: true,
        seen: None,
    };
    let quotes = r#"upgrade
close 1000 "'''\"\\\u{7}€"
"#;
    let of_a_client = Repro {
        target: ("reference-client/close-waits-for-ever".to_owned(), "hangup".to_owned()),
        role: Role::Client,
        identity: Identity::liveness(Invariant::EndsInTime, Cause::ClientClose, Condition::Silent),
        sentence: "The client never ends the connection.".to_owned(),
        script: "accept\nclose 1000\n".parse().expect("a script"),
        ..base.clone()
    };
    vec![
        ("a-hang", base.clone()),
        ("a-hang-of-a-client", of_a_client),
        (
            "late-with-every-bound",
            Repro {
                bounds: Bounds {
                    handshake: Some(Duration::from_millis(250)),
                    idle: Some(Duration::from_hours(1)),
                    ..Bounds::default()
                },
                ending: Ending::Late(Time(1)).kind().to_owned(),
                at_seconds: Some(43_200.001),
                runtime_seed: u64::from(u32::MAX),
                ..base.clone()
            },
        ),
        (
            "safety-with-quotes",
            Repro {
                identity: Identity::safety(Invariant::LegalClose, None),
                level: Level::Must,
                ending: Ending::InTime.kind().to_owned(),
                script: quotes.parse().expect("a script"),
                seen: Some(Seen {
                    timeline: "     0.000 s  Close 1000 \"'''\"\n".to_owned(),
                    wire: "     0.000 s > Close 1000   88 82\n".to_owned(),
                }),
                ..base
            },
        ),
    ]
}
