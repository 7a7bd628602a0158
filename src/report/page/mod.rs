//! What a page with pictures says, as facts: of campaigns, of one finding, or of runs that were reported
//! in JSON. `html` and `markdown` lay it out.

mod commands;
mod merge;
mod run;
mod saved;
mod single;

pub use merge::merge;
pub use run::of_run;
pub use saved::{SavedFile, SavedRun, of_saved, read};
pub use single::{of_file, of_replay, of_shown};

use super::{Scene, StepSays};
use crate::verdict::{Class, Invariant, Level, Problem, Symptom, Variant};

/// A page.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// What it comes to, in a line: `3 problems in 2 of 6 targets`.
    pub title: String,
    /// How it came about: the name of a fact, and the fact.
    pub facts: Vec<(String, String)>,
    /// What is to be known before it is read: paragraphs.
    pub about: Vec<String>,
    /// What kept it from being whole.
    pub troubles: Vec<String>,
    /// What is said of each target.
    pub targets: Vec<TargetPage>,
    /// Whether it is laid out as a survey of many servers: their problems in tables.
    pub is_survey: bool,
}

/// How something came out, as a colour and a sign say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Well.
    Good,
    /// Badly.
    Bad,
    /// Nobody can tell.
    #[default]
    Unsure,
}

/// What is said of a target.
#[derive(Clone, Debug, Default)]
pub struct TargetPage {
    /// Its name, or its URL; of several targets of one name, where it was read too.
    pub name: String,
    /// What it runs on.
    pub version: String,
    /// What its test comes to.
    pub verdict: (Tone, String),
    /// How many scripts were played; `None` where it was one that was shown.
    pub scripts: Option<u64>,
    /// Its problems, in the order in which they are told.
    pub problems: Vec<ProblemPage>,
    /// The rules of which something is accepted.
    pub accepted: Vec<Invariant>,
    /// The rules that it was not judged by.
    pub not_judged: Vec<Invariant>,
    /// What else fails the run: an accepted deviation that is stale, or shows too often.
    pub failures: Vec<String>,
    /// What else is to be known: each a paragraph, or commands, a line each.
    pub remarks: Vec<Vec<String>>,
    /// What happened, where that is shown of a target without a problem.
    pub scene: Option<Scene>,
}

/// What is said of a problem.
#[derive(Clone, Debug)]
pub struct ProblemPage {
    /// The rule, and what was seen.
    pub problem: Problem,
    /// The variant that its sentence and its script are about, where that is known.
    pub headline: Option<Variant>,
    /// How strongly the RFC asks for it in the strongest of its variants.
    pub level: Level,
    /// How its headline's connection ended, where that is what breaks the rule: `never`, `at 7.0 s, late`.
    pub ended: Option<String>,
    /// What happened, in a few sentences.
    pub sentence: String,
    /// Which of a running server's routes shows it: `/bye`.
    pub route: Option<String>,
    /// How surely it shows, where that is not each time: `flaky`, `flaky, in 1 of 2 runs`.
    pub flaky: Option<String>,
    /// What else is known of it: how surely it shows, what would be accepted.
    pub notes: Vec<String>,
    /// The shortest script, a step a line.
    pub script: String,
    /// What matters in it, step by step; empty where nobody looked.
    pub matters: Vec<StepSays>,
    /// What happened when it was played; empty where that is not known.
    pub scene: Scene,
    /// In how many scripts it showed, in words.
    pub shown: Option<String>,
    /// Everything that shows it.
    pub variants: Vec<VariantPage>,
    /// What to paste: what it does, and the line.
    pub commands: Vec<(&'static str, String)>,
    /// What has to be known before the lines are pasted.
    pub before: Option<String>,
}

/// How one variant of a problem ended.
#[derive(Clone, Debug)]
pub struct VariantPage {
    /// Its cause and condition.
    pub variant: Variant,
    /// Its symptom, where it is another one than the problem's.
    pub symptom: Option<Symptom>,
    /// How the connection ended.
    pub ended: String,
}

impl ProblemPage {
    /// What was seen, or what the rule asks for where a problem has no symptom.
    pub fn name(&self) -> String {
        let rule = self.problem.invariant();
        self.problem
            .symptom()
            .map_or_else(|| rule.id().to_owned(), |symptom| symptom.id().to_owned())
    }
}

/// Facts with their names.
fn named(facts: Vec<(&str, String)>) -> Vec<(String, String)> {
    facts.into_iter().map(|(name, fact)| (name.to_owned(), fact)).collect()
}

/// The route of a running server's URL.
fn route(url: &str) -> Option<String> {
    super::route(url).map(str::to_owned)
}

/// How it ended, where the rule is about time.
fn ended(rule: Invariant, words: String) -> Option<String> {
    (rule.rule().class == Class::Liveness).then_some(words)
}
