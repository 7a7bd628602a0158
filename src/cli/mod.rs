//! The command line: the only place that prints, reads arguments, touches the clock
//! of the wall, and decides exit codes.
//!
//! Exit codes: 0 clean, 1 findings or a stale or jumped deviation, 2 could not test, or not report. Results go to
//! stdout, progress and errors to stderr.

mod args;
mod baseline;
mod clock;
mod compare;
mod connect;
mod explain;
mod export;
mod files;
mod listen;
mod lists;
mod output;
mod output_file;
mod pages;
mod patience;
mod probe;
mod probe_progress;
mod probe_report;
mod progress;
mod remote;
mod roles;
mod runs;
mod saved;
mod serve;
mod start;
mod stop;
mod tcp_campaign;
mod test;
mod test_report;
mod what_matters;

use crate::excerpt::excerpt;
use crate::run::interrupt::INTERRUPTED;
use crate::run::virtual_time::outside_of_runtimes;
use crate::run::workers;
use crate::target::Registry;
use args::{Arguments, Command};
use clap::Parser as _;
use clap::error::{ContextKind, ContextValue};
use std::process::ExitCode;
use stop::Stop;

/// Nothing was wrong.
const CLEAN: u8 = 0;
/// Rules were broken.
const FINDINGS: u8 = 1;
/// What was asked for could not be done.
const COULD_NOT: u8 = 2;

/// What keeps a command from being carried out, in one line.
type Trouble = String;

/// What a command comes to: the exit code, or why there is none.
type Done = Result<u8, Trouble>;

/// The whole command line for the targets of `registry`. A binary for one's own servers:
///
/// ```no_run
/// # async fn my_server(_: hangup::Connection) {}
/// fn main() -> std::process::ExitCode {
///     let mine = hangup::suite(|conn| my_server(conn)).named("mine");
///     hangup::cli::main(hangup::Registry::new().with(mine.into_target()))
/// }
/// ```
///
/// Within a tokio runtime, as in a `#[tokio::main]`, it works on a thread of its own.
pub fn main(registry: Registry) -> ExitCode {
    output::heed_force_color();
    outside_of_runtimes(move || run(&registry))
}

/// Says what is wrong with the arguments; also prints the help and the version, where those are asked for.
fn refuse(mut error: clap::Error) -> ExitCode {
    let wrong =
        [ContextKind::InvalidArg, ContextKind::InvalidValue, ContextKind::InvalidSubcommand];
    for kind in wrong {
        if let Some(ContextValue::String(text)) = error.get(kind) {
            let (short, is_short) = (excerpt(text), excerpt(text) == *text);
            error.insert(kind, ContextValue::String(short));
            if !is_short {
                // A tip that repeats all of it.
                error.insert(ContextKind::Suggested, ContextValue::None);
            }
        }
    }
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(COULD_NOT))
}

fn run(registry: &Registry) -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(error),
    };
    let done = carry_out(registry, arguments.command);
    let written = |code| match output::failure() {
        Some(error) => Err(format!("results could not be written: {error}")),
        None => Ok(code),
    };
    match done.and_then(written) {
        Ok(code) => ExitCode::from(code),
        // That was said when it was.
        Err(trouble) if trouble == INTERRUPTED => ExitCode::from(COULD_NOT),
        Err(trouble) => {
            output::error(&trouble);
            ExitCode::from(COULD_NOT)
        }
    }
}

fn carry_out(registry: &Registry, command: Command) -> Done {
    // What is done in a moment ends by the signal itself, and a worker with its supervisor.
    let stop = Stop::listen;
    match command {
        Command::Test(options) => test::run(registry, &options, &stop()?),
        Command::Probe(options) => probe::run(&options, &stop()?),
        Command::Listen(options) => listen::run(&options, &stop()?),
        Command::Compare(options) => compare::run(&options),
        Command::Report(options) => runs::run(registry, &options, &stop()?),
        Command::Replay(options) => match options.anywhere.url() {
            Some(url) => remote::replay(url, &options, &stop()?),
            None => files::replay(registry, &options, &stop()?),
        },
        Command::Shrink(options) => match options.url() {
            Some(url) => remote::shrink(url, &options, &stop()?),
            None => files::shrink(registry, &options.file, &stop()?),
        },
        Command::Show(options) => match options.anywhere.url() {
            Some(url) => remote::show(url, &options, &stop()?),
            None => files::show(registry, &options, &stop()?),
        },
        Command::Export(options) => export::run(registry, &options, &stop()?),
        Command::Serve(options) => serve::run(registry, &options, &stop()?),
        Command::Connect(options) => connect::run(registry, &options, &stop()?),
        Command::Targets => Ok(lists::targets(registry)),
        Command::Rules => Ok(lists::rules()),
        Command::Explain { id } => explain::explain(id.as_deref()),
        Command::Worker { memory } => {
            workers::serve(registry, memory, || std::process::exit(0)).map(|()| CLEAN)
        }
    }
}
