//! Reports every problem once: within a process it remembers them, between processes it
//! looks for the files beside the fuzzer's artifacts.
//!
//! It neither plays nor judges.

use crate::bounds::Bounds;
use crate::finding::Finding;
use crate::finding::repro;
use crate::finding::save;
use crate::report::{self, Style};
use crate::target::Target;
use crate::verdict::Problem;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// libFuzzer's flag that says where artifacts go.
const ARTIFACT_PREFIX: &str = "-artifact_prefix=";

/// The directory of the findings, and the problems that were reported.
pub(super) struct FindingLog {
    directory: PathBuf,
    /// The fuzzer was given files to try again: every finding is reported again.
    retries_files: bool,
    reported: Mutex<BTreeSet<Problem>>,
    /// What a shell is told to start this program again, quoted where it needs that.
    program: String,
    /// What stands before the program: variables of the environment.
    setting: String,
}

impl FindingLog {
    /// Saves into the working directory.
    pub(super) const fn new() -> Self {
        Self {
            directory: PathBuf::new(),
            retries_files: false,
            reported: Mutex::new(BTreeSet::new()),
            program: String::new(),
            setting: String::new(),
        }
    }

    /// The program needs these variables, in the form that a shell takes.
    pub(super) fn with_setting(self, setting: String) -> Self {
        Self { setting, ..self }
    }

    /// Reads libFuzzer's arguments; the first is the program's name.
    pub(super) fn with_arguments(mut self, arguments: impl IntoIterator<Item = String>) -> Self {
        let mut arguments = arguments.into_iter();
        self.program =
            arguments.next().map_or_else(String::new, |program| report::quoted(&program));
        for argument in arguments {
            if let Some(prefix) = argument.strip_prefix(ARTIFACT_PREFIX) {
                self.directory = directory_of(prefix);
            } else if !argument.starts_with('-') && Path::new(&argument).is_file() {
                self.retries_files = true;
            }
        }
        self
    }

    /// Whether this problem was reported, by this process or another.
    pub(super) fn has_reported(&self, target: &str, problem: Problem) -> bool {
        if self.retries_files {
            return false;
        }
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        if reported.contains(&problem) {
            return true;
        }
        let on_disk = self.directory.join(repro::file_name(target, problem)).exists();
        if on_disk {
            reported.insert(problem);
        }
        on_disk
    }

    /// Saves the finding and returns its report; `None` if another process was faster.
    pub(super) fn report(
        &self,
        target: &dyn Target,
        bounds: Bounds,
        finding: &Finding,
    ) -> Option<String> {
        let problem = finding.violation.identity.problem();
        self.reported.lock().unwrap_or_else(PoisonError::into_inner).insert(problem);
        let repro = report::repro(target, bounds, finding);
        let told = report::finding(&repro, finding, &target.bounds(), Style::default());
        let text = format!("{}: {told}", repro.target.0);
        let saved = if self.retries_files {
            save::repro(self.directory(), &repro).map(Some)
        } else {
            save::new_repro(self.directory(), &repro)
        };
        match saved {
            Ok(None) => None,
            Ok(Some(path)) => Some(self.write_report(&text, &path)),
            Err(error) => Some(format!("{text}\nnot saved: {error}\n")),
        }
    }

    /// The report with its last lines, which is also written beside the repro.
    fn write_report(&self, text: &str, path: &Path) -> String {
        let again = format!("{}{} {}", self.setting, self.program, report::pasteable(path));
        let report = format!("{text}\nagain:\n\n    {again}\n");
        match save::write_whole(self.directory(), &path.with_extension("txt"), report.as_bytes()) {
            Ok(()) => report,
            Err(error) => format!("{report}\nnot saved beside it: this report: {error}\n"),
        }
    }

    fn directory(&self) -> &Path {
        if self.directory.as_os_str().is_empty() { Path::new(".") } else { &self.directory }
    }
}

/// The directory of a prefix: `artifacts/` and `artifacts/night-` have the same.
fn directory_of(prefix: &str) -> PathBuf {
    prefix.rsplit_once('/').map_or_else(PathBuf::new, |(directory, _)| match directory {
        "" => PathBuf::from("/"),
        directory => PathBuf::from(directory),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(arguments: &[&str]) -> FindingLog {
        FindingLog::new().with_arguments(arguments.iter().map(|argument| (*argument).to_owned()))
    }

    #[test]
    fn findings_are_saved_in_the_directory_of_the_artifacts() {
        let directory = |argument| with(&["fuzz", argument]).directory().to_owned();
        assert_eq!(directory("-runs=1"), Path::new("."));
        assert_eq!(directory("-artifact_prefix=artifacts/script/"), Path::new("artifacts/script"));
        assert_eq!(directory("-artifact_prefix=artifacts/night-"), Path::new("artifacts"));
        assert_eq!(directory("-artifact_prefix=night-"), Path::new("."));
        assert_eq!(directory("-artifact_prefix=/"), Path::new("/"));
    }

    #[test]
    fn a_file_among_the_arguments_is_tried_again_and_a_directory_is_not() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let file = file.path().to_str().expect("a plain path");
        assert!(with(&["fuzz", file]).retries_files);
        assert!(!with(&["fuzz", "/", "-runs=1"]).retries_files);
        assert!(!with(&[file]).retries_files, "the program itself is no input");
    }
}
