//! Whole servers on actix-web, over real TCP: `HttpServer` makes its listener itself.

use std::process::{Command, Output};

const DOCS: &str = env!("CARGO_BIN_EXE_actix_docs");
const CLOSING_WELL: &str = env!("CARGO_BIN_EXE_actix-shutdown");

/// Two clients that say nothing, one that answers, one in the middle of its opening, and one that does not
/// read.
const CLIENTS: &str = "\
upgrade
app shutdown
2: upgrade
3: upgrade
3: await close
3: close 1001
4: first 20 bytes of upgrade
5: upgrade
5: stop reading
";

/// One round: the server, the clients, SIGTERM.
fn round(server: &str) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("clients.hangup"), CLIENTS).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hangup-peers"));
    command.current_dir(directory.path()).env("NO_COLOR", "1");
    command.args(["replay", "clients.hangup", "--stop", "TERM", "--shutdown-within", "6s"]);
    command.args(["--horizon", "8s", "--run", &format!("exec {server} {{port}}")]);
    let Output { status, stdout, stderr } = command.output().expect("it runs");
    let said = [stdout, stderr].concat();
    let said = String::from_utf8_lossy(&said).split_whitespace().collect::<Vec<_>>().join(" ");
    (status.code(), said)
}

#[test]
fn what_is_documented_waits_for_the_clients_and_sends_no_close() {
    let (code, said) = round(DOCS);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("shuts-down-in-time"), "{said}");
    assert!(said.contains("closes-all-at-shutdown"), "{said}");
}

#[test]
fn the_guides_server_closes_everyone_and_exits_in_time() {
    let (code, said) = round(CLOSING_WELL);
    assert_eq!(code, Some(0), "{said}");
}
