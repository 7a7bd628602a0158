//! What GitHub Actions reads from a log: annotations, and a log in which a server's text gives no
//! commands.

use super::html::harmless;
use super::page::{Page, ProblemPage, TargetPage, Tone};
use std::fmt::Write as _;

/// An annotation for each problem and whatever else fails the run, a line each. Of one step, GitHub
/// shows the first ten.
pub fn annotations(page: &Page) -> String {
    let mut out = String::new();
    for trouble in &page.troubles {
        annotate(&mut out, "error", "hangup", trouble);
    }
    for target in &page.targets {
        for problem in &target.problems {
            let rule = problem.problem.invariant();
            let title = format!("{}: {rule} ({}): {}", target.name, problem.level, problem.name());
            annotate(&mut out, "error", &title, &told(problem));
        }
        for failure in &target.failures {
            annotate(&mut out, "error", &target.name, failure);
        }
        if let TargetPage { verdict: (Tone::Unsure, word), .. } = target {
            annotate(&mut out, "warning", &target.name, word);
        }
    }
    out
}

/// The sentence, the script, and the command that shows it.
fn told(problem: &ProblemPage) -> String {
    let mut text = format!("{}\n\n{}", problem.sentence, problem.script.trim_end());
    if let Some((_, line)) = problem.commands.first() {
        let _ = write!(text, "\n\n{line}");
    }
    text
}

fn annotate(out: &mut String, kind: &str, title: &str, message: &str) {
    let title = data(title).replace(':', "%3A").replace(',', "%2C");
    let _ = writeln!(out, "::{kind} title={title}::{}", data(message));
}

/// A text as a command of the runner's takes it.
fn data(text: &str) -> String {
    harmless(text).replace('%', "%25").replace('\n', "%0A")
}

/// A text for the log: no line of it is a command to the runner, which takes those that begin with two
/// colons, or have `##[` in them.
pub fn guarded(text: &str) -> String {
    let guard = |line: &str| {
        let word = line.trim_start();
        let line = match word.strip_prefix("::") {
            Some(rest) => format!("{}: :{rest}", &line[..line.len() - word.len()]),
            None => line.to_owned(),
        };
        line.replace("##[", "## [")
    };
    text.split_inclusive('\n').map(guard).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_is_one_line_and_its_text_cannot_end_it() {
        let mut out = String::new();
        annotate(&mut out, "error", "a: b, 50 %", "one\r\n::error::two\u{202e}");
        assert_eq!(out, "::error title=a%3A b%2C 50 %25::one\u{fffd}%0A::error::two\u{fffd}\n");
    }

    #[test]
    fn the_log_gives_no_commands() {
        let log = "  ::set-output name=a::b\nx ::y\na ##[error]b\n\n::\n";
        let guarded = guarded(log);
        assert_eq!(guarded, "  : :set-output name=a::b\nx ::y\na ## [error]b\n\n: :\n");
    }
}
