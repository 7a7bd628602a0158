//! `hangup export`, in the forms for people: an issue to paste, a capture. The program in Python is played
//! in `tests/tcp/export.rs`.

use crate::cli::{Desk, REPRO};

#[test]
fn an_issue_says_what_happens_what_the_rfc_asks_and_how_to_repeat_it() {
    let desk = Desk::with_repro();
    let run = desk.sh(&format!("hangup export {REPRO} --as issue"));
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:?}");
    let (before, after) = run.out.split_once("```python\n").expect("the program is in it");
    let (program, after) = after.split_once("\n```\n").expect("and ends");
    assert_eq!(format!("{program}\n"), desk.hangup(&format!("export {REPRO}")).out);
    insta::assert_snapshot!(format!("{before}(the program)\n{after}"));
    for line in after.split("```").nth(1).expect("commands").lines().skip(1) {
        let pasted = desk.sh(&format!("cd hangup-findings && {line}"));
        assert!(pasted.code < 2, "{line}: {pasted:?}");
    }
}

#[test]
fn an_issue_names_no_folder_of_this_machine() {
    let desk = Desk::with_repro();
    let run = desk.sh(&format!("$(command -v hangup) export \"$PWD/{REPRO}\" --as issue"));
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:?}");
    let folder = desk.sh("pwd").out;
    assert!(!run.out.contains(folder.trim()), "{run:?}");
    assert!(run.out.contains("\nhangup replay tungstenite-no-deadline--"), "{run:?}");
}

/// The program has one client.
#[test]
fn a_finding_of_several_connections_is_not_exported_as_a_program() {
    let desk = Desk::with_repro();
    desk.edit("app close\n", "app close\n2: upgrade\n");
    let run = desk.hangup("export edited.toml --as python");
    assert!(
        run.refusal().contains("its script has several connections, and the program plays one")
    );
    let issue = desk.hangup("export edited.toml --as issue").out;
    assert!(
        issue.contains("2: upgrade\n") && issue.contains("Not by a client alone: its script has")
    );
}

#[test]
fn an_issue_names_the_library_and_shows_its_server_but_no_port() {
    let desk = Desk::with_repro();
    desk.edit("name = \"tungstenite/no-deadline\"", "name = \"ws://127.0.0.1:4321/bye\"");
    desk.write("server.js", "listen(); // ```\n");
    let run =
        desk.sh("hangup export edited.toml --as issue --seen-on 'ws 8 | Node' --server server.js");
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:?}");
    let (text, after) = run.out.split_once("```python").expect("the program is in it");
    assert!(text.contains("Seen on ws 8 \\| Node, over TCP, at `/bye`.\n"), "{text}");
    assert!(
        text.contains(
            "<summary>The server: server.js</summary>\n\n````js\nlisten(); // ```\n````\n"
        ),
        "{text}"
    );
    assert!(text.contains("edited.py ws://HOST:PORT/bye` exits with 1"), "{text}");
    assert!(after.contains(" replay edited.toml --url ws://HOST:PORT/bye\n"), "{after}");
    let outside = text.split("```").step_by(2).chain(after.split("```").skip(1));
    assert!(outside.into_iter().all(|part| !part.contains("4321")), "{text}");
    assert!(after.contains("\nSeen on: ws 8 | Node\n") && !after.contains("4321"), "{after}");
    let gone = desk.hangup("export edited.toml --as issue --server absent.js");
    assert!(gone.refusal().starts_with("absent.js: "), "{gone:?}");
}

/// As one that a suite of a user's saved: the name is that of a test.
#[test]
fn an_issue_about_a_server_that_hangup_does_not_know_says_how_to_play_to_it() {
    let desk = Desk::with_repro();
    desk.edit("name = \"tungstenite/no-deadline\"", "name = \"ws::closes_in_time\"");
    let issue = desk.hangup("export edited.toml --as issue").out;
    assert!(issue.contains("the first command plays the script to a server that runs;"), "{issue}");
    assert!(issue.contains(" replay edited.toml --url ws://HOST:PORT/\n"), "{issue}");
}

#[test]
fn an_issue_says_what_app_keep_is() {
    let desk = Desk::with_repro();
    desk.edit("app close\n", "app close\napp keep\n");
    let issue = desk.hangup("export edited.toml --as issue").out;
    assert!(issue.contains("- `app keep`: the server's application keeps a handle"), "{issue}");
}

#[test]
fn what_a_stranger_wrote_stays_in_its_place_in_an_issue() {
    let desk = Desk::with_repro();
    desk.edit("sentence = \"", "sentence = \"@everyone <img src=x> ");
    let run = desk.hangup("export edited.toml --as issue");
    let (text, _) = run.out.split_once("```python").expect("the program is in it");
    assert!(text.contains("\\@everyone &lt;img src=x&gt;") && !text.contains("<img"), "{text}");
}

#[test]
fn a_capture_goes_where_it_is_redirected_and_knows_its_script() {
    let desk = Desk::with_repro();
    let run = desk.sh(&format!("hangup export {REPRO} --as pcapng > play.pcapng"));
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:?}");
    let capture = std::fs::read(desk.path("play.pcapng")).expect("written");
    let has = |text: &str| capture.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(capture.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]), "a section of pcapng");
    assert!(has("HTTP/1.1 101") && has("app close\n"));
    desk.edit("name = \"tungstenite/no-deadline\"", "name = \"ws://127.0.0.1:9/\"");
    let remote = desk.hangup("export edited.toml --as pcapng");
    assert!(remote.refusal().contains("tcpdump"), "{remote:?}");
}
