//! `explain`: what a rule asks for, what a word means, how scripts are written.

use super::{CLEAN, Done, output};
use crate::excerpt::{excerpt, nearest, quoted};
use crate::report::glossary::{GLOSSARY, Word};
use crate::report::{wrap, wrap_to};
use crate::verdict::{Condition, Invariant, Symptom, name_ends, slug};
use crate::wire::Role;
use owo_colors::OwoColorize as _;

/// How scripts are written.
const NOTATION: &str = include_str!("../../docs/notation.md");

pub(super) fn explain(id: Option<&str>) -> Done {
    let Some(id) = id else {
        list();
        return Ok(CLEAN);
    };
    if let Some(page) =
        [("notation", NOTATION), ("glossary", GLOSSARY)].iter().find(|page| page.0 == id)
    {
        output::print(page.1);
    } else if let Some(rule) = Invariant::from_id(id) {
        explain_rule(rule);
    } else if let Some(word) = Word::find(id).or_else(|| renamed(id)) {
        explain_word(word);
    } else if let Some(word) = Word::find(&name_ends(id, Some(Role::Client))) {
        output::line(&format!("{}: of a client under test; of a server it is:\n", id.bold()));
        explain_word(word);
    } else if let Some(symptom) = Symptom::from_id(id).or_else(|| as_in_a_file_name(id)) {
        explain_symptom(symptom);
    } else if is_word_of_scripts(id) {
        output::line(&format!("`{id}` is a word of scripts: `hangup explain notation`"));
    } else {
        let rules = Invariant::ALL.iter().map(|rule| rule.id());
        let symptoms = Symptom::ALL.iter().map(|symptom| symptom.id());
        let known = rules.chain(Word::all().flat_map(Word::each)).chain(symptoms);
        let near = quoted(&nearest(id, known));
        return Err(format!(
            "no rule, word or symptom `{}`; the nearest are: {near}; the command `explain` lists all",
            excerpt(id)
        ));
    }
    Ok(CLEAN)
}

/// Whether something in the notation begins with this word.
fn is_word_of_scripts(word: &str) -> bool {
    let mut quoted = NOTATION.split('`').skip(1).step_by(2);
    word != "hangup" && quoted.any(|text| text.split([' ', ':']).next() == Some(word))
}

/// The symptom that a file's name has in this form, whole or as far as the name goes.
fn as_in_a_file_name(id: &str) -> Option<Symptom> {
    let begins = |symptom: &&Symptom| {
        let name = slug(symptom.id());
        name.strip_prefix(id).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    Symptom::ALL.iter().find(begins).copied().filter(|_| id.contains('-'))
}

/// The word of a condition that older files call so.
fn renamed(id: &str) -> Option<Word> {
    Word::find(Condition::from_id(id)?.id())
}

/// What can be explained.
fn list() {
    let some = |heading: &str, names: Vec<&str>| {
        output::line(&format!("{}", heading.bold()));
        for line in wrap_to(&names.join(", "), 76).lines() {
            output::line(&format!("    {line}"));
        }
    };
    some("pages", vec!["notation (how scripts are written)", "glossary (all words)"]);
    some("rules", Invariant::ALL.iter().map(|rule| rule.id()).collect());
    some("words", Word::all().flat_map(Word::each).collect());
    some(
        "symptoms",
        vec!["in quotes, or as in the name of a file: `waits-to-read`; each rule lists its own"],
    );
}

fn explain_word(word: Word) {
    output::line(&format!("{} ({})\n\n{}", word.names.bold(), word.part, wrap(word.meaning)));
    if !word.rfc.is_empty() {
        output::line(&format!("\n{}", wrap(&format!("RFC 6455: {}", word.rfc))));
    }
}

fn explain_symptom(symptom: Symptom) {
    let shown_by = |rule: &&Invariant| rule.rule().symptoms.contains(&symptom);
    let rules: Vec<&str> = Invariant::ALL.iter().filter(shown_by).map(|rule| rule.id()).collect();
    output::line(&format!("{}\n", symptom.bold()));
    output::line(&format!("{}\n", wrap(symptom.means())));
    output::line(&wrap(&format!(
        "A symptom of {}; `hangup explain RULE` says what the rule asks for.",
        rules.join(", ")
    )));
}

fn explain_rule(invariant: Invariant) {
    let rule = invariant.rule();
    output::line(&format!("{} ({}; {})\n", invariant.bold(), rule.class, rule.basis()));
    output::line(&format!("{}\n", wrap(&rule.says(None))));
    if let Some((section, quote)) = rule.quote {
        output::line(&format!("{}\n", wrap(&format!("RFC 6455 {section}: \"{quote}\""))));
    }
    output::line(&format!("{}\n", wrap(&format!("Asked of {}.", rule.asked_of))));
    let paragraphs: Vec<String> = rule.explains(None).split("\n\n").map(wrap).collect();
    output::line(&paragraphs.join("\n\n"));
    let symptom = |seen: &Symptom| {
        let is_known = |plainer: &&Symptom| rule.symptoms.contains(plainer);
        let plainer: Vec<String> =
            seen.case_of().iter().filter(is_known).map(|plainer| format!("`{plainer}`")).collect();
        if plainer.is_empty() {
            return format!("  {seen}");
        }
        let text = wrap_to(
            &format!("(no separate problem where this one is found too: {})", plainer.join(" or ")),
            76,
        );
        format!("  {seen}\n    {}", text.replace('\n', "\n    "))
    };
    let symptoms: Vec<String> = rule.symptoms.iter().map(symptom).collect();
    output::line(&format!("\nSymptoms, each a problem of its own:\n{}", symptoms.join("\n")));
}
