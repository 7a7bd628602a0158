//! A baseline: findings that are accepted, so that later runs fail on new ones only.

use super::Trouble;
use crate::finding::repro::Repro;
use crate::verdict::{Identity, Pattern, Problem, Variant};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The format that this version reads and writes.
const FORMAT: u32 = 1;

const HEADER: &str = "\
# Findings of hangup's that are accepted: `hangup probe --baseline FILE` reports and
# fails on others only. To accept no longer, take an entry out; to record anew, remove
# the file. An entry without a line `condition` accepts the finding whatever the client
# did, and one without `cause` whatever the server owed it for.

";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    #[serde(default)]
    accepted: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(flatten)]
    problem: Problem,
    #[serde(flatten)]
    variant: Variant,
    /// For people.
    #[serde(default)]
    sentence: String,
}

impl Entry {
    fn pattern(&self) -> Pattern {
        Identity::of(self.problem, self.variant).into()
    }
}

/// What the file accepts, as patterns; `None` where there is no such file.
pub(super) fn read(file: &Path) -> Result<Option<Vec<Pattern>>, Trouble> {
    let at = file.display();
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{at}: {error}")),
    };
    let File { format, accepted } = toml::from_str(&text)
        .map_err(|error| format!("{at}: no baseline: {}", error.message().replace('\n', " ")))?;
    if format != FORMAT {
        return Err(format!("{at}: format {format}; this hangup reads format {FORMAT}"));
    }
    Ok(Some(accepted.iter().map(Entry::pattern).collect()))
}

/// The file that records findings as accepted.
pub(super) fn text(found: &[Repro]) -> Result<String, Trouble> {
    let entry = |repro: &Repro| Entry {
        problem: repro.identity.problem(),
        variant: repro.identity.variant(),
        sentence: repro.sentence.clone(),
    };
    let content = File { format: FORMAT, accepted: found.iter().map(entry).collect() };
    let body = toml::to_string_pretty(&content).map_err(|error| error.to_string())?;
    Ok(format!("{HEADER}{body}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_the_parts_of_its_pattern_as_fields_and_no_others() {
        let text =
            "invariant = \"ends-in-time\"\ncondition = \"silent\"\nsentence = \"It did not.\"\n";
        let entry: Entry = toml::from_str(text).expect(text);
        assert_eq!(entry.pattern().to_string(), "ends-in-time: silent");
        assert_eq!(toml::to_string(&entry).expect("TOML"), text);
        let unknown = format!("{text}level = \"must\"\n");
        let error = toml::from_str::<Entry>(&unknown).err().expect("an error");
        assert!(error.message().contains("unknown field `level`"), "{error}");
    }
}
