//! Every repro in `peers/findings` reproduces, and tells its story first.
//!
//! With `UPDATE_FINDINGS=1` the files are played and written anew, their stories kept.

use hangup::finding::Finding;
use hangup::finding::repro::{Replay, Repro};
use hangup::report;
use hangup::run::virtual_time::play_and_judge;
use std::path::{Path, PathBuf};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("findings")
}

/// Those of servers, and those of clients.
fn files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for directory in [directory(), directory().join("client")] {
        let entries = std::fs::read_dir(directory).expect("peers/findings");
        files.extend(entries.map(|entry| entry.expect("an entry").path()));
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

/// The repro, and the story that stands above it.
fn read(path: &Path) -> (String, Repro) {
    let text = std::fs::read_to_string(path).expect("a file");
    let story = text.lines().next().unwrap_or_default().to_owned();
    let repro = Repro::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (story, repro)
}

/// Plays the repro's script against its target, and what it finds as a new repro.
fn replayed(repro: &Repro) -> (Replay, Repro) {
    let registry = hangup_peers::registry();
    let target = registry.find(&repro.target.0).expect("a target that is still there");
    let (exchange, verdict) =
        play_and_judge(target, &repro.bounds, &repro.script, repro.runtime_seed);
    let replay = repro.compare(&verdict);
    let Replay::Reproduced(violation) = &replay else { return (replay, repro.clone()) };
    let finding = Finding {
        violation: violation.clone(),
        script: repro.script.clone(),
        shrunk: true,
        index: 0,
        runtime_seed: repro.runtime_seed,
        plays: 0,
        rate: 1.0,
        exchange,
        cut_short: false,
        dismissed: None,
    };
    let anew = report::repro(&**target, repro.bounds, &finding);
    (replay, anew)
}

#[test]
fn every_finding_reproduces_as_it_is_written() {
    let update = std::env::var_os("UPDATE_FINDINGS").is_some();
    let mut wrong = Vec::new();
    for path in files() {
        let (story, repro) = read(&path);
        let (replay, anew) = replayed(&repro);
        if !matches!(replay, Replay::Reproduced(_)) {
            wrong.push(format!("{}: {replay:?}", path.display()));
        } else if update {
            let partial = path.with_extension("partial");
            std::fs::write(&partial, format!("{story}\n#\n{}", anew.to_text())).expect("written");
            std::fs::rename(&partial, &path).expect("renamed");
        } else if written(anew, &repro) != repro {
            wrong.push(format!("{}: run with UPDATE_FINDINGS=1", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Without what depends on the hour, or on the order of a hash map: the digest of a response with a
/// date in it, and what was seen then, as actix's headers have another order each time; and the
/// period of timers that read a clock of their own, in words and drawn. A client's key and masks are
/// drawn anew each time: they are in its bytes, and not in its digest.
fn written(anew: Repro, repro: &Repro) -> Repro {
    let ticking = anew.ending == "ticking";
    let sentence = if ticking { repro.sentence.clone() } else { anew.sentence.clone() };
    let is_another_play = ticking || anew.digest != repro.digest;
    let mut seen = if is_another_play { repro.seen.clone() } else { anew.seen.clone() };
    let is_client = repro.target.0.contains("-client/");
    if let (true, Some(seen), Some(written)) = (is_client, &mut seen, &repro.seen) {
        seen.wire.clone_from(&written.wire);
    }
    Repro { digest: repro.digest.clone(), sentence, seen, ..anew }
}

/// Whoever receives one of them has the plain `hangup`, and no peers.
#[test]
fn every_finding_can_be_drawn_where_its_server_is_unknown() {
    for path in files() {
        let (_, repro) = read(&path);
        let drawn = report::as_seen(&repro).expect("what was seen");
        // Several connections have a column each.
        let is_drawn = drawn.contains("  client  ") || drawn.contains("  connection 1");
        assert!(is_drawn && drawn.contains("> "), "{}", path.display());
        assert!(drawn.lines().all(|line| line.chars().count() <= 80), "{drawn}");
    }
}

#[test]
fn every_finding_tells_its_story_in_its_first_line_and_has_its_place_in_the_findings() {
    let findings = include_str!("../FINDINGS.md");
    for path in files() {
        let (story, _) = read(&path);
        assert!(story.starts_with("# ") && story.ends_with('.'), "{}: {story:?}", path.display());
        let name = path.strip_prefix(directory()).expect("a finding").display();
        assert!(findings.contains(&format!("(findings/{name})")), "FINDINGS.md: no {name}");
    }
    let links = findings.matches("(findings/").count();
    assert!(links >= files().len(), "FINDINGS.md names {links}");
}
