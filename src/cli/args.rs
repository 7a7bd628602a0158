//! The arguments, as clap reads them. Their doc comments are the help texts.

use crate::script::Millis;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Beside what a worker process starts with: far more than a connection should take,
/// and little enough for a few of them at a time.
const MEMORY_MIB: u32 = 256;

/// Finds WebSocket servers that fail to hang up.
///
/// Plays random scripts of a misbehaving client against a server, in virtual time;
/// judges that every connection closes within its bound and by RFC 6455; shrinks a
/// failing script to a minimal one and saves it.
///
/// Exit codes: 0 clean, 1 findings, or an accepted deviation that never occurs,
/// 2 could not test.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 80)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Test targets with random scripts in virtual time.
    Test(Test),
    /// Play a saved finding again: reproduced (exit 1), fixed (0) or different (1).
    Replay(File),
    /// Shrink a repro or a script to its minimum, and save it.
    Shrink(File),
    /// Draw a saved finding, or what a script leads to, as a timeline.
    Show(File),
    /// List the targets.
    Targets,
    /// List the rules that a server is judged by.
    Invariants,
    /// Play scripts for a supervisor that started this process.
    #[command(hide = true, name = crate::workers::COMMAND)]
    Worker {
        /// How many bytes it may use.
        memory: u64,
    },
    /// Explain a rule: what it asks for, how servers break it, what to do.
    Explain {
        /// The rule's id, as in `hangup invariants`.
        id: String,
    },
}

#[derive(Args, Debug)]
pub(super) struct Test {
    /// Targets by name, or by the part before the slash; all where none is named.
    pub targets: Vec<String>,
    /// Which scripts to play; the same seed plays the same. Printed where it is not given.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// How many scripts to play against each target [default: 20000].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "lasting")]
    pub scripts: Option<u64>,
    /// Play for so long instead, all targets together: 30s, 5min, 12h.
    #[arg(long = "for", value_name = "TIME")]
    pub lasting: Option<Millis>,
    /// Hold every target to this bound instead of its own: 5s, 250ms.
    #[arg(long, value_name = "TIME")]
    pub close_within: Option<Millis>,
    /// How many worker processes play [default: one for each core]. The findings are
    /// the same for any number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    /// How much memory a worker process may use, in MiB: more is a finding.
    #[arg(long, value_name = "MIB", default_value_t = MEMORY_MIB, value_parser = clap::value_parser!(u32).range(16..))]
    pub memory: u32,
    /// Where to save findings.
    #[arg(long, value_name = "DIR", default_value = crate::save::DIRECTORY)]
    pub findings: PathBuf,
    /// How to report.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Text for people.
    Human,
    /// One JSON object for machines.
    Json,
}

#[derive(Args, Debug)]
pub(super) struct File {
    /// A repro file, or a script in hangup's notation (then --target is needed).
    pub file: PathBuf,
    /// The target to play it against, where not the one that the file names.
    #[arg(long, value_name = "NAME")]
    pub target: Option<String>,
    /// Hold the target to this bound instead of the file's.
    #[arg(long, value_name = "TIME")]
    pub close_within: Option<Millis>,
    /// How much memory the worker process that plays it may use, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = MEMORY_MIB, value_parser = clap::value_parser!(u32).range(16..))]
    pub memory: u32,
}
