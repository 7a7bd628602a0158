//! `hangup listen --tls`: clients over `wss://`, with hangup's own certificate.

use crate::listen::{pause, problems, run};
use crate::server::{Desk, Run};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The line that starts `tests/servers/closing_client.py`: it trusts the file that hangup names in its
/// environment.
fn client(how: &str) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    format!("python3 {root}/tests/servers/closing_client.py {how} {{url}}")
}

/// The same of one whose environment names no file.
fn told_nothing(how: &str) -> String {
    format!("env -u SSL_CERT_FILE {}", client(how))
}

/// A desk, and `hangup ARGUMENTS` with its temporary files there.
fn command(desk: &Desk, arguments: &str) -> Command {
    let _ = std::fs::create_dir(desk.path("tmp"));
    let mut command = desk.command(arguments);
    command.env("TMPDIR", desk.path("tmp"));
    command
}

/// hangup's certificates in the desk's temporary files.
fn certificates(desk: &Desk) -> Vec<PathBuf> {
    let files = std::fs::read_dir(desk.path("tmp")).expect("a directory");
    let files = files.map(|file| file.expect("an entry").path());
    files.filter(|file| file.to_string_lossy().contains("hangup-ca-")).collect()
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_client_whose_close_waits_for_ever_is_found_through_tls_and_its_fix_is_clean() {
    let desk = Desk::new();
    let campaign = "listen --tls --seed 1 --scripts 24 --close-within 1s --watch 0s";
    let listen = |line: &str, format: &str| {
        let campaign = format!("{campaign} --format {format}");
        Run::of(command(&desk, &campaign).args(["--closes", line]).output().expect("it starts"))
    };
    let found = listen(&client("for-ever"), "json");
    assert_eq!(found.code, Some(1), "{found:?}");
    let json = found.json();
    let problems = problems(&json);
    let hang = problems.iter().find(|(rule, ..)| *rule == "ends-in-time").expect("a hang");
    assert_eq!(hang.2, "accept\napp close\n");
    // By `{ca}`, as a fix has to be told of the certificate.
    let fixed = listen(&format!("{} {{ca}}", told_nothing("deadline")), "human");
    assert_eq!(fixed.code, Some(0), "{fixed:?}");
    assert_eq!(certificates(&desk), [""; 0].map(PathBuf::from));
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn the_command_that_is_printed_for_a_finding_speaks_tls_again() {
    let desk = Desk::new();
    let campaign = "listen --tls --seed 1 --scripts 4 --close-within 1s --watch 0s";
    let found = run(&desk, campaign, "--closes", &client("for-ever"));
    let line = found.out.lines().find(|line| line.contains(" replay ")).expect("it is printed");
    let pasted = &line[line.find(env!("CARGO_BIN_EXE_hangup")).expect("it begins")..];
    assert!(pasted.ends_with(" --tls"), "{pasted}");
    let paste = |line: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).current_dir(desk.path("")).stdin(Stdio::null());
        Run::of(shell.output().expect("it starts"))
    };
    let again = paste(pasted);
    assert!(again.code == Some(1) && again.out.starts_with("reproduced on"), "{again:?}");
    let fixed = paste(&pasted.replace(".py for-ever", ".py deadline"));
    assert!(fixed.code == Some(0) && fixed.out.starts_with("not shown by"), "{fixed:?}");
    let shrunk = paste(&pasted.replace(" replay ", " shrink "));
    assert!(shrunk.code == Some(1) && shrunk.out.ends_with("accept\napp close\n"), "{shrunk:?}");
    let shown = paste(&pasted.replace(" replay ", " show "));
    assert!(shown.code == Some(0) && shown.out.contains("ends-in-time"), "{shown:?}");
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_tls_handshake_that_fails_is_an_error_of_one_line_that_says_what_to_do() {
    let desk = Desk::new();
    let to_trust = "have it trust the certificate in the file {ca}, which SSL_CERT_FILE";
    // Who looks at a certificate only behind the handshake, as Node does, ends the connection there.
    let looks_late = "ends the connection after the TLS handshake and sends nothing";
    for (line, named, what_to_do) in [
        (
            told_nothing("deadline"),
            "does not trust hangup's certificate (TLS alert UnknownCA)",
            to_trust,
        ),
        (client("leaves"), looks_late, to_trust),
        (
            format!("url={{url}}; {}s${{url#wss}}", client("deadline").replace("{url}", "w")),
            "does not speak TLS",
            "",
        ),
        ("sleep 9".to_owned(), "no client connects within 1 s", ""),
    ] {
        let within = if line.contains("sleep") { "1s" } else { "30s" };
        let listen = format!("listen --tls --close-within 1s --start-within {within}");
        let mut listen = command(&desk, &listen);
        let refused = Run::of(listen.args(["--closes", &line]).output().expect("it starts"));
        assert_eq!(refused.code, Some(2), "{line}: {refused:?}");
        let errors = refused.err.lines().filter(|line| line.starts_with("error:"));
        let errors: Vec<&str> = errors.collect();
        let is_told = errors.len() == 1 && errors[0].contains(named);
        assert!(is_told && errors[0].contains(what_to_do), "{line}: {refused:?}");
        assert!(certificates(&desk).is_empty(), "{line}");
    }
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn an_interrupted_campaign_leaves_no_certificate_behind() {
    for signals in [1, 2] {
        let desk = Desk::new();
        let mut campaign = command(&desk, "listen --tls --seed 1 --close-within 1s");
        campaign
            .args(["--closes", &client("for-ever")])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut campaign = campaign.spawn().expect("it starts");
        let id = campaign.id().to_string();
        for _ in 0..400 {
            if !certificates(&desk).is_empty() {
                break;
            }
            pause();
        }
        assert_eq!(certificates(&desk).len(), 1, "one for all its programs");
        for _ in 0..signals {
            let _ = Command::new("kill").args(["-TERM", &id]).status().expect("kill");
            (0..12).for_each(|_| pause());
        }
        campaign.wait().expect("it ends");
        assert!(certificates(&desk).is_empty(), "{signals}");
    }
}
