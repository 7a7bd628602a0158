//! A finding as one file of Python.
//!
//! The file has the script's bytes and pauses, and the one question that the finding is about, as far
//! as the other end can answer it. About a server it is a client, about a client a server that plays
//! the script to whoever connects. Both are made of one text, `program.py`, which is written as of a
//! server, and of what differs, `to_server.py` and `to_client.py`.

use crate::cli::Trouble;
use crate::finding::repro::Repro;
use crate::report;
use crate::run::real_time::listen;
use crate::script::{
    Act, Command, Encoding, Millis, Pace, Piece, Preamble, Script, Send, Size, Step, Unit,
};
use crate::verdict::{Cause, Invariant, Symptom, name_ends};
use crate::view::{Frame, Stream, known_at};
use crate::wire::{Opcode, Opening, Role};
use std::fmt::Write as _;

/// What plays and judges: plain Python, written as of a server, with places for what is of one finding.
const TEMPLATE: &str = include_str!("program.py");
/// How a connection is had, and what opens it.
const TO_SERVER: &str = include_str!("to_server.py");
const TO_CLIENT: &str = include_str!("to_client.py");
/// How it is called.
const USAGE_OF_SERVERS: &str =
    "    python3 FILE HOST PORT [PATH]\n    python3 FILE ws://HOST:PORT/PATH\n";
const USAGE_OF_CLIENTS: &str = "    python3 FILE [PORT]\n\n\
    It prints the URL on which it listens, and waits for a client for a minute.\n";
/// Where the slack of real time is concerned, what `hangup probe` gives by default.
const SLACK: f64 = 0.25;

/// The whole file.
///
/// # Errors
///
/// Why there is none.
pub(super) fn python(repro: &Repro) -> Result<String, Trouble> {
    if repro.script.connections() > 1 {
        return Err("its script has several connections, and the program plays one".to_owned());
    }
    // The program knows no preamble: it plays one script.
    let preamble = Preamble::of(&repro.opening).and_then(|own| own.in_script(&repro.script));
    let script = preamble.map_or_else(|| repro.script.clone(), |with| with.script);
    let repro = &Repro { script, ..repro.clone() };
    let role = repro.role;
    let question = question(repro)?;
    let cause = repro.identity.cause().map_or("", Cause::id);
    let cause = name_ends(cause, Some(role));
    let stream = Milestones::of(&repro.script, role.other());
    let offset = match repro.identity.cause() {
        Some(Cause::ClientClose) => stream.close,
        Some(Cause::ClientViolation) => stream.fault,
        _ if repro.identity.invariant() == Invariant::LetsServerCloseTcp => stream.close,
        _ => None,
    };
    let bound = match repro.identity.cause() {
        Some(Cause::Handshake) => repro.bounds.handshake,
        Some(Cause::Idle) => repro.bounds.idle,
        Some(Cause::Shutdown) => Some(repro.bounds.shutdown()),
        _ => None,
    };
    let bound = bound.unwrap_or(repro.bounds.close).as_secs_f64();
    let opened = Some(&repro.opening).filter(|opening| !opening.is_usual());
    let path = opened.map_or_else(|| path(repro), |opening| opening.path().to_owned());
    let fitting = fitting(repro.identity.symptom());
    let symptom = repro.identity.symptom().map_or("", |symptom| symptom.id());
    let truth = |holds: bool| if holds { "True" } else { "False" };
    let offset = offset.map_or_else(|| "None".to_owned(), |offset| offset.to_string());
    let sentence = report::wrap_to(&plain(&repro.sentence), 86);
    let headline = format!(
        "{}: {}",
        repro.identity.invariant(),
        repro.identity.invariant().rule().says(Some(repro.role))
    );
    let headline = report::wrap_to(&headline, 86);
    let (reach, usage) = match role {
        Role::Server => (TO_SERVER, USAGE_OF_SERVERS),
        Role::Client => (TO_CLIENT, USAGE_OF_CLIENTS),
    };
    let facts = [
        ("@REACH@", reach),
        ("@USAGE@", usage),
        ("@HEADLINE@", headline.as_str()),
        ("@SENTENCE@", &sentence),
        ("@NEEDS@", &report::wrap_to(&needs(repro, &path), 86)),
        ("@TARGET@", &report::wrap_to(&plain(&repro.target.0), 86)),
        ("@SCRIPT@", &indented(&plain(&repro.script.to_string()))),
        ("@PATH@", &literal(path.as_bytes())),
        ("@BOUND@", &format!("{bound:?}")),
        ("@SLACK@", &format!("{SLACK:?}")),
        ("@QUESTION@", &format!("{question:?}")),
        ("@CAUSE@", &format!("{cause:?}")),
        ("@SINCE@", &format!("{:?}", name_ends(since(repro.identity.cause()), Some(role)))),
        ("@OFFSET@", &offset),
        ("@CODE@", &stream.code.map_or_else(|| "None".to_owned(), |code| code.to_string())),
        ("@PINGS@", &stream.pings.to_string()),
        ("@DEAF@", truth(stops_reading(&repro.script))),
        ("@SYMPTOM@", &format!("{symptom:?}")),
        ("@FITTING@", fitting),
        ("@OPENS@", truth(stream.opens)),
        ("@CLOSES@", truth(tells(&repro.script, |command| matches!(command, Command::Close(..))))),
        ("@INEXACT@", &format!("{:?}", name_ends(inexact(&repro.script), Some(role)))),
        ("@STEPS@", &steps(&repro.script, role.other())),
        ("@HEADERS@", &headers(&repro.opening)),
    ];
    let template = name_ends(TEMPLATE, Some(role)).into_owned();
    Ok(facts.iter().fold(template, |text, (place, fact)| text.replace(place, fact)))
}

/// What is asked of the connection, in the file's words.
fn question(repro: &Repro) -> Result<&'static str, Trouble> {
    let rule = repro.identity.invariant();
    match rule {
        Invariant::EndsInTime
        | Invariant::HandshakeInTime
        | Invariant::ConnectsInTime
        | Invariant::IdleInTime => Ok("ends in time"),
        Invariant::AnswersClose => Ok("answers Close"),
        Invariant::ClosesOnce => Ok("closes once"),
        Invariant::NoDataAfterClose => Ok("is silent after Close"),
        Invariant::LegalClose => Ok("sends a legal Close"),
        Invariant::EchoesCode => Ok("echoes the code"),
        Invariant::SendsClose => Ok("sends Close"),
        Invariant::NoSilentEnd => Ok("ends with a Close"),
        Invariant::WaitsForAnswer => Ok("waits for answer"),
        Invariant::SendsValidFrames => Ok("sends valid frames"),
        Invariant::RefusesIllegal => Ok("refuses what is illegal"),
        Invariant::AcceptsLegal => Ok("accepts what is legal"),
        Invariant::LetsServerCloseTcp => Ok("lets the server close TCP"),
        Invariant::FreshMaskingKey => Ok("has fresh masking keys"),
        Invariant::RefusesBadOpening => Ok("refuses a bad opening"),
        _ => {
            let (subject, other) = (repro.role.word(), repro.role.other().word());
            Err(format!("a {other} alone does not see whether the {subject} breaks {rule}"))
        }
    }
}

/// What obliges the server, with its verb: it happened at a time.
const fn since(cause: Option<Cause>) -> &'static str {
    match cause {
        Some(Cause::Handshake) => "the connection was there",
        Some(Cause::ClientClose) => "the client's Close was there",
        Some(Cause::OwnClose) => "its Close was there",
        Some(Cause::AppClose) => "its application closed",
        Some(Cause::ClientViolation) => "the client's violation was there",
        Some(Cause::ClientFin) => "the client's FIN was there",
        Some(Cause::ClientReset) => "the client's RST was there",
        Some(Cause::Idle) => "the client's last frame was there",
        Some(Cause::Shutdown) => "it was told to shut down",
        None => "it had to",
    }
}

/// The lines of the opening request that a server demands beside those that all have.
fn headers(opening: &Opening) -> String {
    let offered = opening.subprotocols().join(", ");
    let offered = (!offered.is_empty()).then(|| format!("Sec-WebSocket-Protocol: {offered}"));
    let headers = opening.headers().iter().map(|(name, value)| format!("{name}: {value}"));
    offered.into_iter().chain(headers).fold(String::new(), |mut out, line| {
        let _ = writeln!(out, "        {},", literal(line.as_bytes()));
        out
    })
}

/// The codes that tell a client of this violation, in Python.
const fn fitting(symptom: Option<Symptom>) -> &'static str {
    match symptom {
        Some(Symptom::ServesBadText | Symptom::ServesBadReason) => "(1002, 1007, 1008)",
        Some(Symptom::ServesLongControl | Symptom::ServesTopBit) => "(1002, 1008, 1009)",
        Some(Symptom::ServesReservedOpcode) => "(1002, 1003, 1008)",
        // Which violation it was, the symptom does not say.
        Some(
            Symptom::RefusesSilently | Symptom::RefusesByReset | Symptom::RefusesWithOtherCode,
        ) => "(1002, 1003, 1007, 1008, 1009)",
        _ => "(1002, 1008)",
    }
}

/// The path of a URL; of a target in process, where `hangup serve` has its application do what the
/// script asks for.
fn path(repro: &Repro) -> String {
    if let Some((_, rest)) = repro.target.0.split_once("://") {
        return rest.find('/').map_or("/", |at| &rest[at..]).to_owned();
    }
    listen::path_of(&repro.script)
}

/// What the application has to do by itself.
fn needs(repro: &Repro, path: &str) -> String {
    let all = repro.asked_of_application();
    let all = all.as_deref().map(plain);
    match (repro.role, all) {
        (Role::Server, None) => "PATH is where it opens a WebSocket.".to_owned(),
        (Role::Server, Some(all)) => {
            let path = plain(path);
            format!(
                "At PATH the server's application {all}, once the connection is open. Without PATH \
                 the program asks for {path}; `hangup serve` understands /?do=.. so."
            )
        }
        (Role::Client, None) => "Start a client whose application keeps the connection.".to_owned(),
        (Role::Client, Some(all)) => {
            format!("Start a client whose application {all}, once the connection is open.")
        }
    }
}

/// What the script has the application do, each with its line.
fn commands(script: &Script) -> impl Iterator<Item = (&Command, String)> {
    script.steps.iter().filter_map(|step| match &step.act {
        Act::App(command, _) => {
            let alone = Script { steps: vec![Step::from(step.act.clone())] };
            Some((command, alone.to_string().trim_end().to_owned()))
        }
        _ => None,
    })
}

fn tells(script: &Script, what: impl Fn(&Command) -> bool) -> bool {
    commands(script).any(|(command, _)| what(command))
}

/// Why this script cannot be played over a socket as exactly as in virtual time; empty where it can.
fn inexact(script: &Script) -> &'static str {
    let any = |is: &dyn Fn(&Step) -> bool| script.steps.iter().any(is);
    if any(&|step| matches!(step.act, Act::Set(..))) {
        "the script needs small buffers, which are the system's here"
    } else if tells(script, |command| !matches!(command, Command::Close(..))) {
        // What fills a buffer of virtual time is little to a system's.
        "the script needs more of the application than a close, and buffers that it fills"
    } else if any(&|step| step.joined && matches!(step.act, Act::App(..)))
        || tells(script, |_| true) && any(&|step| step.joined)
    {
        "the script needs the application to act in the same moment as the client"
    } else {
        ""
    }
}

/// Text of a stranger's file for the program's own: it must not end its comment, nor
/// look like a place of the template.
pub(super) fn plain(text: &str) -> String {
    text.replace(['\\', '"', '@'], "'")
}

fn stops_reading(script: &Script) -> bool {
    script.steps.iter().any(|step| step.act == Act::StopReading)
}

fn indented(text: &str) -> String {
    text.lines().fold(String::new(), |mut out, line| {
        let _ = writeln!(out, "    {line}");
        out
    })
}

/// The client's bytes as one stream, from the end of its request on: where what
/// matters stands in it.
#[derive(Default)]
struct Milestones {
    /// Whether the script sends a whole opening request.
    opens: bool,
    /// The end of the first legal Close.
    close: Option<usize>,
    /// Where the first fault is known.
    fault: Option<usize>,
    /// The code of the first legal Close.
    code: Option<u16>,
    /// How many pings come before that.
    pings: usize,
}

impl Milestones {
    /// Of a script of this actor's.
    fn of(script: &Script, actor: Role) -> Self {
        let mut bytes = Vec::new();
        for step in &script.steps {
            if let Act::Send(send) = &step.act {
                let unit = encoded(&send.unit, actor);
                let times = match send.pace {
                    Pace::Times(times, _) => times,
                    Pace::Once | Pace::Pieces(..) => 1,
                };
                for _ in 0..times {
                    bytes.extend_from_slice(send.piece.of(&unit));
                }
            }
        }
        let mut stream = Stream::new(actor, &bytes);
        let Some(opening) = stream.opening() else { return Self::default() };
        stream.take(u32::try_from(bytes.len()).unwrap_or(u32::MAX), 0);
        let close = stream.frames().iter().position(|frame| frame.is_whole(Opcode::CLOSE));
        let before = &stream.frames()[..close.unwrap_or(stream.frames().len())];
        let close = close.map(|close| &stream.frames()[close]);
        Self {
            opens: true,
            close: close.map(|close| close.end_offset - opening),
            fault: stream.fault().map(|(fault, offset)| known_at(fault, offset) - opening),
            code: close.and_then(Frame::code).map(|code| code.0),
            pings: before.iter().filter(|frame| frame.is_whole(Opcode::PING)).count(),
        }
    }
}

/// The steps as calls of the template's client.
fn steps(script: &Script, actor: Role) -> String {
    let mut out = String::new();
    let is_answer = |step: &Step| matches!(&step.act, Act::Send(send) if is_answer(&send.unit));
    let first_answer = script.steps.iter().position(is_answer);
    for (index, step) in script.steps.iter().enumerate() {
        let joined = script.steps.get(index + 1).is_some_and(|next| next.joined);
        if first_answer == Some(index) {
            let _ = writeln!(out, "    {}.wait_for(\"upgrade\")", actor.word());
        }
        for call in calls(&step.act, joined, actor) {
            let _ = writeln!(out, "    {}.{call}", actor.word());
        }
    }
    if out.is_empty() { "    pass\n".to_owned() } else { out }
}

/// Whether a server answers the opening with this.
const fn is_answer(unit: &Unit) -> bool {
    matches!(unit, Unit::Accept(_))
}

fn calls(act: &Act, joined: bool, actor: Role) -> Vec<String> {
    let call = |name: &str| vec![format!("{name}()")];
    match act {
        #[cfg(test)]
        Act::Idle => Vec::new(),
        Act::Send(send) => sends(send, joined, actor),
        Act::Connect(time) | Act::Wait(time) => vec![format!("wait({:?})", seconds(*time))],
        Act::Await(awaited) => vec![format!("wait_for({:?})", awaited.to_string())],
        Act::StopReading => call("stop_reading"),
        Act::ResumeReading => call("resume_reading"),
        Act::Fin => call("fin"),
        Act::Reset => call("reset"),
        Act::Drop => call("drop"),
        Act::Cut => call("cut"),
        // What the application does, its URL does; windows are small where they matter.
        Act::Set(..) | Act::App(..) => Vec::new(),
    }
}

fn sends(send: &Send, joined: bool, actor: Role) -> Vec<String> {
    let bytes = expression(&send.unit, send.piece, actor);
    let opens = matches!(send.unit, Unit::Upgrade(_)) && send.piece == Piece::Whole;
    match send.pace {
        Pace::Once if joined => vec![format!("gather({bytes})")],
        Pace::Once if opens => vec![format!("send({bytes})"), "wait_for(\"upgrade\")".to_owned()],
        Pace::Once => vec![format!("send({bytes})")],
        Pace::Times(times, every) => {
            vec![format!("send_times({bytes}, {times}, {:?})", seconds(every))]
        }
        Pace::Pieces(size, every) => {
            vec![format!("send_pieces({bytes}, {}, {:?})", size.max(1), seconds(every))]
        }
    }
}

fn seconds(time: Millis) -> f64 {
    time.duration().as_secs_f64()
}

/// A unit's bytes, as this actor sends it.
fn encoded(unit: &Unit, actor: Role) -> Vec<u8> {
    let mut bytes = Vec::new();
    unit.encode_with(&Encoding { sender: actor, ..Encoding::USUAL }, &mut bytes);
    bytes
}

/// A unit's bytes, or a part of them, in Python.
fn expression(unit: &Unit, piece: Piece, actor: Role) -> String {
    let part = |whole: String| match piece {
        Piece::Whole => whole,
        Piece::First(count) => format!("{whole}[:{count}]"),
        Piece::After(count) => format!("{whole}[{count}:]"),
    };
    match unit {
        Unit::Upgrade(filler) => {
            part(format!("request({})", filler.map_or(0, |Size(bytes)| bytes)))
        }
        // The answer to the client's own key is as long.
        Unit::Accept(_) => part(format!("answering(server, {})", literal(&encoded(unit, actor)))),
        other => literal(piece.of(&encoded(other, actor))),
    }
}

/// Bytes as Python writes them; long ones that repeat, as masked fillers do, are
/// written as a repetition.
fn literal(bytes: &[u8]) -> String {
    const SHORT: usize = 200;
    const PERIOD: usize = 4;
    const HEAD: usize = 32;
    let repeats = |from: usize| {
        bytes[from..].iter().zip(&bytes[from + PERIOD..]).all(|(one, other)| one == other)
    };
    if bytes.len() > SHORT
        && let Some(from) = (0..HEAD).find(|from| repeats(*from))
    {
        let (times, rest) = ((bytes.len() - from) / PERIOD, (bytes.len() - from) % PERIOD);
        let mut text = format!("{} * {times}", quoted(&bytes[from..from + PERIOD]));
        if from > 0 {
            text = format!("{} + {text}", quoted(&bytes[..from]));
        }
        if rest > 0 {
            let _ = write!(text, " + {}", quoted(&bytes[bytes.len() - rest..]));
        }
        return text;
    }
    quoted(bytes)
}

fn quoted(bytes: &[u8]) -> String {
    let mut out = "b\"".to_owned();
    for byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => out.push(char::from(*byte)),
            other => {
                let _ = write!(out, "\\x{other:02x}");
            }
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repro() -> Repro {
        let seed = crate::fuzzing::seeds().into_iter().find(|seed| seed.target == "repro");
        let text = String::from_utf8(seed.expect("a seed").bytes).expect("text");
        Repro::parse(&text).expect("a repro")
    }

    #[test]
    fn a_program_about_a_client_has_no_name_that_is_swapped_by_half() {
        let swapped = name_ends(TEMPLATE, Some(Role::Client)).into_owned();
        assert_eq!(name_ends(&swapped, Some(Role::Client)), TEMPLATE);
        let count = |text: &str, end: &str| text.to_lowercase().matches(end).count();
        assert_eq!(count(&swapped, "server"), count(TEMPLATE, "client"));
    }

    #[test]
    fn a_server_answers_the_key_that_it_got_and_sends_without_a_mask() {
        let script: Script = "first 9 bytes of accept\nping\n".parse().expect("a script");
        let steps = steps(&script, Role::Server);
        assert!(steps.starts_with("    server.wait_for(\"upgrade\")\n"), "{steps}");
        assert!(steps.contains("server.send(answering(server, b\"HTTP/1.1 101"), "{steps}");
        assert!(steps.contains(")[:9])\n    server.send(b\"\\x89\\x00\")"), "{steps}");
    }

    #[test]
    fn bytes_are_written_as_python_reads_them() {
        assert_eq!(literal(b"a\"\\\x00\xff"), r#"b"a\"\\\x00\xff""#);
        let long = [&b"\x81\xfe"[..], &b"abcd".repeat(100), b"a"].concat();
        assert_eq!(literal(&long), r#"b"\x81\xfe" + b"abcd" * 100 + b"a""#);
    }

    #[test]
    fn what_obliges_is_found_behind_the_request() {
        let stream = |text: &str| Milestones::of(&text.parse().expect(text), Role::Client);
        let close = stream("upgrade\nping x 2\nclose 1001\nclose\n");
        assert_eq!((close.close, close.fault, close.code), (Some(20), None, Some(1001)));
        assert_eq!(close.pings, 2);
        assert_eq!(stream("upgrade\nping\nunmasked ping \"x\"\n").fault, Some(8));
        assert_eq!(stream("first 9 bytes of upgrade\nclose\n").close, None);
    }

    #[test]
    fn what_the_application_must_do_is_told_by_its_steps_and_not_by_the_clients_words() {
        let needs =
            |text: &str| needs(&Repro { script: text.parse().expect(text), ..repro() }, "/?do=x");
        let opens = "PATH is where it opens a WebSocket.";
        assert_eq!(needs("upgrade\ntext \"app close\"\nclose 1000 \"app send\"\n"), opens);
        let sends = needs("upgrade\napp send text \"app close\"\n");
        assert!(sends.contains("does by itself what `app send text 'app close'` says"), "{sends}");
        let closes = needs("upgrade\napp send text\napp close 1000\n");
        assert!(closes.contains("`app send text` says, then closes by itself as by"), "{closes}");
        assert!(closes.contains("Without PATH the program asks for /?do=x; "), "{closes}");
    }

    #[test]
    fn a_script_that_a_socket_cannot_play_exactly_says_so() {
        let inexact = |text: &str| inexact(&text.parse().expect(text));
        for script in ["upgrade\nclose\n", "upgrade\napp close\nping\ncut\n", "upgrade\n+ close\n"]
        {
            assert_eq!(inexact(script), "", "{script}");
        }
        for (script, why) in [
            ("window 1B\nupgrade\nclose\n", "small buffers"),
            ("upgrade\nstop reading\napp send text 8189B\nfin\n", "buffers that it fills"),
            ("upgrade\napp close\n+ close\n", "in the same moment"),
        ] {
            assert!(inexact(script).contains(why), "{script}");
        }
    }

    #[test]
    fn text_of_a_strangers_file_stays_text() {
        let text = r#"a""" + print("mine") + """\n @STEPS@"#;
        assert!(!plain(text).contains(['"', '\\', '@']));
    }

    #[test]
    fn the_path_is_the_urls_or_what_the_application_does() {
        let path = |target: &str, script: &str| {
            let repro = repro();
            let target = (target.to_owned(), String::new());
            path(&Repro { target, script: script.parse().expect(script), ..repro })
        };
        let close = "upgrade\napp close\n";
        assert_eq!(path("ws://[::1]:9001/bye?x=1", close), "/bye?x=1");
        assert_eq!(path("ws://127.0.0.1:9001", close), "/");
        assert_eq!(path("reference", "upgrade\n"), "/");
        assert_eq!(path("reference", close), "/?do=close");
        let all = "upgrade\nwait 1s\napp close 1000 \"a/b%\"\n";
        assert_eq!(path("reference", all), "/?do=close%201000%20%22a%2Fb%25%22");
    }
}
