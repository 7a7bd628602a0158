//! Files about clients: they say so, play in process, and are refused where a command has only servers.

use crate::cli::{BUGGY, CLEAN, Desk, REPRO};

/// A client that does not answer a Close, and the file of its problem.
const CLIENT: &str = "reference-client/never-answers";
const CLIENTS_REPRO: &str = "hangup-findings/reference-client-never-answers--answers-close--does-not-answer-an-empty-close.toml";

/// A desk with the saved problem of a client.
fn with_a_clients_repro() -> Desk {
    let desk = Desk::new();
    let run = desk.hangup(&format!("test {CLIENT} --scripts 200 --seed 1"));
    assert_eq!(run.code, 1, "{run:?}");
    desk
}

#[test]
fn a_clients_file_says_its_role_and_is_played_and_drawn_in_process() {
    let desk = with_a_clients_repro();
    let text = desk.read(CLIENTS_REPRO);
    assert!(text.contains("\nrole = \"client\"\n"), "{text}");
    assert!(text.starts_with("# A WebSocket client that breaks a rule of closing, "), "{text}");
    assert!(!text.contains("--url") && text.contains("cause = \"the server's Close\""), "{text}");
    let run = desk.hangup(&format!("replay {CLIENTS_REPRO}"));
    assert!(run.code == 1 && run.out.starts_with(&format!("reproduced on {CLIENT}\n")), "{run:?}");
    let run = desk.hangup(&format!("replay {CLIENTS_REPRO} --target reference-client"));
    assert!(run.code == 0 && run.out.starts_with("not shown by reference-client\n"), "{run:?}");
    assert_eq!(desk.hangup(&format!("show {CLIENTS_REPRO}")).code, 0);
    let issue = desk.hangup(&format!("export {CLIENTS_REPRO} --as issue"));
    assert!(
        issue.code == 0 && issue.out.contains("\n## The script\n\nThe server does this"),
        "{issue:?}"
    );
    assert!(
        issue.out.contains(".py 9001` waits for a client at `ws://127.0.0.1:9001/`"),
        "{issue:?}"
    );
    let program = desk.hangup(&format!("export {CLIENTS_REPRO}")).out;
    assert!(
        issue.out.contains(&program) && program.contains("    python3 FILE [PORT]\n"),
        "{program}"
    );
    assert!(!desk.hangup("test reference-client --scripts 50 --seed 1").out.contains("role = "));
}

#[test]
fn what_only_servers_can_do_is_refused_for_a_clients_file_with_what_to_do() {
    let desk = with_a_clients_repro();
    desk.write("accepts", "accept\nclose 1000\n");
    desk.write("upgrades", "upgrade\nclose 1000\n");
    assert_eq!(desk.hangup("test reference-client/never-tells --scripts 200 --seed 1").code, 1);
    let files = desk.files("hangup-findings");
    let of_application = files.keys().find(|name| name.contains("never-tells")).expect("saved");
    for (command, said) in [
        (format!("replay {CLIENTS_REPRO} --url ws://127.0.0.1:1/"), "add --run 'COMMAND'"),
        (format!("shrink {CLIENTS_REPRO} --url ws://127.0.0.1:1/"), "add --run 'COMMAND'"),
        (format!("show {CLIENTS_REPRO} --url ws://127.0.0.1:1/"), "add --run 'COMMAND'"),
        ("replay accepts --url ws://127.0.0.1:1/".to_owned(), "add --run 'COMMAND'"),
        (format!("export hangup-findings/{of_application}"), "plays it again"),
        (format!("replay {CLIENTS_REPRO} --target {CLEAN}"), "choose a client with --target"),
        (format!("replay accepts --target {CLEAN}"), "choose a client with --target"),
        ("serve reference-client".to_owned(), "hangup test reference-client"),
        ("replay upgrades --tls --run true".to_owned(), "--tls is for a client that --run starts"),
        ("replay accepts --run {ca}".to_owned(), "{ca} is the certificate of --tls"),
        ("listen --run {ca}".to_owned(), "{ca} is the certificate of --tls"),
    ] {
        let run = desk.hangup(&command);
        assert!(run.refusal().contains(said), "{command}: {run:?}");
    }
}

#[test]
fn a_file_whose_script_and_role_disagree_is_refused() {
    let desk = with_a_clients_repro();
    let text = desk.read(CLIENTS_REPRO);
    desk.write("roleless.toml", text.replace("role = \"client\"\n", ""));
    desk.write("other.toml", text.replace("role = \"client\"", "role = \"server\""));
    for file in ["roleless.toml", "other.toml"] {
        let run = desk.hangup(&format!("replay {file}"));
        let said = "its role is server, and its script is not: `accept` is a step against a client; a \
                    file about a client has the line role = \"client\"";
        assert_eq!(run.refusal().trim_end(), format!("{file}: {said}"), "{run:?}");
    }
    desk.write("unknown.toml", text.replace("role = \"client\"", "role = \"proxy\""));
    let run = desk.hangup("replay unknown.toml");
    assert!(run.refusal().contains("`proxy`"), "{run:?}");
}

#[test]
fn a_servers_file_has_no_role_and_may_say_it() {
    let desk = Desk::with_repro();
    let text = desk.read(REPRO);
    assert!(!text.contains("role = "), "{text}");
    for (role, said) in [("server", None), ("client", Some("`upgrade` is a step against a server"))]
    {
        let digest = format!("role = \"{role}\"\ndigest = ");
        desk.write("said.toml", text.replacen("digest = ", &digest, 1));
        let run = desk.hangup("replay said.toml");
        match said {
            None => assert!(run.out.starts_with(&format!("reproduced on {BUGGY}\n")), "{run:?}"),
            Some(said) => assert!(run.refusal().contains(said), "{run:?}"),
        }
    }
}
