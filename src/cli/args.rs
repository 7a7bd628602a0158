//! The arguments, as clap reads them. Their doc comments are the help texts.

use crate::bounds::Bounds;
use crate::excerpt;
use crate::run::real_time::{PlayLimits, StopSignal};
use crate::script::{Millis, ParseError};
use clap::{Arg, Args, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How many scripts `test` plays against each target where nothing is said.
pub(super) const SCRIPTS: u64 = 20_000;

/// Where a server that hangup starts is asked, where nothing is said.
const STARTED_AT: &str = "ws://127.0.0.1:{port}/";

/// Beside what a worker process starts with: far more than a connection should take,
/// and little enough for a few of them at a time.
pub(super) const MEMORY_MIB: u32 = 256;

/// Finds WebSocket servers that fail to hang up.
///
/// Plays random scripts of a misbehaving client against a server, in virtual time;
/// judges whether every connection closes by RFC 6455 and within the time that the server
/// is allowed; shrinks a failing script to the shortest one and saves it.
///
/// `hangup explain` lists the rules and words that it explains, `hangup explain notation` says how
/// scripts are written.
///
/// Exit codes: 0 clean; 1 problems, or an accepted deviation (a problem that a target is known for:
/// `hangup targets` lists them) that occurs in none of 20,000 scripts, or far more often than the target expects;
/// 2 hangup could not test, or could not write a report.
///
/// Ctrl-C, SIGTERM and SIGHUP stop a run: it saves and reports what it has found. A second one, half a
/// second later or more, ends it at once.
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
    /// Test a running server, in any language, over real TCP.
    Probe(Box<Probe>),
    /// Test a WebSocket client, in any language, over real TCP: hangup is the server.
    ///
    /// hangup starts the client's program for each script, with a port of its own, and kills it with its
    /// children afterwards. How it exits is not judged, unless a signal ends it.
    Listen(Box<Listen>),
    /// Compare two runs by their reports: what is new, gone, or shows more or less often.
    ///
    /// Compares the targets of the same name; where each file has one target, those two.
    ///
    /// Two runs with other seeds play other scripts, and what is rare shows in one of them alone.
    /// compare reports a difference only if its probability by chance is below one in a million
    /// (an exact test on the numbers of scripts), and a rate only if it has at least doubled. With
    /// equally many scripts in both runs, 20 scripts against none are a difference.
    ///
    /// Exit codes: 1 where a problem is new, shows under new causes or conditions, or shows more often,
    /// or an accepted deviation that the RFC demands shows more often; 0 if none of these holds;
    /// 2 for files that cannot be compared.
    Compare(Compare),
    /// Write several runs as one page: a table of targets and rules, and every problem with its picture.
    ///
    /// hangup takes the pictures and the bytes from the findings' files, if they are still where the run
    /// saved them.
    Report(Report),
    /// Play a saved finding again, or any script, such as one that `cargo fuzz` saved.
    ///
    /// Of a finding: reproduced (exit 1), fixed (0; on another target: not shown by it), or different: it
    /// breaks another rule, or this one in another way, than the file says (1). A script breaks a rule (1) or breaks none (0).
    Replay(Replay),
    /// Shrink a saved finding or a script to its minimum, and save it in hangup-findings/.
    ///
    /// If another file of that name is there (another script, or the same one with another runtime-seed),
    /// it stays, and the new one gets a number. The file that is shrunk is replaced if it has that name.
    ///
    /// Exit codes: 1 where it shrank a script that breaks a rule; 0 where the script breaks none; 2 where
    /// it could not play it.
    Shrink(Anywhere),
    /// Play a saved finding or a script, and draw the timeline with the verdict.
    ///
    /// The exit code is 0 if hangup could draw it, whatever the verdict; the exit code of `replay`
    /// depends on the verdict.
    Show(Show),
    /// Print a saved finding for people without hangup: as a program that plays it, as an issue to
    /// paste, or as a capture.
    Export(Export),
    /// Let a target listen on a real socket, until Ctrl-C, SIGTERM or SIGHUP.
    Serve(Serve),
    /// Let a target that is a client connect to a URL, until it is done: what `serve` is for servers.
    Connect(Connect),
    /// List the targets.
    Targets,
    /// List the rules that a server, or a client, is judged by.
    #[command(alias = "invariants")]
    Rules,
    /// Play scripts for a supervisor that started this process.
    #[command(hide = true, name = crate::run::workers::COMMAND)]
    Worker {
        /// How many bytes it may use.
        memory: u64,
    },
    /// Explain a rule, a word, or how scripts are written.
    Explain {
        /// A rule (`hangup rules`), a word of the glossary, `glossary` or `notation`. Without one,
        /// hangup lists all.
        id: Option<String>,
    },
}

#[derive(Args, Debug)]
pub(super) struct Test {
    /// Targets by name, or a whole group: `tungstenite/`. Default: all servers in the first part of
    /// `hangup targets`; not its clients, and not the second part, which is broken on purpose.
    pub targets: Vec<String>,
    /// The seed of the random scripts; the same seed gives the same scripts. Default: random, and
    /// printed.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// How many scripts to play against each target [default: 20000].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "lasting")]
    pub scripts: Option<u64>,
    /// Play for so long instead, all targets together: 30s, 5min, 12h.
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub lasting: Option<Millis>,
    /// The bound for every target, instead of its own, for closing and for closing the socket after
    /// a reset: 5s, 250ms.
    #[arg(long, value_name = "TIME", value_parser = bound)]
    pub close_within: Option<Millis>,
    /// The bound for the shutdown of every whole server (a target with a listener and a stop signal, and
    /// not of single connections) [default: its own, else the bound for closing plus 1 s].
    #[arg(long, value_name = "TIME", value_parser = bound)]
    pub shutdown_within: Option<Millis>,
    /// How many worker processes play [default: one for each core]. The findings are
    /// the same for any number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    /// A file of known problems: hangup reports them as accepted, and they do not change the exit
    /// code. If the file does not exist, hangup writes the problems of this run to it.
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// How much memory a worker process may use, in MiB: more is a finding.
    #[arg(long, value_name = "MIB", default_value_t = MEMORY_MIB, value_parser = clap::value_parser!(u32).range(16..))]
    pub memory: u32,
    /// The folder for findings. hangup makes it if it is missing, and checks before the run that
    /// it can write there.
    #[arg(long, value_name = "DIR", default_value = crate::finding::save::DIRECTORY)]
    pub findings: PathBuf,
    /// Shrink and save every variant of a problem, and not only that of its first script: one for each cause
    /// (why the connection had to end) and each condition (what the other end did meanwhile).
    #[arg(long)]
    pub all_variants: bool,
    /// Print each accepted deviation with its reason, and in how many scripts the target expects it.
    #[arg(long)]
    pub verbose: bool,
    /// Also write a JUnit XML report to this file. hangup replaces a regular file atomically (a
    /// symbolic link: its target), and writes directly to a device, a FIFO or /dev/stdout.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Also write an HTML report with pictures to this file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Do not confirm findings in real time. By default hangup plays the shortest script of each
    /// problem whose connection ends late or never once more in real time, all at once; this takes the
    /// longest script plus its bound. If the connection then ends in time, hangup reports no problem, and says that
    /// virtual time cannot judge the server.
    #[arg(long)]
    pub no_confirm: bool,
    /// How to report.
    #[arg(long, value_enum, default_value_t = RunFormat::Human)]
    pub format: RunFormat,
}

impl Test {
    /// What targets are held to in place of their own bounds.
    pub(super) const fn bound_options(&self) -> BoundOptions {
        let Self { close_within, shutdown_within, .. } = *self;
        BoundOptions { close_within, shutdown_within, ..BoundOptions::own() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Text for people.
    Human,
    /// One JSON object for machines.
    Json,
}

/// How a run is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RunFormat {
    /// Text for people.
    Human,
    /// One JSON object for machines.
    Json,
    /// Text for people, and an annotation for each problem, as GitHub Actions shows them.
    Github,
}

#[derive(Args, Debug)]
#[command(mut_args(of_no_file))]
#[command(group(clap::ArgGroup::new("server").required(true).multiple(true).args(["url", "run"])))]
pub(super) struct Probe {
    /// The server: ws://HOST:PORT/PATH or wss://.. With --run, `{port}` in the URL stands for a free
    /// port, and the default is ws://127.0.0.1:{port}/.
    pub url: Option<String>,
    #[command(flatten)]
    pub start: Start,
    /// A URL on which the server closes the connection as soon as it is open.
    #[arg(long, value_name = "URL")]
    pub bye: Option<String>,
    /// A URL on which the server echoes each message.
    #[arg(long, value_name = "URL")]
    pub echo: Option<String>,
    /// A URL on which the server sends messages without being asked.
    #[arg(long, value_name = "URL")]
    pub push: Option<String>,
    /// How many scripts to play.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub scripts: u64,
    /// How many connections hangup opens at once. More make the run shorter. With 256 the defaults take
    /// 160 s at most, shrinking and confirming included: 10 x (bound + horizon) + 10 s.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub concurrency: u32,
    /// How many new connections a second.
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rate: u32,
    #[command(flatten)]
    pub reach: Reach,
    #[command(flatten)]
    pub campaign: Campaign,
}

/// A client that is started for each script.
#[derive(Args, Debug)]
#[command(mut_args(of_no_file), mut_arg("shutdown_within", |arg| arg.hide(true)))]
#[command(group(
    clap::ArgGroup::new("client").required(true).multiple(true).args(["run", "closes", "echoes", "browser"])
))]
#[command(override_usage = "hangup listen <--run|--closes|--echoes COMMAND | --browser> [OPTIONS]")]
pub(super) struct Listen {
    /// A shell command: {url} in it, and the environment variable URL, hold the address. The program
    /// connects to it, keeps the connection open, and exits when the server has ended it.
    #[arg(long, value_name = "COMMAND")]
    pub run: Option<String>,
    /// A command as for --run. The program closes the connection as soon as it is open, and exits when
    /// its close has returned.
    #[arg(long, value_name = "COMMAND")]
    pub closes: Option<String>,
    /// A command as for --run. The program echoes each message, and exits when the server has ended the
    /// connection.
    #[arg(long, value_name = "COMMAND")]
    pub echoes: Option<String>,
    /// Test a browser instead: open the page whose URL is printed in it, within five minutes. The page
    /// opens a socket for each script, closes or echoes where the script says so, and tells what the
    /// browser tells it: the end, with its code.
    #[arg(long, conflicts_with_all = ["run", "closes", "echoes"])]
    pub browser: bool,
    /// Speak TLS: {url} is wss://.., and hangup makes a certificate for `localhost`, `127.0.0.1` and `::1`.
    /// The client has to trust the PEM file that replaces {ca} in commands. `SSL_CERT_FILE` (OpenSSL,
    /// Python, Go), `NODE_EXTRA_CA_CERTS` (Node) and `DENO_CERT` (Deno) in their environment name it too.
    /// hangup removes it at the end.
    #[arg(long, conflicts_with = "browser")]
    pub tls: bool,
    /// How long a program, or a socket of the page, may take to connect.
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "10s")]
    pub start_within: Millis,
    /// How many scripts to play: so many programs are started, or sockets opened, and more to shrink
    /// what was found.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub scripts: u64,
    /// How many programs, or sockets, at once.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub concurrency: u32,
    #[command(flatten)]
    pub campaign: Campaign,
}

/// The help of an option that several commands have, for those that play no file. Only servers shut down, and
/// who reads this of a client's command has none.
fn of_no_file(arg: Arg) -> Arg {
    let Some(help) = arg.get_help().map(ToString::to_string) else { return arg };
    let of_files = [
        "the bound of the file or of the target, else ",
        "that of the file or of the target, else ",
        // clap takes the last full stop.
        ". For a finding of `listen`: the client's command, with {url} in it",
        ", or the client to connect",
        ". `replay` and `show` need it for files about a shutdown, and send it where the script says \
         `app shutdown`",
    ];
    let said = of_files.iter().fold(help.clone(), |help, text| help.replace(text, ""));
    if said == help { arg } else { arg.help(said) }
}

/// What campaigns over TCP have in common.
#[derive(Args, Debug)]
pub(super) struct Campaign {
    /// Which scripts to play; the same seed draws the same. Printed where it is not given.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub bound_options: BoundOptions,
    /// How long hangup watches one connection of each finding that is still open at the horizon,
    /// from the same event on; at least the horizon. If there is such a connection, the run does not
    /// end before this time is over.
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "60s")]
    pub watch: Millis,
    /// A file of known problems: hangup reports them as accepted, and they do not change the exit
    /// code. If the file does not exist, hangup writes the problems of this run to it.
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Also write a JUnit XML report to this file. hangup replaces a regular file atomically (a
    /// symbolic link: its target), and writes directly to a device, a FIFO or /dev/stdout.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Also write an HTML report with pictures to this file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// The folder for findings. hangup makes it if it is missing, and checks before the run that
    /// it can write there.
    #[arg(long, value_name = "DIR", default_value = crate::finding::save::DIRECTORY)]
    pub findings: PathBuf,
    /// Shrink and save every variant of a problem, and not only that of its first script: one for each cause
    /// (why the connection had to end) and each condition (what the other end did meanwhile).
    #[arg(long)]
    pub all_variants: bool,
    /// How to report.
    #[arg(long, value_enum, default_value_t = RunFormat::Human)]
    pub format: RunFormat,
}

/// Two runs to compare.
#[derive(Args, Debug)]
pub(super) struct Compare {
    /// The older output of `hangup test`, `probe` or `listen` with `--format json`.
    pub old: PathBuf,
    /// The newer one.
    pub new: PathBuf,
    /// How to report.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub format: Format,
}

/// What a server is held to, in place of what a file says, and the time that real TCP is given.
#[derive(Args, Debug)]
pub(super) struct BoundOptions {
    /// The bound: the server (or the client under test) has to end the connection, and to close its
    /// socket after a reset, within this time: 5s, 250ms [default: the bound of the file or of the
    /// target, else 5s].
    #[arg(long, value_name = "TIME", value_parser = bound)]
    pub close_within: Option<Millis>,
    /// The bound for an unfinished opening handshake: from the TCP connection on [default: that of the
    /// file or of the target, else none].
    #[arg(long, value_name = "TIME", value_parser = bound, visible_alias = "connect-within")]
    pub handshake_within: Option<Millis>,
    /// The bound for an idle connection, from the last complete frame that came on [default: that
    /// of the file or of the target, else none].
    #[arg(long, value_name = "TIME", value_parser = bound)]
    pub idle_within: Option<Millis>,
    /// Of servers alone: the bound for the shutdown of the whole server [default: that of the file or of
    /// the target, else --close-within plus 1 s].
    #[arg(long, value_name = "TIME", value_parser = bound)]
    pub shutdown_within: Option<Millis>,
    /// Over real TCP, time added to each deadline, for the delays of network and scheduler.
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "250ms")]
    pub slack: Millis,
    /// Over real TCP, how long to wait for a late end, from the event that obliges the server, or the
    /// client under test, to end the connection (its Close, for example) [default: twice the longest
    /// bound].
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub horizon: Option<Millis>,
}

impl BoundOptions {
    /// Those of the file, or of the target.
    pub(super) const fn own() -> Self {
        Self {
            close_within: None,
            handshake_within: None,
            idle_within: None,
            shutdown_within: None,
            slack: Millis(250),
            horizon: None,
        }
    }

    /// `own` bounds, but for those that are given.
    pub(super) fn hold(&self, own: Bounds) -> Bounds {
        let given = |given: Option<Millis>, own| given.map(Millis::duration).or(own);
        Bounds {
            handshake: given(self.handshake_within, own.handshake),
            idle: given(self.idle_within, own.idle),
            shutdown: given(self.shutdown_within, own.shutdown),
            ..own.held_to(self.close_within.map(Millis::duration))
        }
    }

    /// Whether a target is held to another bound than its own.
    pub(super) const fn replace_some(&self) -> bool {
        self.close_within.is_some()
            || self.handshake_within.is_some()
            || self.idle_within.is_some()
            || self.shutdown_within.is_some()
    }

    /// How a server that is held to `bounds` is played over TCP; `least` is the shortest horizon
    /// where none is given, and `watch` how long an open connection is watched on.
    pub(super) fn limits(&self, bounds: Bounds, least: Duration, watch: Duration) -> PlayLimits {
        let usual = (bounds.longest() * 2).max(least);
        let horizon = self.horizon.map_or(usual, Millis::duration);
        PlayLimits { bounds, slack: self.slack.duration(), horizon, watch: watch.max(horizon) }
    }

    /// That the horizon is not what was asked for, where it is shorter than a bound.
    pub(super) fn horizon_is_short(&self, bounds: &Bounds) -> Option<String> {
        let (horizon, longest) = (self.horizon?, bounds.longest());
        (horizon.duration() < longest).then(|| {
            format!(
                "--horizon {horizon} is shorter than the bound of {} s: hangup waits for the bound",
                longest.as_secs_f64()
            )
        })
    }

    /// What a file of a finding does not say, as words of a command, without what is by default.
    pub(super) fn words(&self) -> Vec<String> {
        let slack = self.slack.to_string();
        let words = (slack != "250ms").then(|| ["--slack".to_owned(), slack]);
        words.into_iter().flatten().collect()
    }
}

/// A server that hangup starts itself.
#[derive(Args, Debug)]
pub(super) struct Start {
    /// Start the server with this shell command, restart it when it dies, and stop it with its
    /// children at the end. The server has to listen on the port that replaces {port} in the command;
    /// the environment variable PORT has it too. For a finding of `listen`: the client's command, with
    /// {url} in it.
    #[arg(long, value_name = "COMMAND")]
    pub run: Option<String>,
    /// How long the server may take to listen, or the client to connect.
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "30s", requires = "run")]
    pub start_within: Millis,
    /// The signal that tells the server to shut down. Needs --run. It is sent where a script says
    /// `app shutdown`: files about a shutdown need it.
    /// `probe` tests the shutdown with it, in place of single connections: clients connect, hangup
    /// sends the signal, and every client has to get a Close, and the process to end within
    /// --shutdown-within. Before that it tests whether the server frees what connections used, and
    /// whether a client that does not read makes others wait.
    #[arg(long, value_name = "SIGNAL", value_enum, ignore_case = true, requires = "run")]
    pub stop: Option<Signal>,
}

/// A signal by its short name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Signal {
    /// SIGTERM.
    #[value(name = "TERM")]
    Term,
    /// SIGINT.
    #[value(name = "INT")]
    Int,
    /// SIGHUP.
    #[value(name = "HUP")]
    Hup,
}

impl From<Signal> for StopSignal {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Term => Self::Term,
            Signal::Int => Self::Int,
            Signal::Hup => Self::Hup,
        }
    }
}

impl Start {
    /// The options as words of a command, without those that are by default.
    pub(super) fn words(&self) -> Vec<String> {
        let Some(run) = &self.run else { return Vec::new() };
        let within = self.start_within.to_string();
        let within = (within != "30s").then(|| ["--start-within".to_owned(), within]);
        let stop = self.stop.and_then(|signal| signal.to_possible_value());
        let stop = stop.map(|signal| ["--stop".to_owned(), signal.get_name().to_owned()]);
        let words = ["--run".to_owned(), run.clone()];
        let words = words.into_iter().chain(within.into_iter().flatten());
        words.chain(stop.into_iter().flatten()).collect()
    }
}

/// How a server is asked, over real TCP.
#[derive(Args, Debug)]
pub(super) struct Reach {
    /// A header line of the opening request: 'Name: value'. May be given more than once.
    #[arg(long, value_name = "LINE")]
    pub header: Vec<String>,
    /// A subprotocol to offer. May be given more than once.
    #[arg(long, value_name = "NAME")]
    pub subprotocol: Vec<String>,
    /// The Host header and the TLS server name, instead of the URL's host.
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
    /// What each session begins with, if the server expects a message first (GraphQL, Engine.IO,
    /// STOMP, MQTT): frames, waits and pauses in the notation of scripts (`hangup explain notation`).
    /// hangup plays them after the opening, before the rest of every script.
    #[arg(long, value_name = "FILE")]
    pub preamble: Option<PathBuf>,
    /// With wss://, accept any certificate.
    #[arg(long)]
    pub insecure: bool,
    /// With wss://, trust the certificates in this PEM file too.
    #[arg(long, value_name = "FILE", conflicts_with = "insecure")]
    pub ca: Option<PathBuf>,
    /// Allow a host that is neither this machine nor in a private network: I may test it.
    #[arg(long)]
    pub i_may_test_this_host: bool,
}

impl Reach {
    /// The options as words of a command, without those that are by default.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let ca = self.ca.as_ref().map(|file| file.display().to_string());
        let header = self.header.iter().map(|line| ("--header", line));
        let subprotocol = self.subprotocol.iter().map(|name| ("--subprotocol", name));
        let host = self.host.iter().map(|name| ("--host", name));
        let ca = ca.iter().map(|file| ("--ca", file));
        let all = header.chain(subprotocol).chain(host).chain(ca);
        words.extend(all.flat_map(|(option, value)| [option.to_owned(), value.clone()]));
        words.extend(self.insecure.then(|| "--insecure".to_owned()));
        words.extend(self.i_may_test_this_host.then(|| "--i-may-test-this-host".to_owned()));
        words
    }
}

/// A file, and a target in process or a running server to play it against.
#[derive(Args, Debug)]
pub(super) struct Anywhere {
    #[command(flatten)]
    pub file: File,
    /// A running server to play it against, over real TCP. With --run, `{port}` in the URL stands for a
    /// free port, and the default is ws://127.0.0.1:{port}/.
    #[arg(long, conflicts_with = "target")]
    pub url: Option<String>,
    /// A browser to play a client's file against: open the page whose URL is printed in it.
    #[arg(long, conflicts_with_all = ["target", "url", "run"])]
    pub browser: bool,
    /// Speak TLS to the client that --run starts, as `hangup listen --tls` does.
    #[arg(long, requires = "run", conflicts_with_all = ["target", "url", "browser"])]
    pub tls: bool,
    #[command(flatten)]
    pub start: Start,
    #[command(flatten)]
    pub reach: Reach,
}

impl Anywhere {
    /// What a file of a finding does not say, as words of a command, without what is by default.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words = self.reach.words();
        words.extend(self.file.bound_options.words());
        words.extend(self.start.words());
        words.extend(self.tls.then(|| "--tls".to_owned()));
        words
    }

    /// The URL of the server over TCP, where it is played there; of a client one that nobody asks.
    pub(super) fn url(&self) -> Option<&str> {
        let is_started = self.start.run.is_some() || self.browser;
        self.url.as_deref().or(is_started.then_some(STARTED_AT))
    }
}

impl Probe {
    /// The URL as it was given: with `{port}` where hangup chooses the port.
    pub(super) fn url(&self) -> &str {
        self.url.as_deref().unwrap_or(STARTED_AT)
    }
}

#[derive(Args, Debug)]
pub(super) struct Replay {
    #[command(flatten)]
    pub anywhere: Anywhere,
    /// Also write an HTML page with a picture to this file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct Show {
    #[command(flatten)]
    pub anywhere: Anywhere,
    /// Also draw an SVG picture to this file.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Also write an HTML page with a picture to this file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

/// Runs, and where their page is written.
#[derive(Args, Debug)]
#[command(group(clap::ArgGroup::new("page").required(true).multiple(true).args(["html", "markdown"])))]
pub(super) struct Report {
    /// Outputs of `hangup test`, `probe` or `listen` with `--format json`.
    #[arg(required = true, value_name = "JSON")]
    pub runs: Vec<PathBuf>,
    /// Write the page as HTML to this file.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write the page as Markdown to this file, as a summary of a CI job.
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Make it a survey of many servers: tables of servers against rules, what each rule means, and
    /// the shortest scripts, without pictures. Targets of one name are runs of one server; a problem
    /// that only some of the runs show is flaky.
    #[arg(long)]
    pub survey: bool,
    /// The survey's title.
    #[arg(long, value_name = "TEXT", requires = "survey")]
    pub title: Option<String>,
    /// An introduction to the survey: a text file, paragraphs with empty lines between them.
    #[arg(long, value_name = "FILE", requires = "survey")]
    pub about: Option<PathBuf>,
    /// A fact that the survey states about how it was made, instead of the facts of the runs. May be
    /// given several times.
    #[arg(long = "fact", value_name = "NAME=TEXT", value_parser = fact, requires = "survey")]
    pub facts: Vec<(String, String)>,
}

/// A bound: a time in which something can be done.
fn bound(text: &str) -> Result<Millis, String> {
    match time(text)? {
        Millis(0) => Err("no server does it in no time: a bound is longer than 0s".to_owned()),
        bound => Ok(bound),
    }
}

/// A time, with its unit.
fn time(text: &str) -> Result<Millis, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().map_err(|error: ParseError| {
        if is_number {
            let text = excerpt::excerpt(text);
            format!("a time has a unit: {text}s for seconds, {text}ms for milliseconds")
        } else {
            format!("expected {}", error.expected.join(" or "))
        }
    })
}

/// The name of a fact, and the fact.
fn fact(text: &str) -> Result<(String, String), String> {
    let (name, fact) = text.split_once('=').ok_or("expected NAME=TEXT, as in 'Date=2026-11-29'")?;
    Ok((name.to_owned(), fact.to_owned()))
}

#[derive(Args, Debug)]
pub(super) struct Export {
    /// A repro file.
    pub file: PathBuf,
    /// The output format.
    #[arg(long = "as", value_enum, value_name = "FORM", default_value_t = ExportForm::Python)]
    pub form: ExportForm,
    /// For an issue: the library and its version that showed the finding, which a probe does not know.
    #[arg(long, value_name = "TEXT")]
    pub seen_on: Option<String>,
    /// For an issue: the source of the server, or of the client, which it shows folded.
    #[arg(long, value_name = "FILE")]
    pub server: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ExportForm {
    /// A program in Python 3 that needs only the standard library. For a finding about a server it is a
    /// client; for one about a client, a server that plays the script to whoever connects. Where the
    /// application has to close or send, the program asks for the path /?do=.., which `hangup serve`
    /// understands, unless its URL has another.
    Python,
    /// An issue for the maintainers of the server, or of the client, in Markdown: what happens, what the
    /// RFC says, how to repeat it.
    Issue,
    /// A packet capture (binary) for Wireshark and tshark; hangup plays the script again in this
    /// process to make it.
    Pcapng,
}

#[derive(Args, Debug)]
pub(super) struct Serve {
    /// The target, by its name in `hangup targets`.
    pub target: String,
    /// Where to listen; port 0 takes a free one, and its address is printed.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
}

#[derive(Args, Debug)]
pub(super) struct Connect {
    /// The target, by its name in `hangup targets`.
    pub target: String,
    /// Where to connect: ws://HOST:PORT/.
    pub url: String,
    /// Close as soon as the connection is open. By default its application only keeps it.
    #[arg(long)]
    pub closes: bool,
}

#[derive(Args, Debug)]
pub(super) struct File {
    /// A repro file (a saved finding), or a script (`hangup explain notation`); a script needs
    /// --target, --url or --run. `-`: standard input.
    pub file: PathBuf,
    /// The target to play it against, instead of the file's.
    #[arg(long, value_name = "NAME")]
    pub target: Option<String>,
    #[command(flatten)]
    pub bound_options: BoundOptions,
    /// How much memory the worker process that plays it may use, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = MEMORY_MIB, value_parser = clap::value_parser!(u32).range(16..))]
    pub memory: u32,
}
