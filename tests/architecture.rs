//! The layers of `docs/architecture.md`: imports point down only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Each module's layer. Within a layer, imports are allowed and must not be cyclic. The
/// folders `transport` and `run` hold modules that stand for themselves.
const LAYERS: &[(&str, u8)] = &[
    ("wire", 0),
    ("heap", 0),
    ("excerpt", 0),
    ("script", 1),
    ("exchange", 1),
    ("bounds", 1),
    ("verdict", 1),
    ("view", 2),
    ("generate", 2),
    ("judge", 3),
    ("shrink", 2),
    ("finding", 4),
    ("transport::memory", 4),
    ("transport::tcp", 4),
    ("actor", 4),
    ("target", 4),
    ("run::control_play", 5),
    ("run::interrupt", 5),
    ("run::preflight", 6),
    ("run::virtual_time", 5),
    ("run::work", 5),
    ("run::campaign", 6),
    ("run::workers", 7),
    ("run::real_time", 7),
    ("report", 8),
    ("suite", 9),
    ("fuzzing", 9),
    ("strategy", 9),
    ("cli", 10),
    // Pages for rustdoc, without code.
    ("guide", 10),
];

/// Folders whose modules are layers by themselves.
const FOLDERS: &[&str] = &["transport", "run"];

/// What may not be imported although the layers would allow it: `(by, what)`.
const FORBIDDEN: &[(&str, &str)] = &[
    // The judge reads the exchange and the bounds, nothing else.
    ("judge", "script"),
    // The actor serves real TCP too.
    ("actor", "transport::memory"),
    // A server under test sees a byte stream and commands, and never an exchange being judged.
    ("target", "judge"),
];

fn sources(directory: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("src is readable") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push(path);
        }
    }
}

/// Every `crate::module` of a file but those in its tests and comments.
fn imports(text: &str) -> Vec<String> {
    let code = text.split("\n#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.flat_map(|line| line.split("crate::").skip(1)).map(module_of).collect()
}

/// The module that a path, written with `::`, leads into.
fn module_of(path: &str) -> String {
    let name = |part: &str| {
        part.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or(part).to_owned()
    };
    let mut parts = path.split("::").map(name);
    let first = parts.next().unwrap_or_default();
    match parts.next() {
        Some(second) if FOLDERS.contains(&first.as_str()) => format!("{first}::{second}"),
        _ => first,
    }
}

fn uses() -> BTreeMap<(String, String), PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut uses = BTreeMap::new();
    for file in files {
        let inside = file.strip_prefix(&root).expect("below src").with_extension("");
        let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
        let module = module_of(&parts.join("::"));
        let is_root = ["lib", "main", "transport::mod", "run::mod"].contains(&module.as_str());
        if is_root {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("a source file");
        for import in imports(&text) {
            uses.entry((module.clone(), import)).or_insert_with(|| file.clone());
        }
    }
    uses
}

#[test]
fn every_import_points_down() {
    let layers: BTreeMap<&str, u8> = LAYERS.iter().copied().collect();
    for ((by, what), file) in uses() {
        let pair = (by.as_str(), what.as_str());
        let own = *layers.get(pair.0).unwrap_or_else(|| panic!("{by} has no layer"));
        let Some(other) = layers.get(pair.1) else {
            panic!("{}: crate::{what} is no module with a layer", file.display())
        };
        let fine = by == what || *other <= own;
        assert!(fine, "{}: {by} (layer {own}) uses {what} (layer {other})", file.display());
        assert!(!FORBIDDEN.contains(&pair), "{}: {by} must not use {what}", file.display());
    }
}

#[test]
fn every_module_has_a_layer_and_every_layer_a_module() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for (module, _) in LAYERS {
        let path = root.join(module.replace("::", "/"));
        let there = path.with_extension("rs").is_file() || path.join("mod.rs").is_file();
        assert!(there, "{module} is no module");
    }
}

#[test]
fn no_two_modules_of_a_layer_use_each_other() {
    let uses = uses();
    for (by, what) in uses.keys().filter(|(by, what)| by != what) {
        let back = uses.contains_key(&(what.clone(), by.clone()));
        assert!(!back, "{by} and {what} use each other");
    }
}

#[test]
fn only_the_command_line_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    // One of the nasty targets exits: that is what it is there for.
    let may = ["cli", "target/nasty.rs"].map(|path| root.join(path));
    for file in files.iter().filter(|file| !may.iter().any(|may| file.starts_with(may))) {
        let text = std::fs::read_to_string(file).expect("a source file");
        let code = text.split("\n#[cfg(test)]").next().unwrap_or_default();
        // What the macros of `fuzzing` do is done by the fuzz target that calls them.
        let of_macros = [
            "with_arguments(::std::env::args())",
            "begin(\"script\", ::std::env::args())",
            "begin(\"bytes\", ::std::env::args())",
            "::std::eprintln!(\"{why}\");",
            "::std::process::exit(1);",
        ];
        let code = of_macros.iter().fold(code.to_owned(), |code, part| code.replace(part, ""));
        for word in ["println!", "eprintln!", "process::exit", "env::args"] {
            assert!(!code.contains(word), "{} has {word}", file.display());
        }
    }
}

/// Who may ask an identity for a part of it beside its rule, and what for.
const ASKS_FOR_A_PART: &[(&str, &str)] = &[
    // The sentence says what the client did meanwhile.
    ("report/sentence.rs", "condition"),
    // The table has causes down and conditions across.
    ("report/table.rs", "cause"),
    ("report/table.rs", "condition"),
    // So has that of a page.
    ("report/html/problem.rs", "cause"),
    ("report/html/problem.rs", "condition"),
    // The program checks from the byte on which the cause is, by the bound of the cause.
    ("cli/export/python.rs", "cause"),
    // What the RFC says of a late end depends on what obliged to it, and on an answer.
    ("report/quotes.rs", "cause"),
    ("report/quotes.rs", "condition"),
    // Each cause has a bound, and an option that sets it.
    ("report/bound.rs", "cause"),
    // Only what is about time has a condition, and a bound.
    ("report/bound.rs", "condition"),
];

#[test]
fn only_its_own_file_takes_an_identity_apart() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let own = root.join("verdict/identity.rs");
    let text = std::fs::read_to_string(&own).expect("a source file");
    let code = text.split("\n#[cfg(test)]").next().unwrap_or_default();
    for body in code.split("\npub struct ").skip(1) {
        let fields = body.split("\n}").next().unwrap_or_default();
        let fields =
            if body.starts_with("Pattern(") { &body[.."Pattern(pub".len()] } else { fields };
        assert!(!fields.contains("pub"), "a public part: pub struct {fields}");
    }
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut asked = Vec::new();
    for file in files.iter().filter(|file| **file != own) {
        let inside = file.strip_prefix(&root).expect("below src").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(file).expect("a source file");
        let code = text.split("\n#[cfg(test)]").next().unwrap_or_default();
        for part in ["cause", "condition"] {
            let calls = [format!(".{part}()"), format!("Identity::{part}")];
            if calls.iter().any(|call| code.contains(call.as_str())) {
                asked.push((inside.clone(), part.to_owned()));
            }
        }
    }
    asked.sort();
    let mut may: Vec<_> = ASKS_FOR_A_PART
        .iter()
        .map(|(file, part)| ((*file).to_owned(), (*part).to_owned()))
        .collect();
    may.sort();
    assert_eq!(asked, may, "Identity has `words`, `slug`, `Display` and its two halves");
}

/// The files of `src/` below none of `may`, with their code outside of tests and comments.
fn code_outside(may: &[&str]) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let outside =
        files.into_iter().filter(|file| !may.iter().any(|may| file.starts_with(root.join(may))));
    let code = |file: PathBuf| {
        let text = std::fs::read_to_string(&file).expect("a source file");
        let code = text.split("\n#[cfg(test)]").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        let code = lines.collect::<Vec<_>>().join("\n");
        (file, code)
    };
    outside.map(code).collect()
}

#[test]
fn the_bytes_of_an_exchange_become_frames_in_one_place() {
    // Beside `view` decode only those who have no exchange yet: the actor that waits for a frame,
    // the look at a server before it is tested, what decides which bytes an exchange is to have,
    // servers under test, and the decoder's own fuzzing.
    let may = [
        "wire",
        "view",
        "actor.rs",
        "run/real_time/polite_client.rs",
        "run/real_time/keeper.rs",
        "target",
        "fuzzing",
    ];
    for (file, code) in code_outside(&may) {
        assert!(!code.contains("Decoder::new"), "{} decodes by itself", file.display());
    }
    for (file, code) in
        code_outside(&["wire", "view", "target", "actor.rs", "run/real_time/polite_client.rs"])
    {
        let heads = ["handshake::request_length(", "handshake::request("];
        assert!(
            heads.iter().all(|head| !code.contains(head)),
            "{} looks for openings",
            file.display()
        );
    }
}

#[test]
fn a_suspicion_becomes_a_violation_in_one_place() {
    for (file, code) in code_outside(&["judge/decide.rs", "verdict"]) {
        let makes = ["Violation { identity", "Dismissal { violation, reason: "];
        let made = makes.iter().find(|makes| code.contains(**makes));
        let is_back_from_a_worker = file.ends_with("run/workers/messages.rs");
        assert!(made.is_none() || is_back_from_a_worker, "{} decides by itself", file.display());
    }
    let plays = [
        "judge",
        "run/control_play.rs",
        "run/real_time/player.rs",
        "run/real_time/whole_server/player.rs",
    ];
    for (file, code) in code_outside(&plays) {
        assert!(!code.contains("Decision::on"), "{} decides by itself", file.display());
    }
}

#[test]
fn a_rule_acquits_nobody() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/judge/rules");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 18, "{}", files.len());
    // Excuses are attached by name; none is a condition of a return, and `excuses.rs` alone
    // says when one holds.
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a source file");
        for line in text.lines().filter(|line| line.contains("excuses::") && !line.contains("use "))
        {
            let attached = line.contains(".unless(excuses::");
            assert!(attached, "{}: {line}", file.display());
        }
        for line in text.lines().filter(|line| line.contains(".unless(")) {
            assert!(line.contains(".unless(excuses::"), "{}: {line}", file.display());
        }
    }
    for (file, code) in code_outside(&[
        "judge/excuses.rs",
        "judge/decide.rs",
        "verdict",
        "report",
        "run/control_play.rs",
    ]) {
        assert!(!code.contains("Excuse::"), "{} has an excuse of its own", file.display());
    }
}
