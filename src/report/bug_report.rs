//! A finding as an issue to paste where the server's maintainers read: Markdown that supposes no
//! knowledge of hangup.

use super::html::{RFC, harmless};
use super::markdown::{code, plain};
use crate::finding::repro::Repro;
use std::fmt::Write as _;

/// What an issue needs beside the finding.
#[derive(Clone, Copy, Debug)]
pub struct BugReport<'a> {
    /// The finding.
    pub repro: &'a Repro,
    /// The finding as a program in Python, or why there is none.
    pub python: Result<&'a str, &'a str>,
    /// What to name that program, and the picture, without an ending.
    pub name: &'a str,
    /// The commands of hangup that play it again and draw it.
    pub commands: [&'a str; 2],
}

/// The issue, ended by a newline. Its first line is the title.
pub fn bug_report(report: &BugReport<'_>) -> String {
    let BugReport { repro, python, name, commands } = *report;
    let rule = repro.identity.invariant().rule();
    let mut out = format!("# {}\n\n{}\n\n", plain(title(&repro.sentence)), plain(&repro.sentence));
    let (server, version) = &repro.target;
    let _ = writeln!(out, "Seen on {} ({}).\n", plain(server), plain(version));
    let _ = writeln!(out, "{}\n", plain(rule.says));
    if let Some((section, quote)) = rule.quote {
        let _ = writeln!(out, "[RFC 6455, {section}]({RFC}{section}):\n\n> {}", plain(quote));
    }
    out.push_str("\n## What the client does\n\n");
    if repro.script.steps.is_empty() {
        out.push_str("It connects, and does nothing.\n\n");
    } else {
        code(&repro.script_text(), "text", &mut out);
    }
    if let Some(seen) = &repro.seen {
        out.push_str("## What happens\n\n");
        code(&seen.timeline, "text", &mut out);
        folded("The bytes", &seen.wire, "text", &mut out);
    }
    out.push_str("## How to repeat it\n\n");
    match python {
        Ok(program) => {
            let _ = writeln!(
                out,
                "This program needs nothing but Python 3. `python3 {name}.py ws://HOST:PORT/PATH` exits \
                     with 1 if the server shows this problem, and with 0 if it does not.\n"
            );
            folded(&format!("{name}.py"), program, "python", &mut out);
        }
        Err(why) => {
            let _ = writeln!(out, "Not by a client alone: {}.\n", plain(why));
        }
    }
    let [replay, draw] = commands;
    let _ = writeln!(
        out,
        "With hangup {} and the attached file, the first command runs the test again, and the \
             second draws the timeline:\n",
        plain(&repro.hangup)
    );
    code(&format!("{replay}\n{draw}"), "sh", &mut out);
    harmless(&out)
}

/// The first sentence, without its full stop.
fn title(sentence: &str) -> &str {
    let first = sentence.split_once(". ").map_or(sentence, |(first, _)| first);
    first.trim_end_matches('.')
}

fn folded(summary: &str, text: &str, language: &str, out: &mut String) {
    let _ = write!(out, "<details><summary>{}</summary>\n\n", plain(summary));
    code(text, language, out);
    out.push_str("</details>\n\n");
}
