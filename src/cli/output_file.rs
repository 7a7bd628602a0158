//! Files and folders that options name for output: checked before anything is played, and written at
//! the end.
//!
//! A regular file is written whole or not at all, where a link leads too. A device, a FIFO and what is open
//! already, such as `/dev/stdout`, are written through, and never replaced.

use super::Trouble;
use super::output;
use super::stop::Stop;
use crate::excerpt;
use crate::finding::save::{probe_directory, write_whole};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// How many links lead to a file at most.
const LINKS: usize = 40;

/// Where something is written.
#[derive(Debug, PartialEq, Eq)]
enum Destination {
    /// A regular file, there or not.
    Regular(PathBuf),
    /// A device, or what this process has open.
    Open(PathBuf),
    Fifo(PathBuf),
    Stdout,
    Stderr,
}

impl Destination {
    /// Follows the links of a path.
    fn of(file: &Path) -> io::Result<Self> {
        let mut path = file.to_owned();
        for _ in 0..LINKS {
            if let Some(open) = Self::of_descriptor(&path) {
                return Ok(open);
            }
            let metadata = match std::fs::symlink_metadata(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return Ok(Self::Regular(path));
                }
                metadata => metadata?,
            };
            if metadata.is_symlink() {
                let to = std::fs::read_link(&path)?;
                path = path.parent().unwrap_or(Path::new("")).join(to);
                continue;
            }
            return match metadata.file_type() {
                kind if kind.is_dir() => Err(ErrorKind::IsADirectory.into()),
                kind if kind.is_file() && is_stdout(&metadata) => Ok(Self::Stdout),
                kind if kind.is_file() => Ok(Self::Regular(path)),
                kind if is_fifo(kind) => Ok(Self::Fifo(path)),
                _ => Ok(Self::Open(path)),
            };
        }
        Err(io::Error::other("too many links"))
    }

    /// What a path stands for that names what a process has open, such as `/proc/self/fd/1`.
    fn of_descriptor(path: &Path) -> Option<Self> {
        let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let number: u32 = path.file_name()?.to_str()?.parse().ok()?;
        let list = canonical(path.parent()?);
        let is_own = list == canonical(Path::new("/dev/fd"));
        let is_other = list.starts_with("/proc") && list.file_name().is_some_and(|it| it == "fd");
        match number {
            1 if is_own => Some(Self::Stdout),
            2 if is_own => Some(Self::Stderr),
            _ => (is_own || is_other).then(|| Self::Open(path.to_owned())),
        }
    }
}

/// The folder of a file.
fn folder(file: &Path) -> &Path {
    let folder = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Whether a report can be written to the file that an `option` names, as far as can be told before:
/// it is tried.
pub(super) fn check(option: &str, file: &Path) -> Result<(), Trouble> {
    let failed =
        |what: &str, error: &io::Error| format!("{option} {}: {what}{error}", excerpt::path(file));
    match Destination::of(file).map_err(|error| failed("", &error))? {
        Destination::Regular(path) => {
            if path.file_name().is_none() {
                return Err(format!("{option} '{}' names no file", excerpt::path(file)));
            }
            let folder = folder(&path);
            if !folder.is_dir() {
                let why = if folder.exists() { "is none" } else { "does not exist" };
                return Err(format!(
                    "{option} {}: the folder {} {why}",
                    excerpt::path(file),
                    excerpt::path(folder)
                ));
            }
            if path.exists() {
                let open = OpenOptions::new().write(true).open(&path);
                open.map_err(|error| failed("cannot be written: ", &error))?;
            }
            probe_directory(folder).map_err(|error| {
                failed(&format!("nothing can be written in {}: ", excerpt::path(folder)), &error)
            })
        }
        Destination::Open(path) => match append(&path) {
            Ok(_) => Ok(()),
            Err(error) => Err(failed("cannot be written: ", &error)),
        },
        // To open it would be to say something to its reader.
        Destination::Fifo(_) | Destination::Stdout | Destination::Stderr => Ok(()),
    }
}

/// Whether findings can be saved in the folder that `--findings` names, or that can be made: it is
/// tried, and nothing is left of that.
pub(super) fn check_directory(directory: &Path) -> Result<(), Trouble> {
    let failed = |why: &dyn std::fmt::Display| {
        format!("findings cannot be saved in {} (--findings DIR): {why}", excerpt::path(directory))
    };
    let existing = directory
        .ancestors()
        .find(|folder| folder.as_os_str().is_empty() || std::fs::symlink_metadata(folder).is_ok());
    let existing = existing.filter(|folder| !folder.as_os_str().is_empty());
    let existing = existing.unwrap_or(Path::new("."));
    let metadata = std::fs::metadata(existing).map_err(|error| failed(&error))?;
    if !metadata.is_dir() {
        return Err(failed(&format!("{} is no folder", excerpt::path(existing))));
    }
    probe_directory(existing).map_err(|error| failed(&error))
}

/// Writes a report to the file that an `option` names. A reader that goes away is no error.
pub(super) fn write(option: &str, file: &Path, text: &str, stop: &Stop) -> Result<(), Trouble> {
    let written = Destination::of(file).and_then(|to| match to {
        Destination::Regular(path) => write_whole(folder(&path), &path, text.as_bytes()),
        Destination::Open(path) => append(&path)?.write_all(text.as_bytes()),
        Destination::Fifo(path) => open_fifo(&path, file, stop)?.write_all(text.as_bytes()),
        Destination::Stdout => {
            let mut stdout = io::stdout().lock();
            stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
        }
        Destination::Stderr => io::stderr().lock().write_all(text.as_bytes()),
    });
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("{option} {}: not written: {error}", excerpt::path(file)))
        }
        _ => Ok(()),
    }
}

/// What is behind a redirected `/dev/fd/3` is not overwritten from its beginning.
fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).open(path)
}

/// Whether it is the regular file that stdout goes to.
#[cfg(unix)]
fn is_stdout(metadata: &std::fs::Metadata) -> bool {
    use std::os::fd::AsFd as _;
    use std::os::unix::fs::MetadataExt as _;
    let stdout = io::stdout().as_fd().try_clone_to_owned();
    let own = stdout.and_then(|stdout| File::from(stdout).metadata());
    own.is_ok_and(|own| (own.dev(), own.ino()) == (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn is_stdout(_: &std::fs::Metadata) -> bool {
    false
}

#[cfg(unix)]
fn is_fifo(kind: std::fs::FileType) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    kind.is_fifo()
}

#[cfg(not(unix))]
fn is_fifo(_: std::fs::FileType) -> bool {
    false
}

/// Opens a FIFO once somebody reads it. Nobody waits for that who has interrupted the run.
#[cfg(unix)]
fn open_fifo(path: &Path, named: &Path, stop: &Stop) -> io::Result<File> {
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    use std::os::unix::fs::OpenOptionsExt as _;
    /// How often is looked for a reader, and after how many looks it is said that none is there.
    const LOOK: std::time::Duration = std::time::Duration::from_millis(20);
    const PATIENCE: u32 = 50;
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    for looks in 0.. {
        match OpenOptions::new().write(true).custom_flags(flags).open(path) {
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {}
            file => {
                let file = file?;
                fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
                return Ok(file);
            }
        }
        if stop.interrupt.is_cut() {
            break;
        }
        if looks == PATIENCE {
            output::note(&format!("waiting for a reader of {}", excerpt::path(named)));
        }
        std::thread::park_timeout(LOOK);
    }
    Err(io::Error::other("nobody reads it"))
}

#[cfg(not(unix))]
fn open_fifo(path: &Path, _: &Path, _: &Stop) -> io::Result<File> {
    append(path)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_followed_to_a_file_that_need_not_be_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("below")).expect("made");
        symlink("below/file", at("link")).expect("made");
        symlink(at("link"), at("second")).expect("made");
        let file = Destination::Regular(at("below/file"));
        assert_eq!(Destination::of(&at("second")).expect("a file"), file);
        std::fs::write(at("below/file"), "").expect("written");
        assert_eq!(Destination::of(&at("second")).expect("a file"), file);
        symlink(at("round"), at("round")).expect("made");
        assert!(Destination::of(&at("round")).is_err());
        assert!(Destination::of(&at("below")).is_err());
    }

    #[test]
    fn what_is_open_already_and_devices_are_never_regular_files() {
        let of = |path: &str| Destination::of(Path::new(path)).expect(path);
        assert_eq!(of("/dev/stdout"), Destination::Stdout);
        assert_eq!(of("/dev/fd/2"), Destination::Stderr);
        assert_eq!(of("/dev/null"), Destination::Open("/dev/null".into()));
    }
}
