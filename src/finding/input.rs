//! Files of strangers: read up to a size, whatever they are.
//!
//! All that hangup reads of a file that a user names comes through here, so that no device is read
//! without end, and no file costs more memory than its kind may. What the bytes mean, others say.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The most of a repro, or of a script, in bytes: far more than hangup writes.
pub const REPRO: u64 = 1 << 20;
/// The most of a baseline, in bytes: some 10,000 entries.
pub const BASELINE: u64 = 4 << 20;
/// The most of a report in JSON, in bytes.
pub const REPORT: u64 = 32 << 20;
/// The most of a file of certificates, in bytes: ten times what systems trust.
pub const CERTIFICATES: u64 = 4 << 20;

/// Reads a file of at most so many bytes.
///
/// # Errors
///
/// The system's, and one that names `most` where there is more, as in a device that never ends.
pub fn bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "Is a directory"));
    }
    bytes_of(file, most)
}

/// As [`bytes`], of what is open already.
///
/// # Errors
///
/// As [`bytes`].
pub fn bytes_of(file: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let why = format!("it has more than {}, which is the most that hangup reads", size(most));
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

/// As [`bytes`], as text.
///
/// # Errors
///
/// As [`bytes`], and where it is not UTF-8.
pub fn text(path: &Path, most: u64) -> io::Result<String> {
    String::from_utf8(bytes(path, most)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not a text file"))
}

fn size(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_read_than_may_be() {
        let read = |bytes: &[u8]| bytes_of(bytes, 1 << 20);
        assert_eq!(read(&vec![7; 1 << 20]).expect("as much as may be").len(), 1 << 20);
        let error = read(&vec![7; (1 << 20) + 1]).expect_err("one more").to_string();
        assert_eq!(error, "it has more than 1 MiB, which is the most that hangup reads");
        let error = bytes_of(io::repeat(0), BASELINE).expect_err("no end").to_string();
        assert!(error.contains("more than 4 MiB"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_device_without_end_and_a_directory_are_errors() {
        let error = bytes(Path::new("/dev/zero"), REPRO).expect_err("no end").to_string();
        assert!(error.contains("more than 1 MiB"), "{error}");
        assert_eq!(text(Path::new("/dev/null"), REPRO).expect("empty"), "");
        assert_eq!(
            text(Path::new("."), REPRO).expect_err("a directory").to_string(),
            "Is a directory"
        );
    }
}
