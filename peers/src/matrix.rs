//! `hangup-peers matrix`: a campaign against every target, as one table for servers and one for
//! clients.
//!
//! Writes `MATRIX.md` and `MATRIX.json`, and `MATRIX-CLIENTS.md` and `MATRIX-CLIENTS.json`. They hold
//! nothing of the machine or the hour: the same seed and number of scripts give the same bytes. Speeds
//! are printed instead.

use clap::{Parser, ValueEnum};
use hangup::Target;
use hangup::finding::Finding;
use hangup::finding::problem::{by_problem, simplicity};
use hangup::report;
use hangup::run::campaign::{Accepted, Campaign};
use hangup::target::Role;
use hangup::verdict::{Identity, Invariant, Level, Pattern, Problem, Symptom, Variant};
use serde::Serialize;
use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Plays a campaign against every target and writes the tables of what was found.
#[derive(Parser)]
#[command(name = "hangup-peers matrix", bin_name = "hangup-peers matrix")]
struct Options {
    /// Names the scripts that are drawn.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How many scripts to play against each target.
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    scripts: u64,
    /// How many targets to play at a time; the result does not depend on it.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    jobs: u8,
    /// Play the targets of this role alone, and write its table.
    #[arg(long, value_name = "ROLE")]
    role: Option<Tested>,
    /// The directory to write into.
    #[arg(long, value_name = "DIR", default_value = "peers")]
    out: PathBuf,
}

/// The targets that one table is about.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tested {
    /// Servers.
    Server,
    /// Clients.
    Client,
}

impl Tested {
    const fn role(self) -> Role {
        match self {
            Self::Server => Role::Server,
            Self::Client => Role::Client,
        }
    }

    /// What its files are called, what the table is headed, and the command that writes it.
    const fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Server => ("MATRIX", "servers", "matrix"),
            Self::Client => ("MATRIX-CLIENTS", "clients", "matrix --role client"),
        }
    }

    /// Its columns, a table for each question.
    fn families(self) -> Vec<(&'static str, Vec<Invariant>)> {
        let asks = |rule: &&Invariant| rule.rule().asked_of.includes(self.role());
        let asked =
            |rules: &[Invariant]| rules.iter().filter(asks).copied().collect::<Vec<Invariant>>();
        let families = FAMILIES.iter().map(|(title, rules)| (*title, asked(rules)));
        families.filter(|(_, rules)| !rules.is_empty()).collect()
    }
}

/// The command. The process's arguments are `matrix` and its options.
pub(super) fn main() -> ExitCode {
    let options = Options::parse_from(std::env::args_os().skip(1));
    let tested = options.role.map_or_else(|| Tested::value_variants().to_vec(), |role| vec![role]);
    for tested in tested {
        if let Err(error) = write(&options, tested) {
            eprintln!("error: {}: {error}", options.out.display());
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// Plays the targets of one role, and writes their files.
fn write(options: &Options, tested: Tested) -> std::io::Result<()> {
    let rows = play(options, tested);
    let matrix = Matrix {
        seed: options.seed,
        scripts: options.scripts,
        targets: rows.iter().map(Row::json).collect(),
    };
    let json = serde_json::to_string_pretty(&matrix).expect("strings and numbers make JSON") + "\n";
    let (name, ..) = tested.names();
    for (ending, text) in [("md", markdown(options, tested, &rows)), ("json", json)] {
        let path = options.out.join(name).with_extension(ending);
        write_whole(&options.out, &path, &text)?;
        println!("wrote {}", path.display());
    }
    Ok(())
}

/// Its library draws by a generator of its own which of two things comes first: no two runs of it are
/// the same, and it has no row.
const BY_CHANCE: &str = "ezsockets-client/docs";

/// A target and what a campaign found.
struct Row {
    target: Arc<dyn Target>,
    findings: Vec<Finding>,
    accepted: Vec<Accepted>,
}

/// Plays all campaigns, several at a time, and prints each one's speed when it is over.
fn play(options: &Options, tested: Tested) -> Vec<Row> {
    let registry = hangup_peers::registry();
    let is_played =
        |target: &&Arc<dyn Target>| target.role() == tested.role() && target.name() != BY_CHANCE;
    let targets = registry.iter().filter(is_played);
    let targets: Vec<_> = targets.cloned().collect();
    let rows: Mutex<Vec<Option<Row>>> = Mutex::new(targets.iter().map(|_| None).collect());
    let next = AtomicUsize::new(0);
    let began = now();
    std::thread::scope(|scope| {
        for _ in 0..options.jobs {
            scope.spawn(|| {
                while let Some((index, target)) = take(&next, &targets) {
                    let row = campaign(options, target);
                    rows.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(row);
                }
            });
        }
    });
    let rows = rows.into_inner().unwrap_or_else(PoisonError::into_inner);
    let rows: Vec<Row> = rows.into_iter().flatten().collect();
    let scripts = options.scripts * rows.len() as u64;
    let took = began.elapsed();
    println!("{} targets, {scripts} scripts in {:.0} s", rows.len(), took.as_secs_f64());
    rows
}

fn take<'a>(
    next: &AtomicUsize,
    targets: &'a [Arc<dyn Target>],
) -> Option<(usize, &'a Arc<dyn Target>)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    Some((index, targets.get(index)?))
}

/// Speed is that of playing: the time of shrinking what was found is told apart.
fn campaign(options: &Options, target: &Arc<dyn Target>) -> Row {
    let campaign = Campaign {
        bounds: target.bounds(),
        seed: options.seed,
        scripts: Some(options.scripts),
        all_variants: true,
    };
    let began = now();
    let outcome = campaign.run(target, |_| ControlFlow::Continue(()));
    let took = began.elapsed().max(Duration::from_micros(1));
    let plays: u64 = outcome.findings.iter().map(|finding| u64::from(finding.plays)).sum();
    let rate = (outcome.scripts + plays) as f64 / took.as_secs_f64();
    let line = format!(
        "{:32} {:3} problems  {rate:7.0} scripts/s\n",
        target.name(),
        by_problem(&outcome.findings, |finding| identity(finding)).len(),
    );
    let _ = std::io::stdout().write_all(line.as_bytes());
    Row { target: Arc::clone(target), findings: outcome.findings, accepted: outcome.accepted }
}

/// The questions, and the rules that answer them: for servers, clients or both.
const FAMILIES: [(&str, &[Invariant]); 5] = [
    (
        "Does it end?",
        &[
            Invariant::EndsInTime,
            Invariant::ReleasesInTime,
            Invariant::HandshakeInTime,
            Invariant::ConnectsInTime,
            Invariant::CloseReturns,
            Invariant::IdleInTime,
            Invariant::NoPanic,
            Invariant::NoSpin,
            Invariant::NoLeak,
            Invariant::BoundedMemory,
        ],
    ),
    (
        "Does it close as it must?",
        &[
            Invariant::AnswersClose,
            Invariant::SendsClose,
            Invariant::NoSilentEnd,
            Invariant::ClosesOnce,
            Invariant::NoDataAfterClose,
            Invariant::LegalClose,
            Invariant::SendsValidFrames,
            Invariant::FreshMaskingKey,
            Invariant::LetsServerCloseTcp,
        ],
    ),
    (
        "Does it tell right from wrong?",
        &[
            Invariant::RefusesIllegal,
            Invariant::RefusesBadOpening,
            Invariant::AcceptsLegal,
            Invariant::EchoesCode,
            Invariant::WaitsForAnswer,
            Invariant::ReportsEndCorrectly,
        ],
    ),
    (
        "Does every message arrive?",
        &[Invariant::SendsEveryMessage, Invariant::DeliversEveryMessage],
    ),
    (
        WHOLE_SERVERS,
        &[
            Invariant::ShutsDownInTime,
            Invariant::ClosesAllAtShutdown,
            Invariant::IsolatesClients,
            Invariant::StopsAccepting,
            Invariant::FreesResources,
        ],
    ),
];

/// The family of which only whole servers have rows.
const WHOLE_SERVERS: &str = "Does the whole server shut down?";

fn markdown(options: &Options, tested: Tested, rows: &[Row]) -> String {
    let (_, name, command) = tested.names();
    let mut text = format!(
        "# What hangup finds in real {name}\n\n\
         Written by `cargo run --release -p hangup-peers -- {command} --seed {} --scripts {}`:\n\
         {} scripts against each of {} targets. The same command writes the same bytes.\n\n\
         A cell has a line for each problem: what was seen, how the connection ended in the\n\
         shortest script that shows it, and how many steps that has. **Bold** is a MUST of RFC\n\
         6455, the rest a SHOULD. `+2`: it shows for two more causes or under two more conditions.\n\
         *(n)*: n of the scripts showed what the target declares as its library's own fault\n\
         (`hangup-peers targets` has the reasons); nothing else was found. What the findings mean,\n\
         and what to do, is in [`FINDINGS.md`](FINDINGS.md).\n",
        options.seed,
        options.scripts,
        options.scripts,
        rows.len(),
    );
    for (title, invariants) in tested.families() {
        let heads: Vec<String> = invariants.iter().map(|rule| format!(" {rule} |")).collect();
        let _ = write!(text, "\n## {title}\n\n| target |{}\n", heads.concat());
        let _ = writeln!(text, "|---|{}", "---|".repeat(invariants.len()));
        let of_servers = title == WHOLE_SERVERS;
        for row in rows.iter().filter(|row| !of_servers || row.target.whole().is_some()) {
            let cells: Vec<String> =
                invariants.iter().map(|rule| format!(" {} |", row.cell(*rule))).collect();
            let _ = writeln!(text, "| {} |{}", row.target.name(), cells.concat());
        }
    }
    text.push_str("\n## Versions\n\n| library | targets |\n|---|---|\n");
    for chunk in rows.chunk_by(|one, other| one.target.version() == other.target.version()) {
        let names: Vec<&str> = chunk.iter().map(|row| row.target.name()).collect();
        let _ = writeln!(text, "| {} | {} |", chunk[0].target.version(), names.join(", "));
    }
    text
}

const fn identity(finding: &Finding) -> Identity {
    finding.violation.identity
}

/// A problem, and the findings that show it: its headline first.
struct RowProblem<'a> {
    problem: Problem,
    findings: Vec<&'a Finding>,
}

impl<'a> RowProblem<'a> {
    fn of((problem, mut findings): (Problem, Vec<&'a Finding>)) -> Self {
        findings.sort_by_key(|finding| {
            let is_case = identity(finding).problem() != problem;
            (is_case, simplicity(&finding.script), identity(finding))
        });
        Self { problem, findings }
    }

    /// The strongest of its findings' levels.
    fn level(&self) -> Level {
        let levels = self.findings.iter().map(|finding| finding.violation.level);
        levels.min().unwrap_or(Level::Should)
    }

    /// A line of a cell.
    fn line(&self) -> String {
        let headline = self.findings[0];
        let ending = headline.violation.ending.kind();
        let symptom = self.problem.symptom().map(Symptom::id).unwrap_or_default();
        let symptom = symptom.split(',').next().unwrap_or_default();
        let mut line = format!("{symptom}: {ending}, {}", headline.script.steps.len());
        if self.level() == Level::Must {
            line = format!("**{line}**");
        }
        match self.findings.len() - 1 {
            0 => {}
            others => {
                let _ = write!(line, " +{others}");
            }
        }
        line
    }
}

impl Row {
    fn problems(&self) -> impl Iterator<Item = RowProblem<'_>> {
        by_problem(&self.findings, |finding| identity(finding)).into_iter().map(RowProblem::of)
    }

    /// The problems of `rule`, a line each.
    fn cell(&self, rule: Invariant) -> String {
        let here = self.problems().filter(|problem| problem.problem.invariant() == rule);
        let lines: Vec<String> = here.map(|problem| problem.line()).collect();
        if lines.is_empty() { self.accepted(rule) } else { lines.join("<br>") }
    }

    fn accepted(&self, rule: Invariant) -> String {
        let of =
            self.accepted.iter().filter(|accepted| accepted.deviation.pattern.invariant() == rule);
        match of.map(|accepted| accepted.fired).sum() {
            0 => String::new(),
            fired => format!("*({fired})*"),
        }
    }

    fn json(&self) -> JsonTarget<'_> {
        JsonTarget {
            name: self.target.name(),
            version: self.target.version(),
            problems: self.problems().map(|problem| self.problem(&problem)).collect(),
            accepted: self.accepted.iter().map(JsonAccepted::from).collect(),
        }
    }

    fn problem(&self, problem: &RowProblem<'_>) -> JsonProblem {
        let headline = problem.findings[0];
        let repro = report::repro(&*self.target, self.target.bounds(), headline);
        let variant = |finding: &&Finding| JsonVariant {
            symptom: identity(finding)
                .symptom()
                .filter(|_| identity(finding).problem() != problem.problem),
            variant: identity(finding).variant(),
            ending: finding.violation.ending.kind(),
            steps: finding.script.steps.len(),
            flaky: finding.is_flaky(),
            script: finding.script.to_string(),
        };
        JsonProblem {
            problem: problem.problem,
            level: problem.level().id(),
            ending: repro.ending,
            at_seconds: repro.at_seconds,
            steps: repro.script.steps.len(),
            flaky: headline.is_flaky(),
            script: repro.script.to_string(),
            variants: problem.findings.iter().map(variant).collect(),
        }
    }
}

#[derive(Serialize)]
struct Matrix<'a> {
    seed: u64,
    scripts: u64,
    targets: Vec<JsonTarget<'a>>,
}

#[derive(Serialize)]
struct JsonTarget<'a> {
    name: &'a str,
    version: &'a str,
    problems: Vec<JsonProblem>,
    accepted: Vec<JsonAccepted>,
}

#[derive(Serialize)]
struct JsonProblem {
    #[serde(flatten)]
    problem: Problem,
    level: &'static str,
    ending: String,
    at_seconds: Option<f64>,
    steps: usize,
    flaky: bool,
    script: String,
    /// The headline first.
    variants: Vec<JsonVariant>,
}

#[derive(Serialize)]
struct JsonVariant {
    /// Where it is a mere case of the problem's.
    #[serde(skip_serializing_if = "Option::is_none")]
    symptom: Option<Symptom>,
    #[serde(flatten)]
    variant: Variant,
    ending: &'static str,
    steps: usize,
    flaky: bool,
    script: String,
}

#[derive(Serialize)]
struct JsonAccepted {
    #[serde(flatten)]
    pattern: Pattern,
    fired: u64,
    reason: &'static str,
    rfc: &'static str,
}

impl From<&Accepted> for JsonAccepted {
    fn from(accepted: &Accepted) -> Self {
        let Accepted { deviation, fired, .. } = accepted;
        Self {
            pattern: deviation.pattern,
            fired: *fired,
            reason: deviation.reason,
            rfc: deviation.rfc,
        }
    }
}

/// To a temporary name, then renamed: a file is there whole or not at all.
fn write_whole(directory: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let partial = path.with_extension("partial");
    std::fs::write(&partial, text)?;
    std::fs::rename(&partial, path)
}

#[expect(clippy::disallowed_methods, reason = "how long a campaign takes is a matter of real time")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::{FAMILIES, Invariant};

    #[test]
    fn every_rule_that_scripts_are_judged_by_has_one_column() {
        let mut columns: Vec<Invariant> =
            FAMILIES.iter().flat_map(|(_, rules)| *rules).copied().collect();
        columns.sort_unstable();
        let mut rules = Invariant::ALL.to_vec();
        // What bytes cost is measured, and so depends on the machine: `hangup-peers test` tells.
        rules.retain(|rule| *rule != Invariant::LinearWork);
        rules.sort_unstable();
        assert_eq!(columns, rules);
    }
}
