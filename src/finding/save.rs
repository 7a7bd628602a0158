//! Repro files on disk: written whole or not at all.

use crate::finding::input;
use crate::finding::repro::{Repro, ReproError};
use std::fmt;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::NamedTempFile;

/// Where findings go, relative to where a command or test was started.
pub const DIRECTORY: &str = "hangup-findings";

/// Why a repro could not be saved: the file, and the system's reason.
#[derive(Debug)]
pub struct SaveError {
    /// The file that was to be written.
    pub path: PathBuf,
    /// Why it was not.
    pub error: io::Error,
}

impl fmt::Display for SaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.error)
    }
}

impl std::error::Error for SaveError {}

/// Writes `repro` into `directory`, which is made where it is missing, under the
/// name that its problem gives it. An earlier repro of the same problem is replaced.
///
/// # Errors
///
/// [`SaveError`]; then no part of the file is there, and an earlier one is untouched.
pub fn repro(directory: &Path, repro: &Repro) -> Result<PathBuf, SaveError> {
    repro_as(directory, &repro.file_name(), repro)
}

/// As [`repro`], under another name.
///
/// # Errors
///
/// As [`repro`].
pub(crate) fn repro_as(directory: &Path, name: &str, repro: &Repro) -> Result<PathBuf, SaveError> {
    let path = directory.join(name);
    match write_whole(directory, &path, repro.to_text().as_bytes()) {
        Ok(()) => Ok(path),
        Err(error) => Err(SaveError { path, error }),
    }
}

/// As [`repro`], but a file that is there already, from whichever process, stays:
/// then `None`. Of several processes that save one finding, one is told its path.
///
/// # Errors
///
/// As [`repro`].
pub(crate) fn new_repro(directory: &Path, repro: &Repro) -> Result<Option<PathBuf>, SaveError> {
    new_repro_as(directory, &repro.file_name(), repro)
}

/// As [`new_repro`], under another name.
///
/// # Errors
///
/// As [`repro`].
pub(crate) fn new_repro_as(
    directory: &Path,
    name: &str,
    repro: &Repro,
) -> Result<Option<PathBuf>, SaveError> {
    let path = directory.join(name);
    let _writing = writing();
    let file = match whole_file(directory, repro.to_text().as_bytes()) {
        Ok(file) => file,
        Err(error) => return Err(SaveError { path, error }),
    };
    match file.persist_noclobber(&path) {
        Ok(_) => Ok(Some(path)),
        Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
        Err(refused) => Err(SaveError { path, error: refused.error }),
    }
}

/// To a temporary name beside `path`, then renamed. A file that is there is replaced, and keeps its
/// permissions.
pub(crate) fn write_whole(directory: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let _writing = writing();
    let file = whole_file(directory, bytes)?;
    if let Ok(earlier) = std::fs::metadata(path) {
        file.as_file().set_permissions(earlier.permissions())?;
    }
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Held while there is a temporary file.
static WRITING: Mutex<()> = Mutex::new(());

fn writing() -> MutexGuard<'static, ()> {
    WRITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until no file is being written, for `limit` at most, and keeps others from beginning: whoever
/// ends the process then leaves no temporary file.
#[cfg(feature = "cli")]
pub(crate) fn finish_writing(limit: std::time::Duration) {
    const LOOK: std::time::Duration = std::time::Duration::from_millis(5);
    for _ in 0..limit.as_millis() / LOOK.as_millis() {
        match WRITING.try_lock() {
            Err(std::sync::TryLockError::WouldBlock) => std::thread::park_timeout(LOOK),
            lock => return std::mem::forget(lock),
        }
    }
}

/// Tries whether something can be written in a folder that is there. Nothing is left of that.
///
/// # Errors
///
/// Why not.
#[cfg(feature = "cli")]
pub(crate) fn probe_directory(directory: &Path) -> io::Result<()> {
    let _writing = writing();
    let mut file = temporary(directory)?;
    file.as_file_mut().write_all(b"?")?;
    file.as_file().sync_data()?;
    file.close()
}

/// A temporary file. An error says nothing of its name, which nobody has chosen.
fn temporary(directory: &Path) -> io::Result<NamedTempFile> {
    let file = tempfile::Builder::new().prefix(".hangup-").tempfile_in(directory);
    file.map_err(|error| match error.to_string().split_once(" at path ") {
        Some((why, _)) => io::Error::new(error.kind(), why),
        None => error,
    })
}

fn whole_file(directory: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    std::fs::create_dir_all(directory)?;
    let mut file = temporary(directory)?;
    file.as_file_mut().write_all(bytes)?;
    file.as_file().sync_all()?;
    make_readable(file.as_file())?;
    Ok(file)
}

/// A temporary file is its owner's alone; a repro is for everybody.
#[cfg(unix)]
fn make_readable(file: &std::fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_: &std::fs::File) -> io::Result<()> {
    Ok(())
}

/// Why a file that is there could not be read as a repro.
#[derive(Debug)]
pub enum Unreadable {
    /// The system did not give its text.
    File(io::Error),
    /// Its text is no repro that this version reads.
    Repro(ReproError),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::Repro(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Unreadable {}

/// The files of `directory` that could be repros, by name, each read or refused.
/// A directory that is not there has none, nor has a file that went away meanwhile.
pub fn saved(directory: &Path) -> Vec<(PathBuf, Result<Repro, Unreadable>)> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    paths.sort();
    let read = |path: PathBuf| match read_regular(&path) {
        Ok(text) => Some((path, Repro::parse(&text).map_err(Unreadable::Repro))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some((path, Err(Unreadable::File(error)))),
    };
    paths.into_iter().filter_map(read).collect()
}

/// A FIFO among them would wait for a writer for ever.
fn read_regular(path: &Path) -> io::Result<String> {
    if std::fs::metadata(path)?.is_file() {
        input::text(path, input::REPRO)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}
