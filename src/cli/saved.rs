//! Findings that were saved at once, and their files at the end: one for each problem.

use super::{Trouble, output};
use crate::finding::input;
use crate::finding::repro::Repro;
use crate::finding::save::{self, SaveError, write_whole};
use crate::report::headline;
use crate::verdict::Identity;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

/// What keeps a folder of findings out of a repository. A campaign's are for reports. Those of
/// suites are played first by the next `cargo test`, and some people commit them: a suite writes
/// no such file.
const GITIGNORE: &str = "\
# hangup made this folder for the findings of `hangup test`, `probe`, `listen` and `shrink`.
# To commit repro files, as for a test suite that plays them first, delete this file.
*
";

/// How many files of one name there may be that nobody took back.
const UNCONFIRMED: u32 = 1000;
/// How many files of one name `shrink` makes.
const OF_ONE_NAME: u32 = 1000;

/// Repros in the order in which they were found, and where each was saved.
#[derive(Default)]
pub(super) struct Saved {
    entries: Vec<Entry>,
    /// What was seen and is not confirmed yet.
    early: Vec<Early>,
    /// Whether the folder was made for them, and, at the end, which.
    has_made: bool,
    made: Option<PathBuf>,
}

/// Makes the folder for findings where it is missing, with a `.gitignore`; whether it did. In a
/// folder that is there already nothing is ignored: it is somebody's.
pub(super) fn make_directory(directory: &Path) -> bool {
    let is_new = !directory.as_os_str().is_empty() && !directory.exists();
    // Whatever is wrong here, saving says it.
    is_new && write_whole(directory, &directory.join(".gitignore"), GITIGNORE.as_bytes()).is_ok()
}

/// Saves what `shrink` made of a file, and says where. The file that was shrunk is replaced where it has the
/// name; another finding's stays.
pub(super) fn save_shrunk(shrunk: &Path, repro: &Repro) -> Result<(), Trouble> {
    let directory = Path::new(save::DIRECTORY);
    make_directory(directory);
    let path = write_shrunk(directory, shrunk, repro)
        .map_err(|error| format!("not saved: {}: {error}", headline(repro)))?;
    output::note(&format!("saved as {}", path.display()));
    Ok(())
}

fn write_shrunk(directory: &Path, shrunk: &Path, repro: &Repro) -> Result<PathBuf, SaveError> {
    let name = repro.file_name();
    let whole = |path: &Path| std::fs::canonicalize(path).ok();
    if whole(shrunk).is_some_and(|shrunk| Some(shrunk) == whole(&directory.join(&name))) {
        return save::repro(directory, repro);
    }
    let stem = name.trim_end_matches(".toml");
    for number in 1..=OF_ONE_NAME {
        let name = if number == 1 { name.clone() } else { format!("{stem}--{number}.toml") };
        if let Some(path) = save::new_repro_as(directory, &name, repro)? {
            return Ok(path);
        }
        let path = directory.join(&name);
        if input::text(&path, input::REPRO).is_ok_and(|text| text == repro.to_text()) {
            return Ok(path);
        }
    }
    let error = std::io::Error::other(format!("{OF_ONE_NAME} files of this name are there"));
    Err(SaveError { path: directory.join(name), error })
}

/// Removes the folder where nothing is in it but what [`make_directory`] puts there. Whether it did.
fn remove_directory(directory: &Path) -> bool {
    let is_alone = |mut entries: std::fs::ReadDir| {
        entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == ".gitignore"))
    };
    std::fs::read_dir(directory).is_ok_and(is_alone)
        && std::fs::remove_file(directory.join(".gitignore")).is_ok()
        && std::fs::remove_dir(directory).is_ok()
}

/// A file of what was seen and may be dismissed, from the moment that it was seen.
struct Early {
    identity: Identity,
    file: JoinHandle<EarlyFile>,
}

/// Where it is, and whether its folder was made for it.
type EarlyFile = (Option<PathBuf>, bool);

impl Early {
    /// Under a name that no file has: one of the problem's own name, which is confirmed, stays until
    /// this one is confirmed too. It is written by a thread of its own, since a disk may take longer
    /// than a server has that is being measured.
    fn write(directory: &Path, repro: Repro) -> Self {
        let (identity, directory) = (repro.identity, directory.to_owned());
        let write = move || {
            let is_made = make_directory(&directory);
            (write_early(&directory, &repro), is_made)
        };
        Self { identity, file: std::thread::spawn(write) }
    }

    /// Takes the file back, unless it `is_needed`. Whether its folder was made for it.
    fn take_back(self, is_needed: &dyn Fn(&Path) -> bool) -> bool {
        let Ok((path, is_made)) = self.file.join() else { return false };
        if let Some(path) = path.filter(|path| !is_needed(path)) {
            // Where it is gone already, all is well.
            let _ = std::fs::remove_file(path);
        }
        is_made
    }
}

/// The name for a repro's file in the end. One that was not confirmed does not replace one that was, of
/// an earlier run.
fn final_name(directory: &Path, repro: &Repro) -> String {
    let name = repro.file_name();
    let is_confirmed = |text: String| Repro::parse(&text).is_ok_and(|earlier| earlier.confirmed);
    let earlier = || input::text(&directory.join(&name), input::REPRO).is_ok_and(is_confirmed);
    if repro.confirmed || !earlier() { name } else { unconfirmed_name(repro, "") }
}

fn unconfirmed_name(repro: &Repro, number: &str) -> String {
    let stem = repro.file_name();
    format!("{}--unconfirmed{number}.toml", stem.trim_end_matches(".toml"))
}

/// `None` where it cannot be written: it is saved again at the end, which says why.
fn write_early(directory: &Path, repro: &Repro) -> Option<PathBuf> {
    for number in 1..=UNCONFIRMED {
        let number = if number == 1 { String::new() } else { format!("-{number}") };
        let name = unconfirmed_name(repro, &number);
        if let Some(path) = save::new_repro_as(directory, &name, repro).ok()? {
            return Some(path);
        }
    }
    None
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
    /// Saves what was seen and is not confirmed yet, until [`save`](Self::save) or
    /// [`dismiss`](Self::dismiss) takes it back, or [`settle`](Self::settle).
    pub fn save_unconfirmed(&mut self, directory: &Path, repro: Repro) {
        self.early.push(Early::write(directory, Repro { confirmed: false, ..repro }));
    }

    /// What was seen is no finding.
    pub fn dismiss(&mut self, repro: Repro) {
        let identity = repro.identity;
        self.remember(repro);
        self.take_back(&|early| early.same_at_the_deadline(identity));
    }

    fn take_back(&mut self, whose: &dyn Fn(Identity) -> bool) {
        let taken: Vec<Early> = self.early.extract_if(.., |one| whose(one.identity)).collect();
        for early in taken {
            let is_needed =
                |path: &Path| self.files().any(|file| file.as_ref().is_ok_and(|it| it == path));
            let is_made = early.take_back(&is_needed);
            self.has_made |= is_made;
        }
    }

    /// Saves a shrunk one at once: what comes later must not lose it. The first of a problem gets
    /// the problem's file.
    pub fn save(&mut self, directory: &Path, repro: Repro) {
        let name = repro.file_name();
        let is_taken =
            self.entries.iter().filter_map(|entry| entry.file.as_ref()).any(|f| f.name == name);
        let name = if is_taken { repro.variant_file_name() } else { name };
        self.has_made |= make_directory(directory);
        let file = Some(File::write(directory, name, &repro));
        if file.as_ref().is_some_and(|file| file.written.is_ok()) {
            let identity = repro.identity;
            self.take_back(&|early| early.same_problem_at_the_deadline(identity));
        }
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
                Some(final_name(directory, repro))
            } else {
                variants(repro.identity).then(|| repro.variant_file_name())
            };
            if file.as_ref().map(|file| &file.name) != wanted.as_ref() {
                before.extend(file.take().and_then(|file| file.written.ok()));
                self.has_made |= wanted.is_some() && make_directory(directory);
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
        // Where its file could not be written at the end, the first one is all that there is.
        if self.is_whole() {
            self.take_back(&|_| true);
        }
        // Nothing is saved in the end: the folder is not needed.
        if !self.files().any(Result::is_ok) && self.early.is_empty() && self.has_made {
            self.has_made = !remove_directory(directory);
        }
        self.made = self.has_made.then(|| directory.to_owned());
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
        // A disk that is full is one error, and not one for each problem.
        let mut failures: BTreeMap<String, Vec<(&Repro, &SaveError)>> = BTreeMap::new();
        for Entry { repro, file } in &self.entries {
            if let Some(File { written: Err(error), .. }) = file {
                failures.entry(error.error.to_string()).or_default().push((repro, error));
            }
        }
        for (reason, failed) in failures {
            let (repro, error) = failed[0];
            let directory = error.path.parent().unwrap_or(Path::new("")).display();
            output::error(&match failed.len() {
                1 => format!("not saved: {}: {error}", headline(repro)),
                several => format!("{several} problems not saved in {directory}: {reason}"),
            });
        }
    }
}
