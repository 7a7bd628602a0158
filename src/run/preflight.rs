//! Whether a server can be tested at all: does it open a WebSocket, and keep a client that does
//! nothing wrong?
//!
//! A server that answers 404, or that answers 101 and hangs up on everybody, keeps most rules of
//! closing, since there is hardly a connection to close. Two polite scripts tell, in virtual time
//! and over TCP alike. The words are the same for both; how a request is changed differs.

use super::control_play::PlayScript;
use crate::excerpt::{MOST_OF_A_PATH, clipped};
use crate::exchange::{ConnectionId, Exchange};
use crate::script::Script;
use crate::view::View;
use crate::wire::{Role, handshake};
use std::time::Duration;

/// A client that opens and only waits, and one that opens and sends a text.
const POLITE: [&str; 2] = ["upgrade\nwait 1s\n", "upgrade\ntext \"x\"\nwait 1s\n"];

/// The same of servers, for a client under test.
const POLITE_SERVERS: [&str; 2] = ["accept\nwait 1s\n", "accept\ntext \"x\"\nwait 1s\n"];

/// So soon after the opening nobody has a reason to end a connection without a word.
const SOON: Duration = Duration::from_secs(1);

/// So many bytes of an answer are told.
const TOLD: usize = 40;

/// Why a server could not be tested.
pub(crate) const SENT_AWAY: &str = "it opens a WebSocket, and ends the connection within 1 s \
     without a Close, both for a client that only waits and for one that sends a text. It may \
     need a path, a header or a subprotocol that hangup did not send";

/// How to say what an opening request is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// In code, of a suite or a target.
    InCode,
    /// As options of the command line, for a URL.
    #[cfg(feature = "tcp")]
    AsOptions,
}

/// Why a client could not be tested.
const LEAVES: &str = "it opens a WebSocket and ends the connection within 1 s without a Close, of a server that only \
     accepts and of one that sends a text; is its closure to wait for commands, with `app.command()`?";

/// The scripts of the polite actors, for a subject in this role.
pub(crate) fn polite(subject: Role) -> impl Iterator<Item = Script> {
    let scripts = match subject {
        Role::Server => POLITE,
        Role::Client => POLITE_SERVERS,
    };
    scripts.into_iter().map(|script| script.parse().expect("they are scripts"))
}

/// Why the server that `play` plays against cannot be tested, where it cannot: neither of the
/// polite clients gets a WebSocket that stays open. Those that come next are not asked once one
/// does.
pub(crate) fn could_not_test<E>(
    subject: Role,
    play: &mut PlayScript<'_, E>,
) -> Result<Option<String>, E> {
    let mut first = None;
    for script in polite(subject) {
        match reason(&play(&script)?) {
            Some(reason) => _ = first.get_or_insert(reason),
            None => return Ok(None),
        }
    }
    Ok(first)
}

/// Whether a client, polite or not, got no WebSocket, or was sent away: that server may be one
/// that cannot be tested.
pub(crate) fn says_little(exchange: &Exchange) -> bool {
    View::of(exchange, ConnectionId::FIRST).opened.is_none() || is_sent_away(exchange)
}

/// Why this polite client shows that the server cannot be tested.
pub(crate) fn reason(exchange: &Exchange) -> Option<String> {
    if is_sent_away(exchange) {
        let why = match exchange.subject {
            Role::Server => SENT_AWAY,
            Role::Client => LEAVES,
        };
        return Some(why.to_owned());
    }
    let view = View::of(exchange, ConnectionId::FIRST);
    // What a server dies of is a finding, and so is one whose time cannot be judged.
    let is_ill = view.firsts.panicked.is_some()
        || view.stood_still().is_some()
        || view.death().is_some()
        || view.other_threads().is_some();
    if view.opened.is_some() || is_ill {
        return None;
    }
    if exchange.subject == Role::Client {
        return Some(
            match view.request {
                None => "no WebSocket opens: the client sends no whole opening request",
                Some(_) => "no WebSocket opens: the client's opening request is none of RFC 6455",
            }
            .to_owned(),
        );
    }
    let asked = exchange.opening_request().lines().next().unwrap_or_default();
    let asked = asked.trim_end_matches(" HTTP/1.1");
    let answer = Answer::of(&view.bytes.to_actor, view.ended().is_some())?;
    Some(format!(
        "no WebSocket opens: the server {}. It was asked for `{asked}`; `.path(..)`, `.header(..)`, \
         `.subprotocol(..)` and `.host(..)` of the suite, or `Target::opening`, ask for something else.",
        answer.told(Says::InCode)
    ))
}

/// Whether the server opened a connection, and ended it soon after that, without a Close and
/// without a panic. What is wrong with the opening itself is a finding.
pub(crate) fn is_sent_away(exchange: &Exchange) -> bool {
    let view = View::of(exchange, ConnectionId::FIRST);
    let (Some(opened), Some(ended)) = (view.opened, view.ended()) else { return false };
    let is_by_server = Some(ended) != view.firsts.reset;
    let is_soon = view.at(ended) <= view.at(opened).after(SOON);
    // Of what its runtime lacks, the campaign says more.
    let is_well = view.firsts.panicked.is_none()
        && view.firsts.lacked.is_none()
        && view.firsts.died.is_none()
        && view.accepts_the_key() != Some(false);
    is_by_server && is_soon && is_well && view.own_close().is_none()
}

/// What came where a 101 opens a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer<'a> {
    /// A whole head with another status.
    Status(u16, &'a [u8]),
    /// What is no HTTP.
    Foreign(&'a [u8]),
    /// Part of a head, and then the connection's end.
    CutShort(&'a [u8]),
    /// Part of a head, and then nothing more.
    Unfinished(&'a [u8]),
}

impl<'a> Answer<'a> {
    /// What these bytes are, behind which the connection ended or nothing came; `None` where they
    /// open a WebSocket.
    pub fn of(bytes: &'a [u8], ended: bool) -> Option<Self> {
        Some(match handshake::response(bytes) {
            Ok(Some(response)) if response.status == 101 => return None,
            Ok(Some(response)) => Self::Status(response.status, &bytes[..response.length]),
            Ok(None) if ended => Self::CutShort(bytes),
            Ok(None) => Self::Unfinished(bytes),
            Err(_) => Self::Foreign(bytes),
        })
    }

    /// What the server does, behind `the server`.
    pub fn told(self, says: Says) -> String {
        match self {
            Self::Status(status, head) => format!(
                "answers {status} instead of 101 to the opening request. {}. It sent {}",
                why(status, head, says),
                quoted(head)
            ),
            Self::Foreign(bytes) => format!("does not speak HTTP: it sends {}", quoted(bytes)),
            Self::CutShort([]) => "ended the connection without an answer".to_owned(),
            Self::CutShort(part) => {
                format!("ended the connection in the middle of its answer, {}", quoted(part))
            }
            Self::Unfinished([]) => "sends nothing".to_owned(),
            Self::Unfinished(part) => {
                format!("sends part of an answer, {}, and nothing more", quoted(part))
            }
        }
    }
}

/// What a status means here, and what to do.
fn why(status: u16, head: &[u8], says: Says) -> String {
    let (path, authorization, subprotocol) = match says {
        Says::InCode => (
            "`.path(\"/ws\")`",
            "`.header(\"Authorization\", \"...\")`, or `\"Cookie\"`, or `\"Origin\"`",
            "`.subprotocol(\"NAME\")` or `.header(\"NAME\", \"VALUE\")`",
        ),
        #[cfg(feature = "tcp")]
        Says::AsOptions => (
            "another path in the URL",
            "--header 'Origin: ...', 'Authorization: ...' or 'Cookie: ...'",
            "--subprotocol or --header",
        ),
    };
    match status {
        200..=299 => format!("A web server without a WebSocket on this path: try {path}"),
        300..=399 => match (header(head, "location"), says) {
            (Some(place), Says::InCode) => format!("It redirects to {place}: try {path}"),
            #[cfg(feature = "tcp")]
            (Some(place), Says::AsOptions) => {
                format!("It redirects to {place}: probe that URL")
            }
            (None, _) => "It redirects".to_owned(),
        },
        400 => format!("It rejects the request; it may need {subprotocol}"),
        401 | 403 | 407 => format!(
            "It may need an Origin, Authorization or Cookie header: \
             {authorization}"
        ),
        404 => format!("The path does not exist on this server: try {path}"),
        500..=599 => format!("It reports an error of its own; it may need {subprotocol}"),
        _ => "It does not open a WebSocket".to_owned(),
    }
}

/// The beginning of what came, with all that no terminal should get escaped.
fn quoted(bytes: &[u8]) -> String {
    let (told, more) = bytes.split_at(bytes.len().min(TOLD));
    let rest = if more.is_empty() { "" } else { ", and more" };
    format!("\"{}\"{rest}", told.escape_ascii())
}

fn header(head: &[u8], name: &str) -> Option<String> {
    let head = String::from_utf8_lossy(head);
    let pair = |line: &str| {
        let (own, value) = line.split_once(':')?;
        own.eq_ignore_ascii_case(name).then(|| clipped(value.trim(), MOST_OF_A_PATH))
    };
    head.lines().find_map(pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bytes: &[u8], ended: bool) -> Option<String> {
        Answer::of(bytes, ended).map(|answer| answer.told(Says::InCode))
    }

    #[test]
    fn what_came_is_named_and_quoted_and_a_101_is_nothing_to_tell() {
        for (bytes, ended, named) in [
            (&b"HTTP/1.1 404 Not Found\r\n\r\n"[..], true, "answers 404 instead of 101"),
            (b"HTTP/1.1 404 Not Found\r\n\r\n", false, "\"HTTP/1.1 404 Not Found\\r\\n\\r\\n\""),
            (b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", true, "It redirects to /x"),
            (b"HTTP/1.1 302 Found\r\n\r\n", true, "It redirects. It sent"),
            (b"HTTP/1.1 403 No\r\n\r\n", true, ".header(\"Authorization\""),
            (b"HTTP/1.1 400 No\r\n\r\n", true, ".subprotocol(\"NAME\")"),
            (b"HTTP/1.1 500 No\r\n\r\n", true, "It reports an error of its own"),
            (b"HTTP/1.1 426 No\r\n\r\n", true, "It does not open a WebSocket"),
            (b"HTTP/1.1 200 OK\r\n\r\n<html>", true, "A web server without"),
            (b"SSH-2.0\x1b[2J\r\n", true, "does not speak HTTP: it sends \"SSH-2.0\\x1b[2J"),
            (b"", true, "ended the connection without an answer"),
            (b"HTTP/1.1 1", true, "in the middle of its answer, \"HTTP/1.1 1\""),
            (b"", false, "sends nothing"),
            (b"HTTP/1.1 1", false, "and nothing more"),
        ] {
            let told = told(bytes, ended).expect(named);
            assert!(told.contains(named), "{named}: {told}");
        }
        let opens = handshake::switching_protocols("wrong");
        assert_eq!(told(opens.as_bytes(), true), None, "a wrong key is a finding");
    }

    #[test]
    fn an_answer_without_end_is_cut() {
        let long = format!("HTTP/1.1 404 No\r\nX: {}\r\n\r\n", "x".repeat(9000));
        let told = told(long.as_bytes(), false).expect("no 101");
        assert!(told.len() < 200 && told.ends_with("\", and more"), "{told}");
    }
}
