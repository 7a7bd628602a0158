//! Findings that were saved at once, and their files at the end: one for each problem.

use super::output;
use crate::finding::repro::Repro;
use crate::finding::save::{self, SaveError, write_whole};
use crate::report::headline;
use crate::verdict::Identity;
use std::path::{Path, PathBuf};

/// What keeps a folder of findings out of a repository. A campaign's are for reports. Those of
/// suites are played first by the next `cargo test`, and some people commit them: a suite writes
/// no such file.
const GITIGNORE: &str = "\
# hangup made this folder for the findings of `hangup test`, `probe` and `shrink`.
# To commit repro files, as for a test suite that plays them first, delete this file.
*
";

/// Repros in the order in which they were found, and where each was saved.
#[derive(Default)]
pub(super) struct Saved {
    entries: Vec<Entry>,
    /// The folder, where it was made for them.
    made: Option<PathBuf>,
}

/// Makes the folder for findings where it is missing, with a `.gitignore`; whether it did. In a
/// folder that is there already nothing is ignored: it is somebody's.
pub(super) fn make_directory(directory: &Path) -> bool {
    let is_new = !directory.as_os_str().is_empty() && !directory.exists();
    // Whatever is wrong here, saving says it.
    is_new && write_whole(directory, &directory.join(".gitignore"), GITIGNORE.as_bytes()).is_ok()
}

struct Entry {
    repro: Repro,
    file: Option<File>,
}

/// A repro's file: its name, and what became of the attempt to write it.
struct File {
    name: String,
    written: Result<PathBuf, SaveError>,
}

impl File {
    fn write(directory: &Path, name: String, repro: &Repro) -> Self {
        let written = save::repro_as(directory, &name, repro);
        Self { name, written }
    }
}

impl Saved {
    /// Saves a shrunk one at once: what comes later must not lose it. The first of a problem gets
    /// the problem's file.
    pub fn save(&mut self, directory: &Path, repro: Repro) {
        let name = repro.file_name();
        let is_taken =
            self.entries.iter().filter_map(|entry| entry.file.as_ref()).any(|f| f.name == name);
        let name = if is_taken { repro.variant_file_name() } else { name };
        if make_directory(directory) {
            self.made = Some(directory.to_owned());
        }
        let file = Some(File::write(directory, name, &repro));
        self.entries.push(Entry { repro, file });
    }

    /// Remembers one that gets no file yet: a variant, or what is no finding.
    pub fn remember(&mut self, repro: Repro) {
        self.entries.push(Entry { repro, file: None });
    }

    /// Leaves one file for each problem, its headline's; and for each of the `variants`, which may
    /// be none, one too.
    pub fn settle(
        &mut self,
        directory: &Path,
        headlines: &[Identity],
        variants: &dyn Fn(Identity) -> bool,
    ) {
        let mut before = Vec::new();
        for Entry { repro, file } in &mut self.entries {
            let wanted = if headlines.contains(&repro.identity) {
                Some(repro.file_name())
            } else {
                variants(repro.identity).then(|| repro.variant_file_name())
            };
            if file.as_ref().map(|file| &file.name) != wanted.as_ref() {
                before.extend(file.take().and_then(|file| file.written.ok()));
                if wanted.is_some() && make_directory(directory) {
                    self.made = Some(directory.to_owned());
                }
                *file = wanted.map(|name| File::write(directory, name, repro));
            }
        }
        for path in before {
            let is_needed = self.files().any(|written| written.as_ref().is_ok_and(|p| *p == path));
            if !is_needed {
                // It is about a problem that another file is about too: no harm where it stays.
                let _ = std::fs::remove_file(path);
            }
        }
        // What was saved was no finding: neither is the folder needed.
        if self.files().next().is_none()
            && let Some(directory) = self.made.take()
        {
            let _ = std::fs::remove_file(directory.join(".gitignore"));
            let _ = std::fs::remove_dir(directory);
        }
    }

    /// Where the finding was saved, where it was.
    pub fn path(&self, identity: Identity) -> Option<&Path> {
        let entry = self.entries.iter().find(|entry| entry.repro.identity == identity)?;
        entry.file.as_ref()?.written.as_deref().ok()
    }

    /// Whether all could be saved.
    pub fn is_whole(&self) -> bool {
        self.files().all(Result::is_ok)
    }

    fn files(&self) -> impl Iterator<Item = &Result<PathBuf, SaveError>> {
        self.entries.iter().filter_map(|entry| entry.file.as_ref()).map(|file| &file.written)
    }

    /// Says which folder was made, and which findings could not be saved, and why.
    pub fn tell(&self) {
        if let Some(directory) = &self.made {
            let directory = directory.display();
            output::note(&format!("new folder for findings: {directory} (with a .gitignore)"));
        }
        for Entry { repro, file } in &self.entries {
            if let Some(File { written: Err(error), .. }) = file {
                output::error(&format!("not saved: {}: {error}", headline(repro)));
            }
        }
    }
}
