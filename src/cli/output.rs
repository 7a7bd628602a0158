//! Printing: colours where there is a terminal, and no panic where a pipe is closed.

use anstream::{AutoStream, ColorChoice};
use owo_colors::OwoColorize as _;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::OnceLock;

/// Why results could not be written, where they could not.
static FAILED: OnceLock<String> = OnceLock::new();

/// What kept results from being written so far. A reader that has gone away is no
/// error of ours, a full disk is.
pub(super) fn failure() -> Option<&'static str> {
    FAILED.get().map(String::as_str)
}

/// Prints to stdout.
pub(super) fn print(text: &str) {
    let mut stdout = stdout();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let _ = FAILED.set(error.to_string());
        }
        _ => {}
    }
}

/// Prints a line to stdout.
pub(super) fn line(text: &str) {
    print(&format!("{text}\n"));
}

/// Prints a line to stderr.
pub(super) fn note(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Prints an error to stderr, on one line.
pub(super) fn error(text: &str) {
    note(&format!("{} {}", "error:".red().bold(), text.replace(char::is_control, " ")));
}

fn stdout() -> AutoStream<io::Stdout> {
    AutoStream::new(io::stdout(), ColorChoice::Auto)
}

/// A path as a shell takes it back: in quotes where it needs them.
pub(super) fn pasteable(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if path.chars().all(plain) { path } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

/// A number with its thousands apart: `1,000,000`.
pub(super) fn thousands(number: u64) -> String {
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
pub(super) fn count(number: usize, word: &str) -> String {
    format!("{} {word}{}", thousands(number as u64), if number == 1 { "" } else { "s" })
}
