//! What is committed of "the state of closing" belongs together: each server of `peers/foreign` has its
//! lock entry, its file and its row on the page, the page is sound, and nothing names the machine that it
//! was made on.

use super::pages::assert_is_sound;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A server of `servers.toml`.
struct Foreign {
    name: String,
    language: String,
    packages: Vec<String>,
    from: String,
    lines: String,
}

/// The servers: each key stands in a line of its own.
fn servers() -> Vec<Foreign> {
    let text = read("peers/foreign/servers.toml");
    let tables = text.split("[[server]]").skip(1);
    let servers = tables.map(|table| {
        let value = |key: &str| {
            let begin = format!("{key} = ");
            let line = table.lines().find_map(|line| line.strip_prefix(&begin));
            line.unwrap_or_default().trim_matches('"').to_owned()
        };
        let packages = value("packages");
        let packages = packages.split('"').skip(1).step_by(2).map(str::to_owned).collect();
        let lines = format!("{} {}", value("build"), value("run"));
        Foreign {
            name: value("name"),
            language: value("language"),
            packages,
            from: value("from"),
            lines,
        }
    });
    servers.collect()
}

#[test]
fn each_server_has_its_file_and_each_of_its_packages_a_lock_entry() {
    let npm: serde_json::Value =
        serde_json::from_str(&read("peers/foreign/node/package-lock.json")).expect("JSON");
    let pypi = read("peers/foreign/python/requirements.txt");
    let debian = read("peers/foreign/debian.txt");
    let servers = servers();
    assert!(servers.len() >= 12, "{}", servers.len());
    for Foreign { name, packages, from, lines, .. } in &servers {
        assert!(!packages.is_empty(), "{name}");
        for package in packages {
            let is_locked = match from.as_str() {
                "npm" => {
                    npm["packages"][format!("node_modules/{package}")]["integrity"].is_string()
                }
                "pypi" => {
                    pypi.contains(&format!("\n{package}=="))
                        && pypi.split(&format!("\n{package}==")).nth(1).is_some_and(|behind| {
                            behind
                                .lines()
                                .nth(1)
                                .is_some_and(|line| line.contains("--hash=sha256:"))
                        })
                }
                "debian" => debian.lines().any(|line| {
                    line.split_once('=')
                        .is_some_and(|(one, version)| one == package && !version.is_empty())
                }),
                _ => false,
            };
            assert!(is_locked, "{name}: {package} has no lock entry");
        }
        let endings = [".js", ".py", ".go", ".c", ".cpp", ".rb", ".pl"];
        let modules = [("asgi:app", "python/asgi.py"), ("flask_app:app", "python/flask_app.py")];
        let named =
            lines.split_whitespace().filter(|word| endings.iter().any(|end| word.ends_with(end)));
        let named: Vec<&str> = modules
            .iter()
            .filter(|(module, _)| lines.contains(module))
            .map(|(_, file)| *file)
            .chain(named)
            .collect();
        assert!(!named.is_empty(), "{name}: {lines}");
        for file in named {
            assert!(root().join("peers/foreign").join(file).is_file(), "{name}: {file}");
        }
    }
}

#[test]
fn the_servers_that_the_tests_share_have_the_same_versions_there() {
    let requirements = read("tests/servers/requirements.txt");
    let [shared, package] = ["tests/servers", "peers/foreign/node"].map(|folder| {
        let text = read(&format!("{folder}/package.json"));
        let line = text.lines().find(|line| line.contains("\"ws\": "));
        line.expect("ws").trim().trim_end_matches(',').to_owned()
    });
    assert_eq!(shared, package);
    let pypi = read("peers/foreign/python/requirements.txt");
    for library in ["websockets", "aiohttp"] {
        let begin = format!("{library}==");
        let pin = requirements.lines().find(|line| line.starts_with(&begin)).expect(library);
        assert!(pypi.contains(&format!("\n{pin} \\")), "{pin}");
    }
}

#[test]
fn each_server_has_its_row_on_the_page_and_the_page_is_sound() {
    let (html, markdown) = (read("docs/state-of-closing.html"), read("docs/state-of-closing.md"));
    assert_is_sound(&html);
    for (text, file) in [(&html, "html"), (&markdown, "md")] {
        for part in ["/root", "/home/", "/tmp/", "/work", "/usr/", "target/state", "127.0.0.1:"] {
            assert!(!text.contains(part), "{part} in {file}");
        }
    }
    let versions = markdown.split("## Versions").nth(1).expect("a table of versions");
    for Foreign { name, language, packages, .. } in servers() {
        let row = format!(
            "| {} ({}) | {} ",
            name.split(" (").next().unwrap_or(&name),
            language,
            packages[0]
        );
        assert!(versions.contains(&row), "no row {row:?}");
        let cell = format!(">{} ({})</a>", name.split(" (").next().unwrap_or(&name), language);
        assert!(html.contains(&cell), "no row {cell:?}");
    }
    let tables = markdown.split("\n\n").filter(|part| part.starts_with("| server"));
    assert!(tables.clone().count() >= 3, "tables");
    for table in tables {
        let width = |row: &str| row.replace("\\|", "").matches('|').count();
        let head = table.lines().next().map(width);
        assert!(table.lines().all(|row| Some(width(row)) == head), "{table}");
    }
}
