//! Failures that the project met, replayed: `proptest-regressions/PROPERTY/CASE`.
//!
//! Proptest's own seeds, in `PROPERTY.txt`, mean something else once a strategy changes. What
//! they stood for does not: a script, bytes or a file. So does what a fuzzer or a campaign
//! found before there was a property for it.

use crate::vocabulary::{enclosing_function, encoded, regressions};
use crate::{handshakes, judging, playing, repros, wire};
use hangup::judge::judge;
use hangup::run::virtual_time::play;
use hangup::script::Script;
use hangup::target::tungstenite::deviations;
use hangup::target::{Connection, Deviation, Registry, Serving, Target};
use hangup::wire::handshake::{ACCEPT, request_length, switching_protocols};
use hangup::wire::{CloseCode, FrameHead, Opcode, Role};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::sleep;

/// One file: its comment lines say what went wrong, and what it is played with.
struct Case {
    property: String,
    path: PathBuf,
    text: String,
}

impl Case {
    fn all() -> Vec<Self> {
        let folders = sorted(&regressions()).into_iter().filter(|path| path.is_dir());
        let cases = folders.flat_map(|folder| sorted(&folder)).map(|path| Self {
            property: name(path.parent().expect("a folder")),
            text: fs::read_to_string(&path).expect("a text file"),
            path,
        });
        cases.collect()
    }

    /// The value of a comment line `# NAME: VALUE`.
    fn field(&self, name: &str) -> &str {
        let mut comments = self.text.lines().filter_map(|line| line.strip_prefix("# "));
        let found = comments.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        found.unwrap_or_else(|| panic!("{}: no comment `# {name}: ..`", self.path.display()))
    }

    /// The bytes of hex digits.
    fn bytes(&self) -> Vec<u8> {
        let lines = self.text.lines().filter(|line| !line.starts_with('#'));
        let digits: String = lines.flat_map(str::split_whitespace).collect();
        let pair = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex digits");
        (0..digits.len()).step_by(2).map(pair).collect()
    }

    fn sender(&self) -> Role {
        match self.field("sender") {
            "client" => Role::Client,
            "server" => Role::Server,
            other => panic!("{}: no sender `{other}`", self.path.display()),
        }
    }

    fn target(&self) -> Arc<dyn Target> {
        let registry = Registry::built_in().with(Slow::Timer).with(Slow::WholeFrames);
        let target = registry.find(self.field("target"));
        Arc::clone(target.unwrap_or_else(|| panic!("{}: no such target", self.path.display())))
    }

    fn script(&self) -> Script {
        self.text.parse().unwrap_or_else(|error| panic!("{}: {error}", self.path.display()))
    }

    /// Whether the property holds for it.
    fn replay(&self) -> TestCaseResult {
        match self.property.as_str() {
            "the_decoder_and_the_oracle_find_the_same_with_the_same_byte" => {
                wire::oracle_agrees(self.sender(), &self.bytes())
            }
            "the_decoder_finds_the_same_however_its_bytes_are_cut" => {
                let bytes = self.bytes();
                for size in 1..bytes.len() {
                    wire::cuts_do_not_matter(self.sender(), &bytes, &[size])?;
                }
                Ok(())
            }
            "a_request_is_as_long_for_all_who_read_it_however_much_has_come" => {
                let length = self.field("length").parse().expect("a number");
                handshakes::request_ends_at(&self.bytes(), length)
            }
            "a_response_is_as_long_for_all_who_read_it_however_much_has_come" => {
                let length = self.field("length").parse().expect("a number");
                handshakes::response_ends_at(&self.bytes(), length)
            }
            "a_repro_that_was_cut_is_refused" => repros::is_whole_or_refused(&self.text),
            "what_is_said_of_a_strangers_repro_steers_no_terminal" => {
                repros::steers_no_terminal(&self.text)
            }
            "a_repros_file_name_is_safe_whatever_its_target_is_called" => {
                let name = String::from_utf8(self.bytes()).expect("a name");
                repros::has_a_safe_name(name, repros::plain().identity)
            }
            "any_timeline_fits_into_80_columns_and_steers_no_terminal" => {
                let target = self.target();
                let exchange = play(&target, &target.bounds(), &self.script(), 0);
                judging::fits_a_terminal(&exchange, &target.bounds())
            }
            "an_honest_server_is_blamed_for_nothing_whatever_the_script" => {
                let blamed = playing::blamed(&self.target(), &self.script());
                prop_assert!(blamed.is_empty(), "{:?}", blamed);
                Ok(())
            }
            "empty_lines_before_the_request_change_no_verdict" => {
                let (target, mut script) = (self.target(), self.script());
                let with_lines = playing::blamed(&target, &script);
                script.steps.remove(0);
                prop_assert_eq!(with_lines, playing::blamed(&target, &script));
                Ok(())
            }
            "what_a_planted_fault_shows_shrinks_to_a_minimum" => {
                let (target, script) = (self.target(), self.script());
                let exchange = play(&target, &target.bounds(), &script, 0);
                let shown = judge(&exchange, &target.bounds()).violations;
                prop_assert!(!shown.is_empty(), "it shows nothing");
                let mut keys = shown.iter().map(|violation| violation.identity);
                keys.try_for_each(|key| playing::shrinks_well(&target, &script, key))
            }
            other => panic!("{}: no replay for `{other}`", self.path.display()),
        }
    }
}

#[test]
fn no_failure_that_was_met_comes_back() {
    let cases = Case::all();
    assert!(cases.len() >= 15, "{} cases", cases.len());
    let fails = |case: &Case| {
        let failure = case.replay().err()?;
        let first = case.text.lines().next().expect("a line");
        Some(format!("{}\n{first}\n{failure}\n", case.path.display()))
    };
    let failures: Vec<String> = cases.iter().filter_map(fails).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_case_says_what_went_wrong() {
    for case in Case::all() {
        let first = case.text.lines().next().and_then(|line| line.strip_prefix("# "));
        assert!(first.is_some_and(|line| line.len() > 20), "{}", case.path.display());
    }
}

#[test]
fn every_seed_and_every_case_belongs_to_a_property_and_every_seed_has_a_case() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/properties");
    let source = |path: PathBuf| fs::read_to_string(path).expect("a source file");
    let code: String = sorted(&sources).into_iter().map(source).collect();
    for path in sorted(&regressions()) {
        let property = name(&path.with_extension(""));
        if is_of_another_test(&property) {
            continue;
        }
        let is_there = code.contains(&format!("\nfn {property}() {{"));
        assert!(is_there, "{}: no such property", path.display());
        let cases = path.with_extension("");
        assert!(cases.is_dir(), "{} has seeds, and no case: record one", path.display());
        assert!(!sorted(&cases).is_empty(), "{} has no case", path.display());
    }
}

/// Whether proptest itself named the file, after `tests/NAME.rs`: its default.
fn is_of_another_test(name: &str) -> bool {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name).with_extension("rs").is_file()
}

#[test]
fn the_file_of_a_propertys_seeds_is_named_after_its_test() {
    let name = enclosing_function(&|| ());
    assert_eq!(name, "the_file_of_a_propertys_seeds_is_named_after_its_test");
}

fn sorted(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

/// Servers that are slow in a way that none of the built-in ones is.
#[derive(Clone, Copy)]
enum Slow {
    /// Closes with 1001 a millisecond after 25 s, whatever came in between, as a server does
    /// whose timer has run out when it comes to read.
    Timer,
    /// Looks at a frame of nine bytes once all of it is here, and takes 4.5 s to close.
    WholeFrames,
}

impl Target for Slow {
    fn name(&self) -> &'static str {
        match self {
            Self::Timer => "slow-timer",
            Self::WholeFrames => "slow-whole-frames",
        }
    }

    fn version(&self) -> &'static str {
        "this test"
    }

    fn about(&self) -> &'static str {
        "a server that is slow and does nothing wrong"
    }

    fn deviations(&self) -> &[Deviation] {
        const { &[deviations::LATE_REFUSAL] }
    }

    fn serve(&self, connection: Connection) -> Serving {
        Box::pin(serve(*self, connection))
    }
}

async fn serve(slow: Slow, mut connection: Connection) {
    let mut request = Vec::new();
    while request_length(&request).is_none() {
        if !connection.read_buf(&mut request).await.is_ok_and(|count| count > 0) {
            return;
        }
    }
    let _ = connection.write_all(switching_protocols(ACCEPT).as_bytes()).await;
    let code = match slow {
        Slow::Timer => {
            sleep(Duration::from_millis(25_001)).await;
            let _ = connection.read_buf(&mut request).await;
            CloseCode::GOING_AWAY
        }
        Slow::WholeFrames => {
            let _ = connection.read_exact(&mut [0; 9]).await;
            sleep(Duration::from_millis(4500)).await;
            CloseCode::INVALID_DATA
        }
    };
    let close = encoded(FrameHead::server(Opcode::CLOSE), &code.0.to_be_bytes());
    let _ = connection.write_all(&close).await;
}
