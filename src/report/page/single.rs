//! The page of one finding: what `show` and `replay` say.

use super::super::Scene;
use super::super::bound::bound;
use super::super::model::{FindingReport, ReplayReport, ReplayResult};
use super::run::finding;
use super::saved::ended_words;
use super::{Page, ProblemPage, SavedFile, TargetPage, Tone, VariantPage, commands};
use crate::wire::Role;

/// The page of a script that was played on `target`, a name and a version: with what it shows, or with
/// what happened where it breaks nothing, or where that cannot be judged. `notes` say what else is to be
/// known.
pub fn of_shown(
    target: (&str, &str),
    subject: Role,
    shown: Result<&FindingReport, Scene>,
    is_judged: bool,
    notes: Vec<String>,
    program: &str,
) -> Page {
    let verdict = match &shown {
        Ok(_) => (Tone::Bad, "1 problem".to_owned()),
        Err(_) if !is_judged => (Tone::Unsure, "not judged".to_owned()),
        Err(_) => (Tone::Good, format!("the {} breaks no rule", subject.word())),
    };
    page(target, verdict, shown, notes, program)
}

/// The page of a replay.
pub fn of_replay(
    report: &ReplayReport,
    version: &str,
    shown: Result<&FindingReport, Scene>,
    program: &str,
) -> Page {
    let (tone, word) = match report.result {
        ReplayResult::Reproduced if report.saved.is_none() => (Tone::Bad, "breaks a rule"),
        ReplayResult::Reproduced => (Tone::Bad, "reproduced"),
        ReplayResult::Different => (Tone::Bad, "different"),
        ReplayResult::Fixed if report.saved.is_none() => (Tone::Good, "breaks no rule"),
        ReplayResult::Fixed if report.is_elsewhere => (Tone::Good, "not shown here"),
        ReplayResult::Fixed => (Tone::Good, "fixed"),
        ReplayResult::Dismissed => (Tone::Good, "no finding"),
        ReplayResult::Unproven => (Tone::Unsure, "not judged"),
    };
    let mut notes = Vec::new();
    let saved = report.saved.iter().filter(|_| report.result != ReplayResult::Reproduced);
    notes.extend(saved.map(|saved| format!("The saved finding: {saved}")));
    let is_told = shown.is_ok();
    let broken = report.broken.iter().filter(|_| !is_told);
    notes.extend(broken.map(|(rule, sentence)| format!("{rule}: {sentence}")));
    notes.extend(
        report.ended.iter().map(|ended| format!("It ended otherwise than saved: {ended} then.")),
    );
    page((&report.on, version), (tone, word.to_owned()), shown, notes, program)
}

fn page(
    (name, version): (&str, &str),
    verdict: (Tone, String),
    shown: Result<&FindingReport, Scene>,
    notes: Vec<String>,
    program: &str,
) -> Page {
    let (problems, scene) = match shown {
        Ok(report) => (vec![with_variant(report, program)], None),
        Err(scene) => (Vec::new(), Some(scene)),
    };
    let title = format!("{name}: {}", verdict.1);
    let target = TargetPage {
        name: name.to_owned(),
        version: version.to_owned(),
        verdict,
        problems,
        remarks: notes.into_iter().map(|note| vec![note]).collect(),
        scene,
        ..TargetPage::default()
    };
    Page { title, targets: vec![target], ..Page::default() }
}

/// A finding, and the one variant that it is.
fn with_variant(report: &FindingReport, program: &str) -> ProblemPage {
    let variant = report.repro.identity.variant();
    let ended = super::super::table::ended(report.ending);
    let variants = vec![VariantPage { variant, symptom: None, ended }];
    ProblemPage { variants, ..finding(report, program) }
}

/// The page of a finding's file whose server is not here: what the file says.
pub fn of_file(file: &SavedFile, program: &str) -> Page {
    let (name, version) = &file.repro.target;
    let problem = problem_of_file(file, program);
    let target = TargetPage {
        name: name.clone(),
        version: version.clone(),
        verdict: (Tone::Bad, "as it was seen when it was saved".to_owned()),
        problems: vec![problem],
        ..TargetPage::default()
    };
    let title = format!("{name}: a saved problem");
    Page { title, targets: vec![target], ..Page::default() }
}

/// What a file says of a finding.
pub(super) fn problem_of_file(file: &SavedFile, program: &str) -> ProblemPage {
    let repro = &file.repro;
    let ended = ended_words(&repro.ending, repro.at_seconds);
    ProblemPage {
        problem: repro.identity.problem(),
        headline: Some(repro.identity.variant()),
        level: repro.level,
        ended: super::ended(repro.identity.invariant(), ended.clone()),
        sentence: repro.sentence.clone(),
        route: None,
        flaky: None,
        notes: bound(repro, None).into_iter().collect(),
        matters: Vec::new(),
        script: repro.script_text(),
        scene: Scene::saved(repro),
        shown: None,
        variants: vec![VariantPage { variant: repro.identity.variant(), symptom: None, ended }],
        commands: commands::of_file(file, program),
        before: None,
    }
}
