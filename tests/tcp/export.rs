//! The exported file reproduces with Python alone, and tells a fixed server.

use crate::server::{Desk, Server, bad};
use hangup::bounds::Bounds;
use hangup::finding::repro::Repro;
use hangup::target::Opening;
use hangup::verdict::{Cause, Identity, Invariant, Level, Symptom};
use hangup::wire::Role;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// A finding as hangup would save it, with a bound of one second.
fn repro(invariant: Invariant, cause: Cause, script: &str) -> String {
    about(rule_alone(invariant, cause), script)
}

/// What is found, without a symptom.
fn rule_alone(invariant: Invariant, cause: Cause) -> Identity {
    Identity::safety(invariant, Some(cause))
}

/// The same of something exact.
fn about(identity: Identity, script: &str) -> String {
    finding(Role::Server, identity, script).to_text()
}

fn finding(role: Role, identity: Identity, script: &str) -> Repro {
    let target = match role {
        Role::Server => "ws://127.0.0.1:1/",
        Role::Client => "client {url}",
    };
    Repro {
        hangup: "0.1.0".to_owned(),
        target: (target.to_owned(), "over TCP".to_owned()),
        role,
        opening: Opening::new(),
        bounds: Bounds::close_within(Duration::from_secs(1)),
        identity,
        level: Level::Should,
        ending: "open".to_owned(),
        at_seconds: Some(2.0),
        sentence: "It did not end.".to_owned(),
        script: script.parse().expect(script),
        runtime_seed: 0,
        digest: String::new(),
        confirmed: true,
        seen: None,
    }
}

/// The same of a client that has so long to close and to connect.
fn about_client(bound: Duration, identity: Identity, script: &str) -> String {
    let bounds = Bounds { handshake: Some(bound), ..Bounds::close_within(bound) };
    Repro { bounds, ..finding(Role::Client, identity, script) }.to_text()
}

fn run(desk: &Desk, server: &Server, path: &str) -> Output {
    let (host, port) = server.address.rsplit_once(':').expect("an address");
    let file = desk.path("finding.py");
    let mut command = Command::new("python3");
    // Without site packages: the standard library alone.
    command.arg("-I").arg("-S").arg(file).args([host, port, path]);
    command.output().expect("it starts")
}

#[test]
#[ignore = "real time: .ci/run plays it"]
fn the_exported_file_exits_with_1_on_the_bad_server_and_with_0_on_the_fixed_one() {
    use Cause::{ClientClose, ClientFin, ClientViolation, OwnClose};
    use Invariant::{AnswersClose, EndsInTime};
    for (fault, path, rule, cause, script) in [
        ("waits", "/bye", EndsInTime, OwnClose, "upgrade\napp close\n"),
        ("waits", "/bye", EndsInTime, OwnClose, "upgrade\napp close\nstop reading\n"),
        ("waits", "/bye", EndsInTime, OwnClose, "upgrade\napp close\ncut\n"),
        ("drip", "/bye", EndsInTime, OwnClose, "upgrade\napp close\nping x 3 every 600ms\n"),
        ("keeps-tcp", "/", EndsInTime, ClientClose, "upgrade\nclose 1000\n"),
        ("keeps-tcp", "/", EndsInTime, ClientViolation, "upgrade\nunmasked text \"x\"\n"),
        (
            "silent",
            "/",
            EndsInTime,
            ClientClose,
            "upgrade\ntext 70000B\nclose 1000 in pieces of 3 bytes\n",
        ),
        ("cuts", "/", AnswersClose, ClientClose, "upgrade\nclose\n"),
    ] {
        let (broken, fixed) = (bad(fault, "1"), bad("control", "0.4"));
        let desk = Desk::new();
        desk.write("finding.toml", &repro(rule, cause, script));
        let exported = desk.hangup("export finding.toml --as python");
        assert_eq!(exported.code, Some(0), "{exported:?}");
        desk.write("finding.py", &exported.out);
        let codes = [run(&desk, &broken, path), run(&desk, &fixed, path)];
        let text = format!("{fault}:\n{script}{codes:#?}");
        assert_eq!(codes.map(|output| output.status.code()), [Some(1), Some(0)], "{text}");
    }
    // The client's FIN is told from a reset by nothing but its time.
    let fixed = bad("control", "0.4");
    let desk = Desk::new();
    desk.write("finding.toml", &repro(EndsInTime, ClientFin, "upgrade\nfin\n"));
    desk.write("finding.py", &desk.hangup("export finding.toml").out);
    assert_eq!(run(&desk, &fixed, "/").status.code(), Some(0));
}

/// The rules that judge what is said, on servers that break them and on one that keeps all.
#[test]
#[ignore = "real time: .ci/run plays it"]
fn what_a_client_can_see_alone_is_exported_and_told_from_the_reference() {
    use Cause::{AppClose, ClientClose, ClientViolation};
    use Invariant::{AcceptsLegal, LegalClose, RefusesIllegal, SendsClose, WaitsForAnswer};
    use Symptom::{
        EndsWithClose, RefusesBareCode, RefusesSilently, ServesBadText, ServesOneByteClose,
        ServesUnmasked,
    };
    let fixed = Server::hangup("reference");
    for (target, rule, cause, symptom, script) in [
        ("refuses-bare-code", AcceptsLegal, ClientClose, RefusesBareCode, "upgrade\nclose 1000\n"),
        (
            "takes-one-byte-for-none",
            RefusesIllegal,
            ClientClose,
            ServesOneByteClose,
            "upgrade\nclose 1B\n",
        ),
        (
            "takes-unmasked",
            RefusesIllegal,
            ClientViolation,
            ServesUnmasked,
            "upgrade\nunmasked ping\n",
        ),
        (
            "takes-any-text",
            RefusesIllegal,
            ClientViolation,
            ServesBadText,
            "upgrade\ntext hex ff\n",
        ),
        (
            "drops-on-violation",
            RefusesIllegal,
            ClientViolation,
            RefusesSilently,
            "upgrade\nunmasked ping\n",
        ),
        ("drops-behind-own-close", WaitsForAnswer, AppClose, EndsWithClose, "upgrade\napp close\n"),
        ("drops-at-close", SendsClose, AppClose, Symptom::DropsAtClose, "upgrade\napp close\n"),
        ("sends-part-of-close", SendsClose, AppClose, Symptom::PartOfClose, "upgrade\napp close\n"),
        (
            "closes-in-fragments",
            LegalClose,
            AppClose,
            Symptom::FragmentedClose,
            "upgrade\napp close\n",
        ),
    ] {
        let broken = Server::hangup(&format!("reference/{target}"));
        let desk = Desk::new();
        let identity = rule_alone(rule, cause).with_symptom(symptom);
        // As hangup saves it: then the path has the application do what the script says.
        let text = about(identity, script).replace("ws://127.0.0.1:1/", "mine");
        desk.write("finding.toml", &text);
        let exported = desk.hangup("export finding.toml");
        assert_eq!(exported.code, Some(0), "{exported:?}");
        desk.write("finding.py", &exported.out);
        let outputs = [&broken, &fixed].map(|server| python(&desk, &[server.url("")]));
        let codes = outputs.each_ref().map(|output| output.status.code());
        assert_eq!(codes, [Some(1), Some(0)], "{target} {rule}\n{script}{outputs:#?}");
    }
}

/// Runs the exported file with these arguments.
fn python(desk: &Desk, arguments: &[impl AsRef<std::ffi::OsStr>]) -> Output {
    let mut command = Command::new("python3");
    command.arg("-I").arg("-S").arg(desk.path("finding.py")).args(arguments);
    command.output().expect("it starts")
}

/// Answers every request with a 404, as long as the test runs.
fn answers_404() -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        }
    });
    address
}

/// Starts the exported server, and the client with its URL; the exit code of the server, and what it
/// printed behind that.
fn play_to(file: &Path, client: &str) -> (Option<i32>, String) {
    let mut command = Command::new("python3");
    command.arg("-I").arg("-S").arg(file);
    let server = Server::start(command);
    let url = server.url("");
    let mut client = sh(client, &url);
    let ended = server.wait();
    let _ = client.kill();
    let _ = client.wait();
    ended
}

fn sh(line: &str, url: &str) -> Child {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("exec {}", line.replace("{url}", url)));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("it starts")
}

/// About a client the file is a server, which plays the script to whoever connects.
#[test]
#[ignore = "real time: .ci/run plays it"]
fn a_clients_finding_is_exported_as_a_server_that_tells_the_bug_from_its_fix() {
    use Cause::{ClientClose, ClientViolation, Handshake, OwnClose};
    use Invariant::{
        AnswersClose, ConnectsInTime, EchoesCode, EndsInTime, FreshMaskingKey, LetsServerCloseTcp,
        RefusesBadOpening, RefusesIllegal, SendsClose, SendsValidFrames,
    };
    let own = env!("CARGO_BIN_EXE_hangup");
    let root = env!("CARGO_MANIFEST_DIR");
    let closing =
        |how: &str| format!("python3 {root}/tests/servers/closing_client.py {how} {{url}}");
    let target = |fault: &str, option: &str| {
        format!("{own} connect reference-client{fault} {{url}}{option}")
    };
    // The deadlines of the reference client are five seconds.
    let bound = Duration::from_millis(5500);
    let mut cases = vec![(
        (closing("for-ever"), closing("deadline")),
        rule_alone(EndsInTime, OwnClose),
        "accept\napp close\n",
    )];
    let rules = [
        ("close-waits-for-ever", " --closes", EndsInTime, OwnClose, None, "accept\napp close\n"),
        (
            "frame-rearms-close",
            " --closes",
            EndsInTime,
            OwnClose,
            None,
            "accept\napp close\nping x 6 every 1s\n",
        ),
        (
            "waits-for-fin-for-ever",
            "",
            EndsInTime,
            ClientClose,
            None,
            "accept\nstop reading\nclose 1000\n",
        ),
        ("never-answers", "", AnswersClose, ClientClose, None, "accept\nclose 1000\n"),
        ("answers-normal", "", EchoesCode, ClientClose, None, "accept\nclose 3000\n"),
        (
            "takes-masked",
            "",
            RefusesIllegal,
            ClientViolation,
            Some(Symptom::ServesMasked),
            "accept\nmasked ping\n",
        ),
        ("connects-for-ever", "", ConnectsInTime, Handshake, None, "first 30 bytes of accept\n"),
        ("takes-any-answer", "", ConnectsInTime, Handshake, None, "accept wrong key\n"),
        (
            "takes-any-answer",
            " --closes",
            RefusesBadOpening,
            Handshake,
            Some(Symptom::TakesUnaskedProtocol),
            "accept unasked protocol\n",
        ),
        ("no-mask", "", SendsValidFrames, ClientClose, None, "accept\nclose 1000\n"),
        ("same-mask", "", FreshMaskingKey, ClientClose, None, "accept\nping x 2\nclose 1000\n"),
        ("drops-at-close", " --closes", SendsClose, Cause::AppClose, None, "accept\napp close\n"),
        (
            "ends-tcp-first",
            "",
            LetsServerCloseTcp,
            ClientClose,
            Some(Symptom::EndsTcpFirst),
            "accept\nclose 1000\n",
        ),
        (
            "drops-behind-close",
            " --closes",
            LetsServerCloseTcp,
            Cause::AppClose,
            Some(Symptom::EndsWithClose),
            "accept\napp close\n",
        ),
    ];
    for (fault, option, rule, cause, symptom, script) in rules {
        let identity = rule_alone(rule, cause);
        let identity = symptom.map_or(identity, |symptom| identity.with_symptom(symptom));
        let clients = (target(&format!("/{fault}"), option), target("", option));
        cases.push((clients, identity, script));
    }
    // They wait for time to pass, all at once.
    let playing: Vec<_> = cases
        .into_iter()
        .map(|((broken, fixed), identity, script)| {
            std::thread::spawn(move || {
                let desk = Desk::new();
                desk.write("finding.toml", &about_client(bound, identity, script));
                let exported = desk.hangup("export finding.toml");
                assert_eq!(exported.code, Some(0), "{exported:?}");
                desk.write("finding.py", &exported.out);
                let ended =
                    [broken.as_str(), &fixed].map(|line| play_to(&desk.path("finding.py"), line));
                let codes = ended.each_ref().map(|(code, _)| *code);
                assert_eq!(codes, [Some(1), Some(0)], "{broken}\n{script}{ended:#?}");
            })
        })
        .collect();
    let failed: Vec<_> = playing.into_iter().filter_map(|play| play.join().err()).collect();
    assert!(failed.is_empty(), "{} of them", failed.len());
}

/// Whoever uses it otherwise than it is meant must not be told that all is well, or that it is not.
#[test]
fn every_misuse_exits_with_2_and_says_why() {
    let desk = Desk::new();
    let script = "upgrade\napp close\nawait close\n";
    desk.write("finding.toml", &repro(Invariant::EndsInTime, Cause::OwnClose, script));
    desk.write("finding.py", &desk.hangup("export finding.toml").out);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = closed.local_addr().expect("an address").port().to_string();
    drop(closed);
    let server = Server::hangup("reference");
    let quiet = server.url("/");
    let missing = format!("ws://{}/", answers_404());
    for (arguments, said) in [
        (&[][..], "usage: python3 "),
        (&["127.0.0.1"], "PORT is missing"),
        (&["127.0.0.1", "http"], "PORT is no number: http"),
        (&["127.0.0.1", "70000"], "there is no port 70000"),
        (&["127.0.0.1", &port], "no connection to 127.0.0.1"),
        (&["127.0.0.1", &port, "bye"], "PATH begins with /"),
        (&["127.0.0.1", &port, "/", "/"], "usage: "),
        (&["wss://127.0.0.1/"], "TLS is not spoken here"),
        (&["ws://127.0.0.1:http/"], "usage: "),
        (&[missing.as_str()], "the server answered: HTTP/1.1 404 Not Found; is PATH right?"),
        (&[quiet.as_str()], "nothing obliged the server to end the connection"),
    ] {
        let output = python(&desk, arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(error.contains(said) && error.lines().count() == 1, "{arguments:?}: {error}");
        assert!(output.stdout.is_empty(), "{output:?}");
    }
}

#[test]
fn the_exported_file_sends_the_opening_request_that_the_server_demands() {
    let desk = Desk::new();
    let opening = "\n[opening]\npath = \"/ws?room=1\"\nheaders = [\"X-Key: a\\\\b'c\"]\n\
                   subprotocols = [\"chat\"]\n\n[bounds]\n";
    let repro = repro(Invariant::EndsInTime, Cause::OwnClose, "upgrade\n");
    desk.write("finding.toml", &repro.replace("\n[bounds]\n", opening));
    let exported = desk.hangup("export finding.toml --as python").out;
    desk.write("finding.py", &exported);
    let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = server.local_addr().expect("an address").port().to_string();
    let mut python = Command::new("python3");
    python.arg(desk.path("finding.py")).args(["127.0.0.1", &port]).stdout(Stdio::null());
    let mut playing = python.stderr(Stdio::null()).spawn().expect("python3 is here");
    let (mut socket, _) = server.accept().expect("it connects");
    let mut head = [0; 4096];
    let count = socket.read(&mut head).expect("a request");
    playing.kill().expect("it plays");
    let _ = playing.wait();
    let head = String::from_utf8_lossy(&head[..count]).into_owned();
    assert!(head.starts_with("GET /ws?room=1 HTTP/1.1\r\n"), "{head}");
    let end = "\r\nSec-WebSocket-Protocol: chat\r\nX-Key: a\\b'c\r\n\r\n";
    assert!(head.ends_with(end), "{head}");
}

#[test]
fn a_finding_that_a_client_cannot_see_is_not_exported() {
    let desk = Desk::new();
    let script = "upgrade\nclose\n";
    desk.write("finding.toml", &repro(Invariant::ReleasesInTime, Cause::ClientClose, script));
    let run = desk.hangup("export finding.toml --as python");
    assert_eq!((run.code, run.out.as_str(), run.err.lines().count()), (Some(2), "", 1), "{run:?}");
    assert!(
        run.err.contains("a client alone does not see whether the server breaks releases-in-time"),
        "{run:?}"
    );
    assert!(run.err.contains("hangup replay finding.toml"), "{run:?}");
    assert!(run.err.contains("plays it again"), "{run:?}");
}
