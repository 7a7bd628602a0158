//! The opening handshake of RFC 6455 section 4, as far as closing well needs it.
//!
//! [`REQUEST`] is the request that hangup's client sends; [`request`] and
//! [`response`] read the two heads; [`accept_key`] and [`switching_protocols`] build a server's answer.

use super::frame::without_masks;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};
use std::fmt;

/// The `Sec-WebSocket-Key` of [`REQUEST`], RFC 6455's own example (section 1.3).
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The `Sec-WebSocket-Accept` that answers [`KEY`].
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// A whole, legal opening request.
pub const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// The usual answer to it, which [`switching_protocols`] builds.
const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// The longest head that [`request`] and [`response`] read, in bytes; a longer one is malformed.
pub const HEAD_LIMIT: usize = 16 * 1024;

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const HEADERS: usize = 64;

/// Why a head is not an opening handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Not HTTP, or more than [`HEAD_LIMIT`] bytes or 64 headers of it.
    Malformed,
    /// The method is not GET, or the version not HTTP/1.1 (4.1).
    NotGet,
    /// A header that section 4.2.1 asks for is missing or has another value.
    Header(&'static str),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("not an HTTP head"),
            Self::NotGet => f.write_str("not a GET of HTTP/1.1"),
            Self::Header(name) => write!(f, "header {name} missing or wrong"),
        }
    }
}

/// How long the head at the start of `bytes` is, blank line included, once it is whole.
/// A line may end in LF alone (RFC 9112 section 2.2), as it may for httparse: there is one
/// end of a head, whoever looks for it.
pub fn head_length(bytes: &[u8]) -> Option<usize> {
    let mut line = 0;
    loop {
        let end = line + next_newline(&bytes[line..])?;
        if line > 0 && matches!(bytes[line..end], [] | [b'\r']) {
            return Some(end + 1);
        }
        line = end + 1;
    }
}

/// Where the first LF is. Heads of 70,000 bytes are sent, most of them one line: whole chunks are
/// looked through without a branch, which becomes a few vector instructions.
fn next_newline(bytes: &[u8]) -> Option<usize> {
    const AT_ONCE: usize = 32;
    let lf = |byte: &u8| u8::from(*byte == b'\n');
    let has_none =
        |chunk: &&[u8; AT_ONCE]| chunk.iter().fold(0, |found, byte| found | lf(byte)) == 0;
    let (chunks, _) = bytes.as_chunks::<AT_ONCE>();
    let skipped = chunks.iter().take_while(has_none).count() * AT_ONCE;
    Some(skipped + bytes[skipped..].iter().position(|byte| *byte == b'\n')?)
}

/// How long the request at the start of `bytes` is, with the empty lines before it, once
/// its head is whole. RFC 9112 section 2.2 has a server ignore such lines, and httparse does.
pub fn request_length(bytes: &[u8]) -> Option<usize> {
    let empty = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    head_length(&bytes[empty..]).map(|length| empty + length)
}

/// A client's opening request, as a server reads it (section 4.2.1).
///
/// `Ok(None)` while the head is not whole; then its length and the accept hash to answer with.
///
/// # Errors
///
/// [`Refused`] says which demand of section 4.2.1 it does not meet.
pub fn request(bytes: &[u8]) -> Result<Option<(usize, String)>, Refused> {
    // The usual request is known by sight.
    if bytes.starts_with(REQUEST.as_bytes()) {
        return Ok(Some((REQUEST.len(), ACCEPT.to_owned())));
    }
    parsed_request(bytes)
}

fn parsed_request(bytes: &[u8]) -> Result<Option<(usize, String)>, Refused> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() <= HEAD_LIMIT => return Ok(None),
        Ok(httparse::Status::Partial) | Err(_) => return Err(Refused::Malformed),
    };
    if head.method != Some("GET") || head.version != Some(1) {
        return Err(Refused::NotGet);
    }
    let has = |name: &'static str, value: &str| {
        let found = head
            .headers
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case(name))
            .any(|header| has_token(header.value, value));
        if found { Ok(()) } else { Err(Refused::Header(name)) }
    };
    has("Upgrade", "websocket")?;
    has("Connection", "upgrade")?;
    has("Sec-WebSocket-Version", "13")?;
    let key = head
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("Sec-WebSocket-Key"))
        .map(|header| header.value)
        .filter(|key| STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16))
        .ok_or(Refused::Header("Sec-WebSocket-Key"))?;
    Ok(Some((length, accept_key(key))))
}

/// A server's answer, as the client reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// The head's length in bytes, blank line included: frames begin there.
    pub length: usize,
    /// The HTTP status; 101 opens the WebSocket.
    pub status: u16,
    /// Whether `Sec-WebSocket-Accept` answers [`KEY`].
    pub accepted: bool,
}

/// Reads a server's answer to [`REQUEST`] (section 4.1); `Ok(None)` while it is not whole.
///
/// # Errors
///
/// [`Refused::Malformed`] where the bytes are no HTTP response.
pub fn response(bytes: &[u8]) -> Result<Option<Response>, Refused> {
    // The usual one is known by sight.
    if bytes.starts_with(ANSWER.as_bytes()) {
        return Ok(Some(Response { length: ANSWER.len(), status: 101, accepted: true }));
    }
    parsed_response(bytes)
}

/// What is wrong with a 101 on which a client must not open the WebSocket (section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadOpening {
    /// It has no hash, or that of another key.
    Key,
    /// It has a subprotocol that the client did not offer.
    Subprotocol,
}

/// How long the head is with which a server opens the WebSocket that `asked` asks for: the
/// answer has the status 101 and the hash of its key, and no subprotocol that it did not offer
/// (section 4.1). `None` where it opens none, or is not whole yet.
pub fn opens(asked: &[u8], answer: &[u8]) -> Option<usize> {
    let answered = Answered::read(asked, answer)?;
    (answered.upgrades && answered.wrong.is_none()).then_some(answered.length)
}

/// How long the head is that says 101 and does not answer the request all the same, and what is
/// wrong with it; `None` where it says something else, or is not whole yet.
pub fn opens_badly(asked: &[u8], answer: &[u8]) -> Option<(usize, BadOpening)> {
    let answered = Answered::read(asked, answer)?;
    Some((answered.length, answered.wrong?))
}

/// A head that says 101, held against the request.
struct Answered {
    length: usize,
    /// Whether it has the two headers with which HTTP changes to WebSocket.
    upgrades: bool,
    wrong: Option<BadOpening>,
}

impl Answered {
    fn read(asked: &[u8], answer: &[u8]) -> Option<Self> {
        let (_, accept) = request(asked).ok()??;
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut head = httparse::Response::new(&mut headers);
        let Ok(httparse::Status::Complete(length)) = head.parse(answer) else { return None };
        let value = |name: &str| {
            let mut named =
                head.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
            named.next().map(|header| header.value.trim_ascii())
        };
        let offered = |protocol: &[u8]| {
            let lines = asked.split(|byte| *byte == b'\n');
            let mut offers = lines.filter_map(|line| {
                let colon = line.iter().position(|byte| *byte == b':')?;
                let is_offer = line[..colon].eq_ignore_ascii_case(b"Sec-WebSocket-Protocol");
                is_offer.then_some(&line[colon + 1..])
            });
            let protocol = String::from_utf8_lossy(protocol);
            offers.any(|offer| has_token(offer, &protocol))
        };
        if head.code != Some(101) {
            return None;
        }
        let upgrades = value("Upgrade").is_some_and(|value| has_token(value, "websocket"))
            && value("Connection").is_some_and(|value| has_token(value, "upgrade"));
        let wrong = if value("Sec-WebSocket-Accept") == Some(accept.as_bytes()) {
            let is_offered = value("Sec-WebSocket-Protocol").is_none_or(offered);
            (!is_offered).then_some(BadOpening::Subprotocol)
        } else {
            Some(BadOpening::Key)
        };
        Some(Self { length, upgrades, wrong })
    }
}

/// An opening request with this key, as a client sends it (section 4.1).
pub fn request_with(key: &str) -> String {
    REQUEST.replace(KEY, key)
}

/// What a client sent, and was answered, without what it draws anew each time: its key, with the
/// hash that answers it, and its masks. Of the same length. What is cut off in the middle of one of
/// them has no part of it either.
pub fn without_chance(sent: &mut [u8], answer: &mut [u8]) {
    if let Ok(Some((_, accept))) = request(sent) {
        let whole = answer.windows(accept.len()).position(|part| part == accept.as_bytes());
        match whole {
            Some(at) => answer[at..at + accept.len()].fill(b'K'),
            None if head_length(answer).is_none() => {
                if let Some(last_line) = answer.rsplit_mut(|byte| *byte == b'\n').next() {
                    without_value(last_line, b"sec-websocket-accept:");
                }
            }
            None => {}
        }
    }
    let opening = request_length(sent).unwrap_or(sent.len());
    let (request, frames) = sent.split_at_mut(opening);
    without_key(request);
    without_masks(frames);
}

/// A request without its key, or the first part of one. Of the same length.
fn without_key(request: &mut [u8]) {
    for line in request.split_mut(|byte| *byte == b'\n') {
        without_value(line, b"sec-websocket-key:");
    }
}

/// A header line without its value, where it is the header with this name, colon included.
fn without_value(line: &mut [u8], name: &[u8]) {
    if line.len() > name.len() && line[..name.len()].eq_ignore_ascii_case(name) {
        let value = line[name.len()..].iter_mut();
        value.filter(|byte| !byte.is_ascii_whitespace()).for_each(|byte| *byte = b'K');
    }
}

fn parsed_response(bytes: &[u8]) -> Result<Option<Response>, Refused> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => {
            let accepted = head
                .headers
                .iter()
                .filter(|header| header.name.eq_ignore_ascii_case("Sec-WebSocket-Accept"))
                .any(|header| header.value.trim_ascii() == ACCEPT.as_bytes());
            Ok(Some(Response { length, status: head.code.unwrap_or(0), accepted }))
        }
        Ok(httparse::Status::Partial) if bytes.len() <= HEAD_LIMIT => Ok(None),
        Ok(httparse::Status::Partial) | Err(_) => Err(Refused::Malformed),
    }
}

/// The `Sec-WebSocket-Accept` for a request's key (section 4.2.2, step 5.4).
pub fn accept_key(key: &[u8]) -> String {
    // The usual key is known by sight: a hash costs as much as a frame or two.
    if key == KEY.as_bytes() { ACCEPT.to_owned() } else { hashed(key) }
}

fn hashed(key: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(GUID);
    STANDARD.encode(hash.finalize())
}

/// The 101 response that carries `accept` (section 4.2.2).
pub fn switching_protocols(accept: &str) -> String {
    if accept == ACCEPT { ANSWER.to_owned() } else { switching(accept) }
}

fn switching(accept: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// Whether a comma-separated header value has `token`, in any case.
fn has_token(value: &[u8], token: &str) -> bool {
    value
        .split(|&byte| byte == b',')
        .any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_section_1_3_has_its_accept_hash() {
        assert_eq!(hashed(KEY.as_bytes()), ACCEPT);
        assert_eq!(accept_key(KEY.as_bytes()), ACCEPT);
        let other = b"AAAAAAAAAAAAAAAAAAAAAA==";
        assert_eq!(accept_key(other), hashed(other));
        assert_ne!(accept_key(other), ACCEPT);
        assert!(REQUEST.contains(KEY));
    }

    #[test]
    fn our_own_request_is_accepted_once_it_is_whole() {
        let bytes = REQUEST.as_bytes();
        for cut in 0..bytes.len() {
            assert_eq!(request(&bytes[..cut]), Ok(None), "cut at {cut}");
        }
        let more = [bytes, b"more"].concat();
        for bytes in [bytes, &more] {
            assert_eq!(parsed_request(bytes), Ok(Some((REQUEST.len(), ACCEPT.to_owned()))));
            assert_eq!(request(bytes), parsed_request(bytes));
            assert_eq!(head_length(bytes), Some(REQUEST.len()));
        }
    }

    #[test]
    fn empty_lines_before_a_request_are_part_of_it_and_not_its_end() {
        for lines in ["", "\r\n", "\r\n\r\n", "\n\r\n\r\n"] {
            let bytes = [lines.as_bytes(), REQUEST.as_bytes()].concat();
            let length = lines.len() + REQUEST.len();
            assert_eq!(request_length(&bytes), Some(length), "{lines:?}");
            assert_eq!(request(&bytes), Ok(Some((length, ACCEPT.to_owned()))), "{lines:?}");
            assert_eq!(request_length(&bytes[..length - 1]), None);
        }
        assert_eq!(request_length(b"\r\n\r\n"), None);
    }

    #[test]
    fn the_first_blank_line_ends_the_head_wherever_it_stands() {
        let alphabet = [b'\r', b'\n', b'x'];
        // Every text of nine bytes over the three that matter.
        for code in 0..3_usize.pow(9) {
            let text: Vec<u8> =
                (0..9).map(|place| alphabet[code / 3_usize.pow(place) % 3]).collect();
            let mut ends = (2..=text.len())
                .filter(|end| text[..*end].ends_with(b"\n\n") || text[..*end].ends_with(b"\n\r\n"));
            assert_eq!(head_length(&text), ends.next(), "{text:?}");
        }
    }

    #[test]
    fn a_head_ends_where_it_ends_for_httparse_whatever_ends_its_lines() {
        let lines: Vec<&str> = REQUEST.trim_end().split("\r\n").collect();
        for ends in 0..1_usize << lines.len() {
            let end = |line: usize| if ends >> line & 1 == 0 { "\r\n" } else { "\n" };
            let mut text: String =
                lines.iter().enumerate().flat_map(|(line, text)| [text, end(line)]).collect();
            text.push_str(end(0));
            let whole = text.len();
            text.push_str("\n\r\n\r\nmore");
            assert_eq!(head_length(text.as_bytes()), Some(whole), "{text:?}");
            assert_eq!(request(text.as_bytes()), Ok(Some((whole, ACCEPT.to_owned()))), "{text:?}");
            assert_eq!(head_length(&text.as_bytes()[..whole - 1]), None, "{text:?}");
        }
    }

    #[test]
    fn the_error_names_the_missing_header() {
        let without = |line: &str| {
            let text: String =
                REQUEST.split_inclusive("\r\n").filter(|l| !l.starts_with(line)).collect();
            request(text.as_bytes()).expect_err("must be refused")
        };
        for name in ["Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"] {
            assert_eq!(without(&format!("{name}:")), Refused::Header(name));
        }
        assert_eq!(request(b"POST / HTTP/1.1\r\n\r\n"), Err(Refused::NotGet));
        assert_eq!(request(b"\x81\x05Hello"), Err(Refused::Malformed));
        assert_eq!(request(&vec![b'G'; HEAD_LIMIT + 1]), Err(Refused::Malformed));
    }

    #[test]
    fn an_answer_opens_what_was_asked_for_and_nothing_else() {
        let key = "AAAAAAAAAAAAAAAAAAAAAA==";
        let asked = request_with(key);
        assert_eq!(asked.len(), REQUEST.len());
        let good = switching_protocols(&accept_key(key.as_bytes()));
        assert_eq!(opens(asked.as_bytes(), good.as_bytes()), Some(good.len()));
        assert_eq!(opens(asked.as_bytes(), &good.as_bytes()[..good.len() - 1]), None);
        assert_eq!(opens(REQUEST.as_bytes(), good.as_bytes()), None, "another key");
        assert_eq!(opens(asked.as_bytes(), good.replace("101", "200").as_bytes()), None);
        assert_eq!(
            opens(asked.as_bytes(), good.replace("Upgrade: web", "X: web").as_bytes()),
            None
        );
        let chosen = good.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: a\r\n\r\n");
        assert_eq!(opens(asked.as_bytes(), chosen.as_bytes()), None, "nobody offered it");
        let badly = |asked: &str, answer: &str| opens_badly(asked.as_bytes(), answer.as_bytes());
        assert_eq!(badly(&asked, &good), None);
        assert_eq!(badly(&asked, &chosen), Some((chosen.len(), BadOpening::Subprotocol)));
        assert_eq!(badly(REQUEST, &good), Some((good.len(), BadOpening::Key)));
        assert_eq!(badly(REQUEST, &good.replace("101", "200")), None, "it refuses");
        let without = good.replace("Sec-WebSocket-Accept", "X");
        assert_eq!(badly(&asked, &without), Some((without.len(), BadOpening::Key)));
        let bare = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
        assert_eq!(badly(&asked, bare), Some((bare.len(), BadOpening::Key)));
        let offers = asked.replace("Host:", "sec-websocket-protocol: b, a\r\nHost:");
        assert_eq!(opens(offers.as_bytes(), chosen.as_bytes()), Some(chosen.len()));
    }

    #[test]
    fn a_request_without_its_key_is_the_same_whatever_the_key_was() {
        let without = |key: &str| {
            let mut request = request_with(key).into_bytes();
            without_key(&mut request);
            String::from_utf8(request).expect("text")
        };
        let one = without(KEY);
        assert_eq!(one, without("AAAAAAAAAAAAAAAAAAAAAA=="));
        assert!(one.contains("Sec-WebSocket-Key: KKKKKKKKKKKKKKKKKKKKKKKK\r\n"), "{one}");
        assert_eq!(one.replace("KKKKKKKKKKKKKKKKKKKKKKKK", KEY), REQUEST);
    }

    #[test]
    fn wherever_both_streams_are_cut_off_nothing_of_what_was_drawn_is_left() {
        let without = |key: &str, mask: u8, cut: [usize; 2]| {
            let mut sent = request_with(key).into_bytes();
            let mut answer = switching_protocols(&accept_key(key.as_bytes())).into_bytes();
            sent.extend([0x81, 0x82, mask, mask, mask, mask, b'h' ^ mask, b'i' ^ mask]);
            sent.truncate(cut[0]);
            answer.truncate(cut[1]);
            without_chance(&mut sent, &mut answer);
            (sent, answer)
        };
        let drawn = [("AAAAAAAAAAAAAAAAAAAAAA==", 0x55), ("BBBBBBBBBBBBBBBBBBBBBA==", 0xaa)];
        for cut in 0..REQUEST.len() + 9 {
            // A server answers once it has the whole request.
            let answered = if cut >= REQUEST.len() { 0..ANSWER.len() + 1 } else { 0..1 };
            for cut in answered.map(|answered| [cut, answered]) {
                let [one, other] = drawn.map(|(key, mask)| without(key, mask, cut));
                assert_eq!(one, other, "cut at {cut:?}");
            }
        }
        let wrong = |cut: usize| {
            let mut sent = request_with(drawn[0].0).into_bytes();
            let mut answer = switching_protocols("nonsense").into_bytes();
            answer.truncate(cut);
            without_chance(&mut sent, &mut answer);
            String::from_utf8(answer).expect("text")
        };
        assert!(wrong(usize::MAX).contains("Accept: nonsense\r\n"), "a wrong hash is no chance");
    }

    #[test]
    fn a_response_tells_its_status_and_whether_the_hash_is_right() {
        let good = switching_protocols(ACCEPT);
        assert_eq!(good, switching(ACCEPT));
        let whole = Response { length: good.len(), status: 101, accepted: true };
        assert_eq!(parsed_response(good.as_bytes()), Ok(Some(whole)));
        assert_eq!(response(format!("{good}more").as_bytes()), Ok(Some(whole)));
        assert_eq!(response(&good.as_bytes()[..20]), Ok(None));
        let wrong = switching_protocols("nonsense");
        assert!(!response(wrong.as_bytes()).expect("http").expect("whole").accepted);
        let refused = response(b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("http").expect("whole");
        assert_eq!((refused.status, refused.accepted), (400, false));
    }
}
