//! Mutants of every kind of file that hangup reads, given to every command that reads it: an exit
//! code of 0, 1 or 2, no panic, little time and memory, and messages that are short and harmless.
//!
//! `HANGUP_MUTANTS=20000` tries so many; `HANGUP_MUTANT=N` the mutant of this number alone, and
//! leaves it where it says. A mutant depends on its number and `HANGUP_SEED` alone.

use crate::command::seed;
use crate::mutate::mutant;
use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg32;
use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How many are tried where nothing is said.
const MUTANTS: u64 = 400;
/// What one may take.
const MOST_TIME: Duration = Duration::from_secs(5);
const MOST_MEMORY: u64 = 256 << 20;
/// The most characters of a line of a message.
const MOST_CHARACTERS: usize = 600;
/// When one that does not end is killed.
const GIVE_UP: Duration = Duration::from_mins(1);

/// The targets that scripts are played against: correct ones, and some that hang.
const TARGETS: [&str; 6] = [
    "reference",
    "reference/split-tasks",
    "reference/no-deadline",
    "reference/detached-ticker",
    "tungstenite/no-deadline",
    "tungstenite/reader-task",
];

/// A script that is whole.
const HANG: &str = "upgrade\napp close\n";

/// A kind of file, with files of it, and the commands that read it: `FILE` stands for its path,
/// `TEXT` for its content as an argument, `OTHER` for a file of the kind that is whole, `TARGET`
/// for a target.
struct Kind {
    name: &'static str,
    seeds: Vec<Vec<u8>>,
    commands: &'static [&'static str],
}

const OF_SCRIPTS: &[&str] = &[
    "show FILE --target TARGET",
    "show FILE --target TARGET --close-within 1ms",
    "replay FILE --target TARGET",
    "replay - --target TARGET",
    "shrink FILE --target TARGET",
    "replay FILE --url ws://127.0.0.1:1/",
    "show FILE --target TARGET --svg drawn.svg --html page.html",
    "export FILE",
];
const OF_REPROS: &[&str] = &[
    "show FILE",
    "show FILE --target TARGET",
    "show -",
    "show FILE --svg drawn.svg --html page.html",
    "replay FILE",
    "replay FILE --target TARGET --close-within 1ms",
    "replay FILE --url ws://127.0.0.1:1/",
    "shrink FILE",
    "export FILE --as python",
    "export FILE --as issue",
];
const OF_BASELINES: &[&str] = &[
    "test reference --scripts 5 --seed 1 --no-confirm --jobs 1 --baseline FILE",
    "probe ws://127.0.0.1:1/ --baseline FILE",
];
const OF_CERTIFICATES: &[&str] = &["probe wss://127.0.0.1:1/ --ca FILE"];
const OF_REPORTS: &[&str] = &[
    "compare FILE OTHER",
    "compare OTHER FILE",
    "compare FILE FILE --format json",
    "report FILE --html page.html",
    "report FILE OTHER --markdown page.md",
];
const OF_ARGUMENTS: &[&str] = &[
    "probe ws://127.0.0.1:1/ --header TEXT",
    "probe ws://127.0.0.1:1/ --subprotocol TEXT",
    "probe ws://127.0.0.1:1/ --host TEXT",
    "probe TEXT",
    "probe ws://127.0.0.1:1/ --slack TEXT",
    "probe ws://127.0.0.1:1/ --concurrency TEXT",
    "replay TEXT --target reference",
    "export TEXT",
    "compare TEXT TEXT",
    "show hang.script --target TEXT",
    "test reference --scripts 1 --seed TEXT",
    "test reference --for TEXT --scripts 1",
    "serve TEXT --listen TEXT",
    "explain TEXT",
    "TEXT",
    "--TEXT",
];

/// All kinds, with files that hangup itself writes, made in `desk`.
fn kinds(desk: &Path) -> Vec<Kind> {
    let run = |line: &str| {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        output(desk, &words, &[]).0
    };
    let scripts = [folder("notation"), folder("script")].concat();
    fs::write(desk.join("hang.script"), HANG).expect("written");
    run("shrink hang.script --target tungstenite/no-deadline");
    run("test reference/no-deadline --scripts 100 --seed 1 --no-confirm --baseline known.toml");
    let tested = "test tungstenite/no-deadline tungstenite/reader-task --scripts 200 --seed 1";
    let report = run(&format!("{tested} --no-confirm --format json")).stdout;
    let repros = [folder("repro"), files(&desk.join("hangup-findings"))].concat();
    let certificate = "tests/tcp/certificate/localhost.pem";
    let pem = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(certificate)).expect("readable");
    let words =
        ["wss://localhost:1/a?b=c", "Cookie: a=b; c=d", "reference/no-deadline", "12h", "250"];
    let arguments = words.map(|word| word.as_bytes().to_vec()).to_vec();
    let kind = |name, seeds: Vec<Vec<u8>>, commands| {
        assert!(seeds.iter().any(|seed| !seed.is_empty()), "there are no seeds of {name}");
        Kind { name, seeds, commands }
    };
    vec![
        kind("script", scripts, OF_SCRIPTS),
        kind("repro", repros, OF_REPROS),
        kind("crash", [folder("bytes"), folder("wire")].concat(), OF_SCRIPTS),
        kind("baseline", vec![fs::read(desk.join("known.toml")).expect("recorded")], OF_BASELINES),
        kind("report", vec![report], OF_REPORTS),
        kind("certificates", vec![pem], OF_CERTIFICATES),
        kind("arguments", arguments, OF_ARGUMENTS),
    ]
}

/// The seeds of a fuzz target.
fn folder(name: &str) -> Vec<Vec<u8>> {
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name))
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths.retain(|path| path.is_file() && !path.ends_with(".gitignore"));
    paths.iter().map(|path| fs::read(path).expect("readable")).collect()
}

/// One mutant and the command that gets it.
struct Case {
    kind: &'static str,
    bytes: Vec<u8>,
    other: Vec<u8>,
    words: Vec<OsString>,
}

impl Case {
    fn of(number: u64, seed: u64, kinds: &[Kind]) -> Self {
        let mut rng = Pcg32::seed_from_u64(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        // Most files that strangers send are scripts and repros.
        let kind = &kinds[[0, 0, 0, 1, 1, 1, 2, 3, 4, 5, 6, 6][rng.random_range(0..12)]];
        let seed = &kind.seeds[rng.random_range(0..kind.seeds.len())];
        let mut bytes = mutant(seed, &kind.seeds, &mut rng);
        let other = kind.seeds[rng.random_range(0..kind.seeds.len())].clone();
        let command = kind.commands[rng.random_range(0..kind.commands.len())];
        let target = TARGETS[rng.random_range(0..TARGETS.len())];
        if kind.name == "arguments" {
            // No system takes a NUL in an argument, nor more than so much.
            bytes.retain(|byte| *byte != 0);
            bytes.truncate(100_000);
        }
        let word = |word: &str| match word {
            "FILE" => "mutant".into(),
            "OTHER" => "other".into(),
            "TARGET" => target.into(),
            "TEXT" => OsString::from_vec(bytes.clone()),
            "--TEXT" => OsString::from_vec([b"--", &bytes[..]].concat()),
            word => word.into(),
        };
        Self { kind: kind.name, words: command.split(' ').map(word).collect(), other, bytes }
    }

    /// What is wrong with how hangup takes it.
    fn trouble(&self, desk: &Path, figures: &Figures) -> Option<String> {
        fs::write(desk.join("mutant"), &self.bytes).expect("written");
        fs::write(desk.join("other"), &self.other).expect("written");
        let stdin = if self.words.iter().any(|word| word == "-") { &self.bytes[..] } else { &[] };
        let (mut output, mut took, memory) = output(desk, &self.words, stdin);
        // What a busy machine makes slow is slow once, or is not slow for it.
        for _ in 0..2 {
            if took > most_time() {
                (output, took, _) = self::output(desk, &self.words, stdin);
            }
        }
        figures.take(&output, took, memory);
        let err = String::from_utf8_lossy(&output.stderr);
        let out = String::from_utf8_lossy(&output.stdout);
        let longest = err.lines().map(|line| line.chars().count()).max().unwrap_or_default();
        match () {
            () if !matches!(output.status.code(), Some(0..=2)) => {
                Some(format!("{}", output.status))
            }
            () if err.contains("panicked") => Some("a panic".to_owned()),
            () if took > most_time() => Some(format!("{took:?}")),
            () if memory > MOST_MEMORY => Some(format!("{} MiB", memory >> 20)),
            () if longest > MOST_CHARACTERS => Some(format!("a line of {longest} characters")),
            () if err.contains(is_obeyed) => Some("a control character on stderr".to_owned()),
            () if out.contains(is_obeyed) => Some("a control character on stdout".to_owned()),
            () => None,
        }
        .map(|why| format!("{why}\n{err:.2000}\n"))
    }
}

/// What all of them came to.
#[derive(Debug, Default)]
struct Figures {
    /// By exit code.
    codes: [AtomicU64; 3],
    slowest_ms: AtomicU64,
    most_memory_mib: AtomicU64,
    longest_line: AtomicU64,
}

impl Figures {
    fn take(&self, output: &Output, took: Duration, memory: u64) {
        let code = output.status.code().and_then(|code| usize::try_from(code).ok());
        if let Some(count) = code.and_then(|code| self.codes.get(code)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        let lines = String::from_utf8_lossy(&output.stderr);
        let longest = lines.lines().map(|line| line.chars().count()).max().unwrap_or_default();
        self.slowest_ms.fetch_max(took.as_millis() as u64, Ordering::Relaxed);
        self.most_memory_mib.fetch_max(memory >> 20, Ordering::Relaxed);
        self.longest_line.fetch_max(longest as u64, Ordering::Relaxed);
    }
}

/// What a mutant may take now: so much longer as processes that could run wait for a processor.
fn most_time() -> Duration {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: f64 = load.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(1.0);
    let processors = std::thread::available_parallelism().map_or(1, usize::from) as f64;
    MOST_TIME.mul_f64((load / processors).max(1.0))
}

/// What a terminal does not show, but does.
fn is_obeyed(character: char) -> bool {
    character.is_control() && character != '\n'
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Runs the binary: its output, how long it took, and the most memory of one of its processes.
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
fn output(desk: &Path, words: &[OsString], stdin: &[u8]) -> (Output, Duration, u64) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hangup"));
    command.args(words).current_dir(desk).env_remove("FORCE_COLOR").env_remove("CLICOLOR_FORCE");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let began = Instant::now();
    let mut child = command.spawn().expect("started");
    let id = child.id();
    let mut pipe = child.stdin.take().expect("piped");
    let stdin = stdin.to_vec();
    // Who does not read all of it closes the pipe.
    std::thread::spawn(move || pipe.write_all(&stdin));
    let waiting = std::thread::spawn(move || child.wait_with_output().expect("waited for"));
    let mut most = 0;
    while !waiting.is_finished() {
        most = most.max(memory(id));
        if began.elapsed() > GIVE_UP {
            let _ = Command::new("kill").args(["-KILL", &id.to_string()]).status();
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    (waiting.join().expect("no panic"), began.elapsed(), most)
}

/// The most memory that the process, or a child of it, had so far, where the system says it.
fn memory(id: u32) -> u64 {
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    let all = children.split_whitespace().map(str::to_owned).chain([id.to_string()]);
    let peak = |id: String| {
        // Before it is the binary, it shows the memory of this program.
        let program = fs::read_link(format!("/proc/{id}/exe")).ok()?;
        program.ends_with("hangup").then_some(())?;
        let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    all.filter_map(peak).max().unwrap_or_default() * 1024
}

fn setting(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value}")))
}

#[test]
#[ignore = "starts hundreds of processes"]
fn no_mutant_of_a_file_costs_much_or_says_what_it_should_not() {
    let first = TempDir::new().expect("a folder");
    let kinds = kinds(first.path());
    let seed = seed();
    if let Some(number) = setting("HANGUP_MUTANT") {
        let case = Case::of(number, seed, &kinds);
        let trouble = case.trouble(first.path(), &Figures::default());
        let desk = first.keep();
        panic!("in {}: hangup {:?}\n{trouble:?}", desk.display(), case.words);
    }
    let mutants = setting("HANGUP_MUTANTS").unwrap_or(MUTANTS);
    let (next, troubles) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let figures = Figures::default();
    let threads = std::thread::available_parallelism().map_or(2, usize::from) + 1;
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let desk = TempDir::new().expect("a folder");
                fs::write(desk.path().join("hang.script"), HANG).expect("written");
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= mutants {
                        return;
                    }
                    let case = Case::of(number, seed, &kinds);
                    if let Some(trouble) = case.trouble(desk.path(), &figures) {
                        let words = format!("{:.300}", format!("{:?}", case.words));
                        let told = format!("mutant {number}, {}: {words}: {trouble}", case.kind);
                        eprintln!("{told}");
                        troubles.lock().expect("no panic").push(told);
                    }
                    let _ = fs::remove_dir_all(desk.path().join("hangup-findings"));
                }
            });
        }
    });
    eprintln!("{mutants} mutants: {figures:?}");
    let troubles = troubles.into_inner().expect("no panic");
    assert!(
        troubles.is_empty(),
        "{} of {mutants} mutants; HANGUP_SEED={seed} HANGUP_MUTANT=N leaves one to look at:\n{}",
        troubles.len(),
        troubles.join("\n")
    );
}
