//! A survey of many servers as Markdown: a table for each kind of rule, what each rule means in a line, and
//! the versions. The scripts are in the page of HTML.

use super::html::{RFC, harmless};
use super::markdown::plain;
use super::page::{Page, TargetPage};
use super::survey::{CellSays, Family, families, says};
use crate::wire::Role;
use std::fmt::Write as _;

/// The survey, ended by a newline.
pub fn markdown_survey(page: &Page) -> String {
    let mut out = format!("# {}\n\n", plain(&page.title));
    for paragraph in &page.about {
        let _ = writeln!(out, "{}\n", plain(paragraph));
    }
    for trouble in &page.troubles {
        let _ = writeln!(out, "**{}**\n", plain(trouble));
    }
    for (name, fact) in &page.facts {
        let _ = writeln!(out, "* {}: {}", plain(name), plain(fact));
    }
    out.push_str(
        "\nA cell says how the connection ended, where the rule is about that, and what was seen. **Bold** is a \
         MUST of RFC 6455, the rest a SHOULD. \u{2713}: no script showed it broken. ?: not judged. Rules that no \
         server breaks are left out.\n",
    );
    let families = families(&page.targets);
    for family in &families {
        table(family, &page.targets, &mut out);
    }
    rules(&families, &mut out);
    versions(&page.targets, &mut out);
    harmless(&out)
}

fn table(family: &Family, targets: &[TargetPage], out: &mut String) {
    let heads: Vec<String> = family.rules.iter().map(|rule| format!(" {rule} |")).collect();
    let _ = writeln!(out, "\n## {}\n\n| server |{}", family.title, heads.concat());
    let _ = writeln!(out, "| --- |{}", " --- |".repeat(heads.len()));
    for target in targets {
        let cells: Vec<String> =
            family.rules.iter().map(|rule| format!(" {} |", cell(&says(target, *rule)))).collect();
        let _ = writeln!(out, "| {} |{}", plain(&target.name), cells.concat());
    }
}

fn cell(says: &CellSays) -> String {
    let lines = match says {
        CellSays::Broken(lines) => lines,
        CellSays::Sign(sign, _) => return (*sign).to_owned(),
    };
    let lines = lines.iter().map(|line| {
        let words = plain(&line.words);
        let words = if line.is_must { format!("**{words}**") } else { words };
        let flaky = line.flaky.iter().map(|flaky| format!(" *({})*", plain(flaky)));
        words + &flaky.collect::<String>()
    });
    lines.collect::<Vec<_>>().join("<br>")
}

fn rules(families: &[Family], out: &mut String) {
    out.push_str("\n## What each rule means\n\n");
    for rule in families.iter().flat_map(|family| &family.rules) {
        let about = rule.rule();
        let _ = write!(out, "* `{rule}`: {}", plain(&about.says(Some(Role::Server))));
        if let Some((section, _)) = about.quote {
            let _ = write!(out, " [RFC 6455, {section}]({RFC}{section})");
        }
        out.push('\n');
    }
}

fn versions(targets: &[TargetPage], out: &mut String) {
    out.push_str("\n## Versions\n\n| server | version | result |\n| --- | --- | --- |\n");
    for target in targets {
        let (name, version) = (plain(&target.name), plain(&target.version));
        let remarks: Vec<String> =
            target.remarks.iter().map(|lines| plain(&lines.join(" "))).collect();
        let result = std::iter::once(target.verdict.1.clone()).chain(remarks);
        let _ = writeln!(out, "| {name} | {version} | {} |", result.collect::<Vec<_>>().join(" "));
    }
}
