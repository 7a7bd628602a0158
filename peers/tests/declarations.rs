//! What targets declare, against what is built.

use hangup::target::Role;
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
fn there_are_many_libraries_on_both_sides_and_several_targets_of_each() {
    for (role, libraries, targets) in [(Role::Server, 17, 40), (Role::Client, 10, 30)] {
        let registry = hangup_peers::registry();
        let of_role: Vec<_> = registry.iter().filter(|target| target.role() == role).collect();
        let named: BTreeSet<&str> =
            of_role.iter().filter_map(|target| Some(target.version().split_once(' ')?.0)).collect();
        assert!(named.len() >= libraries, "{named:?}");
        assert!(of_role.len() >= targets, "{role:?}: {}", of_role.len());
    }
}

#[test]
fn the_names_of_clients_say_that_they_are() {
    for target in hangup_peers::registry().iter() {
        let (family, _) = target.name().split_once('/').expect("a family and a style");
        assert_eq!(family.ends_with("-client"), target.role() == Role::Client, "{family}");
    }
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
