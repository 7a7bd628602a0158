//! Many servers side by side: which rules stand in which table, and what a cell says. `html` and
//! `markdown` lay it out.

use super::html::{Cell, cell, columns};
use super::page::{ProblemPage, TargetPage};
use crate::verdict::{Invariant, Level, Symptom};

/// A table of a survey.
#[derive(Debug)]
pub(super) struct Family {
    /// What its rules ask.
    pub title: &'static str,
    /// Those that some server breaks, in their order.
    pub rules: Vec<Invariant>,
}

const ENDS: &[Invariant] = &[
    Invariant::EndsInTime,
    Invariant::ReleasesInTime,
    Invariant::HandshakeInTime,
    Invariant::IdleInTime,
    Invariant::NoPanic,
    Invariant::NoSpin,
    Invariant::NoLeak,
    Invariant::BoundedMemory,
];
const CLOSES: &[Invariant] = &[
    Invariant::AnswersClose,
    Invariant::SendsClose,
    Invariant::NoSilentEnd,
    Invariant::ClosesOnce,
    Invariant::NoDataAfterClose,
    Invariant::LegalClose,
    Invariant::SendsValidFrames,
    Invariant::EchoesCode,
    Invariant::WaitsForAnswer,
];
const TELLS: &[Invariant] = &[Invariant::RefusesIllegal, Invariant::AcceptsLegal];

/// The tables, without those in which nothing is broken.
pub(super) fn families(targets: &[TargetPage]) -> Vec<Family> {
    let broken = columns(targets);
    let others: Vec<Invariant> = broken
        .iter()
        .copied()
        .filter(|rule| ![ENDS, CLOSES, TELLS].concat().contains(rule))
        .collect();
    let families = [
        ("Does it end?", ENDS),
        ("Does it close as it should?", CLOSES),
        ("Does it tell right from wrong?", TELLS),
        ("What else?", others.as_slice()),
    ];
    let families = families.into_iter().map(|(title, rules)| Family {
        title,
        rules: broken.iter().copied().filter(|rule| rules.contains(rule)).collect(),
    });
    families.filter(|family| !family.rules.is_empty()).collect()
}

/// A line of a cell: a problem.
#[derive(Debug)]
pub(super) struct Line {
    /// Its number among its target's, from 1 on.
    pub number: usize,
    /// How the connection ended, where the rule is about that, and what was seen.
    pub words: String,
    /// Whether the RFC asks for it with a MUST.
    pub is_must: bool,
    /// How surely it shows, where that is not each time.
    pub flaky: Option<String>,
}

/// What a cell says.
#[derive(Debug)]
pub(super) enum CellSays {
    /// The problems.
    Broken(Vec<Line>),
    /// Nothing else than a sign and a word for those who do not see it.
    Sign(&'static str, &'static str),
}

/// What a target does about a rule.
pub(super) fn says(target: &TargetPage, rule: Invariant) -> CellSays {
    match cell(target, rule) {
        Cell::Broken(problems) => CellSays::Broken(
            problems.into_iter().map(|(number, problem)| line(number, problem)).collect(),
        ),
        Cell::Accepted => CellSays::Sign("(\u{2717})", "accepted"),
        Cell::Kept => CellSays::Sign("\u{2713}", "kept"),
        Cell::NotJudged => CellSays::Sign("?", "not judged"),
    }
}

fn line(number: usize, problem: &ProblemPage) -> Line {
    let symptom = problem.problem.symptom().map(brief);
    let words = match (&problem.ended, symptom) {
        (Some(ended), Some(symptom)) => format!("{ended}: {symptom}"),
        (Some(one), None) => one.clone(),
        (None, Some(one)) => one.to_owned(),
        (None, None) => "broken".to_owned(),
    };
    Line { number, words, is_must: problem.level == Level::Must, flaky: problem.flaky.clone() }
}

/// What was seen, without what the end says as well: `a timer of its own ends it`.
fn brief(symptom: Symptom) -> &'static str {
    let words = symptom.id();
    words.split_once(", ").map_or(words, |(first, _)| first)
}
