//! A page as Markdown, for the summary of a job in CI: a table, and of each problem the sentence, the
//! script and the commands.

use super::html::{Cell, cell, columns, harmless};
use super::markdown_survey::markdown_survey;
use super::page::{Page, ProblemPage, TargetPage, Tone};
use super::text::thousands;
use std::fmt::Write as _;

/// How many problems are told with their scripts: CI shows a mebibyte at most, and people read less.
const TOLD: usize = 50;

/// The page, ended by a newline.
pub fn markdown(page: &Page) -> String {
    if page.is_survey {
        return markdown_survey(page);
    }
    let mut out = format!("## hangup: {}\n\n", plain(&page.title));
    for trouble in &page.troubles {
        let _ = writeln!(out, "**{}**\n", plain(trouble));
    }
    table(page, &mut out);
    let problems = page
        .targets
        .iter()
        .flat_map(|target| target.problems.iter().map(move |problem| (target, problem)));
    let all = problems.clone().count();
    for (target, problem) in problems.take(TOLD) {
        self::problem(target, problem, &mut out);
    }
    if all > TOLD {
        let _ = writeln!(out, "And {} more.\n", all - TOLD);
    }
    for target in &page.targets {
        for failure in &target.failures {
            let _ = writeln!(out, "{}: {}\n", plain(&target.name), plain(failure));
        }
    }
    let facts: Vec<String> =
        page.facts.iter().map(|(name, fact)| format!("{name} {}", plain(fact))).collect();
    if !facts.is_empty() {
        let _ = writeln!(out, "{}\n", facts.join(", "));
    }
    harmless(&out)
}

/// Targets against the rules that some of them break.
fn table(page: &Page, out: &mut String) {
    let rules = columns(&page.targets);
    let names = rules.iter().map(ToString::to_string);
    let head: Vec<String> =
        ["target", "scripts", "result"].map(str::to_owned).into_iter().chain(names).collect();
    let _ = writeln!(out, "| {} |", head.join(" | "));
    let _ = writeln!(out, "|{}", " --- |".repeat(head.len()));
    for target in &page.targets {
        let sign = match target.verdict.0 {
            Tone::Good => "\u{2713}",
            Tone::Bad => "\u{2717}",
            Tone::Unsure => "?",
        };
        let scripts = target.scripts.map_or_else(String::new, thousands);
        let _ = write!(
            out,
            "| {} | {scripts} | {sign} {} |",
            plain(&target.name),
            plain(&target.verdict.1)
        );
        for rule in &rules {
            let says = match cell(target, *rule) {
                Cell::Broken(problems) => {
                    let ended = |(_, problem): &(usize, &ProblemPage)| {
                        let ended = problem.ended.as_deref().unwrap_or("broken");
                        let flaky = problem.flaky.iter().map(|flaky| format!(", {}", plain(flaky)));
                        let route =
                            problem.route.iter().map(|route| format!(" on {}", plain(route)));
                        let more: String = flaky.chain(route).collect();
                        format!("{} ({}{more})", plain(ended), problem.level)
                    };
                    problems.iter().map(ended).collect::<Vec<_>>().join("<br>")
                }
                Cell::Accepted => "accepted".to_owned(),
                Cell::Kept => "\u{2713}".to_owned(),
                Cell::NotJudged => "?".to_owned(),
            };
            let _ = write!(out, " {says} |");
        }
        out.push('\n');
    }
    out.push('\n');
}

fn problem(target: &TargetPage, problem: &ProblemPage, out: &mut String) {
    let rule = problem.problem.invariant();
    let _ = writeln!(
        out,
        "### {}: {} ({rule}, {})\n\n{}\n",
        plain(&target.name),
        plain(&problem.name()),
        problem.level,
        plain(&problem.sentence)
    );
    for note in &problem.notes {
        let _ = writeln!(out, "{}\n", plain(note));
    }
    code(&problem.script, "text", out);
    if let Some(before) = &problem.before {
        let _ = writeln!(out, "{}\n", plain(before));
    }
    let lines: Vec<&str> = problem.commands.iter().map(|(_, line)| line.as_str()).collect();
    if !lines.is_empty() {
        code(&lines.join("\n"), "sh", out);
    }
}

/// A block of code, behind a fence that is not in it.
pub(super) fn code(text: &str, language: &str, out: &mut String) {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    let _ = writeln!(out, "{fence}{language}\n{}\n{fence}\n", text.trim_end());
}

/// Text in a line, in which Markdown and HTML see nothing of theirs.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' | '$' | '@' => {
                out.push('\\');
                out.push(character);
            }
            '\n' | '\r' => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_is_text() {
        assert_eq!(
            plain("<img src=x> [a](b) | `c`\n# d"),
            "&lt;img src=x&gt; \\[a\\](b) \\| \\`c\\` \\# d"
        );
        let mut out = String::new();
        code("text \"````\"\n</details>", "text", &mut out);
        assert_eq!(out, "`````text\ntext \"````\"\n</details>\n`````\n\n");
    }
}
