//! The guides show the very files that are tested: `peers/examples`, each of which is the code of a
//! target, and has its own test.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const GUIDES: [(&str, &str); 3] = [
    ("docs/closing-well.md", include_str!("../../docs/closing-well.md")),
    ("docs/frameworks.md", include_str!("../../docs/frameworks.md")),
    ("docs/shutdown.md", include_str!("../../docs/shutdown.md")),
];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

fn files_in(directory: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(directory).expect("the examples");
    let mut paths: Vec<PathBuf> = files.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    paths.sort();
    paths
}

fn servers() -> Vec<PathBuf> {
    files_in(&directory())
}

fn clients() -> Vec<PathBuf> {
    files_in(&directory().join("client"))
}

fn examples() -> Vec<PathBuf> {
    [servers(), clients()].concat()
}

/// The file as a guide shows it.
fn shown(path: &Path) -> String {
    let text = std::fs::read_to_string(path).expect("a source file");
    let name = path.strip_prefix(directory()).expect("an example").display();
    format!("<!-- peers/examples/{name} -->\n```rust,ignore\n{text}```\n")
}

#[test]
fn every_snippet_of_the_guides_is_a_whole_file_and_every_file_is_shown_once() {
    let mut stale = String::new();
    for path in examples() {
        let shown = shown(&path);
        let times: usize = GUIDES.iter().map(|(_, guide)| guide.matches(&shown).count()).sum();
        if times != 1 {
            let path = path.display();
            let _ = writeln!(stale, "{times} times, not once, in the guides: {path}");
        }
    }
    assert!(stale.is_empty(), "{stale}`peers/paste --write` puts the files into the guides");
    let snippets: usize = GUIDES.iter().map(|(_, guide)| guide.matches("```rust").count()).sum();
    assert_eq!(snippets, examples().len(), "a snippet that is no file of peers/examples");
}

#[test]
fn every_library_has_a_file_and_every_dependency_that_a_file_names_is_the_one_that_is_tested() {
    let manifest = include_str!("../Cargo.toml");
    for path in examples() {
        let text = std::fs::read_to_string(&path).expect("a source file");
        let (_, rest) = text.split_once("//! ```toml\n").expect("a file names its dependencies");
        let (named, _) = rest.split_once("//! ```").expect("their end");
        for line in named.lines().filter(|line| line.contains(" = ")) {
            let line = line.trim_start_matches("//! ");
            let (name, rest) = line.split_once(" = ").expect("a dependency");
            if name == "hangup" {
                continue;
            }
            let version = version(rest);
            let ours = manifest.lines().find_map(|line| line.strip_prefix(&format!("{name} = ")));
            let ours = self::version(ours.unwrap_or_else(|| panic!("{path:?}: {name}")));
            assert!(ours.starts_with(version), "{}: {name} {version}, {ours}", path.display());
        }
    }
    // The seventeen libraries, axum on both of its hosts, the one on a thread, and six whole servers.
    assert_eq!(servers().len(), 17 + 2 + 6);
    let clients = clients();
    let is_tested = |path: &PathBuf| {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let adapter = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/adapters/client").join(name);
        adapter.is_file()
    };
    assert!(clients.len() >= 10 && clients.iter().all(is_tested), "{clients:?}");
}

/// The version in what stands behind a dependency's name.
fn version(dependency: &str) -> &str {
    let version = match dependency.split_once("version = ") {
        Some((_, version)) => version,
        None => dependency,
    };
    version.trim_start_matches("\"=").trim_start_matches('"').split('"').next().expect("a version")
}
