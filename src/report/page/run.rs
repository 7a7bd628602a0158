//! The page of a run: what its report says.

use super::super::bound::{Overdue, bound_of_finding};
use super::super::model::{Accepted, FindingReport, ProblemReport, Remark, Summary, TargetReport};
use super::super::table;
use super::super::text::{self, Paint, Style, count, thousands};
use super::{Page, ProblemPage, TargetPage, Tone, VariantPage, commands, ended};
use crate::verdict::Invariant;
use crate::wire::Role;

/// Wide enough for any paragraph: a page breaks lines itself.
const NO_BREAKS: usize = 1 << 20;

/// The page of a run over some targets; `program` is how a shell is told to start this one.
pub fn of_run(summary: &Summary<'_>, program: &'static str) -> Page {
    let targets: Vec<TargetPage> =
        summary.targets.iter().map(|report| target(report, program)).collect();
    let mut troubles: Vec<String> = summary.trouble.map(str::to_owned).into_iter().collect();
    troubles.extend(summary.interrupted.then(|| "Interrupted: not fully tested.".to_owned()));
    let facts = vec![
        ("Scripts", thousands(summary.scripts)),
        ("Seed", summary.seed.to_string()),
        ("Time", format!("{:.1} s", summary.seconds)),
    ];
    Page {
        title: title(&targets),
        facts: super::named(facts),
        troubles,
        targets,
        ..Page::default()
    }
}

/// `3 problems in 2 of 6 targets`
pub(super) fn title(targets: &[TargetPage]) -> String {
    let problems: usize = targets.iter().map(|target| target.problems.len()).sum();
    let found = targets.iter().filter(|target| !target.problems.is_empty()).count();
    match targets {
        [target] if problems == 0 => format!("{}: {}", target.name, target.verdict.1),
        [target] => format!("{} in {}", count(problems, "problem"), target.name),
        _ => format!(
            "{} in {found} of {}",
            count(problems, "problem"),
            count(targets.len(), "target")
        ),
    }
}

fn target(report: &TargetReport, program: &'static str) -> TargetPage {
    let problems = report.problems();
    let (paint, verdict) = text::verdict(report, problems.len());
    let tone = match paint {
        Paint::Green => Tone::Good,
        Paint::Red => Tone::Bad,
        _ => Tone::Unsure,
    };
    let style = Style { width: NO_BREAKS, verbose: true, program, ..Style::default() };
    let remarks = report.remarks().into_iter();
    TargetPage {
        name: report.name.clone(),
        version: report.version.clone(),
        verdict: (tone, verdict),
        scripts: Some(report.scripts),
        problems: problems.iter().map(|found| problem(found, report.scripts, program)).collect(),
        accepted: report.accepted.iter().filter_map(accepted).collect(),
        not_judged: report.not_judged.clone(),
        failures: failures(report),
        remarks: remarks.map(|remark| remark_lines(&remark, report.subject(), style)).collect(),
        scene: None,
    }
}

/// A remark as text has it; but how a server was asked may be a secret, and is left out.
fn remark_lines(remark: &Remark<'_>, subject: Role, style: Style) -> Vec<String> {
    let mut lines = text::remark_lines(remark, subject, style);
    if let Remark::Deaths(deaths) = remark {
        let mut paths = deaths.suspects.iter().map(|suspect| text::pasteable(&suspect.path));
        for line in lines.iter_mut().filter(|line| line.starts_with(style.program)) {
            *line = paths
                .next()
                .map_or_else(String::new, |path| format!("{} show {path}", style.program));
        }
    }
    lines
}

/// What fails the run beside its problems.
fn failures(report: &TargetReport) -> Vec<String> {
    let stale = report.stale().map(|deviation| text::stale(deviation, report.scripts));
    stale.chain(report.jumps.iter().map(text::jump)).collect()
}

/// The rule of what is accepted, where it showed.
fn accepted(accepted: &Accepted) -> Option<Invariant> {
    match accepted {
        Accepted::Deviation { fired: 0, .. } | Accepted::Known { fired: 0, .. } => None,
        Accepted::Deviation { deviation, .. } => Some(deviation.pattern.invariant()),
        Accepted::Known { identity, .. } => Some(identity.invariant()),
    }
}

fn problem(report: &ProblemReport<'_>, scripts: u64, program: &str) -> ProblemPage {
    let levels = table::levels(&report.variants);
    let variants = report.variants.iter().map(|finding| {
        let identity = finding.repro.identity;
        VariantPage {
            variant: identity.variant(),
            symptom: identity.symptom().filter(|_| identity.problem() != report.problem),
            ended: table::ended_at(finding, levels),
        }
    });
    let shown = report.first_script.map(|first| {
        let (shown, all) = (thousands(report.shown), thousands(scripts));
        format!("Shown by {shown} of {all} scripts, first by script {first}.")
    });
    let page = finding(report.headline, program);
    let levels = report.other_level().zip(report.why_levels()).map(|(other, why)| {
        format!(
            "This script shows it at the level {}; some variants are {other}. {why}",
            page.level
        )
    });
    ProblemPage {
        problem: report.problem,
        level: report.level,
        shown,
        variants: variants.collect(),
        notes: page.notes.into_iter().chain(levels).collect(),
        ..page
    }
}

/// One finding, as if it were all that is known of its problem.
pub(super) fn finding(report: &FindingReport, program: &str) -> ProblemPage {
    let repro = &report.repro;
    let overdue = Overdue::of(report).and_then(Overdue::sentence);
    let measured = report.measured.clone();
    let notes = [
        bound_of_finding(report),
        overdue,
        measured,
        text::repeats(report.repeats),
        text::not_minimal(report),
    ];
    let (commands, before) = commands::commands(report, program);
    ProblemPage {
        problem: repro.identity.problem(),
        headline: Some(repro.identity.variant()),
        level: repro.level,
        ended: ended(repro.identity.invariant(), table::ended(report.ending)),
        sentence: repro.sentence.clone(),
        route: report.url.as_deref().and_then(super::route),
        flaky: report.repeats.is_flaky().then(|| "flaky".to_owned()),
        notes: notes.into_iter().flatten().collect(),
        matters: report.matters.clone(),
        script: repro.script_text(),
        scene: report.scene.clone(),
        shown: None,
        variants: Vec::new(),
        commands,
        before,
    }
}
