//! What the words mean that reports use: `docs/glossary.md`, read as a list. It defines none by itself.

/// The glossary, in tables of a word, its meaning and RFC 6455's own word.
pub const GLOSSARY: &str = include_str!("../../docs/glossary.md");

/// A row of the glossary.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    /// The word, or several with commas between them.
    pub names: &'static str,
    /// What it means, in a sentence.
    pub meaning: &'static str,
    /// What RFC 6455 calls it; empty where it has no word for it.
    pub rfc: &'static str,
    /// The heading above its table.
    pub part: &'static str,
}

impl Word {
    /// All of them, in the glossary's order.
    pub fn all() -> impl Iterator<Item = Self> {
        let mut part = "";
        let words = GLOSSARY.lines().filter_map(move |line| {
            part = line.strip_prefix("## ").unwrap_or(part);
            let row = line.strip_prefix("| ")?.strip_suffix('|')?;
            let mut cells = row.split('|').map(str::trim);
            let (names, meaning, rfc) = (cells.next()?, cells.next()?, cells.next()?);
            Some(Self { names, meaning, rfc, part })
        });
        words.filter(|word| word.names != "word")
    }

    /// The row of a word, however it is spelt.
    pub fn find(name: &str) -> Option<Self> {
        Self::all().find(|word| word.each().any(|own| own.eq_ignore_ascii_case(name)))
    }

    /// Each word of the row.
    pub fn each(self) -> impl Iterator<Item = &'static str> {
        self.names.split(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{Cause, Class, Condition, Ending, Invariant, Level};
    use std::collections::BTreeSet;

    #[test]
    fn the_glossary_has_every_cause_condition_and_ending_and_no_word_twice() {
        let words: Vec<&str> = Word::all().flat_map(Word::each).collect();
        let each: BTreeSet<&str> = words.iter().copied().collect();
        assert_eq!(each.len(), words.len(), "a word twice");
        let ids = (Cause::ALL.iter().map(|one| one.id()))
            .chain(Condition::ALL.iter().map(|one| one.id()))
            .chain(Class::ALL.iter().map(|one| one.id()))
            .chain(Level::ALL.iter().map(|one| one.id()))
            .chain(Ending::KINDS);
        for id in ids {
            assert!(each.contains(id), "{id}");
        }
    }

    /// A word of the parts about ids that is none any more.
    #[test]
    fn what_the_glossary_calls_a_cause_a_condition_or_an_ending_is_one() {
        for (heading, is_one) in [
            ("## Causes", (|word| Cause::from_id(word).is_some()) as fn(&str) -> bool),
            ("## Conditions", |word| Condition::from_id(word).is_some_and(|one| one.id() == word)),
            ("## How a connection ends", |word| Ending::KINDS.contains(&word)),
        ] {
            let (_, part) = GLOSSARY.split_once(heading).expect(heading);
            let part = part.split("\n## ").next().unwrap_or_default();
            let words: Vec<&str> = part
                .lines()
                .filter_map(|line| line.strip_prefix("| ")?.split(" |").next())
                .collect();
            assert!(words.len() > 5, "{heading}");
            for word in words.iter().filter(|word| **word != "word") {
                assert!(is_one(word), "{heading}: {word}");
            }
        }
        let quoted = GLOSSARY.split('`').skip(1).step_by(2).filter(|id| id.ends_with("-in-time"));
        assert!(
            quoted.clone().count() > 0 && quoted.clone().all(|id| Invariant::from_id(id).is_some())
        );
    }
}
