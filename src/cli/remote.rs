//! What is asked of a server over real TCP, checked: its URLs, TLS, manners; and
//! `replay`, `shrink` and `show` with `--url` or `--run`, of a server or of a client.

use super::args::{Anywhere, Reach, Replay as ReplayOptions, Show};
use super::files::{self, Content};
use super::listen::open_page;
use super::pages::{self, Drawn};
use super::patience::Patience;
use super::saved::save_shrunk;
use super::start::{Clients, Started, ToStart};
use super::stop::Stop;
use super::{CLEAN, Done, FINDINGS, Trouble, export, output, probe_report, roles, start};
use crate::bounds::Bounds;
use crate::excerpt;
use crate::exchange::Exchange;
use crate::finding::input;
use crate::finding::repro::{OVER_TCP, Replay, Repro};
use crate::report::model::{FindingReport, Repeats, ReplayReport};
use crate::report::page;
use crate::report::{self, Scene};
use crate::run::interrupt::INTERRUPTED;
use crate::run::real_time::{
    PlayLimits, Player, ProbeFinding, REMOTE_BUDGET, RemoteShrunk, RemoteSubject, StopSignal,
    Subject, URL, UrlRole, says_shutdown,
};
use crate::script::{Act, Script};
use crate::transport::tcp::endpoint::{Endpoint, RequestOptions};
use crate::transport::tcp::tls;
use crate::verdict::{Identity, Invariant, Symptom, Verdict, Violation};
use crate::wire::{Opening, Role};
use owo_colors::OwoColorize as _;
use std::path::Path;
use std::time::Duration;

/// How many connections `shrink` has open at once.
const AT_ONCE: usize = 32;
/// How many programs, where a client is shrunk.
const CLIENTS_AT_ONCE: usize = 16;
/// Descriptors that are open beside connections.
const SPARE: u64 = 32;
/// The most that an ending in virtual time is waited for.
const WATCH: Duration = Duration::from_mins(1);
/// How often a script is played before it counts as fixed.
const REPLAYS: u32 = 2;

/// How a server is asked; with TLS where one of its URLs wants it.
pub(super) fn asking(reach: &Reach, urls: &[&str]) -> Result<RequestOptions, Trouble> {
    let secure = urls.iter().any(|url| url.starts_with("wss://"));
    let tls = match &reach.ca {
        // A file without a certificate is a mistake, also where none is needed.
        Some(file) => {
            let refused = |why: &str| format!("--ca {}: {why}", excerpt::path(file));
            let pem = input::bytes(file, input::CERTIFICATES)
                .map_err(|error| refused(&error.to_string()))?;
            Some(tls::verifying(Some(&pem)).map_err(|why| refused(&excerpt::tidy(&why)))?)
        }
        None if !secure => None,
        None if reach.insecure => Some(tls::trusting()?),
        None => Some(tls::verifying(None)?),
    };
    Ok(RequestOptions {
        headers: reach.header.clone(),
        subprotocols: reach.subprotocol.clone(),
        host: reach.host.clone(),
        preamble: preamble(reach)?,
        tls,
    })
}

/// What `--preamble` says, checked; empty where it is not given.
fn preamble(reach: &Reach) -> Result<String, Trouble> {
    let Some(file) = &reach.preamble else { return Ok(String::new()) };
    let refused = |why: &str| {
        let why = why.trim_start_matches("preamble: ");
        format!("--preamble {}: {why}", excerpt::path(file))
    };
    let text = input::text(file, input::REPRO).map_err(|error| refused(&error.to_string()))?;
    let opening = Opening::new().with_preamble(&text);
    let opening = opening.map_err(|error| refused(&error.to_string()))?;
    if opening.preamble().is_empty() {
        return Err(refused("it has no step"));
    }
    Ok(opening.preamble().to_owned())
}

/// A URL of a server that may be tested. Where hangup starts the server, the URL has its port in
/// what is asked, and goes by the name that was given: that is the same in every run.
pub(super) fn endpoint(
    url: &str,
    asking: &RequestOptions,
    reach: &Reach,
    to_start: Option<&ToStart>,
) -> Result<Endpoint, Trouble> {
    if to_start.is_none() && url.contains(start::PORT) {
        let url = excerpt::clipped(url, excerpt::MOST_OF_A_PATH);
        return Err(format!("{url}: {} is the port of a server that --run starts", start::PORT));
    }
    let filled = to_start.map_or_else(|| url.to_owned(), |server| server.fill(url));
    let endpoint = Endpoint { url: url.to_owned(), ..Endpoint::resolve(&filled, asking)? };
    match endpoint.public_address().filter(|_| !reach.i_may_test_this_host) {
        None => Ok(endpoint),
        Some(address) => Err(format!(
            "{} is at {address}, neither on this machine nor in a private network; with \
             --i-may-test-this-host you say that you may test it",
            excerpt::clipped(url, excerpt::MOST_OF_A_PATH)
        )),
    }
}

/// Has so many connections allowed by the system. `option` sets how many, where one does.
pub(super) fn allow(connections: usize, option: Option<&str>) -> Result<(), Trouble> {
    let needed = connections as u64 + SPARE;
    let allowed = rlimit::increase_nofile_limit(needed).unwrap_or(u64::MAX);
    if allowed >= needed {
        return Ok(());
    }
    Err(too_few(connections, option, allowed))
}

/// What to do where the system allows fewer open files than so many connections need.
fn too_few(connections: usize, option: Option<&str>, allowed: u64) -> Trouble {
    let needed = connections as u64 + SPARE;
    let limit = format!("{needed} open files are needed, and the system allows {allowed}");
    match (option, allowed.saturating_sub(SPARE)) {
        (Some(option), most @ 1..) => format!(
            "{option} {connections}: {limit}: raise that (ulimit -n), or take {option} {most}, the most \
             that works"
        ),
        (Some(option), 0) => format!(
            "{option} {connections}: {limit}, too few for any {option}: raise that (ulimit -n {} or more)",
            SPARE + 1
        ),
        (None, _) => format!("{limit}: raise that (ulimit -n {needed} or more)"),
    }
}

/// A runtime in real time.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Trouble> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|error| format!("no runtime: {error}"))
}

/// A script to be played on one URL, or with one client.
struct Case {
    subject: Subject,
    part: UrlRole,
    script: Script,
    limits: PlayLimits,
    repro: Option<Repro>,
    /// Whether the script is about a whole server.
    is_whole: bool,
    /// The signal that tells the server to shut down.
    signal: Option<StopSignal>,
    /// The server, where hangup starts it.
    started: Option<Started>,
    stop: Stop,
}

impl Case {
    fn open(url: &str, options: &Anywhere, stop: &Stop) -> Result<Self, Trouble> {
        let at = files::named(&options.file.file);
        let content = files::read(&options.file.file)?;
        let role = roles::subject_of(&content);
        let (script, own, repro) = match content {
            Content::Repro(repro) => (repro.script.clone(), repro.bounds, Some(*repro)),
            Content::Script(script) => (script, Bounds::default(), None),
        };
        let is_measured = |repro: &Repro| repro.identity.invariant() == Invariant::LinearWork;
        if repro.as_ref().is_some_and(is_measured) {
            return Err(format!(
                "{at}: what a server's work costs is measured in process, and not over TCP: play it \
                 without --url"
            ));
        }
        let stop_signal = options.start.stop.map(StopSignal::from);
        if says_shutdown(&script) && stop_signal.is_none() {
            return Err(format!(
                "{at}: its server is told to shut down, which a process is by a signal: add --run 'COMMAND' \
                 --stop TERM"
            ));
        }
        let is_whole = is_of_a_whole_server(&script, repro.as_ref());
        let part = if is_whole { Some(UrlRole::Plain) } else { UrlRole::of(&script) };
        let part = part.ok_or_else(|| format!("{at}: {}", no_command_over_tcp(&script)))?;
        let (subject, started) = match client_command(options, role)? {
            _ if options.browser => {
                roles::check_browser(&at, role)?;
                let page = open_page(options.start.start_within)?;
                output::note(&format!("open this page in the browser: {}", page.url()));
                (Subject::Browser(page.browser(part)), None)
            }
            Some(line) => {
                let clients = Clients::new(options.start.start_within, options.tls, stop)?;
                (Subject::Client(clients.command(line)?), Some(Started::Clients(clients)))
            }
            None if options.tls => {
                return Err(format!(
                    "{at} is about a server: --tls is for a client that --run starts"
                ));
            }
            None => {
                let asking = asking(&options.reach, &[url])?;
                let opening = repro.as_ref().map_or(Opening::usual(), |repro| &repro.opening);
                let asking = asking_as_saved(asking, opening);
                let to_start = ToStart::new(&options.start, url)?;
                let endpoint = endpoint(url, &asking, &options.reach, to_start.as_ref())?;
                let started = to_start.map(|server| server.at(&endpoint, stop)).transpose()?;
                (Subject::Server(endpoint), started.map(Started::Server))
            }
        };
        let bound_options = &options.file.bound_options;
        let repro = repro.map(|repro| Repro { identity: repro.identity.over_tcp(), ..repro });
        let least = repro.as_ref().map_or(Duration::ZERO, watched_for);
        let bounds = bound_options.hold(own);
        if let Some(short) = bound_options.horizon_is_short(&bounds) {
            output::note(&short);
        }
        let limits = bound_options.limits(bounds, least, Duration::ZERO);
        let stop = stop.clone();
        let signal = stop_signal;
        Ok(Self { subject, part, script, limits, repro, is_whole, signal, started, stop })
    }

    /// What a future comes to, unless somebody interrupts it.
    fn wait<T>(&self, future: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
        let mut asked = self.stop.asked();
        let runtime = runtime()?;
        let done = runtime.block_on(async {
            tokio::select! {
                biased;
                Ok(_) = asked.wait_for(|asked| *asked) => Err(INTERRUPTED.to_owned()),
                done = future => done,
            }
        });
        // Nobody waits for what was asked of the system.
        runtime.shutdown_background();
        let is_error = matches!(&done, Err(trouble) if trouble != INTERRUPTED);
        if let Some(started) = self.started.as_ref().filter(|_| is_error) {
            // The error may name it.
            started.tell_output();
        }
        done
    }

    /// Says what it is at, where that takes long: a wait in a script is one here.
    fn patience(&self, at: &str) -> Patience {
        let name = excerpt::clipped(self.subject.name(), excerpt::MOST_OF_A_PATH);
        Patience::with(format!("{at} against {name}"))
    }

    async fn meet(&self) -> Result<Player, Trouble> {
        let subject = match (&self.subject, self.part) {
            (Subject::Client(_) | Subject::Browser(_), part) => {
                RemoteSubject::with_role(part, self.subject.clone())
            }
            (Subject::Server(_), UrlRole::Plain) => RemoteSubject::new(self.subject.clone()),
            // What the URL does is looked at as well.
            (Subject::Server(_), part) => {
                RemoteSubject::new(self.subject.clone()).with(part, self.subject.clone())
            }
        };
        let (subject, at_once) = match &self.started {
            Some(Started::Server(server)) => (subject.started_by(server.process.clone()), AT_ONCE),
            Some(Started::Clients(_)) => (subject, CLIENTS_AT_ONCE),
            None => (subject, AT_ONCE),
        };
        Player::preflight(&subject, self.limits, at_once).await
    }

    /// Whether what was found is that a server died; a client is started for each play anyway.
    fn is_of_a_server_that_died(&self, identity: Identity) -> bool {
        self.subject.server().is_some() && identity.symptom() == Some(Symptom::ProcessEnds)
    }

    /// Plays until a rule is broken as saved, or broken at all where nothing is saved,
    /// twice at most.
    async fn play(&self, player: &Player) -> Result<(Exchange, Verdict), Trouble> {
        let wanted = |verdict: &Verdict| match &self.repro {
            Some(repro) => verdict.find(repro.identity).is_some(),
            None => !verdict.is_clean(),
        };
        // Whoever is not started again cannot be asked again.
        let died = |verdict: &Verdict| {
            let ends = |found: &Violation| self.is_of_a_server_that_died(found.identity);
            verdict.violations.iter().any(ends)
        };
        if self.is_whole {
            let rule = self.repro.as_ref().map(|repro| repro.identity.invariant());
            return player.play_whole(&self.subject, self.signal, &self.script, rule).await;
        }
        let mut played = player.play(&self.subject, &self.script).await?;
        for _ in 1..REPLAYS {
            if !wanted(&played.1) && !died(&played.1) {
                played = player.play(&self.subject, &self.script).await?;
            }
        }
        Ok(played)
    }
}

/// Why a script cannot be played over TCP, where nobody can command the application.
fn no_command_over_tcp(script: &Script) -> String {
    let commands = script.steps.iter().filter(|step| matches!(step.act, Act::App(..)));
    let commands: Vec<String> = commands
        .map(|step| Script { steps: vec![step.clone()] }.to_string().trim_end().to_owned())
        .collect();
    let why = match &commands[..] {
        [one] if ["app close", "app send text"].contains(&one.as_str()) => {
            format!("`{one}` has to come right after a whole `upgrade` (or `accept`)")
        }
        [one] => {
            return format!(
                "this script cannot be played over TCP: hangup cannot command the application, and `{one}` \
                 is more than a plain `app close` or `app send text`. For a finding of it, `export --as \
                 python` can: its program asks the server for it in the URL"
            );
        }
        several => format!("its script has {} `app` steps", several.len()),
    };
    format!(
        "this script cannot be played over TCP: hangup cannot command the application: {why}. A script \
         may have one `app` step, and --url must be a URL (or --run a client's command) whose application \
         closes, or sends messages, by itself"
    )
}

/// The client's command, where `--run` starts one: it has `{url}` in it, or the file is about a client.
fn client_command(options: &Anywhere, subject: Role) -> Result<Option<&str>, Trouble> {
    let run = options.start.run.as_deref();
    match run {
        Some(line) if subject == Role::Client || line.contains(URL) => Ok(Some(line)),
        None if subject == Role::Client && !options.browser => Err(format!(
            "{}: its client is under test: add --run 'COMMAND', with {URL} in it, or --browser",
            files::named(&options.file.file)
        )),
        _ => Ok(None),
    }
}

/// Whether a script is played on several connections at once, or is about what a process holds.
fn is_of_a_whole_server(script: &Script, repro: Option<&Repro>) -> bool {
    let is_rest = |repro: &Repro| repro.identity.invariant() == Invariant::FreesResources;
    script.connections() > 1 || says_shutdown(script) || repro.is_some_and(is_rest)
}

/// With the headers and subprotocols of a file, but for those that are given anew. The URL has the
/// path, and the host.
fn asking_as_saved(mut asking: RequestOptions, opening: &Opening) -> RequestOptions {
    let name = |line: &str| line.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let given: Vec<String> = asking.headers.iter().map(|line| name(line)).collect();
    let saved =
        opening.headers().iter().filter(|(own, _)| !given.contains(&own.to_ascii_lowercase()));
    asking.headers.extend(saved.map(|(name, value)| format!("{name}: {value}")));
    if asking.subprotocols.is_empty() {
        asking.subprotocols = opening.subprotocols().to_vec();
    }
    if asking.preamble.is_empty() {
        opening.preamble().clone_into(&mut asking.preamble);
    }
    asking
}

/// For how long a connection has to be watched to see what was saved: whether the server ends it
/// by itself, or leaves it open.
fn watched_for(repro: &Repro) -> Duration {
    let seconds = repro.at_seconds.filter(|seconds| seconds.is_finite() && *seconds > 0.0);
    let seconds = seconds.filter(|_| ["late", "open"].contains(&repro.ending.as_str()));
    let watched = Duration::from_secs_f64(seconds.unwrap_or_default().min(1e6));
    // In virtual time twelve hours are nothing.
    if repro.is_over_tcp() { watched + watched / 10 } else { watched.min(WATCH) }
}

/// Plays the file's script, and says what became of a server that hangup started.
fn play(case: &Case) -> Result<(Exchange, Verdict), Trouble> {
    let played = case.wait(async {
        let player = case.meet().await?;
        case.play(&player).await
    });
    if let Some(started) = &case.started {
        let who = match started {
            Started::Server(_) => "the server",
            Started::Clients(_) => "the client",
        };
        output::note(&format!("what {who} printed: {}", started.tell_output().display()));
    }
    played
}

pub(super) fn replay(url: &str, replay: &ReplayOptions, stop: &Stop) -> Done {
    let options = &replay.anywhere;
    let case = Case::open(url, options, stop)?;
    let url = case.subject.name();
    let patience = case.patience("playing");
    let (exchange, verdict) = play(&case)?;
    drop(patience);
    let (report, shown) = match &case.repro {
        Some(repro) => {
            let replay = repro.compare(&verdict);
            let report = ReplayReport::of(url, repro, &replay, &exchange, true);
            let shown = match replay {
                Replay::Reproduced(violation) => Some(violation),
                Replay::Dismissed | Replay::Fixed | Replay::Unproven(_) => None,
                Replay::Different(violations) => violations.into_iter().next(),
            };
            (report, shown)
        }
        None => {
            let broken: Vec<&Violation> = verdict.violations.iter().collect();
            let report = ReplayReport::of_script(url, &broken, None, &exchange);
            (report, verdict.violations.first().cloned())
        }
    };
    pages::html(
        replay.html.as_deref(),
        || {
            let told = shown.as_ref().map(|violation| told(&case, violation, &exchange, options));
            let scene = Scene::of(&exchange, None);
            let shown = told.as_ref().ok_or(scene);
            page::of_replay(&report, OVER_TCP, shown, output::program())
        },
        stop,
    )?;
    let code = files::tell(&report);
    if let Some(violation) = &shown {
        let timeline = report::timeline(&exchange, Some(violation));
        output::print(&format!("\n{}", report::with_legend(&timeline)));
    }
    Ok(code)
}

/// What a page tells of a violation.
fn told(
    case: &Case,
    violation: &Violation,
    exchange: &Exchange,
    options: &Anywhere,
) -> FindingReport {
    let url = case.subject.name();
    let shown = report::Shown { violation, script: &case.script, exchange, runtime_seed: 0 };
    let repro = shown.repro((url, OVER_TCP), &case.subject.opening_to_save(), case.limits.bounds);
    let path = case.repro.as_ref().map(|_| options.file.file.clone());
    FindingReport {
        exports: export::can(&repro),
        matters: Vec::new(),
        repro,
        // A server over TCP states none.
        stated: Bounds::default(),
        ending: violation.ending,
        since: report::Since::of(violation, exchange),
        shrunk: false,
        cut_short: false,
        plays: 0,
        repeats: Repeats::Share(1.0),
        measured: None,
        path: path.filter(|path| path != Path::new("-")),
        url: case.subject.server().map(|server| server.url.clone()),
        options: options.words(),
        scene: Scene::of(exchange, Some(violation)),
    }
}

/// Writes the files with pictures that `show` was asked for.
fn draw(
    case: &Case,
    show: &Show,
    exchange: &Exchange,
    violation: Option<&Violation>,
    stop: &Stop,
) -> Result<(), Trouble> {
    let told = violation.map(|violation| told(case, violation, exchange, &show.anywhere));
    let scene = Scene::of(exchange, violation);
    let url = case.subject.name();
    let (title, about) = match &told {
        Some(told) => (report::headline(&told.repro), told.repro.sentence.clone()),
        None => (url.to_owned(), "It breaks no rule.".to_owned()),
    };
    let broken = violation.is_some();
    let drawn = Drawn { scene: &scene, title: &title, about: &about, broken };
    pages::svg(show.svg.as_deref(), &drawn, stop)?;
    pages::html(
        show.html.as_deref(),
        || {
            let shown = told.as_ref().ok_or(scene.clone());
            let notes = told.as_ref().map_or_else(|| vec![about.clone()], |_| Vec::new());
            let target = (url, OVER_TCP);
            page::of_shown(target, exchange.subject, shown, true, notes, output::program())
        },
        stop,
    )
}

pub(super) fn show(url: &str, show: &Show, stop: &Stop) -> Done {
    let case = Case::open(url, &show.anywhere, stop)?;
    let url = case.subject.name();
    let patience = case.patience("playing");
    let (exchange, verdict) = play(&case)?;
    drop(patience);
    output::line(&format!("{} ({})", url.bold(), OVER_TCP));
    let saved = case.repro.as_ref().and_then(|repro| verdict.find(repro.identity));
    let violation = saved.or(verdict.violations.first());
    draw(&case, show, &exchange, violation, stop)?;
    let Some(violation) = violation else {
        if let Some(repro) = &case.repro {
            output::line(&report::wrap(&format!("Not broken here: {}", repro.sentence)));
        }
        output::line(&format!("the {} breaks no rule\n", exchange.subject.word()));
        output::print(&report::timeline(&exchange, None));
        return Ok(CLEAN);
    };
    let script = &case.script;
    let shown = report::Shown { violation, script, exchange: &exchange, runtime_seed: 0 };
    let repro = shown.repro((url, OVER_TCP), &case.subject.opening_to_save(), case.limits.bounds);
    output::print(&report::saved(&repro, Some(&Bounds::default()), output::style()));
    let timeline = report::timeline(&exchange, Some(violation));
    output::print(&format!("\n{}", report::with_legend(&timeline)));
    for other in verdict.violations.iter().filter(|other| other.identity != violation.identity) {
        output::line(&report::broken_too(other, &exchange));
    }
    Ok(CLEAN)
}

pub(super) fn shrink(url: &str, options: &Anywhere, stop: &Stop) -> Done {
    let case = Case::open(url, options, stop)?;
    let url = case.subject.name();
    if case.is_whole {
        return Err(format!(
            "{url}: scripts about a whole server are made simple by `probe --stop`, and are not shrunk"
        ));
    }
    allow(AT_ONCE, None)?;
    let patience = case.patience("shrinking");
    let mut seen = None;
    let found = case.wait(async {
        let player = case.meet().await?;
        let (exchange, verdict) = case.play(&player).await?;
        let saved = case.repro.as_ref().and_then(|repro| verdict.find(repro.identity));
        let Some(violation) = saved.or(verdict.violations.first()) else { return Ok(None) };
        let identity = violation.identity;
        let (script, at) = (case.script.clone(), case.subject.name().to_owned());
        seen = Some(ProbeFinding::seen(violation.clone(), exchange, script, at));
        if case.is_of_a_server_that_died(identity) && case.started.is_none() {
            return Err(format!(
                "{url}: the server died of it, and nothing answers any more; to shrink it, let hangup \
                 start the server: --run 'COMMAND'"
            ));
        }
        output::note(&format!("shrinking {identity}: at most {REMOTE_BUDGET} plays, many at once"));
        minimal(&case, &player, identity).await.map(Some)
    });
    drop(patience);
    // Whoever interrupts gets what was seen, as it was seen.
    let found = match found {
        Err(interrupted) if interrupted == INTERRUPTED && seen.is_some() => seen,
        found => found?,
    };
    let Some(found) = found else {
        output::line(&format!("nothing to shrink: {url} breaks no rule with this script"));
        return Ok(CLEAN);
    };
    let repro = probe_report::repro(&found, case.limits.bounds, &case.subject.opening_to_save());
    output::print(&found.script.to_string());
    let steps = |script: &Script| report::count(script.steps.len(), "step");
    output::note(&format!(
        "{} to {} in {} plays",
        steps(&case.script),
        steps(&found.script),
        found.plays
    ));
    save_shrunk(&options.file.file, &repro)?;
    Ok(FINDINGS)
}

/// The minimal script, and what it shows.
async fn minimal(
    case: &Case,
    player: &Player,
    identity: Identity,
) -> Result<ProbeFinding, Trouble> {
    let Case { subject, part, script, .. } = case;
    if case.is_of_a_server_that_died(identity) {
        let shrunk = player.shrink_death(subject, *part, script).await?;
        let (shrunk, exchange, verdict) = shrunk.ok_or_else(flaky)?;
        let violation = verdict.violations.into_iter().next().ok_or_else(flaky)?;
        return Ok(found(case, shrunk, 1, (violation, exchange)));
    }
    let shrunk = player.shrink(subject, *part, identity, script.clone(), AT_ONCE).await;
    let (mut replays, mut shown): (u32, Option<(Violation, Exchange)>) = (0, None);
    while shown.is_none() {
        if replays > REPLAYS {
            return Err(flaky());
        }
        replays += 1;
        let (exchange, verdict) = player.play(subject, &shrunk.script).await?;
        shown =
            verdict.find_at_the_deadline(identity).cloned().map(|violation| (violation, exchange));
    }
    let shown = shown.expect("the loop has ended");
    Ok(found(case, shrunk, replays, shown))
}

fn flaky() -> Trouble {
    "what was shrunk does not show again: the finding is flaky".to_owned()
}

fn found(
    case: &Case,
    shrunk: RemoteShrunk,
    replays: u32,
    (violation, exchange): (Violation, Exchange),
) -> ProbeFinding {
    let RemoteShrunk { script, plays, is_minimal } = shrunk;
    let url = case.subject.name().to_owned();
    ProbeFinding {
        shrunk: true,
        cut_short: !is_minimal,
        plays,
        replays,
        shown: 1,
        ..ProbeFinding::seen(violation, exchange, script, url)
    }
}

/// A duration as people say it.
pub(super) fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_open_files_name_the_most_that_works_or_that_none_does() {
        let said = |connections, option, allowed| too_few(connections, option, allowed);
        let probe = Some("--concurrency");
        assert!(
            said(2000, probe, SPARE + 7).ends_with("take --concurrency 7, the most that works")
        );
        for allowed in [0, 3, SPARE] {
            let none = said(2000, probe, allowed);
            assert!(none.contains("too few for any --concurrency"), "{none}");
            assert!(!none.contains("take"), "{none}");
        }
        let shrinks = said(32, None, 40);
        assert!(
            !shrinks.contains("--concurrency") && shrinks.contains("ulimit -n 64"),
            "{shrinks}"
        );
    }

    #[test]
    fn what_a_file_says_of_the_opening_is_sent_but_for_what_is_given_anew() {
        let saved = Opening::new()
            .with_path("/ws")
            .and_then(|saved| saved.with_header("Authorization", "old"))
            .and_then(|saved| saved.with_header("X-Version", "2"))
            .and_then(|saved| saved.with_subprotocol("chat"))
            .expect("legal");
        let asked = |asking| asking_as_saved(asking, &saved);
        let plain = asked(RequestOptions::default());
        assert_eq!(plain.headers, ["Authorization: old", "X-Version: 2"]);
        assert_eq!((plain.subprotocols, plain.host), (vec!["chat".to_owned()], None));
        let anew = asked(RequestOptions {
            headers: vec!["authorization: new".to_owned()],
            subprotocols: vec!["other".to_owned()],
            ..RequestOptions::default()
        });
        assert_eq!(anew.headers, ["authorization: new", "X-Version: 2"]);
        assert_eq!(anew.subprotocols, ["other"]);
    }
}
