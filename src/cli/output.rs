//! Printing: colours where there is a terminal, and no panic where a pipe is closed.

use crate::excerpt::{clipped, escaped_lines};
use crate::report::{Style, quoted};
use anstream::{AutoStream, ColorChoice};
use owo_colors::OwoColorize as _;
use std::io::{self, IsTerminal as _, Write as _};
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
    bytes(text.as_bytes());
}

/// Puts bytes on stdout that are no text.
pub(super) fn bytes(bytes: &[u8]) {
    let mut stdout = stdout();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
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

/// The most characters of an error.
const LONGEST: usize = 590;

/// Prints text to stderr, with a line break behind it.
pub(super) fn note(text: &str) {
    say(&escaped_lines(text));
}

fn say(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Prints an error to stderr, on one line.
pub(super) fn error(text: &str) {
    let text = clipped(&text.replace('\n', " "), LONGEST);
    say(&format!("{} {text}", "error:".red().bold()));
}

/// Prints a line to stderr from any thread: in place of a bar that may be drawn there, which is
/// drawn again below.
pub(super) fn over_a_bar(text: &str) {
    let clear = if io::stderr().is_terminal() { "\r\x1b[K" } else { "" };
    let _ = writeln!(io::stderr(), "{clear}{text}");
}

fn stdout() -> AutoStream<io::Stdout> {
    AutoStream::auto(io::stdout())
}

/// How to lay out what goes to stdout: as wide as the terminal is, within what can be read.
pub(super) fn style() -> Style {
    let color = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
    let terminal = terminal_size::terminal_size_of(io::stdout());
    let width = terminal.map_or(Style::default().width, |(width, _)| usize::from(width.0));
    Style { color, width: width.clamp(NARROW, WIDE), program: program(), ..Style::default() }
}

/// The fewest and the most columns of a line.
const NARROW: usize = 60;
const WIDE: usize = 120;

/// Takes `FORCE_COLOR` as it is widely read: anything but nothing and 0 asks for colours, wherever
/// they go. `NO_COLOR`, `CLICOLOR_FORCE` and `CI` are known to anstream.
pub(super) fn heed_force_color() {
    let forced = std::env::var_os("FORCE_COLOR").filter(|forced| !forced.is_empty());
    if forced.is_some_and(|forced| forced != "0") && std::env::var_os("NO_COLOR").is_none() {
        ColorChoice::Always.write_global();
    }
}

/// How the user started this program, as a shell takes it.
pub(super) fn program() -> &'static str {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    let typed = || std::env::args_os().next()?.into_string().ok().filter(|name| !name.is_empty());
    PROGRAM.get_or_init(|| quoted(&typed().unwrap_or_else(|| "hangup".to_owned())))
}
