//! What a suite saved: its repro files, played first on the next run, and those of single scripts.

use super::{Failure, Suite, SuiteTarget, problems};
use crate::finding::Finding;
use crate::finding::problem::{Sightings, simplicity};
use crate::finding::repro::{Replay, Repro, ReproError};
use crate::finding::save::{self, SaveError, Unreadable};
use crate::report::model::FindingReport;
use crate::report::{self, Style};
use crate::run::campaign::{CampaignOutcome, Unjudged};
use crate::target::Target;
use crate::verdict::Identity;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The simplest script that this process has written to each file.
static WRITTEN: Mutex<BTreeMap<PathBuf, (usize, usize, String)>> = Mutex::new(BTreeMap::new());

/// What the files that an earlier run saved show now.
#[derive(Default)]
struct Replayed {
    /// What they found, each with its file, and what it was saved for where that is another problem.
    broken: Vec<(Finding, PathBuf, Option<Identity>)>,
    fixed: Vec<PathBuf>,
    unjudged: Vec<Unjudged>,
}

impl Suite {
    /// Plays the scripts of the repro files that an earlier run saved. Fails where a rule is still
    /// broken, and where a file cannot be read.
    pub(super) fn replay_saved(&self, target: &Arc<dyn Target>) -> Result<(), Failure> {
        let mut replayed = Replayed::default();
        for (path, read) in save::saved(&self.directory) {
            match read {
                Ok(repro) if repro.target.0 == self.target.name => {
                    if repro.role != self.target.role {
                        return Err(self.of_the_other_role(&path, &repro));
                    }
                    self.replay_one(target, path, &repro, &mut replayed);
                }
                // Not of hangup's.
                Ok(_) | Err(Unreadable::Repro(ReproError::Foreign)) => {}
                Err(error) => return Err(self.unreadable(&path, &error)),
            }
        }
        if replayed.broken.is_empty() && replayed.unjudged.is_empty() {
            return Ok(());
        }
        self.confirm_replayed(target, &mut replayed);
        if replayed.broken.is_empty() {
            let name = &self.target.name;
            let role = self.target.role;
            let judge = |what| report::cannot_judge(what, name, role);
            let reasons = replayed.unjudged.iter().map(judge);
            return Err(self.fails_by("cannot be judged", &reasons.collect::<Vec<_>>()));
        }
        Err(self.still_fails(&replayed))
    }

    fn replay_one(
        &self,
        target: &Arc<dyn Target>,
        path: PathBuf,
        repro: &Repro,
        replayed: &mut Replayed,
    ) {
        let (exchange, verdict) = self.judged(target, &repro.script, repro.runtime_seed);
        let (violation, saved_for) = match repro.compare(&verdict) {
            Replay::Reproduced(violation) => (violation, None),
            Replay::Different(violations) => match violations.into_iter().next() {
                Some(violation) => (violation, Some(repro.identity)),
                None => return replayed.fixed.push(path),
            },
            Replay::Unproven(suspicion) => {
                return replayed.unjudged.extend(Unjudged::of(&suspicion, 0));
            }
            Replay::Dismissed | Replay::Fixed => return replayed.fixed.push(path),
        };
        let finding = Finding {
            violation,
            script: repro.script.clone(),
            shrunk: saved_for.is_none(),
            index: 0,
            runtime_seed: repro.runtime_seed,
            plays: 0,
            rate: 1.0,
            exchange,
            cut_short: false,
            dismissed: None,
        };
        replayed.broken.push((finding, path, saved_for));
    }

    /// Takes out what ends in time where the clock runs.
    fn confirm_replayed(&self, target: &Arc<dyn Target>, replayed: &mut Replayed) {
        let findings = replayed.broken.iter().map(|(finding, ..)| finding.clone()).collect();
        let mut outcome = CampaignOutcome { findings, ..CampaignOutcome::default() };
        self.confirm_in_real_time(target, &mut outcome);
        let left = |finding: &Finding| {
            let identity = finding.violation.identity;
            outcome.findings.iter().any(|left| left.violation.identity == identity)
        };
        replayed.broken.retain(|(finding, ..)| left(finding));
        replayed.unjudged.append(&mut outcome.unjudged);
    }

    /// The failure: the first problem in full, as the run that saved it told it, the sentence and the
    /// script of the others.
    fn still_fails(&self, replayed: &Replayed) -> Failure {
        let SuiteTarget { name, bounds, .. } = &self.target;
        let report = |(finding, path, _): &(Finding, PathBuf, _)| {
            FindingReport::of(&self.target, *bounds, finding, Some(path.clone()))
        };
        let findings: Vec<FindingReport> = replayed.broken.iter().map(report).collect();
        let problems = problems(&findings, &Sightings::default(), 0);
        let count = report::count(problems.len(), "problem");
        let mut text = format!("seed {}: {name} still fails as saved: {count}\n", self.seed);
        for (number, problem) in problems.iter().enumerate() {
            let headline = problem.headline;
            let _ = write!(text, "\n{}. ", number + 1);
            let is_headline =
                |found: &&(Finding, PathBuf, _)| headline.path.as_ref() == Some(&found.1);
            match replayed.broken.iter().find(is_headline).filter(|_| number == 0) {
                Some((finding, ..)) => {
                    text.push_str(&report::finding(
                        &headline.repro,
                        finding,
                        bounds,
                        Style::default(),
                    ));
                    text.push('\n');
                }
                None => {
                    let brief = report::saved(&headline.repro, Some(bounds), Style::default());
                    let _ = writeln!(text, "{brief}");
                }
            }
            for path in problem.variants.iter().filter_map(|variant| variant.path.as_ref()) {
                let saved_for = replayed.broken.iter().find(|found| found.1 == *path);
                let _ = match saved_for.and_then(|found| found.2) {
                    None => writeln!(text, "saved in {}", path.display()),
                    Some(other) => {
                        let path = path.display();
                        writeln!(text, "fails in another way than that saved in {path}: {other}")
                    }
                };
            }
        }
        if !replayed.fixed.is_empty() {
            let _ = writeln!(
                text,
                "\nno longer broken, and played first as long as the file is there:"
            );
            for path in &replayed.fixed {
                let _ = writeln!(text, "{}", path.display());
            }
        }
        for what in &replayed.unjudged {
            let what = report::wrap(&report::cannot_judge(what, name, self.target.role));
            let _ = writeln!(text, "\n{what}");
        }
        self.with_last_line(&text)
    }

    fn unreadable(&self, path: &Path, error: &Unreadable) -> Failure {
        let what_to_do = match error {
            Unreadable::Repro(ReproError::Newer(_)) => "or move the file away",
            _ => "restore the file, delete it, or move it away",
        };
        let reason = format!("{}: {error}; {what_to_do}", path.display());
        self.fails_by(super::COULD_NOT_BE_TESTED, &[reason])
    }

    fn of_the_other_role(&self, path: &Path, repro: &Repro) -> Failure {
        let SuiteTarget { name, role, .. } = &self.target;
        let (file, own) = (repro.role.word(), role.word());
        let path = path.display();
        let reason =
            format!("{path} is about a {file}, and {name} is a {own}; delete it, or move it away");
        self.fails_by(super::COULD_NOT_BE_TESTED, &[reason])
    }

    /// Saves what a single script shows, for its problem: of several scripts that this process
    /// plays, as proptest does while it shrinks, the simplest stays.
    pub(super) fn save_simplest(&self, repro: &Repro) -> Result<PathBuf, SaveError> {
        let path = self.directory.join(repro.file_name());
        let size = simplicity(&repro.script);
        let mut written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
        if written.get(&path).is_some_and(|last| *last < size) && path.exists() {
            return Ok(path);
        }
        save::repro(&self.directory, repro)?;
        written.insert(path.clone(), size);
        Ok(path)
    }
}
