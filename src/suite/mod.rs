//! The library's entry: `hangup::suite(|conn| my_server(conn)).close_within(secs(5)).check()`.
//!
//! It plays in this process, in virtual time, saves findings as repro files, and replays those
//! that were saved before.

mod client;
mod name;
mod opening;
mod saved;
mod settings;

pub use self::client::client_suite;

use self::settings::Explicit;
use crate::bounds::Bounds;
use crate::exchange::Exchange;
use crate::finding::Finding;
use crate::finding::problem::{Sightings, rank};
use crate::finding::save;
use crate::generate::GeneratorConfig;
use crate::judge::judge;
use crate::report::model::{self, FindingReport, Jump, ProblemReport};
use crate::report::{self, Style};
use crate::run::campaign::{
    Campaign, CampaignOutcome, PlaysHere, Unjudged, by_rule, cannot_be_tested, play_on_threads,
    work_of,
};
use crate::run::preflight::says_little;
use crate::run::virtual_time::{outside_of_runtimes, play_and_judge};
use crate::script::Script;
use crate::target::{
    AppSteps, Connection, Deviation, Listener, Opening, STALE_AFTER, Serving, Stop, Target,
    WholeServer, serve_alone,
};
use crate::verdict::{Invariant, Level, Verdict, Violation};
use crate::wire::Role;
use std::error::Error;
use std::fmt::{self, Write as _};
use std::future::Future;
use std::ops::ControlFlow;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The scripts that [`Suite::check`] plays where nobody says which.
const SEED: u64 = 0;
/// How many scripts it plays where nobody says how many.
const SCRIPTS: u64 = 5_000;
/// Of a server that opens no WebSocket that stays open, and of settings or files that are no good.
const COULD_NOT_BE_TESTED: &str = "could not be tested";

/// So many seconds.
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Tests a server that is given one [`Connection`] at a time.
///
/// `serve` runs inside a tokio runtime whose clock is paused; the connection is
/// `AsyncRead + AsyncWrite`, accepted, and before its opening handshake. What `serve`
/// returns is ignored: the connection tells how it went. That runtime has one thread and no I/O: a
/// server that connects to something else gets a fake of it.
///
/// ```no_run
/// # async fn my_server(conn: hangup::Connection) {}
/// hangup::suite(|conn| my_server(conn)).close_within(hangup::secs(5)).scripts(100).check();
/// ```
///
/// A closure that uses `?` says for which error. With [`try_suite`] it need not.
///
/// ```no_run
/// # async fn accept(conn: hangup::Connection) -> std::io::Result<()> { Ok(()) }
/// hangup::suite(|conn| async move {
///     accept(conn).await?;
///     Ok::<_, std::io::Error>(())
/// })
/// # .scripts(1).check();
/// ```
#[track_caller]
pub fn suite<S, F>(serve: S) -> Suite
where
    S: Fn(Connection) -> F + Send + Sync + 'static,
    F: Future<Output: Send> + Send + 'static,
{
    let name = name::default_name(Location::caller(), std::any::type_name::<S>());
    let serve = move |connection| -> Serving {
        let serving = serve(connection);
        Box::pin(async move {
            serving.await;
        })
    };
    Suite::of(name, AppSteps::NONE, Serves::Connection(Arc::new(serve)))
}

/// Tests a whole server: its connections side by side, and its shutdown.
///
/// `server` is given a [`Listener`] in place of its `TcpListener`, and a [`Stop`] in place of its
/// signal. When it returns, the shutdown is over. It runs as that of [`suite()`] does. Scripts have up
/// to eight connections, and tell it to shut down; [`Suite::obeying`] says what else it obeys: what is
/// said to the application of one connection reaches it through [`Connection::application`], a
/// broadcast through [`Listener::application`].
///
/// ```no_run
/// # async fn serve(connection: hangup::Connection) {}
/// use hangup::{Listener, Stop, secs};
/// use tokio::task::JoinSet;
///
/// async fn my_server(listener: Listener, stop: Stop) {
///     let mut sessions = JoinSet::new();
///     loop {
///         tokio::select! {
///             connection = listener.accept() => drop(sessions.spawn(serve(connection))),
///             () = stop.clone() => break,
///         }
///     }
///     drop(listener);
///     // Tell the sessions, and give them one deadline together.
///     let _ = tokio::time::timeout(secs(5), sessions.join_all()).await;
/// }
///
/// hangup::server_suite(my_server).close_within(secs(5)).shutdown_within(secs(6)).check();
/// ```
#[track_caller]
pub fn server_suite<S, F>(server: S) -> Suite
where
    S: Fn(Listener, Stop) -> F + Send + Sync + 'static,
    F: Future<Output: Send> + Send + 'static,
{
    let name = name::default_name(Location::caller(), std::any::type_name::<S>());
    Suite::of(name, AppSteps::SHUTDOWN, Serves::Whole(Arc::new(server)))
}

/// What a server of [`try_suite`] may end with: any error, by `?`.
pub type ServeError = Box<dyn Error + Send + Sync>;

/// As [`suite`], for a closure that uses `?` and names no error. The error is ignored, as all that
/// a server returns.
///
/// ```no_run
/// # async fn accept(conn: hangup::Connection) -> std::io::Result<()> { Ok(()) }
/// hangup::try_suite(|conn| async move {
///     accept(conn).await?;
///     Ok(())
/// })
/// # .scripts(1).check();
/// ```
#[track_caller]
pub fn try_suite<S, F>(serve: S) -> Suite
where
    S: Fn(Connection) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), ServeError>> + Send + 'static,
{
    suite(serve)
}

/// A server, its bounds, and how to test it. Made by [`suite`].
#[derive(Clone, Debug)]
#[must_use = "a suite tests nothing until `check` or `play` is called"]
pub struct Suite {
    target: SuiteTarget,
    seed: u64,
    scripts: u64,
    confirm: bool,
    directory: PathBuf,
    explicit: Explicit,
}

/// # Settings from outside
///
/// `check` and `play` read three environment variables, each in the place of a default. What
/// the code sets wins; a value that makes no sense is a failure that names the variable.
///
/// | variable | in the place of |
/// |---|---|
/// | `HANGUP_SCRIPTS` | the default of [`scripts`](Self::scripts): a number from 1 |
/// | `HANGUP_SEED` | the default of [`seed`](Self::seed): a number from 0 |
/// | `HANGUP_FINDINGS` | the default of [`findings_in`](Self::findings_in): a directory |
impl Suite {
    fn of(name: String, obeys: AppSteps, serves: Serves) -> Self {
        Self {
            target: SuiteTarget {
                name,
                version: name::package(),
                bounds: Bounds::default(),
                obeys,
                opening: Opening::new(),
                role: Role::Server,
                deviations: Vec::new(),
                stale_after: STALE_AFTER,
                serves,
            },
            seed: SEED,
            scripts: SCRIPTS,
            confirm: true,
            directory: PathBuf::from(save::DIRECTORY),
            explicit: Explicit::default(),
        }
    }

    /// The server's name in reports, repro files and their names, by which the next run knows what
    /// this one saved. Default: the test's, with its binary: `ws::closes_in_time`, and
    /// `ws::closes_in_time#2` for the second suite that the test makes. Outside of a test, the
    /// place where it is made: `src/main.rs:12`.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.target.name = name.into();
        self
    }

    /// The version of what is tested, for reports and repro files. Default: the name and the version
    /// of the package that cargo tests or runs, `my-server 1.2.0`; without cargo, `unknown`.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.target.version = version.into();
        self
    }

    /// The bound for the end of every connection, and for letting go of it after a reset.
    /// Default: 5 s.
    pub const fn close_within(mut self, bound: Duration) -> Self {
        self.target.bounds.close = bound;
        self.target.bounds.release = bound;
        self
    }

    /// The bound for letting go of a connection after the client's reset.
    /// Default: as [`close_within`](Self::close_within), which is to be called first.
    pub const fn release_within(mut self, bound: Duration) -> Self {
        self.target.bounds.release = bound;
        self
    }

    /// The bound for the end of a connection whose opening is not complete
    /// after accept. Default: none.
    pub const fn handshake_within(mut self, bound: Duration) -> Self {
        self.target.bounds.handshake = Some(bound);
        self
    }

    /// The bound for the end of a connection after the last complete frame of
    /// the client's. Default: none.
    pub const fn idle_within(mut self, bound: Duration) -> Self {
        self.target.bounds.idle = Some(bound);
        self
    }

    /// Of a whole server: the bound for its shutdown after it was told to. Default:
    /// the time to close, and a second.
    pub const fn shutdown_within(mut self, bound: Duration) -> Self {
        self.target.bounds.shutdown = Some(bound);
        self
    }

    /// The commands that the application obeys: it takes them from
    /// [`Connection::application`]. Default: none. A whole server obeys
    /// [`SHUTDOWN`](AppSteps::SHUTDOWN) beside what is said here.
    pub fn obeying(mut self, steps: AppSteps) -> Self {
        let whole = matches!(self.target.serves, Serves::Whole(_));
        self.target.obeys = if whole { steps | AppSteps::SHUTDOWN } else { steps };
        self
    }

    /// Accepts that the server breaks a rule, with the reason. Where [`STALE_AFTER`] scripts or more
    /// are played ([`stale_after`](Self::stale_after) sets another number) and none shows it,
    /// [`check`](Self::check) fails: what is not needed is taken out. So it does where the deviation
    /// states a [rate](Deviation::rate), the RFC demands the rule, and the server breaks it far more often
    /// than that.
    pub fn accepting(mut self, deviation: Deviation) -> Self {
        self.target.deviations.push(deviation);
        self
    }

    /// After how many scripts an accepted deviation that did not occur fails the test. Default:
    /// [`STALE_AFTER`]; more where one takes a coincidence that is rare.
    pub const fn stale_after(mut self, scripts: u64) -> Self {
        self.target.stale_after = scripts;
        self
    }

    /// How many scripts [`check`](Self::check) plays. Default: 5,000, a few seconds in a
    /// debug build and a quarter of one in a release build.
    pub const fn scripts(mut self, scripts: u64) -> Self {
        self.scripts = scripts;
        self.explicit.scripts = true;
        self
    }

    /// Which scripts it plays. Default: 0, so that a test does the same every time.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self.explicit.seed = true;
        self
    }

    /// Whether [`check`](Self::check) plays, before it fails because a connection ends late, or
    /// never, the headline of each such problem once more with a clock that runs, all of them at
    /// once: for their script and the bound, a few seconds. What ends in time then is no finding, but a
    /// server that cannot be judged in virtual time. Default: `true`.
    pub const fn confirm(mut self, confirm: bool) -> Self {
        self.confirm = confirm;
        self
    }

    /// Where repro files are written and looked for. Default: `hangup-findings` in
    /// the working directory, which in `cargo test` is the package's.
    pub fn findings_in(mut self, directory: impl AsRef<Path>) -> Self {
        directory.as_ref().clone_into(&mut self.directory);
        self.explicit.directory = true;
        self
    }

    /// The suite as a target, for a [`Registry`](crate::target::Registry).
    pub fn into_target(self) -> impl Target + 'static {
        self.target
    }

    /// Tests the server: first the repro files saved before, then the scripts of its seed.
    ///
    /// # Panics
    ///
    /// If a rule is broken: with the seed, one plain sentence, the minimal script, the
    /// timeline, and the path of the repro file. If a deviation is accepted and does not
    /// occur, or occurs far more often than it states. If something cannot be judged in virtual
    /// time, since the server's time is not tokio's, or since it needs I/O or several threads. If a
    /// saved file cannot be read, or is of a newer hangup's.
    ///
    /// Within a tokio runtime, as in `#[tokio::test]`, the server is played on a thread of its own,
    /// and this one waits: the server must not need the runtime that waits.
    ///
    /// All is played in this process. A server that aborts or exits ends the test run, and
    /// one that never returns from a poll never ends it; the command line (`cli::main`) with
    /// a registry plays in worker processes, and survives both.
    #[expect(clippy::panic, reason = "this is how a test fails")]
    #[track_caller]
    pub fn check(&self) {
        if let Err(failure) = self.try_check() {
            panic!("{failure}");
        }
    }

    /// As [`check`](Self::check), but returns the failure instead of panicking.
    ///
    /// # Errors
    ///
    /// The failure.
    pub fn try_check(&self) -> Result<(), Failure> {
        let suite = self.in_this_environment()?;
        outside_of_runtimes(|| suite.check_here())
    }

    fn in_this_environment(&self) -> Result<Self, Failure> {
        self.with_environment().map_err(|wrong| self.fails_by(COULD_NOT_BE_TESTED, &[wrong]))
    }

    fn check_here(&self) -> Result<(), Failure> {
        let target: Arc<dyn Target> = Arc::new(self.target.clone());
        if let Some(why) = cannot_be_tested(&target, &self.target.bounds) {
            return Err(self.fails_by(COULD_NOT_BE_TESTED, &[why]));
        }
        self.replay_saved(&target)?;
        let campaign = self.campaign();
        let mut outcome = campaign.run(&target, |_| ControlFlow::Continue(()));
        if let Some(why) = outcome.could_not_test.take() {
            return Err(self.fails_by(COULD_NOT_BE_TESTED, &[why]));
        }
        self.confirm_in_real_time(&target, &mut outcome);
        outcome.take_in(campaign.look_at_work(&target), &[]);
        if !outcome.findings.is_empty() {
            return Err(self.failure(&outcome));
        }
        let unjudged = by_rule(&outcome.unjudged);
        let SuiteTarget { name, role, .. } = &self.target;
        let unjudged = unjudged.iter().map(|what| report::cannot_judge(what, name, *role));
        let unjudged: Vec<String> = unjudged.collect();
        if !unjudged.is_empty() {
            return Err(self.fails_by("cannot be judged", &unjudged));
        }
        let no_effect = outcome.reach.without_effect(self.target.obeys).into_iter();
        let no_effect: Vec<String> = no_effect.map(|what| report::no_effect(what, *role)).collect();
        if !no_effect.is_empty() {
            return Err(self.fails_by("is hardly tested", &no_effect));
        }
        let stale = outcome.stale(self.target.stale_after);
        let stale: Vec<String> = stale.map(|stale| report::stale(stale, outcome.scripts)).collect();
        let jumps = outcome.accepted.iter();
        let jumps = jumps.filter_map(|accepted| Jump::of_deviation(accepted, outcome.scripts));
        let jumps = jumps.filter(|jump| jump.level == Level::Must);
        let jumps: Vec<String> = jumps.map(|jump| report::jump(&jump)).collect();
        if !jumps.is_empty() {
            return Err(
                self.fails_by("shows an accepted deviation far more often than stated", &jumps)
            );
        }
        if stale.is_empty() {
            return Ok(());
        }
        Err(self.fails_by("accepts a deviation that never occurred", &stale))
    }

    const fn campaign(&self) -> Campaign {
        Campaign {
            bounds: self.target.bounds,
            seed: self.seed,
            scripts: Some(self.scripts),
            all_variants: false,
        }
    }

    /// Takes out what ends in time where the clock runs, unless that was not to be asked.
    fn confirm_in_real_time(&self, target: &Arc<dyn Target>, outcome: &mut CampaignOutcome) {
        if self.confirm {
            let questions = self.campaign().questions(outcome);
            let answers = play_on_threads(target, &self.target.bounds, &questions);
            self.campaign().take_answers(outcome, &questions, &answers);
        }
    }

    /// A failure without a finding, for these reasons.
    fn fails_by(&self, what: &str, reasons: &[String]) -> Failure {
        let mut text = format!("seed {}: {} {what}", self.seed, self.target.name);
        for reason in reasons {
            let _ = write!(text, "\n\n{}", report::wrap(reason));
        }
        Failure { text }
    }

    /// Plays one script, for `proptest` and hand-written cases. Where it breaks a rule, it is saved
    /// as [`check`](Self::check) saves what it finds; of several scripts that this process plays
    /// and that show one problem, as proptest's shrinking does, the simplest stays.
    ///
    /// # Errors
    ///
    /// The first rule that it breaks and that is not accepted, not shrunk; or what cannot be
    /// judged in virtual time. It is not played in real time. Where the script got no WebSocket
    /// that stayed open, two polite clients try: that neither gets one either.
    pub fn play(&self, script: &Script) -> Result<(), Failure> {
        let suite = self.in_this_environment()?;
        outside_of_runtimes(|| suite.play_here(script))
    }

    fn play_here(&self, script: &Script) -> Result<(), Failure> {
        if let Some(why) = script.is_not_against(self.target.role) {
            let (name, role) = (&self.target.name, self.target.role.word());
            let reason = format!(
                "the script is not for it: {why}, and {name} is a {role}. The scripts of `hangup::scripts()` \
                 are with `.for_config(suite.generator_config())`."
            );
            return Err(self.fails_by(COULD_NOT_BE_TESTED, &[reason]));
        }
        let target: Arc<dyn Target> = Arc::new(self.target.clone());
        let played = self.first_violation(&target, script, 0);
        if played.as_ref().map_or(true, |(exchange, _)| says_little(exchange))
            && let Some(why) = cannot_be_tested(&target, &self.target.bounds)
        {
            return Err(self.fails_by(COULD_NOT_BE_TESTED, &[why]));
        }
        let (exchange, violation) = played?;
        let Some(violation) = violation else { return Ok(()) };
        let finding = Finding {
            violation,
            script: script.clone(),
            shrunk: false,
            index: 0,
            runtime_seed: 0,
            plays: 0,
            rate: 1.0,
            exchange,
            cut_short: false,
            dismissed: None,
        };
        let repro = report::repro(&self.target, self.target.bounds, &finding);
        let saved = match self.save_simplest(&repro) {
            Ok(path) => format!("saved as {}", path.display()),
            Err(error) => format!("not saved: {error}"),
        };
        let report = report::finding(&repro, &finding, &self.target.bounds, Style::default());
        Err(Failure { text: format!("{} fails:\n\n{report}\n{saved}", self.target.name) })
    }

    /// The generator's settings for this server's scripts.
    pub fn generator_config(&self) -> GeneratorConfig {
        self.campaign().generator_config(&self.target)
    }

    /// The old name of [`generator_config`](Self::generator_config).
    #[doc(hidden)]
    pub fn grammar(&self) -> GeneratorConfig {
        self.generator_config()
    }

    /// The exchange of a script, with what is wrong in it and not accepted.
    fn judged(
        &self,
        target: &Arc<dyn Target>,
        script: &Script,
        runtime_seed: u64,
    ) -> (Exchange, Verdict) {
        let bounds = self.target.bounds;
        let (mut exchange, mut verdict) = play_and_judge(target, &bounds, script, runtime_seed);
        let Ok(work) = work_of(script, &mut PlaysHere(target, bounds));
        if work.is_some() {
            exchange.work = work;
            let measured = judge(&exchange, &bounds).violations.into_iter();
            let is_about_work =
                |found: &Violation| found.identity.invariant() == Invariant::LinearWork;
            verdict.violations.extend(measured.filter(is_about_work));
        }
        let is_new = |found: &Violation| {
            let deviations = &self.target.deviations;
            found.is_lack() || Deviation::accepting(deviations, found.identity).is_none()
        };
        verdict.violations.retain(is_new);
        verdict.dismissals.retain(|dismissal| is_new(&dismissal.violation));
        (exchange, verdict)
    }

    /// The exchange, with the first violation that is not accepted; fails where there is none, and
    /// something cannot be judged.
    fn first_violation(
        &self,
        target: &Arc<dyn Target>,
        script: &Script,
        runtime_seed: u64,
    ) -> Result<(Exchange, Option<Violation>), Failure> {
        let (exchange, verdict) = self.judged(target, script, runtime_seed);
        let unproven = verdict.unproven().next().and_then(|suspicion| Unjudged::of(suspicion, 0));
        let violation = verdict.violations.into_iter().next();
        match unproven.filter(|_| violation.is_none()) {
            None => Ok((exchange, violation)),
            Some(what) => {
                let reason = report::cannot_judge(&what, &self.target.name, self.target.role);
                Err(self.fails_by("cannot be judged", &[reason]))
            }
        }
    }

    /// The failure: a full report of the first problem, the sentence and the script of the others.
    fn failure(&self, outcome: &CampaignOutcome) -> Failure {
        let SuiteTarget { name, bounds, .. } = &self.target;
        let report = |finding| FindingReport::of(&self.target, *bounds, finding, None);
        let findings: Vec<FindingReport> = outcome.findings.iter().map(report).collect();
        let problems = self::problems(&findings, &outcome.sightings, outcome.scripts);
        let mut text = format!("seed {}: {name} fails: ", self.seed);
        let _ = writeln!(text, "{}", report::count(problems.len(), "problem"));
        for (number, problem) in problems.iter().enumerate() {
            let repro = &problem.headline.repro;
            let saved = match save::repro(&self.directory, repro) {
                Ok(path) => format!("saved as {}", path.display()),
                Err(error) => format!("not saved: {error}"),
            };
            let _ = write!(text, "\n{}. ", number + 1);
            if number > 0 {
                let brief = report::saved(repro, Some(bounds), Style::default());
                let _ = writeln!(text, "{brief}\n{saved}");
                continue;
            }
            let mut all = outcome.findings.iter();
            let full = all.find(|finding| finding.violation.identity == repro.identity);
            if let Some(finding) = full {
                text.push_str(&report::finding(repro, finding, bounds, Style::default()));
            }
            let variants = report::variants(problem, outcome.scripts, Style::default().width);
            let _ = writeln!(text, "\n{variants}\n{saved}");
        }
        for what in by_rule(&outcome.unjudged) {
            let what = report::wrap(&report::cannot_judge(&what, name, self.target.role));
            let _ = writeln!(text, "\n{what}");
        }
        self.with_last_line(&text)
    }

    /// A failure that ends with how to play the same again.
    fn with_last_line(&self, text: &str) -> Failure {
        let mut text = text.trim_end().to_owned();
        if let Some(again) = self.again() {
            let _ = write!(text, "\n\n{again}");
        }
        Failure { text }
    }
}

/// The problems in the order in which a suite tells them, each at the level of its headline: a file
/// has that alone, and the run that plays the files first tells the same as the one that saved them.
fn problems<'a>(
    findings: &'a [FindingReport],
    sightings: &Sightings,
    scripts: u64,
) -> Vec<ProblemReport<'a>> {
    let mut problems = model::problems(findings, sightings, scripts);
    for problem in &mut problems {
        problem.level = problem.headline.repro.level;
    }
    problems.sort_by_cached_key(|problem| {
        let FindingReport { repro, ending, .. } = problem.headline;
        rank(repro.identity, problem.level, *ending, &repro.script)
    });
    problems
}

/// A server broke a rule. Prints as the whole report.
#[derive(Clone, PartialEq, Eq)]
pub struct Failure {
    text: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// As `Display`, since `unwrap` shows this one and a report on one line is no report.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failure {}

/// The user's function as a target.
#[derive(Clone)]
struct SuiteTarget {
    name: String,
    version: String,
    bounds: Bounds,
    obeys: AppSteps,
    opening: Opening,
    role: Role,
    deviations: Vec<Deviation>,
    stale_after: u64,
    serves: Serves,
}

/// What the user's function is given.
#[derive(Clone)]
enum Serves {
    /// One connection at a time.
    Connection(Arc<dyn Fn(Connection) -> Serving + Send + Sync>),
    /// A listener, and a stop signal.
    Whole(Arc<dyn WholeServer>),
}

impl fmt::Debug for SuiteTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SuiteTarget({})", self.name)
    }
}

impl Target for SuiteTarget {
    fn name(&self) -> &str {
        &self.name
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn about(&self) -> &'static str {
        match self.role {
            Role::Server => "a server under test",
            Role::Client => "a client under test",
        }
    }

    fn role(&self) -> Role {
        self.role
    }

    fn bounds(&self) -> Bounds {
        self.bounds
    }

    fn obeys(&self) -> AppSteps {
        self.obeys
    }

    fn opening(&self) -> &Opening {
        &self.opening
    }

    fn deviations(&self) -> &[Deviation] {
        &self.deviations
    }

    fn stale_after(&self) -> u64 {
        self.stale_after
    }

    fn serve(&self, connection: Connection) -> Serving {
        match &self.serves {
            Serves::Connection(serve) => serve(connection),
            Serves::Whole(server) => serve_alone(&**server, connection),
        }
    }

    fn whole(&self) -> Option<&dyn WholeServer> {
        match &self.serves {
            Serves::Connection(_) => None,
            Serves::Whole(server) => Some(&**server),
        }
    }
}
