//! What targets declare, against what is built.

use std::collections::BTreeSet;

const LOCK: &str = include_str!("../../Cargo.lock");
const MANIFEST: &str = include_str!("../Cargo.toml");

fn names() -> Vec<String> {
    hangup_peers::registry().iter().map(|target| target.name().to_owned()).collect()
}

#[test]
fn every_version_is_the_locked_one_and_is_pinned() {
    for target in hangup_peers::registry().iter() {
        let (library, version) = target.version().split_once(' ').expect("a name and a version");
        let locked = format!("name = \"{library}\"\nversion = \"{version}\"");
        assert!(LOCK.contains(&locked), "{}: {locked}", target.name());
        let pinned = format!("\"={version}\"");
        let line = MANIFEST.lines().find(|line| line.starts_with(&format!("{library} = ")));
        assert!(line.is_some_and(|line| line.contains(&pinned)), "{library}: no {pinned}");
    }
}

#[test]
fn there_are_seventeen_libraries_and_forty_targets_at_least() {
    let libraries: BTreeSet<String> = hangup_peers::registry()
        .iter()
        .filter_map(|target| Some(target.version().split_once(' ')?.0.to_owned()))
        .collect();
    assert!(libraries.len() >= 17, "{libraries:?}");
    assert!(names().len() >= 40, "{}", names().len());
}

#[test]
fn every_library_has_a_target_as_documented_and_one_that_closes_well() {
    let names = names();
    for name in &names {
        let family = name.split_once('/').expect("a family and a style").0;
        for style in ["docs", "closing-well"] {
            assert!(names.contains(&format!("{family}/{style}")), "{family} has no {style}");
        }
    }
}
