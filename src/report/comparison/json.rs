//! A comparison for machines: one JSON object.

use super::{Change, Comparison, Headline, TargetComparison};
use crate::finding::share::Share;
use crate::verdict::{Identity, Pattern, Problem, Symptom, Variant};
use serde::Serialize;

/// What differs between two runs.
///
/// # Errors
///
/// What `serde_json` says; numbers and strings make JSON.
pub fn json(comparison: &Comparison) -> Result<String, String> {
    let json = Json {
        worse: comparison.is_worse(),
        targets: comparison.targets.iter().map(JsonTarget::of).collect(),
        only_old: &comparison.only_old,
        only_new: &comparison.only_new,
    };
    serde_json::to_string_pretty(&json).map_err(|error| error.to_string())
}

#[derive(Serialize)]
struct Json<'a> {
    /// Whether something is new or worse.
    worse: bool,
    targets: Vec<JsonTarget<'a>>,
    only_old: &'a [String],
    only_new: &'a [String],
}

#[derive(Serialize)]
struct JsonTarget<'a> {
    old: JsonRun<'a>,
    new: JsonRun<'a>,
    changes: Vec<JsonChange<'a>>,
}

#[derive(Serialize)]
struct JsonRun<'a> {
    name: &'a str,
    version: &'a str,
    scripts: u64,
}

impl<'a> JsonTarget<'a> {
    fn of(target: &'a TargetComparison) -> Self {
        let run = |(name, version, scripts): &'a (String, String, u64)| JsonRun {
            name,
            version,
            scripts: *scripts,
        };
        let changes = target.changes.iter().map(JsonChange::of).collect();
        Self { old: run(&target.old), new: run(&target.new), changes }
    }
}

#[derive(Serialize)]
struct JsonChange<'a> {
    change: &'static str,
    worse: bool,
    /// The problem; of a deviation, what it accepts.
    #[serde(flatten)]
    pattern: Pattern,
    level: &'static str,
    old: JsonShare,
    new: JsonShare,
    /// Where the variants are what is new or gone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    variants: Vec<JsonVariant>,
    #[serde(flatten)]
    headline: Option<JsonHeadline<'a>>,
}

#[derive(Serialize)]
struct JsonShare {
    shown: u64,
    rate: f64,
}

#[derive(Serialize)]
struct JsonVariant {
    #[serde(flatten)]
    variant: Variant,
    /// Where it is another one than that of the problem, which takes it in.
    #[serde(skip_serializing_if = "Option::is_none")]
    symptom: Option<Symptom>,
    /// In how many scripts it showed, in the run that has it.
    shown: u64,
}

#[derive(Serialize)]
struct JsonHeadline<'a> {
    sentence: &'a str,
    script: &'a str,
}

impl<'a> JsonChange<'a> {
    fn of(change: &'a Change) -> Self {
        let share = |share: Share| JsonShare { shown: share.shown, rate: share.rate() };
        let variant = |&(identity, share): &(Identity, Share)| {
            let problem: Problem = identity.problem();
            JsonVariant {
                variant: identity.variant(),
                symptom: identity.symptom().filter(|_| problem != change.pattern.problem()),
                shown: share.shown,
            }
        };
        let headline = change.headline.as_ref();
        Self {
            change: change.kind.id(),
            worse: change.is_worse(),
            pattern: change.pattern,
            level: change.level.id(),
            old: share(change.old),
            new: share(change.new),
            variants: change.variants.iter().map(variant).collect(),
            headline: headline
                .map(|Headline { sentence, script }| JsonHeadline { sentence, script }),
        }
    }
}
