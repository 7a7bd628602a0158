//! The page of runs that were reported in JSON, side by side. JSON has no pictures: those come from the
//! files of the findings, where they are still there.

use super::single::problem_of_file;
use super::{Page, ProblemPage, TargetPage, Tone, VariantPage, merge, named, route};
use crate::excerpt::tidy;
use crate::exchange::Time;
use crate::finding::repro::Repro;
use crate::report::text::{count, thousands};
use crate::report::{Scene, StepSays, not_a_report, table};
use crate::verdict::{Invariant, Level, Problem, Symptom, Variant};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A run, read from a report in JSON. What a page does not say is passed over.
#[derive(Clone, Debug, Deserialize)]
pub struct SavedRun {
    /// Where it was read: names that several runs have are told apart by it.
    #[serde(skip)]
    pub from: String,
    seed: u64,
    scripts: u64,
    /// Not of a matrix, as all that is `default` here.
    #[serde(default)]
    seconds: f64,
    #[serde(default)]
    interrupted: bool,
    #[serde(default)]
    trouble: Option<String>,
    targets: Vec<SavedTarget>,
}

#[derive(Clone, Debug, Deserialize)]
struct SavedTarget {
    name: String,
    version: String,
    #[serde(default)]
    scripts: Option<u64>,
    problems: Vec<SavedProblem>,
    accepted: Vec<SavedAccepted>,
    #[serde(default)]
    not_judged: Vec<Invariant>,
    #[serde(default)]
    could_not_test: Option<String>,
    /// What cannot be judged in virtual time: how much is all that is said here.
    #[serde(default)]
    unproven: Vec<Problem>,
}

#[derive(Clone, Debug, Deserialize)]
struct SavedProblem {
    #[serde(flatten)]
    problem: Problem,
    level: Level,
    #[serde(default)]
    sentence: String,
    script: String,
    ending: SavedEnding,
    #[serde(default)]
    at_seconds: Option<f64>,
    #[serde(default)]
    repro: Option<PathBuf>,
    #[serde(default)]
    url: Option<String>,
    flaky: bool,
    #[serde(default)]
    shown: u64,
    #[serde(default)]
    first_script: Option<u64>,
    variants: Vec<SavedVariant>,
    #[serde(default)]
    matters: Vec<StepSays>,
}

#[derive(Clone, Debug, Deserialize)]
struct SavedVariant {
    #[serde(flatten)]
    variant: Variant,
    #[serde(default)]
    symptom: Option<Symptom>,
    ending: SavedEnding,
    #[serde(default)]
    at_seconds: Option<f64>,
}

/// How a connection ended: in a matrix the kind alone, with the time beside it.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum SavedEnding {
    Kind(String),
    Whole { kind: String, at_seconds: Option<f64> },
}

#[derive(Clone, Debug, Deserialize)]
struct SavedAccepted {
    #[serde(flatten)]
    problem: Problem,
    #[serde(default = "once")]
    fired: u64,
}

const fn once() -> u64 {
    1
}

/// A finding's file, and what can be done with it here.
#[derive(Clone, Debug)]
pub struct SavedFile {
    /// Where it is.
    pub path: PathBuf,
    /// What is in it.
    pub repro: Repro,
    /// Whether it can be exported as a program.
    pub exports: bool,
    /// Whether this program has its server.
    pub is_known_here: bool,
}

/// Reads what `--format json` of `test`, `probe` or `listen` printed, or `peers/MATRIX.json`.
///
/// # Errors
///
/// What is wrong with it, in one line.
pub fn read(text: &str) -> Result<SavedRun, String> {
    let run: SavedRun = serde_json::from_str(text).map_err(|error| {
        let why = tidy(&error.to_string());
        not_a_report(&why)
    })?;
    if run.targets.is_empty() {
        return Err("no target was tested".to_owned());
    }
    Ok(run)
}

/// The page of some runs. `find` looks for a finding's file. Targets of one name, of several runs, are
/// told apart by where they were read, or are runs of one target, where `merged` says so.
pub fn of_saved(
    runs: &[SavedRun],
    find: &dyn Fn(&SavedRun, &PathBuf) -> Option<SavedFile>,
    merged: bool,
    program: &str,
) -> Page {
    let names = || runs.iter().flat_map(|run| &run.targets).map(|target| target.name.as_str());
    let is_shared = |name: &str| names().filter(|other| *other == name).count() > 1;
    let targets: Vec<TargetPage> = runs
        .iter()
        .flat_map(|run| run.targets.iter().map(move |target| (run, target)))
        .map(|(run, target)| {
            let mut page = target.page(run.scripts, &|path| find(run, path), program);
            if !merged && is_shared(&target.name) {
                page.name = format!("{} ({})", target.name, run.from);
            }
            page
        })
        .collect();
    let is_repeated = !merged && names().any(is_shared);
    let title = is_repeated.then(|| title_of_repeated(names(), &targets)).flatten();
    let targets = if merged { merge(targets) } else { targets };
    let title = title.unwrap_or_else(|| super::run::title(&targets));
    let mut facts = vec![("Scripts", thousands(sum(runs.iter().map(SavedRun::scripts))))];
    match runs {
        [run] => facts.push(("Seed", run.seed.to_string())),
        _ => facts.push(("Runs", runs.len().to_string())),
    }
    let seconds: f64 = runs.iter().map(|run| run.seconds).sum();
    facts.extend((seconds > 0.0).then(|| ("Time", format!("{seconds:.1} s"))));
    let of = |run: &SavedRun, what: &str| match runs {
        [_] => what.to_owned(),
        _ => format!("{}: {what}", run.from),
    };
    let mut troubles = Vec::new();
    for run in runs {
        troubles.extend(run.trouble.iter().map(|trouble| of(run, trouble)));
        troubles.extend(run.interrupted.then(|| of(run, "Interrupted: not fully tested.")));
    }
    Page { title, facts: named(facts), troubles, targets, ..Page::default() }
}

/// The title of several runs of a target, which count each problem once: `7 problems in 1 of 1 target`.
fn title_of_repeated<'a>(
    names: impl Iterator<Item = &'a str>,
    targets: &[TargetPage],
) -> Option<String> {
    let named: Vec<(&str, &TargetPage)> = names.zip(targets).collect();
    let all: BTreeSet<&str> = named.iter().map(|(name, _)| *name).collect();
    let problems: BTreeSet<(&str, Problem)> = named
        .iter()
        .flat_map(|(name, page)| page.problems.iter().map(|one| (*name, one.problem)))
        .collect();
    let found: BTreeSet<&str> = problems.iter().map(|(name, _)| *name).collect();
    (!problems.is_empty()).then(|| {
        format!(
            "{} in {} of {}",
            count(problems.len(), "problem"),
            found.len(),
            count(all.len(), "target")
        )
    })
}

/// A sum that a file cannot make overflow.
fn sum(figures: impl IntoIterator<Item = u64>) -> u64 {
    figures.into_iter().fold(0, u64::saturating_add)
}

impl SavedRun {
    /// How many scripts were played, on all targets.
    fn scripts(&self) -> u64 {
        let of_targets: Option<Vec<u64>> =
            self.targets.iter().map(|target| target.scripts).collect();
        of_targets.map_or_else(|| self.scripts.saturating_mul(self.targets.len() as u64), sum)
    }
}

impl SavedTarget {
    /// `each` is how many scripts each target was played, where it does not say so itself.
    fn page(
        &self,
        each: u64,
        find: &dyn Fn(&PathBuf) -> Option<SavedFile>,
        program: &str,
    ) -> TargetPage {
        let scripts = self.scripts.unwrap_or(each);
        let verdict = match self.problems.len() {
            _ if self.could_not_test.is_some() => (Tone::Unsure, "could not test".to_owned()),
            _ if scripts == 0 => (Tone::Unsure, "not tested".to_owned()),
            0 if !self.unproven.is_empty() => (Tone::Unsure, "not judged".to_owned()),
            0 => (Tone::Good, "clean".to_owned()),
            found => (Tone::Bad, count(found, "problem")),
        };
        let accepted = self.accepted.iter().filter(|accepted| accepted.fired > 0);
        let problems = self.problems.iter().map(|found| found.page(scripts, find, program));
        TargetPage {
            name: self.name.clone(),
            version: self.version.clone(),
            verdict,
            scripts: Some(scripts),
            problems: problems.collect(),
            accepted: accepted.map(|accepted| accepted.problem.invariant()).collect(),
            not_judged: self.not_judged.clone(),
            failures: Vec::new(),
            remarks: self.could_not_test.iter().map(|why| vec![why.clone()]).collect(),
            scene: None,
        }
    }
}

impl SavedProblem {
    fn page(
        &self,
        scripts: u64,
        find: &dyn Fn(&PathBuf) -> Option<SavedFile>,
        program: &str,
    ) -> ProblemPage {
        let variants = self.variants.iter().map(|variant| VariantPage {
            variant: variant.variant,
            symptom: variant.symptom,
            ended: variant.ending.words(variant.at_seconds),
        });
        let shown = self.first_script.map(|first| {
            let (shown, all) = (thousands(self.shown), thousands(scripts));
            format!("Shown by {shown} of {all} scripts, first by script {first}.")
        });
        let page = ProblemPage {
            problem: self.problem,
            headline: None,
            level: self.level,
            ended: super::ended(self.problem.invariant(), self.ending.words(self.at_seconds)),
            sentence: self.sentence.clone(),
            route: self.url.as_deref().and_then(route),
            flaky: self.flaky.then(|| "flaky".to_owned()),
            notes: self
                .flaky
                .then(|| "flaky: not every replay shows it".to_owned())
                .into_iter()
                .collect(),
            script: self.script.clone(),
            matters: self.matters.clone(),
            scene: Scene::default(),
            shown,
            variants: variants.collect(),
            commands: Vec::new(),
            before: None,
        };
        // A file that was written anew since is about something else.
        let is_this = |file: &SavedFile| {
            file.repro.script_text() == self.script && file.repro.sentence == self.sentence
        };
        match self.repro.as_ref().and_then(find).filter(is_this) {
            Some(file) => {
                let ProblemPage { headline, scene, commands, .. } = problem_of_file(&file, program);
                ProblemPage { headline, scene, commands, ..page }
            }
            None => page,
        }
    }
}

impl SavedEnding {
    fn words(&self, beside: Option<f64>) -> String {
        match self {
            Self::Kind(kind) => ended_words(kind, beside),
            Self::Whole { kind, at_seconds } => ended_words(kind, *at_seconds),
        }
    }
}

/// How a connection ended, in a few words: `at 7.000 s, late`.
pub(super) fn ended_words(kind: &str, at_seconds: Option<f64>) -> String {
    let at = at_seconds.filter(|at| (0.0..1e12).contains(at) && ["late", "open"].contains(&kind));
    match at {
        Some(at) => table::at_time(Time((at * 1e6).round() as u64), kind),
        None => kind.to_owned(),
    }
}
