//! The library's entry: `hangup::suite(|conn| my_server(conn)).close_within(secs(5)).check()`.
//!
//! It plays in this process, in virtual time, saves findings as repro files, and replays those
//! that were saved before.

use crate::bounds::Bounds;
use crate::exchange::Exchange;
use crate::finding::Finding;
use crate::finding::repro::Replay;
use crate::finding::save;
use crate::generate::GeneratorConfig;
use crate::judge::judge;
use crate::report::model::{FindingReport, Jump, problems};
use crate::report::{self, Style};
use crate::run::campaign::{
    Campaign, CampaignOutcome, PlaysHere, Unjudged, by_rule, play_on_threads, work_of,
};
use crate::run::preflight::SENT_AWAY;
use crate::run::virtual_time::play_and_judge;
use crate::script::Script;
use crate::target::{AppSteps, Connection, Deviation, STALE_AFTER, Serving, Target};
use crate::verdict::{Invariant, Level, Violation};
use std::fmt::{self, Write as _};
use std::future::Future;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// So many seconds.
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Tests a server that is given one [`Connection`] at a time.
///
/// `serve` runs inside a tokio runtime whose clock is paused; the connection is
/// `AsyncRead + AsyncWrite`, accepted, and before its opening handshake. What `serve`
/// returns is ignored: the connection tells how it went.
///
/// ```
/// # async fn my_server(conn: hangup::Connection) {}
/// hangup::suite(|conn| my_server(conn)).close_within(hangup::secs(5)).scripts(100).check();
/// ```
pub fn suite<S, F>(serve: S) -> Suite
where
    S: Fn(Connection) -> F + Send + Sync + 'static,
    F: Future<Output: Send> + Send + 'static,
{
    let serve = move |connection| -> Serving {
        let serving = serve(connection);
        Box::pin(async move {
            serving.await;
        })
    };
    Suite {
        target: SuiteTarget {
            name: "suite".to_owned(),
            bounds: Bounds::default(),
            obeys: AppSteps::NONE,
            deviations: Vec::new(),
            serve: Arc::new(serve),
        },
        seed: 0,
        scripts: 5_000,
        confirm: true,
        directory: PathBuf::from(save::DIRECTORY),
    }
}

/// A server, what it promises, and how to test it. Made by [`suite`].
#[derive(Clone, Debug)]
#[must_use = "a suite tests nothing until `check` or `play` is called"]
pub struct Suite {
    target: SuiteTarget,
    seed: u64,
    scripts: u64,
    confirm: bool,
    directory: PathBuf,
}

impl Suite {
    /// The server's name in reports, repro files and their names. Default: `suite`.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.target.name = name.into();
        self
    }

    /// The promise to end every connection, and to let go of it after a reset, in
    /// this time. Default: 5 s.
    pub const fn close_within(mut self, bound: Duration) -> Self {
        self.target.bounds.close = bound;
        self.target.bounds.release = bound;
        self
    }

    /// The promise to let go of a connection in this time after the client's reset.
    /// Default: as [`close_within`](Self::close_within), which is to be called first.
    pub const fn release_within(mut self, bound: Duration) -> Self {
        self.target.bounds.release = bound;
        self
    }

    /// The promise to end a connection whose opening is not complete in this time
    /// after accept. Default: no promise.
    pub const fn handshake_within(mut self, bound: Duration) -> Self {
        self.target.bounds.handshake = Some(bound);
        self
    }

    /// The promise to end a connection in this time after the last complete frame of
    /// the client's. Default: no promise.
    pub const fn idle_within(mut self, bound: Duration) -> Self {
        self.target.bounds.idle = Some(bound);
        self
    }

    /// The commands that the application obeys: it takes them from
    /// [`Connection::application`]. Default: none.
    pub const fn obeying(mut self, steps: AppSteps) -> Self {
        self.target.obeys = steps;
        self
    }

    /// Accepts that the server breaks a rule, with the reason. Where
    /// [`STALE_AFTER`] scripts or more are played and none
    /// shows it, [`check`](Self::check) fails: what is not needed is taken out. So it does where
    /// the deviation states a [rate](Deviation::rate), the RFC demands the rule, and the server
    /// breaks it far more often than that.
    pub fn accepting(mut self, deviation: Deviation) -> Self {
        self.target.deviations.push(deviation);
        self
    }

    /// How many scripts [`check`](Self::check) plays. Default: 5,000, a few seconds in a
    /// debug build and a quarter of one in a release build.
    pub const fn scripts(mut self, scripts: u64) -> Self {
        self.scripts = scripts;
        self
    }

    /// Which scripts it plays. Default: 0, so that a test does the same every time.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
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
    /// time, since the server's time is not tokio's.
    ///
    /// All is played in this process. A server that aborts or exits ends the test run, and
    /// one that never returns from a poll never ends it; the command line (`cli::main`) with
    /// a registry plays in worker processes, and survives both.
    #[expect(clippy::panic, reason = "this is how a test fails")]
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
        let target: Arc<dyn Target> = Arc::new(self.target.clone());
        self.replay_saved(&target)?;
        let campaign = self.campaign();
        let mut outcome = campaign.run(&target, |_| ControlFlow::Continue(()));
        if outcome.sends_everybody_away {
            return Err(self.fails_by("could not be tested", &[SENT_AWAY.to_owned()]));
        }
        self.confirm_in_real_time(&target, &mut outcome);
        outcome.take_in(campaign.look_at_work(&target), &[]);
        if !outcome.findings.is_empty() {
            return Err(self.failure(&outcome));
        }
        let unjudged = by_rule(&outcome.unjudged);
        let unjudged = unjudged.iter().map(|what| report::cannot_judge(what, &self.target.name));
        let unjudged: Vec<String> = unjudged.collect();
        if !unjudged.is_empty() {
            return Err(self.fails_by("cannot be judged", &unjudged));
        }
        let stale = outcome.stale(STALE_AFTER);
        let stale: Vec<String> = stale.map(|stale| report::stale(stale, outcome.scripts)).collect();
        let jumps = outcome.accepted.iter();
        let jumps = jumps.filter_map(|accepted| Jump::of_deviation(accepted, outcome.scripts));
        let jumps = jumps.filter(|jump| jump.level == Level::Must);
        let jumps: Vec<String> = jumps.map(|jump| report::jump(&jump)).collect();
        if !jumps.is_empty() {
            return Err(self.fails_by("breaks a rule far more often than is accepted", &jumps));
        }
        if stale.is_empty() {
            return Ok(());
        }
        Err(self.fails_by("keeps a rule that it need not", &stale))
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

    /// Plays one script, for `proptest` and hand-written cases.
    ///
    /// # Errors
    ///
    /// The first rule that it breaks and that is not accepted, not shrunk; or what cannot be
    /// judged in virtual time. It is not played in real time.
    pub fn play(&self, script: &Script) -> Result<(), Failure> {
        let target: Arc<dyn Target> = Arc::new(self.target.clone());
        let (exchange, violation) = self.first_violation(&target, script, 0)?;
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
            dismissed: None,
        };
        let repro = report::repro(&self.target, self.target.bounds, &finding);
        let text = format!(
            "{}: {}",
            self.target.name,
            report::finding(&repro, &finding, Style::default())
        );
        Err(Failure { text })
    }

    /// The generator's settings for this server's scripts.
    pub const fn generator_config(&self) -> GeneratorConfig {
        GeneratorConfig { bounds: self.target.bounds, app: self.target.obeys }
    }

    /// The old name of [`generator_config`](Self::generator_config).
    #[doc(hidden)]
    pub const fn grammar(&self) -> GeneratorConfig {
        self.generator_config()
    }

    /// The exchange, with the first violation that is not accepted; fails where there is none, and
    /// something cannot be judged.
    fn first_violation(
        &self,
        target: &Arc<dyn Target>,
        script: &Script,
        runtime_seed: u64,
    ) -> Result<(Exchange, Option<Violation>), Failure> {
        let bounds = self.target.bounds;
        let (mut exchange, mut verdict) = play_and_judge(target, &bounds, script, runtime_seed);
        let Ok(work) = work_of(script, &mut PlaysHere(target, bounds));
        if work.is_some() {
            exchange.work = work;
            let measured = judge(&exchange, &bounds).violations.into_iter();
            let is_about_work =
                |found: &Violation| found.identity.invariant() == Invariant::WorkInProportion;
            verdict.violations.extend(measured.filter(is_about_work));
        }
        let accepted = |violation: &Violation| {
            Deviation::accepting(&self.target.deviations, violation.identity).is_some()
        };
        let unproven = verdict.unproven().find(|suspicion| !accepted(suspicion));
        let unproven = unproven.and_then(|suspicion| Unjudged::of(suspicion, 0));
        let violation = verdict.violations.into_iter().find(|violation| !accepted(violation));
        match unproven.filter(|_| violation.is_none()) {
            None => Ok((exchange, violation)),
            Some(what) => {
                let reason = report::cannot_judge(&what, &self.target.name);
                Err(self.fails_by("cannot be judged", &[reason]))
            }
        }
    }

    /// The failure: a full report of the first problem, and a line for each of the others.
    fn failure(&self, outcome: &CampaignOutcome) -> Failure {
        let SuiteTarget { name, bounds, .. } = &self.target;
        let report = |finding| FindingReport::of(&self.target, *bounds, finding, None);
        let findings: Vec<FindingReport> = outcome.findings.iter().map(report).collect();
        let problems = problems(&findings, &outcome.sightings, outcome.scripts);
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
                let headline = report::wrap(&report::problem_headline(problem));
                let _ = writeln!(text, "{headline}\n{saved}");
                continue;
            }
            let mut all = outcome.findings.iter();
            let full = all.find(|finding| finding.violation.identity == repro.identity);
            if let Some(finding) = full {
                text.push_str(&report::finding(repro, finding, Style::default()));
            }
            let variants = report::variants(problem, outcome.scripts, Style::default().width);
            let _ = writeln!(text, "\n{variants}\n{saved}");
        }
        for what in by_rule(&outcome.unjudged) {
            let what = report::wrap(&report::cannot_judge(&what, name));
            let _ = writeln!(text, "\n{what}");
        }
        let _ = write!(text, "\nagain:\n\n    {}", report::test_command());
        Failure { text }
    }

    /// Plays the scripts of the repro files that an earlier run saved.
    fn replay_saved(&self, target: &Arc<dyn Target>) -> Result<(), Failure> {
        for (path, read) in save::saved(&self.directory) {
            let Ok(repro) = read else { continue };
            if repro.target.0 != self.target.name {
                continue;
            }
            let (exchange, violation) =
                self.first_violation(target, &repro.script, repro.runtime_seed)?;
            let Some(violation) = violation else { continue };
            let verdict = crate::verdict::Verdict {
                violations: vec![violation.clone()],
                ..Default::default()
            };
            let how = match repro.compare(&verdict) {
                Replay::Reproduced(_) => "still fails as saved in",
                Replay::Dismissed | Replay::Fixed | Replay::Different(_) | Replay::Unproven(_) => {
                    "fails, in another way than that saved in"
                }
            };
            let finding = Finding {
                violation,
                script: repro.script.clone(),
                shrunk: false,
                index: 0,
                runtime_seed: repro.runtime_seed,
                plays: 0,
                rate: 1.0,
                exchange,
                dismissed: None,
            };
            let findings = vec![finding.clone()];
            let mut outcome = CampaignOutcome { findings, ..CampaignOutcome::default() };
            self.confirm_in_real_time(target, &mut outcome);
            if let Some(what) = outcome.unjudged.first() {
                let reason = report::cannot_judge(what, &self.target.name);
                return Err(self.fails_by("cannot be judged", &[reason]));
            }
            let now = report::repro(&self.target, self.target.bounds, &finding);
            let report = report::finding(&now, &finding, Style::default());
            let SuiteTarget { name, .. } = &self.target;
            return Err(Failure {
                text: format!(
                    "seed {}: {name} {how} {}\n\n{report}\nagain:\n\n    {}",
                    self.seed,
                    path.display(),
                    report::test_command()
                ),
            });
        }
        Ok(())
    }
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
    bounds: Bounds,
    obeys: AppSteps,
    deviations: Vec<Deviation>,
    serve: Arc<dyn Fn(Connection) -> Serving + Send + Sync>,
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

    fn version(&self) -> &'static str {
        "-"
    }

    fn about(&self) -> &'static str {
        "a server under test"
    }

    fn bounds(&self) -> Bounds {
        self.bounds
    }

    fn obeys(&self) -> AppSteps {
        self.obeys
    }

    fn deviations(&self) -> &[Deviation] {
        &self.deviations
    }

    fn serve(&self, connection: Connection) -> Serving {
        (self.serve)(connection)
    }
}
