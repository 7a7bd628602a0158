//! A report for people: lines of text, as wide and as colourful as they are asked for.

use super::bound::{Overdue, bound, bound_of_finding};
use super::holdings_chart;
use super::lost_workers::lost_workers;
use super::model::{
    Before, Command, FindingReport, HowPlayed, Jump, OverTcp, ProblemReport, Remark, Repeats,
    ReplayReport, ReplayResult, Summary, TargetReport,
};
use super::reach::{no_effect, reach};
use super::table::table;
use super::timeline::{Timeline, clip};
use super::whole_server::{idle_client, told_to_shut_down};
use super::work::figures;
use crate::bounds::Bounds;
use crate::finding::Finding;
use crate::finding::repro::Repro;
use crate::finding::share::Share;
use crate::run::campaign::{Unjudged, WhyUnjudged};
use crate::target::Deviation;
use crate::verdict::{Control, Doubt, Excuse, Invariant, Problem, Reason, Violation, name_ends};
use crate::wire::Role;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

/// Where commands have a target listen.
const SERVED_AT: &str = "127.0.0.1:9001";

/// How text is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// How many columns a line may have, where no word is longer.
    pub width: usize,
    /// Whether there may be colours, as ANSI escapes.
    pub color: bool,
    /// Whether each accepted deviation is told with its reason, and not only counted.
    pub verbose: bool,
    /// What a shell is told to start the program whose commands are printed, quoted where it needs
    /// that.
    pub program: &'static str,
}

/// 80 columns, no colours, not verbose, the commands of `hangup`.
impl Default for Style {
    fn default() -> Self {
        Self { width: 80, color: false, verbose: false, program: "hangup" }
    }
}

#[derive(Clone, Copy)]
pub(super) enum Paint {
    Bold,
    Red,
    Green,
    Yellow,
}

impl Style {
    pub(super) fn paint(self, paint: Paint, text: &str) -> String {
        let (on, off) = match paint {
            Paint::Bold => (1, 0),
            Paint::Red => (31, 39),
            Paint::Green => (32, 39),
            Paint::Yellow => (33, 39),
        };
        if self.color { format!("\x1b[{on}m{text}\x1b[{off}m") } else { text.to_owned() }
    }

    /// Breaks text for lines that are indented by so many columns.
    pub(super) fn wrap(self, text: &str, indent: usize) -> String {
        wrap_to(text, self.width.saturating_sub(indent))
    }
}

/// What a target's campaign comes to, and in which colour that is said.
pub(super) fn verdict(report: &TargetReport, problems: usize) -> (Paint, String) {
    let said = |paint, text: &str| (paint, text.to_owned());
    match problems {
        _ if report.scripts == 0 && matches!(report.played, HowPlayed::OverTcp(_)) => {
            said(Paint::Yellow, "not tested")
        }
        _ if report.could_not_test().is_some() => said(Paint::Yellow, "could not test"),
        0 if report.has_trouble() => said(Paint::Yellow, "not fully tested"),
        0 if !report.unjudged().is_empty() => said(Paint::Yellow, "not judged"),
        0 => said(Paint::Green, "clean"),
        found => (Paint::Red, count(found, "problem")),
    }
}

/// One target's campaign.
pub fn target(report: &TargetReport, style: Style) -> String {
    let name = style.paint(Paint::Bold, &report.name);
    let problems = report.problems();
    let (paint, verdict) = verdict(report, problems.len());
    let verdict = style.paint(paint, &verdict);
    let scripts = count(report.scripts as usize, "script");
    let mut text = match &report.played {
        HowPlayed::InProcess { .. } => {
            format!("\n{name} ({}): {verdict}, {scripts}\n", report.version)
        }
        HowPlayed::OverTcp(_) => format!("\n{name}: {verdict}\n"),
    };
    let is_brief =
        |remark: &Remark<'_>| !style.verbose && matches!(remark, Remark::AcceptedDeviation(..));
    let accepted = report.remarks().into_iter().filter(is_brief).count();
    if accepted > 0 {
        let accepted = count(accepted, "deviation");
        indented(&mut text, "  ", &style.wrap(&format!("{accepted} accepted, see --verbose"), 2));
    }
    let mut bounds: Vec<String> =
        problems.iter().filter_map(|problem| bound_of_finding(problem.headline)).collect();
    let mut told = BTreeSet::new();
    bounds.retain(|bound| told.insert(bound.clone()));
    for bound in bounds {
        indented(&mut text, "  ", &style.wrap(&bound, 2));
    }
    for (number, problem) in problems.iter().enumerate() {
        self::problem(&mut text, problem, number + 1, report.scripts, style);
    }
    for remark in report.remarks().into_iter().filter(|remark| !is_brief(remark)) {
        text.push('\n');
        for line in remark_lines(&remark, report.subject(), style) {
            indented(&mut text, "  ", &line);
        }
    }
    if let HowPlayed::OverTcp(OverTcp { seconds, .. }) = &report.played {
        if !problems.is_empty() {
            let _ = writeln!(text, "\n{}", style.wrap(LEVELS, 0));
        }
        let problems = count(problems.len(), "problem");
        let _ = writeln!(text, "\n{problems} in {scripts} in {seconds:.1} s");
    }
    text
}

/// A problem behind its number: its headline's sentence and script, how each variant ended, and
/// what to paste.
fn problem(
    out: &mut String,
    problem: &ProblemReport<'_>,
    number: usize,
    scripts: u64,
    style: Style,
) {
    let headline = style.wrap(&problem_headline(problem), 5);
    for (index, line) in headline.lines().enumerate() {
        let number = if index == 0 { format!("\n  {number}.") } else { "    ".to_owned() };
        let _ = writeln!(out, "{number} {}", style.paint(Paint::Bold, line));
    }
    let finding = problem.headline;
    indented(out, "     ", &style.wrap(&finding.repro.sentence, 5));
    if let Some(levels) = problem.why_levels() {
        indented(out, "     ", &style.wrap(&levels, 5));
    }
    if let Some(measured) = &finding.measured {
        indented(out, "     ", &style.wrap(&self::measured(measured), 5));
    }
    if let Some(overdue) = Overdue::of(finding).and_then(Overdue::sentence) {
        indented(out, "     ", &style.wrap(&overdue, 5));
    }
    if let Some(repeats) = repeats(finding.repeats) {
        indented(out, "     ", &repeats);
    }
    if let Some(text) = not_minimal(finding) {
        indented(out, "     ", &style.wrap(&text, 5));
    }
    out.push('\n');
    indented(out, "         ", &finding.repro.script_text());
    out.push('\n');
    indented(out, "     ", &variants(problem, scripts, style.width.saturating_sub(5)));
    commands(out, std::iter::once(finding).chain(problem.saved_variants()), style);
}

fn measured(figures: &str) -> String {
    format!("Measured: {figures}.")
}

/// What the levels mean: said once below problems.
pub const LEVELS: &str = "must: RFC 6455 demands it (MUST). should: RFC 6455 recommends it (SHOULD), or says \
                          nothing, and hangup asks for it.";

/// A problem in a line: `ends-in-time (should): waits to read, with no timer running`.
pub fn problem_headline(problem: &ProblemReport<'_>) -> String {
    headline_of(problem.problem, &problem.levels())
}

pub(super) fn headline_of(problem: Problem, level: &str) -> String {
    let rule = problem.invariant();
    let mut line = format!("{rule} ({level})");
    if let Some(symptom) = problem.symptom() {
        let _ = write!(line, ": {symptom}");
    }
    line
}

/// A problem over TCP that was seen for the first time, after so long, in the script with this index:
/// what it is may be another thing once it was played again.
pub fn first_seen(violation: &Violation, script: u64, after: Duration, style: Style) -> String {
    let headline = headline_of(violation.identity.problem(), violation.level.id());
    let after = after.as_secs_f64();
    style.wrap(&format!("after {after:.1} s, not confirmed yet, script {script}: {headline}"), 0)
}

/// How often a problem showed in so many scripts, and a table of how each variant ended.
pub fn variants(problem: &ProblemReport<'_>, scripts: u64, width: usize) -> String {
    let mut out = String::new();
    if let Some(first) = problem.first_script {
        let shown =
            format!("{} of {}", thousands(problem.shown), count(scripts as usize, "script"));
        let text = match problem.problem.invariant() {
            Invariant::LinearWork => {
                format!("measured once in a campaign, here in script {first}.")
            }
            _ => format!("seen in {shown}, first in script {first}."),
        };
        let _ = writeln!(out, "{}", wrap_to(&text, width));
    }
    out + &table(problem.problem, &problem.variants, width)
}

/// That a finding's script may not be the shortest, and why, where that is so.
pub(super) fn not_minimal(finding: &FindingReport) -> Option<String> {
    finding.cut_short.then(|| match finding.plays {
        0 => "not shrunk: there was no time, or it did not show again at once".to_owned(),
        plays => format!(
            "perhaps not minimal: shrinking ended after {}, as its time was used up",
            count(plays as usize, "play")
        ),
    })
}

/// How surely it shows again, where that is to be said.
pub(super) fn repeats(repeats: Repeats) -> Option<String> {
    match repeats {
        Repeats::Share(rate) => repeats.is_flaky().then(|| flaky(rate)),
        Repeats::Suspected => {
            Some("suspected: in play when the server died, not proven by a play alone".to_owned())
        }
        Repeats::Counted { replays: 0, .. } => {
            Some("not confirmed: testing ended before it was played again".to_owned())
        }
        Repeats::Counted { shown, replays } if repeats.is_flaky() => {
            Some(format!("flaky: {shown} of {replays} replays show it"))
        }
        Repeats::Counted { shown, replays } => {
            Some(format!("confirmed: {shown} of {replays} replays show it"))
        }
    }
}

/// That not every replay shows it.
fn flaky(rate: f64) -> String {
    format!("flaky: {:.0} % of replays show it", rate * 100.0)
}

/// What to do with saved files: a heading, then a line to paste for each.
fn commands<'a>(out: &mut String, findings: impl Iterator<Item = &'a FindingReport>, style: Style) {
    let program = style.program;
    let saved = findings.filter_map(FindingReport::command);
    for (index, command) in saved.enumerate() {
        let (heading, line) = match command {
            Command::Show(path) => ("more", format!("{program} show {}", pasteable(&path))),
            Command::Replay(path, url, options) => {
                let path = pasteable(&path);
                let url = url.map_or_else(String::new, |url| format!(" --url {}", quoted(&url)));
                let options =
                    options.iter().fold(String::new(), |all, word| all + " " + &quoted(word));
                ("again", format!("{program} replay {path}{url}{options}"))
            }
        };
        if index == 0 {
            let _ = writeln!(out, "\n     {heading}:");
        }
        let _ = writeln!(out, "     {line}");
    }
}

/// A remark below the findings of a subject in this role.
pub(super) fn remark_lines(remark: &Remark<'_>, subject: Role, style: Style) -> Vec<String> {
    let word = subject.word();
    let wrapped = |text: &str| style.wrap(text, 2);
    let scripts = |fired: u64| count(fired as usize, "script");
    match *remark {
        Remark::AcceptedDeviation(Deviation { pattern, reason, rfc, rate, .. }, fired, played) => {
            let rule = pattern.invariant();
            let expects = rate.map(|rate| format!("; the target expects {}", percent(rate)));
            let share = percent(Share { shown: fired, scripts: played }.rate());
            let accepted = format!(
                "accepted: {rule}: {reason}. Seen in {} ({share}{}).",
                scripts(fired),
                expects.unwrap_or_default()
            );
            vec![wrapped(&accepted), wrapped(&format!("RFC 6455 {rfc}"))]
        }
        Remark::Stale(deviation, scripts) => {
            // A colour is no part of the width, and no word of a stranger's.
            let text = wrapped(&format!("stale: {}", stale(deviation, scripts)));
            vec![text.replacen("stale", &style.paint(Paint::Red, "stale"), 1)]
        }
        Remark::AcceptedKnown(identity, fired, listed) => {
            let rare = if listed {
                ""
            } else {
                "; this variant is not in the baseline, other variants of its problem are"
            };
            vec![wrapped(&format!("accepted: {identity}, seen in {}{rare}", scripts(fired)))]
        }
        Remark::Jump(jump) => {
            // As of what is stale.
            let text = wrapped(&format!("far more often than accepted: {}", self::jump(jump)));
            let head = "far more often than accepted";
            vec![text.replacen(head, &style.paint(Paint::Red, head), 1)]
        }
        Remark::Reach(counts) => vec![wrapped(&reach(counts))],
        Remark::NoEffect(what) => {
            let text = wrapped(&format!("warning: {}", no_effect(what, subject)));
            vec![text.replacen("warning", &style.paint(Paint::Yellow, "warning"), 1)]
        }
        Remark::LostWorkers(lost) => vec![wrapped(&lost_workers(lost))],
        Remark::CouldNotTest(why) => vec![wrapped(&format!("could not test: {why}"))],
        Remark::CannotJudge(what, target, close_option) => {
            let mut lines = vec![wrapped(&cannot_judge(&what, target, subject))];
            let commands = over_tcp(target, close_option, style).map(|line| format!("  {line}"));
            lines.extend(commands.into_iter().filter(|_| subject == Role::Server));
            lines
        }
        Remark::GivenUp(scripts, planned) => {
            let of = planned.map_or_else(String::new, |all| format!(" of {}", thousands(all)));
            vec![wrapped(&format!(
                "given up after {}{of} scripts: too many of them crash or stall the {word}'s \
                 process, and have no steps in common by which to pass them over. Fix that \
                 first; then the rest can be tested.",
                thousands(scripts)
            ))]
        }
        Remark::ScriptsPassedOver(passed_over, scripts) => vec![wrapped(&format!(
            "passed over {} of {} scripts: they have steps in common with scripts that crash or \
             stall the {word}'s process, as most of those that were played did. Fix that, and \
             they are played.",
            thousands(passed_over),
            thousands(scripts)
        ))],
        Remark::Dismissed(finding, why) => vec![wrapped(&dismissed(finding, why))],
        Remark::NotTested(lacks) => vec![wrapped(&format!("not tested: {}", lacks.join("; ")))],
        Remark::NotObserved => vec![wrapped(&name_ends(
            "not observed: when the server lets go of its sockets (releases-in-time, and ends-in-time \
             for clients that do not read or are cut off), since this system's kernel does not list \
             them: the server runs on another machine, in a container or behind a proxy, or this \
             system is not Linux",
            Some(subject),
        ))],
        Remark::Idle(idle) => vec![wrapped(&idle_client(idle))],
        Remark::Shutdowns(shutdowns) => vec![wrapped(&told_to_shut_down(shutdowns))],
        Remark::Held(held) => vec![holdings_chart::chart(held)],
        Remark::Refused(refused) => vec![wrapped(&format!(
            "{} of the opening requests were not answered with 101. If they were too many at once, \
             or too fast, try a smaller --concurrency or --rate.",
            thousands(refused)
        ))],
        Remark::Unjudged(unjudged, scripts) => vec![wrapped(&format!(
            "{} of the {} are not judged: this machine, or the {word}, was too busy to keep the \
             time. Try a smaller --concurrency or a larger --slack.",
            thousands(unjudged),
            count(scripts as usize, "script")
        ))],
        Remark::Deaths(deaths) => {
            // A command is no text: it is pasted as one line.
            let is_command = |text: &str| text.starts_with(style.program);
            let lines = deaths.told(style.program).into_iter();
            lines.map(|text| if is_command(&text) { text } else { wrapped(&text) }).collect()
        }
        Remark::PassedOver(passed_over) => {
            vec![wrapped(&format!("{} more, not looked into", count(passed_over, "finding")))]
        }
    }
}

/// What is accepted of a target, by its rule, each in a line.
pub fn accepted(report: &TargetReport) -> Vec<(Invariant, String)> {
    let style = Style { width: usize::MAX, ..Style::default() };
    let told = report.remarks().into_iter().filter_map(|remark| {
        let rule = match &remark {
            Remark::AcceptedDeviation(deviation, ..) => deviation.pattern.invariant(),
            Remark::AcceptedKnown(identity, ..) => identity.invariant(),
            _ => return None,
        };
        Some((rule, remark_lines(&remark, report.subject(), style).join(" ")))
    });
    told.collect()
}

/// What was seen and cannot be judged in virtual time, how that is known, and what to do.
pub fn cannot_judge(what: &Unjudged, target: &str, subject: Role) -> String {
    let word = subject.word();
    let Unjudged { identity, why, scripts, .. } = *what;
    let rule = identity.invariant();
    let why = match why {
        WhyUnjudged::Lacks(lack) => {
            return format!(
                "cannot be judged in virtual time: in {} the {word} {lack}, which virtual time does \
                 not have: {}{}.",
                count(scripts as usize, "script"),
                lack.way_out(),
                match subject {
                    Role::Server => ", or test the server over TCP with `hangup probe`",
                    Role::Client => ", or test the client over TCP with `hangup listen`",
                }
            );
        }
        WhyUnjudged::Threads(threads) => {
            format!("in {} {threads}", count(scripts as usize, "script"))
        }
        WhyUnjudged::EndedInRealTime => "in real time the connection ended in time".to_owned(),
    };
    let advice = match subject {
        Role::Server => format!(
            " Let {target} listen on a port, and test it over TCP with `hangup probe` and its URL."
        ),
        Role::Client => String::new(),
    };
    format!(
        "cannot be judged in virtual time: {rule}: {why}; the {word} does not use tokio's clock \
         alone.{advice}"
    )
}

/// The two commands that test a target of this program over TCP, side by side; it has the same time to close.
fn over_tcp(target: &str, close_option: &str, style: Style) -> [String; 2] {
    let program = style.program;
    [
        format!("{program} serve {} --listen {SERVED_AT}", quoted(target)),
        format!("{program} probe ws://{SERVED_AT}/{close_option}"),
    ]
}

/// What showed once and is no finding, and why not.
fn dismissed(finding: &FindingReport, why: Reason) -> String {
    let is_judged = !matches!(why, Reason::NotRepeated { .. });
    let verdict = if is_judged { "no finding" } else { "Not counted as a problem" };
    let why = match why {
        Reason::Control(Doubt { control: Control::Unprompted { .. }, .. }) => {
            "the server does the same when the client does not send that".to_owned()
        }
        Reason::Control(Doubt { excuses, control: Control::Alone }) => excuses.to_string(),
        Reason::Control(Doubt { excuses, .. }) => {
            format!("{excuses}; in a replay without that, the server keeps the rule")
        }
        Reason::NotRepeated { plays } => format!(
            "It showed while many connections were open, and not in {} with few. Where that was too many, a \
             smaller --concurrency shows no more of it; where it is rare, more --scripts show it again.",
            count(plays as usize, "replay")
        ),
        Reason::Excuse(excuse) => excuse.to_string(),
    };
    let why = name_ends(&why, Some(finding.repro.role));
    let path = finding.path.as_deref();
    let path = path.map_or_else(String::new, |path| format!(" ({})", pasteable(path)));
    let headline = headline(&finding.repro);
    if is_judged {
        format!("{verdict}: {headline}: {why}{path}")
    } else {
        format!("{verdict}: {headline}. {why}{path}")
    }
}

/// How many problems the end of a run lists: they fit on a screen with the first one's sentence.
const LISTED: usize = 10;

/// The problems of a run once more, a line each, and of the first what a maintainer reads first:
/// what has scrolled away. Empty where there is one at most.
pub fn recapitulation(summary: &Summary<'_>, style: Style) -> String {
    let problems: Vec<(&str, ProblemReport<'_>)> = summary
        .targets
        .iter()
        .flat_map(|target| target.problems().into_iter().map(|problem| (&*target.name, problem)))
        .collect();
    // One problem has just been told.
    let [(first_target, first), _, ..] = &problems[..] else { return String::new() };
    let mut out = String::new();
    let mut last = "";
    let mut number = 0;
    for (target, problem) in problems.iter().take(LISTED) {
        number = if last == *target { number + 1 } else { 1 };
        if last != *target {
            let _ = writeln!(out, "\n{}", style.paint(Paint::Bold, target));
        }
        last = *target;
        let line = clip(&problem_headline(problem), style.width.saturating_sub(5));
        let _ = writeln!(out, "{number:>3}. {line}");
    }
    if problems.len() > LISTED {
        let _ = writeln!(out, "     and {} more", problems.len() - LISTED);
    }
    let finding = first.headline;
    let _ = writeln!(
        out,
        "\n{}",
        style.wrap(&format!("{first_target}, 1: {}", finding.repro.sentence), 0)
    );
    out.push('\n');
    let script = finding.repro.script.to_string();
    let steps = script.lines().count();
    for line in script.lines().take(STEPS) {
        indented(&mut out, "    ", line);
    }
    if steps > STEPS {
        let _ = writeln!(out, "    .. {}", count(steps - STEPS, "step"));
    }
    if let Some(Command::Show(path)) = finding.command() {
        let _ = writeln!(out, "\n    {} show {}", style.program, pasteable(&path));
    }
    out
}

/// How many steps of a script the end of a run shows.
const STEPS: usize = 4;

/// The last line of a run over several targets, of which so many were asked for.
pub fn summary(summary: &Summary<'_>, targets: usize, style: Style) -> String {
    let Summary { scripts, seconds, confirming, .. } = *summary;
    let playing = (seconds - confirming).max(1e-9);
    let rate = thousands((scripts as f64 / playing) as u64);
    let confirmed = if confirming < 0.05 {
        String::new()
    } else {
        format!("\nconfirming in real time took another {confirming:.1} s")
    };
    let problems: Vec<usize> =
        summary.targets.iter().map(|target| target.problems().len()).collect();
    let unjudged = summary.targets.iter().filter(|target| !target.unjudged().is_empty()).count();
    let unjudged = match unjudged {
        0 => String::new(),
        unjudged => format!(", {unjudged} not judged"),
    };
    let line = format!(
        "{} in {} of {}{unjudged}: {} in {playing:.1} s, {rate} a second",
        count(problems.iter().sum(), "problem"),
        problems.iter().filter(|found| **found > 0).count(),
        count(targets, "target"),
        count(scripts as usize, "script"),
    );
    let levels = if problems.iter().all(|found| *found == 0) {
        String::new()
    } else {
        format!("\n{}\n", style.wrap(LEVELS, 0))
    };
    format!("{levels}{confirmed}\n{}", style.wrap(&line, 0))
}

/// What a replay showed.
pub fn replay(report: &ReplayReport, style: Style) -> String {
    let (paint, word) = match report.result {
        ReplayResult::Reproduced if report.saved.is_none() => (Paint::Red, "breaks a rule on"),
        ReplayResult::Reproduced => (Paint::Red, "reproduced on"),
        ReplayResult::Dismissed => (Paint::Green, "no finding on"),
        ReplayResult::Fixed if report.saved.is_none() => (Paint::Green, "breaks no rule on"),
        ReplayResult::Fixed if report.is_elsewhere => (Paint::Green, "not shown by"),
        ReplayResult::Fixed => (Paint::Green, "fixed on"),
        ReplayResult::Different => (Paint::Yellow, "different on"),
        ReplayResult::Unproven => (Paint::Yellow, "not judged on"),
    };
    let word = style.paint(Paint::Bold, &style.paint(paint, word));
    let mut text = format!("{word} {}\n", report.on);
    let mut say = |line: &str| {
        let _ = writeln!(text, "{}", style.wrap(line, 0));
    };
    match &report.saved {
        Some(saved) if report.result != ReplayResult::Reproduced => {
            say(&format!("The saved finding: {saved}"));
        }
        _ => {}
    }
    if report.result == ReplayResult::Dismissed {
        let no_answer = "The server does the same when the client does not send that: it is no answer to \
                         the client.";
        say(&name_ends(no_answer, Some(report.subject)));
    }
    if report.result == ReplayResult::Different && !report.over_tcp {
        say("Now:");
    }
    for (rule, sentence) in &report.broken {
        say(&format!("{rule}: {sentence}"));
    }
    if report.result == ReplayResult::Unproven {
        say(match report.subject {
            Role::Server => "Virtual time cannot judge it: test it over TCP, with `hangup probe`.",
            Role::Client => "Virtual time cannot judge it.",
        });
    }
    if let Some(ended) = &report.ended {
        say(&format!("The ending differs. The saved ending: {ended}."));
    }
    if report.result == ReplayResult::Unproven && report.subject == Role::Server {
        for line in over_tcp(&report.on, &report.close_option, style) {
            let _ = writeln!(text, "    {line}");
        }
    }
    text
}

/// What a violation is about, in a line:
/// `ends-in-time (should): waits to read, with no timer running; cause: the server's own Close; client: silent; end: never`.
/// Where it is not about time, cause and end say nothing of it.
pub fn headline(repro: &Repro) -> String {
    let identity = repro.identity;
    let line = headline_of(identity.problem(), repro.level.id());
    match identity.variant().labelled() {
        Some(labelled) if repro.ending == "in time" => format!("{line}; {labelled}"),
        Some(labelled) => format!("{line}; {labelled}; end: {}", repro.ending),
        None => line,
    }
}

/// The whole report of one finding: sentence, script, timeline.
pub fn finding(repro: &Repro, finding: &Finding, stated: &Bounds, style: Style) -> String {
    let mut out = saved(repro, Some(stated), style);
    if let Some(work) = &finding.exchange.work {
        let _ = writeln!(out, "\n{}", style.wrap(&measured(&figures(work)), 0));
    }
    if finding.is_flaky() {
        let _ = writeln!(out, "\n{}", flaky(finding.rate));
    }
    let refuted = finding.violation.refuted;
    if !refuted.is_empty() {
        let text = if refuted.iter().eq([Excuse::SameAlone]) {
            "tested: without the other clients, and with the same commands, the server keeps this rule".to_owned()
        } else {
            format!("tested, and ruled out as the reason: {refuted}")
        };
        let text = name_ends(&text, Some(repro.role));
        let _ = writeln!(out, "\n{}", style.wrap(&text, 0));
    }
    let timeline = Timeline::of(&finding.exchange, Some(&finding.violation));
    let _ = write!(out, "\n{}", with_legend(&timeline.text(style.width)));
    out
}

/// A timeline, and below it what its marks say, where it has some.
pub fn with_legend(timeline: &str) -> String {
    let is_marked = timeline.lines().any(|line| line.starts_with('!'));
    let legends = [
        (is_marked, "(!: the verdict rests on this line)\n"),
        (
            timeline.contains(" (inferred)"),
            "((inferred): hangup did not see it, and concludes it from what came)\n",
        ),
        (timeline.contains("x - "), "(x - - -: sent, and the other end did not read it)\n"),
    ];
    let legends: String =
        legends.iter().filter(|(is_there, _)| *is_there).map(|(_, legend)| *legend).collect();
    let gap = if legends.is_empty() { "" } else { "\n" };
    format!("{timeline}{gap}{legends}")
}

/// What a repro tells by itself: headline, sentence, script.
pub fn saved(repro: &Repro, stated: Option<&Bounds>, style: Style) -> String {
    let (headline, sentence) = (style.wrap(&headline(repro), 0), style.wrap(&repro.sentence, 0));
    let mut out = format!("{headline}\n{sentence}\n");
    if let Some(bound) = bound(repro, stated) {
        let _ = writeln!(out, "{}", style.wrap(&bound, 0));
    }
    let steps = repro.script.steps.len();
    let plural = if steps == 1 { "" } else { "s" };
    if steps == 0 {
        let _ = writeln!(out, "\nno steps: {}", nothing(repro.role));
    } else {
        let _ = write!(out, "\nscript, {steps} step{plural}:\n\n");
    }
    for line in repro.script_text().lines() {
        let _ = writeln!(out, "    {line}");
    }
    out
}

/// What the actor does in a script without steps.
pub(super) const fn nothing(subject: Role) -> &'static str {
    match subject {
        Role::Server => "the client connects, and does nothing",
        Role::Client => "the server accepts the connection, and does nothing",
    }
}

/// What happened when a repro was saved: its timeline and its wire log; `None` where an older
/// version saved it.
pub fn as_seen(repro: &Repro) -> Option<String> {
    let seen = repro.seen.as_ref()?;
    let timeline = with_legend(&seen.timeline);
    let text = format!("\n{timeline}\non the wire:\n\n{}", seen.wire);
    // A file from a stranger must not steer a terminal.
    let harmless = |c: char| if c.is_control() && c != '\n' { '\u{fffd}' } else { c };
    Some(text.chars().map(harmless).collect())
}

/// What is wrong with an accepted deviation that never fired in so many scripts, and what to do.
pub fn stale(deviation: &Deviation, scripts: u64) -> String {
    let Deviation { pattern, reason, .. } = deviation;
    let mut what = pattern.invariant().to_string();
    if !pattern.words().is_empty() {
        let _ = write!(what, ", {}", pattern.words());
    }
    format!(
        "`{what}` is an accepted deviation ({reason}), and {scripts} scripts did not show it: \
         take it out of the target's deviations"
    )
}

/// What is accepted and shows far more often than it is known to, and what to do.
pub fn jump(jump: &Jump) -> String {
    let Jump { pattern, level, now, before } = jump;
    let (before, advice) = match before {
        Before::Stated(rate) => (
            format!("the target expects {}", percent(*rate)),
            "Take it out of the target's deviations to see what it hides, or state the new rate.",
        ),
        Before::Counted(share) => (
            format!("in the baseline it was {}", of_scripts(*share)),
            "Take it out of the baseline to see what it hides, or record the baseline anew.",
        ),
    };
    let now = of_scripts(*now);
    format!("`{pattern}` ({level}) is accepted, and shows in {now}; {before}. {advice}")
}

/// A share in words: `205 of 20,000 scripts (1.0 %)`.
pub fn of_scripts(share: Share) -> String {
    let Share { shown, scripts } = share;
    format!(
        "{} of {} ({})",
        thousands(shown),
        count(scripts as usize, "script"),
        percent(share.rate())
    )
}

/// A rate in percent, with two digits that say something: `37 %`, `1.0 %`, `0.012 %`.
pub fn percent(rate: f64) -> String {
    let percent = rate * 100.0;
    let digits =
        if percent == 0.0 { 0 } else { (1.0 - percent.log10().floor()).clamp(0.0, 6.0) as usize };
    format!("{percent:.digits$} %")
}

/// A path as a shell takes it back: in quotes where it needs them, and never as an option.
pub fn pasteable(path: &Path) -> String {
    let path = path.display().to_string();
    quoted(&if path.starts_with('-') { format!("./{path}") } else { path })
}

/// A word as a shell takes it back: in quotes where it needs them.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// What runs a test again, in its package where that is known.
pub fn test_command(test: &str) -> String {
    let package = std::env::var("CARGO_PKG_NAME").map(|name| format!(" -p {}", quoted(&name)));
    format!("cargo test{} {}", package.unwrap_or_default(), quoted(test))
}

/// A number with its thousands apart: `1,000,000`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 finding`, `2 findings`.
pub fn count(number: usize, word: &str) -> String {
    format!("{} {word}{}", thousands(number as u64), if number == 1 { "" } else { "s" })
}

pub(super) fn indented(out: &mut String, by: &str, text: &str) {
    for line in text.lines() {
        let _ = writeln!(out, "{by}{line}");
    }
}

/// Breaks text at spaces into lines of at most 80 columns.
pub fn wrap(text: &str) -> String {
    wrap_to(text, 80)
}

/// Breaks text at spaces into lines of at most `columns`, where no word is longer.
/// Control characters are replaced: a file from a stranger must not steer a terminal.
pub fn wrap_to(text: &str, columns: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > columns {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.extend(word.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }));
        column += width;
    }
    out
}
