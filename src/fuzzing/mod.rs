//! Fuzz targets: one function each, called by `fuzz/`, by users' fuzz targets, and by
//! `cargo test` over the committed seeds.
//!
//! libFuzzer is not needed here, and hangup does not depend on it: the macros
//! [`fuzz_scripts!`](crate::fuzz_scripts) and [`fuzz_bytes!`](crate::fuzz_bytes) expand to
//! its own ones in the crate that calls them.
//!
//! | function | its input | what must hold |
//! |---|---|---|
//! | [`Fuzz::script`] | a script in hangup's notation | the server keeps every rule |
//! | [`Fuzz::bytes`] | raw bytes and pauses after the upgrade | the server keeps every rule |
//! | [`wire`] (feature `tungstenite`) | frames as bytes | our decoder and another say the same |
//! | [`notation`] | text | parsing never panics, and what it prints reads back |
//! | [`repro`](fn@repro) | text | as for `notation`, for repro files |
//!
//! What [`Fuzz`] finds is shrunk, and saved beside the fuzzer's own artifact. It panics
//! once for each finding, told apart as everywhere by target, rule, cause and condition:
//! a night over many processes ends with a handful of files. Each of these files is an input too,
//! and fails again. Nothing is played in real time; what other threads of the server's keep from
//! being judged is no finding, and is said once in each process, on stderr.

mod arguments;
#[cfg(feature = "tungstenite")]
mod decoder_comparison;
mod finding_log;
mod input;
mod mutate;
#[cfg(all(test, feature = "tungstenite"))]
mod older_files;
#[cfg(feature = "arbitrary")]
mod raw;
mod seeds;
mod text;

pub use arguments::begin;
#[cfg(feature = "tungstenite")]
pub use decoder_comparison::wire;
pub use seeds::{Seed, dictionaries, seeds};
pub use text::{notation, repro};

use crate::bounds::Bounds;
use crate::generate::GeneratorConfig;
use crate::heap;
use crate::report;
use crate::run::campaign::{Campaign, Ends, FirstFailure, Unjudged, cannot_be_tested};
use crate::run::virtual_time::{play, play_and_judge};
use crate::script::Script;
use crate::suite::Suite;
use crate::target::{Deviation, Registry, Target, most_connections};
use crate::verdict::Violation;
use finding_log::FindingLog;
use input::Input;
use std::convert::Infallible;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Names the built-in target that hangup's own fuzz targets play against; where it is
/// not set, `reference`.
pub const TARGET: &str = "HANGUP_FUZZ_TARGET";

/// Where it is set, every mutation is a freshly drawn script, whatever it was to be a
/// mutation of: the random campaign in a fuzzer's clothes, for comparing coverage.
pub const RANDOM: &str = "HANGUP_FUZZ_RANDOM";

/// The most steps, and the most acts in them, that are played on each connection: repetitions and
/// pieces count. A script beyond that is slow, and has nothing to say that a shorter one has not.
const MAX_STEPS: usize = 16;
const MAX_ACTS: u64 = 40;
/// The most bytes that a script may send, for the same reason.
const MAX_BYTES: u64 = 80_000;
/// As much where the target's heap is measured, and floods have something to show.
const MAX_FLOOD_BYTES: u64 = 2 << 20;

/// A server under a fuzzer.
pub struct Fuzz {
    target: Arc<dyn Target>,
    bounds: Bounds,
    config: GeneratorConfig,
    /// The most bytes that a script may send.
    max_bytes: u64,
    random: bool,
    log: FindingLog,
    /// Whether a WebSocket opens, once that was asked.
    opens: OnceLock<Result<(), String>>,
    /// It was said that something cannot be judged in virtual time.
    said_unjudged: AtomicBool,
}

impl From<Suite> for Fuzz {
    /// A server of one's own. Of the suite, what concerns files, seeds and numbers of
    /// scripts has no effect: the fuzzer decides that.
    fn from(suite: Suite) -> Self {
        Self::new(Arc::new(suite.into_target()))
    }
}

impl Fuzz {
    /// A target under a fuzzer, held to its own bounds.
    pub fn new(target: Arc<dyn Target>) -> Self {
        let bounds = target.bounds();
        let request_bytes = target.opening().request().len() as u32;
        let config = GeneratorConfig {
            app: target.obeys(),
            connections: most_connections(&*target),
            request_bytes,
            bounds,
            subject: target.role(),
        };
        let random = std::env::var_os(RANDOM).is_some();
        let measured = bounds.memory.is_some() && heap::measure().is_some();
        let max_bytes = if measured { MAX_FLOOD_BYTES } else { MAX_BYTES };
        let (log, said_unjudged) = (FindingLog::new(), AtomicBool::new(false));
        Self {
            target,
            bounds,
            config,
            max_bytes,
            random,
            log,
            opens: OnceLock::new(),
            said_unjudged,
        }
    }

    /// The built-in target that the environment variable [`TARGET`] names, or `reference`.
    ///
    /// # Panics
    ///
    /// If there is no target of that name.
    #[expect(clippy::panic, reason = "a fuzz target has no other way to say so")]
    pub fn built_in() -> Self {
        let name = std::env::var(TARGET).unwrap_or_else(|_| "reference".to_owned());
        let registry = Registry::built_in();
        let target = registry.resolve(&name).unwrap_or_else(|error| panic!("{TARGET}: {error}"));
        let built_in = Self::new(target);
        let setting = format!("{TARGET}={} ", report::quoted(&name));
        Self { log: built_in.log.with_setting(setting), ..built_in }
    }

    /// Takes from libFuzzer's own arguments where its artifacts go: findings are saved
    /// there too. Where the arguments name a file, it is to be tried again, and what was
    /// found before counts as well.
    #[must_use]
    pub fn with_arguments(mut self, arguments: impl IntoIterator<Item = String>) -> Self {
        self.log = self.log.with_arguments(arguments);
        self
    }

    /// Opens a WebSocket politely, as a fuzz target does before it begins.
    ///
    /// # Errors
    ///
    /// Why the server cannot be tested: it opens none that stays open.
    pub fn opens(&self) -> Result<(), String> {
        let why = cannot_be_tested(&self.target, &self.bounds);
        let name = self.target.name();
        why.map_or(Ok(()), |why| Err(report::wrap(&format!("{name} could not be tested: {why}"))))
    }

    /// Plays a script in hangup's notation, or that of a repro or report that was left beside a
    /// crash; `false` where it is none, one against the
    /// other role, or one too long to be worth its time.
    ///
    /// # Panics
    ///
    /// If the server breaks a rule that it has not been seen to break: with the whole
    /// report, and where it was saved.
    pub fn script(&self, data: &[u8]) -> bool {
        Input::read(data).is_some_and(|input| self.play(&input))
    }

    /// Plays raw bytes and pauses after the upgrade, or the script of a repro or report that was
    /// left beside a crash; `false` where there are none.
    ///
    /// # Panics
    ///
    /// As [`script`](Self::script).
    #[cfg(feature = "arbitrary")]
    pub fn bytes(&self, data: &[u8]) -> bool {
        if let Some(saved) = Input::saved(data) {
            return self.play(&saved);
        }
        let script = raw::script(data, &self.config);
        script.steps.len() > 1 && self.play(&Input::drawn(script))
    }

    /// Mutates the script in `data[..size]` in place, and returns the new size, from 1 to
    /// `most`. The same arguments give the same script.
    ///
    /// # Panics
    ///
    /// If `data` is shorter than `size` or `most`, or `most` is 0.
    pub fn mutate(&self, data: &mut [u8], size: usize, most: usize, seed: u32) -> usize {
        let text = if self.random {
            mutate::draw_within(&self.config, most, seed)
        } else {
            mutate::mutated(&self.config, &data[..size], most, seed)
        };
        data[..text.len()].copy_from_slice(text.as_bytes());
        text.len()
    }

    /// Makes one script of two in `out`, and returns its size. The same arguments give
    /// the same script.
    pub fn cross_over(&self, one: &[u8], other: &[u8], out: &mut [u8], seed: u32) -> usize {
        let text = if self.random {
            mutate::draw_within(&self.config, out.len(), seed)
        } else {
            mutate::crossed(one, other, out.len(), seed)
        };
        out[..text.len()].copy_from_slice(text.as_bytes());
        text.len()
    }

    /// Plays a script, and panics on a new finding: a fuzzer counts a panic as a crash.
    fn play(&self, Input { script, runtime_seed, is_saved }: &Input) -> bool {
        // Where the macros are not used, nobody has asked yet.
        let opens = self.opens.get_or_init(|| self.opens());
        assert!(opens.is_ok(), "{}", opens.as_ref().err().map_or("", String::as_str));
        let max_bytes = self.max_bytes * u64::from(script.connections());
        let is_long = is_too_long(script) || script.max_bytes_sent() > max_bytes;
        // What is saved was a finding, however long.
        if is_long && !is_saved || script.is_not_against(self.target.role()).is_some() {
            return false;
        }
        let (_, verdict) = play_and_judge(&self.target, &self.bounds, script, *runtime_seed);
        let deviations = self.target.deviations();
        let mut reports = String::new();
        let is_new = |suspicion: &&Violation| {
            suspicion.is_lack() || Deviation::accepting(deviations, suspicion.identity).is_none()
        };
        let unproven = verdict.unproven().find(is_new).and_then(|one| Unjudged::of(one, 0));
        if let Some(what) = unproven
            && !self.said_unjudged.swap(true, Ordering::Relaxed)
        {
            // No finding: a panic would end the night.
            let said = {
                let (name, role) = (self.target.name(), self.target.role());
                report::wrap(&report::cannot_judge(&what, name, role))
            };
            let _ = writeln!(std::io::stderr(), "{said}");
        }
        for violation in verdict.violations {
            let key = violation.identity;
            let accepted = Deviation::accepting(deviations, key).is_some();
            if accepted || self.log.has_reported(self.target.name(), key.problem()) {
                continue;
            }
            let bounds = self.bounds;
            let campaign = Campaign { bounds, seed: 0, scripts: None, all_variants: false };
            let mut play_again = |script: &Script| {
                Ok::<_, Infallible>(play(&self.target, &self.bounds, script, *runtime_seed))
            };
            let first = FirstFailure { script: script.clone(), index: 0, violation };
            let Ok(finding) = campaign.investigate(first, &mut play_again, Ends::COMPLETE);
            if finding.is_dismissed() {
                continue;
            }
            if let Some(report) = self.log.report(&*self.target, self.bounds, &finding) {
                reports.push_str(&report);
            }
        }
        assert!(reports.is_empty(), "{reports}");
        true
    }
}

fn is_too_long(script: &Script) -> bool {
    let connections = script.connections();
    script.steps.len() > MAX_STEPS * usize::from(connections)
        || script.acts() > MAX_ACTS * u64::from(connections)
}

/// A whole fuzz target for scripts against a server: what is given is turned into a
/// [`Fuzz`], as a [`Suite`] can be. The crate that calls it depends on `libfuzzer-sys`.
///
/// ```text
/// #![no_main]
/// hangup::fuzz_scripts!(hangup::suite(my_server).close_within(hangup::secs(5)));
/// ```
///
/// (`examples/fuzzed_server` has it whole, where it is also built.)
#[macro_export]
macro_rules! fuzz_scripts {
    ($server:expr $(,)?) => {
        static FUZZ: ::std::sync::LazyLock<$crate::fuzzing::Fuzz> =
            ::std::sync::LazyLock::new(|| {
                $crate::fuzzing::Fuzz::from($server).with_arguments(::std::env::args())
            });
        ::libfuzzer_sys::fuzz_target!(
            init: {
                $crate::fuzzing::begin("script", ::std::env::args());
                // Before libFuzzer begins, so that it keeps no file of it.
                if let Err(why) = FUZZ.opens() {
                    ::std::eprintln!("{why}");
                    ::std::process::exit(1);
                }
            },
            |data: &[u8]| -> ::libfuzzer_sys::Corpus {
                match FUZZ.script(data) {
                    true => ::libfuzzer_sys::Corpus::Keep,
                    false => ::libfuzzer_sys::Corpus::Reject,
                }
            }
        );
        ::libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, seed: u32| {
            FUZZ.mutate(data, size, most, seed)
        });
        ::libfuzzer_sys::fuzz_crossover!(|one: &[u8], two: &[u8], out: &mut [u8], seed: u32| {
            FUZZ.cross_over(one, two, out, seed)
        });
    };
}

/// As [`fuzz_scripts!`](crate::fuzz_scripts), for raw bytes after the upgrade.
#[cfg(feature = "arbitrary")]
#[macro_export]
macro_rules! fuzz_bytes {
    ($server:expr $(,)?) => {
        static FUZZ: ::std::sync::LazyLock<$crate::fuzzing::Fuzz> =
            ::std::sync::LazyLock::new(|| {
                $crate::fuzzing::Fuzz::from($server).with_arguments(::std::env::args())
            });
        ::libfuzzer_sys::fuzz_target!(
            init: {
                $crate::fuzzing::begin("bytes", ::std::env::args());
                // Before libFuzzer begins, so that it keeps no file of it.
                if let Err(why) = FUZZ.opens() {
                    ::std::eprintln!("{why}");
                    ::std::process::exit(1);
                }
            },
            |data: &[u8]| -> ::libfuzzer_sys::Corpus {
                match FUZZ.bytes(data) {
                    true => ::libfuzzer_sys::Corpus::Keep,
                    false => ::libfuzzer_sys::Corpus::Reject,
                }
            }
        );
    };
}
