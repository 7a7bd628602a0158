//! A baseline: findings that are accepted, so that later runs fail on new ones only.

use super::Trouble;
use crate::finding::repro::Repro;
use crate::finding::save::write_whole;
use crate::verdict::{Cause, Condition, Invariant, Key};
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
    invariant: Invariant,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<Cause>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    condition: Option<Condition>,
    /// For people.
    #[serde(default)]
    sentence: String,
}

/// What the file accepts, as patterns ([`Key::is_of`]); `None` where there is no such file.
pub(super) fn read(file: &Path) -> Result<Option<Vec<Key>>, Trouble> {
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
    let key = |entry: Entry| {
        let Entry { invariant, cause, condition, .. } = entry;
        Key { invariant, cause, condition }
    };
    Ok(Some(accepted.into_iter().map(key).collect()))
}

/// Records findings as accepted.
pub(super) fn write(file: &Path, found: &[Repro]) -> Result<(), Trouble> {
    let entry = |repro: &Repro| {
        let Key { invariant, cause, condition } = repro.key;
        Entry { invariant, cause, condition, sentence: repro.sentence.clone() }
    };
    let content = File { format: FORMAT, accepted: found.iter().map(entry).collect() };
    let at = file.display();
    let body = toml::to_string_pretty(&content).map_err(|error| format!("{at}: {error}"))?;
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or_else(|| Path::new("."));
    write_whole(directory, file, format!("{HEADER}{body}").as_bytes())
        .map_err(|error| format!("{at}: {error}"))
}
