//! `docs/closing-well.md` shows the very code that is tested.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const BEGIN: &str = "// docs/closing-well.md: begin";
const END: &str = "// docs/closing-well.md: end";

/// The file's region that the guide shows.
fn region(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).expect("a source file");
    let (_, rest) = text.split_once(BEGIN)?;
    let (_, rest) = rest.split_once('\n')?;
    Some(rest.split_once(END).expect("a region has an end").0.to_owned())
}

fn sources() -> Vec<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let adapters = std::fs::read_dir(source.join("adapters")).expect("the adapters");
    let mut paths: Vec<PathBuf> = adapters.map(|entry| entry.expect("an entry").path()).collect();
    paths.extend([source.join("host.rs"), source.join("peer.rs")]);
    paths.sort();
    paths
}

#[test]
fn every_snippet_of_the_guide_is_the_code_of_its_target() {
    let guide = include_str!("../../docs/closing-well.md");
    let mut stale = String::new();
    let mut shown = BTreeMap::new();
    for path in sources() {
        let Some(region) = region(&path) else { continue };
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let fence = format!("```rust\n// peers/src/{}\n{region}```", relative(&path));
        if !guide.contains(&fence) {
            let _ = writeln!(stale, "\ndocs/closing-well.md should have, word for word:\n{fence}");
        }
        shown.insert(name, region);
    }
    assert!(stale.is_empty(), "{stale}");
    assert_eq!(guide.matches("```rust").count(), shown.len(), "a snippet that is no target's");
    // All libraries, the host and the constants.
    assert_eq!(shown.len(), 17 + 2);
}

fn relative(path: &Path) -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    path.strip_prefix(source).expect("a source file").to_string_lossy().replace('\\', "/")
}
