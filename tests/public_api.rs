//! The public API: what `src/` offers to users, line by line, under a snapshot. A change
//! that nobody meant fails here; one that was meant is reviewed as a snapshot.

use std::fmt::Write as _;
use std::path::Path;

/// The modules that users see: `pub mod` of `lib.rs`, but for those that are hidden.
fn public_modules(lib: &str) -> Vec<String> {
    let mut modules = Vec::new();
    let mut hidden = false;
    for line in lib.lines() {
        if let Some(name) = line.strip_prefix("pub mod ").filter(|_| !hidden) {
            modules.push(name.trim_end_matches(';').to_owned());
        }
        if !line.starts_with("#[cfg") {
            hidden = line == "#[doc(hidden)]";
        }
    }
    modules
}

/// The lines of a file that declare something public, but for what is hidden or a test's.
fn public_items(code: &str) -> Vec<String> {
    let code = code.split("\n#[cfg(test)]").next().unwrap_or_default();
    let mut items = Vec::new();
    let mut hidden = false;
    for line in code.lines() {
        let trimmed = line.trim();
        let declares = ["pub fn ", "pub const ", "pub async fn ", "pub struct ", "pub enum "]
            .iter()
            .chain(&["pub trait ", "pub type ", "pub use ", "pub mod "])
            .any(|start| trimmed.starts_with(start));
        if declares && !hidden {
            items.push(trimmed.trim_end_matches(['{', '(', ' ']).to_owned());
        }
        if !trimmed.starts_with("#[") || trimmed == "#[doc(hidden)]" {
            hidden = trimmed == "#[doc(hidden)]";
        }
    }
    items
}

fn add(out: &mut String, root: &Path, file: &Path) {
    let text = std::fs::read_to_string(file).expect("a source file");
    let items = public_items(&text);
    let name = file.strip_prefix(root).expect("below src").display();
    if !items.is_empty() {
        writeln!(out, "{name}").expect("a string");
    }
    for item in items {
        writeln!(out, "    {item}").expect("a string");
    }
}

/// The public files of a folder: its `mod.rs`, and those that it declares or exports from.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    files.sort();
    files
}

#[test]
fn the_public_api_changes_only_where_somebody_means_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let lib = std::fs::read_to_string(root.join("lib.rs")).expect("lib.rs");
    let mut out = String::new();
    add(&mut out, &root, &root.join("lib.rs"));
    let modules = public_modules(&lib);
    assert!(modules.len() > 8 && !modules.contains(&"judge".to_owned()), "{modules:?}");
    for module in modules {
        // Of the command line only `main` is for users, and a target's faults are hangup's own.
        let folder = root.join(&module);
        if module == "cli" {
            add(&mut out, &root, &folder.join("mod.rs"));
        } else if folder.is_dir() {
            for file in files(&folder) {
                add(&mut out, &root, &file);
            }
        } else {
            add(&mut out, &root, &folder.with_extension("rs"));
        }
    }
    insta::assert_snapshot!(out);
}
