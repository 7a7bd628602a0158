//! What a report says, as facts. `text`, `json` and `junit` lay it out; nothing here does.

use super::Scene;
use super::StepSays;
use super::bound::{Since, close_option};
use super::deaths::ServerDeaths;
use crate::bounds::Bounds;
use crate::exchange::{Exchange, HeldAfter};
use crate::finding::Finding;
use crate::finding::problem::{Sightings, by_problem, headline_order, rank};
use crate::finding::repro::{Replay, Repro};
use crate::finding::share::Share;
use crate::run::campaign::{self, LostWorkers, NoEffect, Reach, Unjudged};
use crate::target::{Deviation, Target};
use crate::verdict::{Ending, Identity, Invariant, Level, Pattern, Problem, Reason, Violation};
use crate::wire::Role;
use serde::Serialize;
use std::path::PathBuf;

/// The campaigns of one command.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'a> {
    /// Names the scripts, together with their index.
    pub seed: u64,
    /// How many scripts were played, on all targets.
    pub scripts: u64,
    /// How long it took.
    pub seconds: f64,
    /// How much of that was needed to confirm problems in real time.
    pub confirming: f64,
    /// Scripts a second.
    pub scripts_per_second: f64,
    /// Whether somebody interrupted it.
    pub interrupted: bool,
    /// Why it could not go on, where it could not.
    pub trouble: Option<&'a str>,
    /// What was found, by target.
    pub targets: &'a [TargetReport],
}

/// One target's campaign.
#[derive(Clone, Debug)]
pub struct TargetReport {
    /// The target's name, or the server's URL.
    pub name: String,
    /// The version of the library that it runs on.
    pub version: String,
    /// How many scripts were played and judged, or passed over.
    pub scripts: u64,
    /// What is held against it: the variants of its problems.
    pub findings: Vec<FindingReport>,
    /// How often each variant was seen.
    pub sightings: Sightings,
    /// What is known of it and accepted.
    pub accepted: Vec<Accepted>,
    /// What of that shows far more often than it is known to.
    pub jumps: Vec<Jump>,
    /// The rules that it was not judged by: it has no bound of the kind, or nobody could see it.
    pub not_judged: Vec<Invariant>,
    /// What only one way of playing has to say.
    pub played: HowPlayed,
}

/// How a target was played, and what there is to say about that.
#[derive(Clone, Debug)]
pub enum HowPlayed {
    /// In virtual time.
    InProcess {
        /// Whether it ended early because scripts that took their process down cost too much time.
        given_up: bool,
        /// How many of its scripts were not played, since scripts like them take their process
        /// down.
        passed_over: u64,
        /// How many scripts it was to be, where that was said.
        planned: Option<u64>,
        /// What was seen and cannot be judged in virtual time.
        unjudged: Vec<Unjudged>,
        /// How long it had to close, as an option of `probe`.
        close_option: String,
        /// How far its scripts got.
        reach: Reach,
        /// What of the grammar had no effect.
        no_effect: Vec<NoEffect>,
        /// Why it could not be tested, where it could not.
        could_not_test: Option<String>,
        /// The worker processes that were lost through no fault of its own.
        lost_workers: LostWorkers,
    },
    /// A running server, over real TCP.
    OverTcp(OverTcp),
}

/// What a campaign over real TCP could not tell.
#[derive(Clone, Debug)]
pub struct OverTcp {
    /// Which end was tested.
    pub subject: Role,
    /// The first of the server's URLs, as it was resolved.
    pub url: String,
    /// What showed once and is not held against the server, with the reason.
    pub dismissed: Vec<(FindingReport, Reason)>,
    /// What was not tested for want of a URL.
    pub not_tested: Vec<&'static str>,
    /// Whether the server's end of its connections was seen.
    pub sees_the_server: bool,
    /// Opening requests that were not answered with 101.
    pub refused: u64,
    /// Scripts that were not judged, since this machine was too busy.
    pub unjudged: u64,
    /// Findings beyond those that were looked into.
    pub passed_over: usize,
    /// What became of a client that did nothing behind the opening, where that is worth telling.
    pub idle: Option<IdleClient>,
    /// What the server's processes hold after each wave of connections, where that was looked at.
    pub held: Vec<HeldAfter>,
    /// How each of its shutdowns went, where there were some.
    pub shutdowns: Vec<Shutdown>,
    /// Of a server that died, or that hangup started.
    pub deaths: ServerDeaths,
    /// Whether something kept it from being tested to the end.
    pub has_trouble: bool,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// How one shutdown went.
#[derive(Clone, Debug, Serialize)]
pub struct Shutdown {
    /// After how many seconds no process was left; `None` where watching ended before.
    pub seconds: Option<f64>,
    /// How the process ended: exit code or signal.
    pub exit: Option<String>,
    /// The codes of the Closes that the server sent at its shutdown; 1005 for none.
    pub codes: Vec<u16>,
}

/// What became of a client that opened, and did nothing more.
#[derive(Clone, Debug)]
pub struct IdleClient {
    /// Whether the server sent a message at once.
    pub speaks_first: bool,
    /// After how many seconds the server ended the connection, and how.
    pub ended: Option<(f64, String)>,
}

/// A problem of a target: what a maintainer mends once.
#[derive(Clone, Debug)]
pub struct ProblemReport<'a> {
    /// The rule, and what exactly was seen.
    pub problem: Problem,
    /// How strongly the RFC asks for it in the strongest of its variants.
    pub level: Level,
    /// The simplest script that shows it.
    pub headline: &'a FindingReport,
    /// Everything that shows it, the headline included, in the order of causes and conditions.
    pub variants: Vec<&'a FindingReport>,
    /// The index of the first script that showed it; `None` where only shrinking came upon it.
    pub first_script: Option<u64>,
    /// How many scripts showed it.
    pub shown: u64,
    /// The share of all scripts that did.
    pub rate: f64,
}

/// A finding, as much of it as a report tells.
#[derive(Clone, Debug)]
pub struct FindingReport {
    /// Its repro.
    pub repro: Repro,
    /// The target's own bounds, in place of which it may have been held to others.
    pub stated: Bounds,
    /// How the connection ended.
    pub ending: Ending,
    /// Since when the end was owed, where it was.
    pub since: Option<Since>,
    /// Whether its script was shrunk; a variant's is not, but where that was asked for.
    pub shrunk: bool,
    /// Whether shrinking ended before nothing smaller was left to be tried, over TCP.
    pub cut_short: bool,
    /// How many plays shrinking took.
    pub plays: u32,
    /// How surely it repeats.
    pub repeats: Repeats,
    /// What was measured, where it is about that: of this run alone.
    pub measured: Option<String>,
    /// Where it was saved, where it was.
    pub path: Option<PathBuf>,
    /// Where it was played, where that was over TCP.
    pub url: Option<String>,
    /// The options with which a server over TCP was asked, as words of a command.
    pub options: Vec<String>,
    /// What happened on its connection.
    pub scene: Scene,
    /// Whether it can be exported as a program.
    pub exports: bool,
    /// What matters in its script, step by step; empty where nobody looked.
    pub matters: Vec<StepSays>,
}

/// How surely a finding shows again.
#[derive(Clone, Copy, Debug)]
pub enum Repeats {
    /// In virtual time: the share of replays that show it.
    Share(f64),
    /// Over TCP: so many of so many replays. None where testing ended before.
    Counted {
        /// How many showed it.
        shown: u32,
        /// Of how many.
        replays: u32,
    },
    /// Over TCP: the server died, and this is one of the scripts that were in play.
    Suspected,
}

/// What is accepted, and how often it was seen.
#[derive(Clone, Copy, Debug)]
pub enum Accepted {
    /// A deviation that the target declares.
    Deviation {
        /// The deviation.
        deviation: Deviation,
        /// In how many scripts it accepted a violation.
        fired: u64,
        /// How strongly the RFC asks for what it accepted, where it accepted anything.
        level: Option<Level>,
        /// Whether it never occurred where it should have.
        stale: bool,
    },
    /// A finding of a baseline.
    Known {
        /// The finding.
        identity: Identity,
        /// In how many scripts it showed.
        fired: u64,
        /// How strongly the RFC asks for what it breaks.
        level: Level,
        /// Whether the baseline has this very variant of the problem; else it has others, and this
        /// one is so rare that it may have been missed.
        listed: bool,
    },
}

/// Something that is accepted, and shows far more often than it is known to: it may hide another
/// bug by now.
#[derive(Clone, Copy, Debug)]
pub struct Jump {
    /// What is accepted.
    pub pattern: Pattern,
    /// How strongly the RFC asks for what it accepts.
    pub level: Level,
    /// In how many scripts it showed.
    pub now: Share,
    /// What is known.
    pub before: Before,
}

/// How often something that is accepted is known to show.
#[derive(Clone, Copy, Debug)]
pub enum Before {
    /// The rate that a deviation states.
    Stated(f64),
    /// What was counted for a baseline.
    Counted(Share),
}

impl Before {
    /// The share of the scripts.
    pub fn rate(self) -> f64 {
        match self {
            Self::Stated(rate) => rate,
            Self::Counted(share) => share.rate(),
        }
    }
}

impl Jump {
    /// That of a target's deviation in a campaign of so many scripts, if it did.
    pub fn of_deviation(accepted: &campaign::Accepted, scripts: u64) -> Option<Self> {
        let campaign::Accepted { deviation, fired, must } = *accepted;
        let level = if must > 0 { Level::Must } else { Level::Should };
        let now = Share { shown: fired, scripts };
        let jumped = || {
            let before = Before::Stated(deviation.rate?);
            Some(Self { pattern: deviation.pattern, level, now, before })
        };
        accepted.has_jumped(scripts).then(jumped)?
    }
}

/// A command to paste.
#[derive(Clone, Debug)]
pub enum Command {
    /// Draw it.
    Show(PathBuf),
    /// Play it again on a URL, or with a command among these options.
    Replay(PathBuf, Option<String>, Vec<String>),
}

/// What is to be known about a campaign beside its findings.
#[derive(Clone, Copy, Debug)]
pub enum Remark<'a> {
    /// It was given up after so many scripts of so many.
    GivenUp(u64, Option<u64>),
    /// So many of its scripts were not played, of so many.
    ScriptsPassedOver(u64, u64),
    /// Something was seen and cannot be judged in virtual time, of a target of this name, held to this option.
    CannotJudge(Unjudged, &'a str, &'a str),
    /// How far the scripts got.
    Reach(&'a Reach),
    /// A part of the grammar had no effect.
    NoEffect(NoEffect),
    /// It could not be tested, and this is why.
    CouldNotTest(&'a str),
    /// Worker processes were lost through no fault of the target.
    LostWorkers(&'a LostWorkers),
    /// An accepted deviation occurred in so many scripts, of so many.
    AcceptedDeviation(&'a Deviation, u64, u64),
    /// An accepted deviation did not occur in so many scripts.
    Stale(&'a Deviation, u64),
    /// Something showed that is no finding.
    Dismissed(&'a FindingReport, Reason),
    /// A finding of the baseline was seen in so many scripts; or, where it is not listed there, one
    /// of a problem that is.
    AcceptedKnown(Identity, u64, bool),
    /// Something accepted shows far more often than it is known to.
    Jump(&'a Jump),
    /// Parts of the server were not tested.
    NotTested(&'a [&'static str]),
    /// The server's end of its connections was not seen.
    NotObserved,
    /// How its shutdowns went.
    Shutdowns(&'a [Shutdown]),
    /// What its processes hold after each wave of connections, where something is left.
    Held(&'a [HeldAfter]),
    /// Sessions of this server may begin with a message of their own.
    Idle(&'a IdleClient),
    /// So many opening requests were refused.
    Refused(u64),
    /// So many scripts were not judged, of so many.
    Unjudged(u64, u64),
    /// So many findings were not looked into.
    PassedOver(usize),
    /// The server died, or was started by hangup.
    Deaths(&'a ServerDeaths),
}

impl FindingReport {
    /// A finding of a campaign in virtual time, saved at `path`, where it was.
    pub fn of(
        target: &dyn Target,
        bounds: Bounds,
        finding: &Finding,
        path: Option<PathBuf>,
    ) -> Self {
        Self {
            repro: super::repro(target, bounds, finding),
            stated: target.bounds(),
            ending: finding.violation.ending,
            since: Since::of(&finding.violation, &finding.exchange),
            shrunk: finding.shrunk,
            cut_short: finding.cut_short,
            plays: finding.plays,
            repeats: Repeats::Share(finding.rate),
            measured: finding.exchange.work.as_ref().map(super::figures),
            path,
            url: None,
            options: Vec::new(),
            scene: Scene::of(&finding.exchange, Some(&finding.violation)),
            exports: false,
            matters: Vec::new(),
        }
    }

    /// What to paste, where it was saved.
    pub fn command(&self) -> Option<Command> {
        let path = self.path.clone()?;
        Some(match &self.url {
            None if self.options.is_empty() => Command::Show(path),
            url => Command::Replay(path, url.clone(), self.options.clone()),
        })
    }
}

impl Repeats {
    /// The share of replays that showed it; 1 where there were none.
    pub fn rate(self) -> f64 {
        match self {
            Self::Share(rate) => rate,
            Self::Counted { replays: 0, .. } | Self::Suspected => 1.0,
            Self::Counted { shown, replays } => f64::from(shown) / f64::from(replays),
        }
    }

    /// Whether it did not show every time.
    pub fn is_flaky(self) -> bool {
        self.rate() < 1.0
    }
}

/// The findings of one target as problems, in the order in which they are told ([`rank`]), after a
/// campaign of so many scripts.
pub fn problems<'a>(
    findings: &'a [FindingReport],
    sightings: &Sightings,
    scripts: u64,
) -> Vec<ProblemReport<'a>> {
    let grouped = by_problem(findings, |finding| finding.repro.identity);
    let mut problems: Vec<ProblemReport<'_>> = grouped
        .into_iter()
        .filter_map(|(problem, mut variants)| {
            variants.sort_by_key(|finding| finding.repro.identity);
            ProblemReport::of(problem, variants, sightings, scripts)
        })
        .collect();
    problems.sort_by_cached_key(|problem| {
        let FindingReport { repro, ending, .. } = problem.headline;
        rank(repro.identity, problem.level, *ending, &repro.script)
    });
    problems
}

impl<'a> ProblemReport<'a> {
    fn of(
        problem: Problem,
        variants: Vec<&'a FindingReport>,
        sightings: &Sightings,
        scripts: u64,
    ) -> Option<Self> {
        let simple = |finding: &&&FindingReport| {
            let FindingReport { repro, shrunk, .. } = finding;
            headline_order(problem, repro.identity, *shrunk, &repro.script)
        };
        let headline = *variants.iter().min_by_key(simple)?;
        // Must comes first.
        let level = variants.iter().map(|finding| finding.repro.level).min()?;
        let seen = |finding: &&FindingReport| sightings.of(finding.repro.identity);
        let first_script = variants.iter().filter_map(seen).map(|seen| seen.first).min();
        let shown: u64 = variants.iter().filter_map(seen).map(|seen| seen.scripts).sum();
        // A script may show two variants.
        let shown = shown.min(scripts);
        let rate = shown as f64 / scripts.max(1) as f64;
        Some(Self { problem, level, headline, variants, first_script, shown, rate })
    }

    /// The level of its headline, and the other one, where some variants have it:
    /// `should; must in some variants`.
    pub fn levels(&self) -> String {
        let own = self.headline.repro.level;
        match self.other_level() {
            Some(other) => format!("{own}; {other} in some variants"),
            None => own.id().to_owned(),
        }
    }

    /// The level of variants that have another one than the headline.
    pub fn other_level(&self) -> Option<Level> {
        let own = self.headline.repro.level;
        self.variants.iter().map(|finding| finding.repro.level).find(|level| *level != own)
    }

    /// What decides the level, where the variants have several.
    pub fn why_levels(&self) -> Option<String> {
        let actor = self.headline.repro.role.other().word();
        let is_timed = super::table::is_about_time(self.headline);
        self.other_level().map(|_| {
            if is_timed {
                format!(
                    "It is a must where the {actor} had sent its Close, or broke the protocol in a way for \
                     which RFC 6455 demands the end; else a should."
                )
            } else {
                format!("The level depends on what the {actor} had sent.")
            }
        })
    }

    /// The variants beside the headline that were shrunk and saved too.
    pub fn saved_variants(&self) -> impl Iterator<Item = &'a FindingReport> {
        let headline = self.headline.repro.identity;
        let others = self.variants.iter().copied();
        others.filter(move |other| other.path.is_some() && other.repro.identity != headline)
    }
}

impl TargetReport {
    /// The findings as [`problems`].
    pub fn problems(&self) -> Vec<ProblemReport<'_>> {
        problems(&self.findings, &self.sightings, self.scripts)
    }

    /// How many scripts were played and judged, without those that were passed over.
    pub const fn played(&self) -> u64 {
        match &self.played {
            HowPlayed::InProcess { passed_over, .. } => self.scripts - *passed_over,
            HowPlayed::OverTcp(_) => self.scripts,
        }
    }

    /// Which end it is.
    pub const fn subject(&self) -> Role {
        match &self.played {
            HowPlayed::InProcess { reach, .. } => reach.subject,
            HowPlayed::OverTcp(tcp) => tcp.subject,
        }
    }

    /// What was seen and cannot be judged in virtual time.
    pub fn unjudged(&self) -> &[Unjudged] {
        match &self.played {
            HowPlayed::InProcess { unjudged, .. } => unjudged,
            HowPlayed::OverTcp(_) => &[],
        }
    }

    /// Why it could not be tested, where it could not, and was not played.
    pub fn could_not_test(&self) -> Option<&str> {
        match &self.played {
            HowPlayed::InProcess { could_not_test, .. } => could_not_test.as_deref(),
            HowPlayed::OverTcp(_) => None,
        }
    }

    /// Whether something kept a server over TCP from being tested to the end.
    pub const fn has_trouble(&self) -> bool {
        match &self.played {
            HowPlayed::InProcess { .. } => false,
            HowPlayed::OverTcp(tcp) => tcp.has_trouble,
        }
    }

    /// How long it took, in seconds, where it was played over TCP.
    pub const fn seconds(&self) -> f64 {
        match &self.played {
            HowPlayed::InProcess { .. } => 0.0,
            HowPlayed::OverTcp(tcp) => tcp.seconds,
        }
    }

    /// The headline of each problem.
    pub fn headlines(&self) -> Vec<Identity> {
        self.problems().iter().map(|problem| problem.headline.repro.identity).collect()
    }

    /// What is to be known beside the findings, in the order in which it is told.
    pub fn remarks(&self) -> Vec<Remark<'_>> {
        let mut remarks = Vec::new();
        let played = self.played();
        let accepted = || self.accepted.iter().filter_map(move |accepted| accepted.seen(played));
        match &self.played {
            HowPlayed::InProcess {
                given_up,
                passed_over,
                planned,
                unjudged,
                close_option,
                reach,
                no_effect,
                could_not_test,
                lost_workers,
            } => {
                let passed_over = *passed_over;
                remarks.extend((reach.scripts > 0).then_some(Remark::Reach(reach)));
                remarks.extend(no_effect.iter().copied().map(Remark::NoEffect));
                remarks.extend(could_not_test.as_deref().map(Remark::CouldNotTest));
                let unjudged = campaign::by_rule(unjudged).into_iter();
                remarks.extend(
                    unjudged.map(|what| Remark::CannotJudge(what, &self.name, close_option)),
                );
                let remark = Remark::ScriptsPassedOver(passed_over, self.scripts);
                remarks.extend((passed_over > 0).then_some(remark));
                remarks.extend(given_up.then_some(Remark::GivenUp(self.scripts, *planned)));
                let lost = lost_workers.count() > 0;
                remarks.extend(lost.then_some(Remark::LostWorkers(lost_workers)));
                remarks.extend(accepted());
            }
            HowPlayed::OverTcp(tcp) => {
                let dismissed = tcp.dismissed.iter();
                remarks.extend(dismissed.map(|(found, why)| Remark::Dismissed(found, *why)));
                remarks.extend(accepted());
                let nothing = tcp.not_tested.is_empty();
                remarks.extend((!nothing).then_some(Remark::NotTested(&tcp.not_tested)));
                let unseen = !tcp.sees_the_server && self.scripts > 0;
                remarks.extend(unseen.then_some(Remark::NotObserved));
                let kept = |found: &FindingReport| {
                    found.repro.identity.invariant() == Invariant::FreesResources
                };
                let is_kept = self.findings.iter().any(kept);
                remarks.extend(is_kept.then_some(Remark::Held(&tcp.held)));
                let shutdowns = Remark::Shutdowns(&tcp.shutdowns);
                remarks.extend((!tcp.shutdowns.is_empty()).then_some(shutdowns));
                remarks.extend(tcp.idle.as_ref().map(Remark::Idle));
                remarks.extend((tcp.refused > 0).then_some(Remark::Refused(tcp.refused)));
                remarks.extend(
                    (tcp.unjudged > 0)
                        .then_some(Remark::Unjudged(tcp.unjudged, self.scripts + tcp.unjudged)),
                );
                let passed_over = tcp.passed_over;
                remarks.extend((passed_over > 0).then_some(Remark::PassedOver(passed_over)));
                let says = tcp.deaths.died || tcp.deaths.output.is_some();
                remarks.extend(says.then_some(Remark::Deaths(&tcp.deaths)));
            }
        }
        remarks.extend(self.jumps.iter().map(Remark::Jump));
        remarks.extend(self.stale().map(|deviation| Remark::Stale(deviation, self.scripts)));
        remarks
    }

    /// Whether something that is accepted, and that the RFC demands, has jumped.
    pub fn has_jumped(&self) -> bool {
        self.jumps.iter().any(|jump| jump.level == Level::Must)
    }

    /// The accepted deviations that never occurred where they should have.
    pub fn stale(&self) -> impl Iterator<Item = &Deviation> {
        self.accepted.iter().filter_map(|accepted| match accepted {
            Accepted::Deviation { deviation, stale: true, .. } => Some(deviation),
            _ => None,
        })
    }
}

impl Accepted {
    /// What is to be known of it after so many scripts.
    fn seen(&self, scripts: u64) -> Option<Remark<'_>> {
        match self {
            Self::Deviation { fired: 0, .. } => None,
            Self::Deviation { deviation, fired, .. } => {
                Some(Remark::AcceptedDeviation(deviation, *fired, scripts))
            }
            Self::Known { identity, fired, listed, .. } => {
                Some(Remark::AcceptedKnown(*identity, *fired, *listed))
            }
        }
    }
}

/// What a replay showed.
#[derive(Clone, Debug)]
pub struct ReplayReport {
    /// Where it was played: a target's name, or a URL.
    pub on: String,
    /// Which end that is.
    pub subject: Role,
    /// How it compares.
    pub result: ReplayResult,
    /// The sentence that was saved; `None` of a script, which has none.
    pub saved: Option<String>,
    /// The rules that are broken now, each with its sentence.
    pub broken: Vec<(Invariant, String)>,
    /// How the connection ended when it was saved, where that is another way. Not over TCP,
    /// where how a hang ends is a matter of how long it is watched.
    pub ended: Option<String>,
    /// Whether it was played over TCP.
    pub over_tcp: bool,
    /// Whether the file is about another target than this one.
    pub is_elsewhere: bool,
    /// How long the target had to close, as an option of `probe`; of one in this process.
    pub close_option: String,
}

/// How a replay compares with what was saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplayResult {
    /// The same is broken.
    Reproduced,
    /// It looks the same, and is no finding.
    Dismissed,
    /// Nothing is broken.
    Fixed,
    /// Something else is broken.
    Different,
    /// It cannot be judged in virtual time.
    Unproven,
}

impl ReplayReport {
    /// A repro's replay.
    pub fn of(
        on: &str,
        repro: &Repro,
        replay: &Replay,
        exchange: &Exchange,
        over_tcp: bool,
    ) -> Self {
        let (result, broken) = match replay {
            Replay::Reproduced(violation) => {
                (ReplayResult::Reproduced, std::slice::from_ref(violation))
            }
            Replay::Dismissed => (ReplayResult::Dismissed, [].as_slice()),
            Replay::Unproven(suspicion) => {
                (ReplayResult::Unproven, std::slice::from_ref(suspicion))
            }
            Replay::Fixed => (ReplayResult::Fixed, [].as_slice()),
            Replay::Different(violations) => (ReplayResult::Different, violations.as_slice()),
        };
        let ended = match replay {
            Replay::Reproduced(violation)
                if !over_tcp && violation.ending.kind() != repro.ending =>
            {
                Some(repro.ending.clone())
            }
            _ => None,
        };
        let saved = Some(repro.sentence.clone());
        let broken = broken.iter().map(|violation| sentence_of(violation, exchange)).collect();
        let is_elsewhere = without_port(&repro.target.0) != without_port(on);
        let (on, subject) = (on.to_owned(), exchange.subject);
        Self {
            on,
            subject,
            result,
            saved,
            broken,
            ended,
            over_tcp,
            is_elsewhere,
            close_option: String::new(),
        }
    }

    /// A script's replay, which says that a rule was broken, and not which; or that something
    /// is unproven.
    pub fn of_script(
        on: &str,
        broken: &[&Violation],
        unproven: Option<&Violation>,
        exchange: &Exchange,
    ) -> Self {
        let result = match unproven {
            _ if !broken.is_empty() => ReplayResult::Reproduced,
            Some(_) => ReplayResult::Unproven,
            None => ReplayResult::Fixed,
        };
        let unproven = unproven.filter(|_| broken.is_empty());
        let broken = broken.iter().copied().chain(unproven);
        let broken = broken.map(|violation| sentence_of(violation, exchange)).collect();
        let (on, subject) = (on.to_owned(), exchange.subject);
        Self {
            on,
            subject,
            result,
            saved: None,
            broken,
            ended: None,
            over_tcp: false,
            is_elsewhere: false,
            close_option: String::new(),
        }
    }

    /// The same of a target in this process that was held to `bounds`.
    pub fn held_to(self, bounds: &Bounds) -> Self {
        Self { close_option: close_option(bounds), ..self }
    }
}

/// A target's name, of a URL all but the port: a server that was started again, on a free port, is
/// the same one.
fn without_port(target: &str) -> (&str, &str) {
    let Some((_, behind)) = target.split_once("://") else { return (target, "") };
    let authority = behind.find('/').map_or(behind, |slash| &behind[..slash]);
    let host = authority.trim_end_matches(|c: char| c.is_ascii_digit());
    let Some(host) = host.strip_suffix(':') else { return (target, "") };
    let (begin, behind) = (target.len() - behind.len(), &behind[authority.len()..]);
    (&target[..begin + host.len()], behind)
}

fn sentence_of(violation: &Violation, exchange: &Exchange) -> (Invariant, String) {
    (violation.identity.invariant(), super::sentence(violation, exchange))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_the_same_at_another_port_and_not_on_another_path() {
        let same = |one, other| without_port(one) == without_port(other);
        assert!(same("ws://127.0.0.1:80/bye", "ws://127.0.0.1:8080/bye"));
        assert!(same("ws://[::1]:80/", "ws://[::1]:8080/"));
        assert!(!same("ws://127.0.0.1:80/bye", "ws://127.0.0.1:80/"));
        assert!(!same("ws://127.0.0.1:80/", "wss://127.0.0.1:80/"));
        assert!(!same("ws://10.0.0.1:80/", "ws://10.0.0.2:80/"));
        assert!(same("reference", "reference") && !same("reference", "reference/no-deadline"));
    }
}
