//! The opening request that a server is sent: its path, host, headers and subprotocols.
//!
//! It makes one request, whole and legal. It reads no answer, and knows no URL.

use super::handshake::REQUEST;
use crate::excerpt::excerpt;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::sync::Arc;

/// The most bytes of a request. Servers refuse heads that are far longer, and scripts make it longer.
const MOST_BYTES: usize = 8 * 1024;
/// The most headers that are added: many readers stop at 64 in all.
const MOST_HEADERS: usize = 48;

/// Why a request cannot be sent. Prints as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidOpening(String);

impl fmt::Display for InvalidOpening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidOpening {}

impl InvalidOpening {
    /// Of what this module does not know: the notation of scripts.
    pub(crate) const fn new(why: String) -> Self {
        Self(why)
    }
}

/// What a server's opening request asks for. Default: `GET /` of the host `localhost`, with no
/// header that RFC 6455 does not ask for.
///
/// ```
/// use hangup::target::Opening;
///
/// let opening = Opening::new()
///     .with_path("/ws?room=1")?
///     .with_header("Authorization", "Bearer secret")?
///     .with_subprotocol("chat")?;
/// assert!(opening.request().starts_with("GET /ws?room=1 HTTP/1.1\r\nHost: localhost\r\n"));
/// assert!(opening.with_header("Upgrade", "h2c").is_err());
/// # Ok::<(), hangup::target::InvalidOpening>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct Opening {
    path: Cow<'static, str>,
    host: Cow<'static, str>,
    headers: Vec<(String, String)>,
    subprotocols: Vec<String>,
    /// What comes behind the opening in every session, in the notation of scripts; empty for nothing.
    preamble: Cow<'static, str>,
    /// The request; `None` where that is the usual one, [`REQUEST`].
    request: Option<Arc<str>>,
}

static USUAL: Opening = Opening::new();

impl Default for Opening {
    fn default() -> Self {
        Self::new()
    }
}

impl Opening {
    /// The usual request.
    pub const fn new() -> Self {
        Self {
            path: Cow::Borrowed("/"),
            host: Cow::Borrowed("localhost"),
            headers: Vec::new(),
            subprotocols: Vec::new(),
            preamble: Cow::Borrowed(""),
            request: None,
        }
    }

    /// The usual request, borrowed for ever.
    pub fn usual() -> &'static Self {
        &USUAL
    }

    /// Whether it is the usual request, and nothing comes behind it by itself.
    pub fn is_usual(&self) -> bool {
        self.request.is_none() && self.preamble.is_empty()
    }

    /// With this path, and a query behind `?` where there is one.
    ///
    /// # Errors
    ///
    /// One line, where it does not begin with `/`, or has a space, a control character, `#` or
    /// what is not ASCII.
    pub fn with_path(mut self, path: impl Into<String>) -> Result<Self, InvalidOpening> {
        self.path = Cow::Owned(path.into());
        if !self.path.starts_with('/') {
            return refuse(&format!("path {}: it has to begin with `/`", quoted(&self.path)));
        }
        if !self.path.chars().all(|c| c.is_ascii_graphic() && c != '#') {
            return refuse(&format!(
                "path {}: a space, `#`, a control character or what is not ASCII has to be \
                 percent-encoded",
                quoted(&self.path)
            ));
        }
        self.made()
    }

    /// With this `Host` header.
    ///
    /// # Errors
    ///
    /// One line, where it is empty, or has a character that no name, address or port has: a space,
    /// `/`, `@`, `?` and the like.
    pub fn with_host(mut self, host: impl Into<String>) -> Result<Self, InvalidOpening> {
        self.host = Cow::Owned(host.into());
        if self.host.is_empty() || !self.host.chars().all(is_of_a_host) {
            return refuse(&format!(
                "host {}: it has to be a name or an address, and a port behind `:` where there \
                 is one",
                quoted(&self.host)
            ));
        }
        self.made()
    }

    /// With one more header, behind those that were added before.
    ///
    /// # Errors
    ///
    /// One line, where the name is no header's name, the value has a line break or another
    /// control character, or the header is one that the opening handshake itself has, that
    /// announces a body, or that offers an extension: hangup speaks none.
    pub fn with_header(
        mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<Self, InvalidOpening> {
        let (name, value) = (name.into(), value.into().trim().to_owned());
        if !is_token(&name) {
            return refuse(&format!("header {}: that is no header's name", quoted(&name)));
        }
        if value.contains(char::is_control) {
            return refuse(&format!(
                "header `{}`: a line break or another control character in its value",
                excerpt(&name)
            ));
        }
        if let Some((_, why)) = RESERVED.iter().find(|(own, _)| own.eq_ignore_ascii_case(&name)) {
            return refuse(&format!("header `{name}`: {why}"));
        }
        self.headers.push((name, value));
        self.made()
    }

    /// Offering one more subprotocol, behind those that were added before.
    ///
    /// # Errors
    ///
    /// One line, where it is no subprotocol's name, or is offered already.
    pub fn with_subprotocol(mut self, name: impl Into<String>) -> Result<Self, InvalidOpening> {
        let name = name.into();
        if !is_token(&name) {
            return refuse(&format!(
                "subprotocol {}: that is no subprotocol's name",
                quoted(&name)
            ));
        }
        if self.subprotocols.contains(&name) {
            return refuse(&format!("subprotocol `{}`: it is offered already", excerpt(&name)));
        }
        self.subprotocols.push(name);
        self.made()
    }

    /// The path, with its query.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The `Host` header.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The headers that were added, as names and values.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The subprotocols offered.
    pub fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// The [preamble](Self::with_preamble), a step a line; empty where there is none.
    pub fn preamble(&self) -> &str {
        &self.preamble
    }

    /// With a preamble that was checked.
    pub(crate) fn with_preamble_text(mut self, preamble: String) -> Self {
        self.preamble = Cow::Owned(preamble);
        self
    }

    /// The whole request. Its `Sec-WebSocket-Key` is always [`KEY`](super::handshake::KEY).
    pub fn request(&self) -> &str {
        self.request.as_deref().unwrap_or(REQUEST)
    }

    /// The whole request to share; `None` where it is the usual one.
    pub(crate) fn unusual_request(&self) -> Option<Arc<str>> {
        self.request.clone()
    }

    /// With the request that its parts make.
    fn made(mut self) -> Result<Self, InvalidOpening> {
        let rest = REQUEST.splitn(3, "\r\n").nth(2).unwrap_or_default();
        let rest = rest.trim_end_matches("\r\n");
        let Self { path, host, headers, subprotocols, .. } = &self;
        let mut request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{rest}\r\n");
        if !subprotocols.is_empty() {
            let _ = write!(request, "Sec-WebSocket-Protocol: {}\r\n", subprotocols.join(", "));
        }
        for (name, value) in headers {
            let _ = write!(request, "{name}: {value}\r\n");
        }
        request.push_str("\r\n");
        if request.len() > MOST_BYTES || headers.len() > MOST_HEADERS {
            return refuse(&format!(
                "the opening request has {} bytes and {} headers beside its own: {MOST_BYTES} bytes and \
                 {MOST_HEADERS} headers are the most",
                request.len(),
                headers.len()
            ));
        }
        self.request = (request != REQUEST).then(|| request.into());
        Ok(self)
    }
}

/// Headers that cannot be added, and why.
const RESERVED: [(&str, &str); 12] = [
    ("Host", "say it as the host"),
    ("Sec-WebSocket-Protocol", "say it as a subprotocol"),
    ("Sec-WebSocket-Extensions", "hangup speaks no extension, and must not offer one"),
    ("Sec-WebSocket-Key", OWN),
    ("Sec-WebSocket-Version", OWN),
    ("Sec-WebSocket-Accept", "it is a server's"),
    ("Upgrade", OWN),
    ("Connection", OWN),
    ("Content-Length", BODY),
    ("Transfer-Encoding", BODY),
    ("Expect", BODY),
    ("Trailer", BODY),
];
const OWN: &str = "the opening handshake has it, once";
const BODY: &str = "an opening request has no body";

/// At most 40 characters, in quotes.
fn quoted(text: &str) -> String {
    format!("\"{}\"", excerpt(text))
}

/// Whether it may stand in `HOST:PORT`: RFC 3986 has more for names, and nobody uses them.
const fn is_of_a_host(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || matches!(character, '-' | '.' | '_' | '~' | '%' | ':' | '[' | ']')
}

fn refuse<T>(why: &str) -> Result<T, InvalidOpening> {
    Err(InvalidOpening(why.to_owned()))
}

/// Whether it is a token of RFC 9110 section 5.6.2, as names of headers and subprotocols are.
fn is_token(name: &str) -> bool {
    let is_part = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '!' | '#'..='\'' | '*' | '+' | '-' | '.' | '^'..='`' | '|' | '~')
    };
    !name.is_empty() && name.chars().all(is_part)
}

/// The parts that differ from the usual request, as files have them.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// Each as `Name: value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    subprotocols: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    preamble: Option<String>,
}

impl From<Opening> for Fields {
    fn from(opening: Opening) -> Self {
        let other = |own: Cow<'static, str>, usual: &str| (own != usual).then(|| own.into_owned());
        let line = |(name, value): &(String, String)| format!("{name}: {value}");
        Self {
            path: other(opening.path, USUAL.path()),
            host: other(opening.host, USUAL.host()),
            headers: opening.headers.iter().map(line).collect(),
            subprotocols: opening.subprotocols,
            preamble: other(opening.preamble, ""),
        }
    }
}

impl TryFrom<Fields> for Opening {
    type Error = InvalidOpening;

    fn try_from(fields: Fields) -> Result<Self, InvalidOpening> {
        let Fields { path, host, headers, subprotocols, preamble } = fields;
        let mut opening = Self::new();
        if let Some(path) = path {
            opening = opening.with_path(path)?;
        }
        if let Some(host) = host {
            opening = opening.with_host(host)?;
        }
        for line in headers {
            opening = opening.with_header_line(&line)?;
        }
        for subprotocol in subprotocols {
            opening = opening.with_subprotocol(subprotocol)?;
        }
        // Whoever reads a file checks it: this module does not know the notation.
        Ok(opening.with_preamble_text(preamble.unwrap_or_default()))
    }
}

impl Opening {
    /// As [`with_header`](Self::with_header), of a line `Name: value`.
    ///
    /// # Errors
    ///
    /// One line, where it is no such line, and as there.
    pub fn with_header_line(self, line: &str) -> Result<Self, InvalidOpening> {
        match line.split_once(':') {
            Some((name, value)) if is_token(name) => self.with_header(name, value),
            _ => refuse(&format!("header {}: say it as `Name: value`", quoted(line))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::handshake;

    #[test]
    fn the_usual_request_stays_the_usual_one_however_it_is_said() {
        let said = Opening::new().with_path("/").expect("legal").with_host("localhost");
        let said = said.expect("legal");
        assert!(said.is_usual() && said == Opening::new());
        assert_eq!(said.request(), REQUEST);
    }

    #[test]
    fn every_request_is_a_legal_one_with_its_parts_in_it() {
        let opening = Opening::new()
            .with_header("Cookie", " a=b; c=d ")
            .and_then(|opening| opening.with_path("/ws/%20?room=1&x"))
            .and_then(|opening| opening.with_subprotocol("chat"))
            .and_then(|opening| opening.with_subprotocol("v2.chat"))
            .and_then(|opening| opening.with_header("X-Empty", ""))
            .and_then(|opening| opening.with_host("[::1]:8080"))
            .expect("legal");
        let request = opening.request();
        let (length, accept) =
            handshake::request(request.as_bytes()).expect("legal").expect("whole");
        assert_eq!((length, accept.as_str()), (request.len(), handshake::ACCEPT));
        assert!(request.starts_with("GET /ws/%20?room=1&x HTTP/1.1\r\nHost: [::1]:8080\r\n"));
        let end =
            "\r\nSec-WebSocket-Protocol: chat, v2.chat\r\nCookie: a=b; c=d\r\nX-Empty: \r\n\r\n";
        assert!(request.ends_with(end), "{request}");
        let text = toml::to_string(&opening).expect("TOML");
        assert_eq!(toml::from_str::<Opening>(&text), Ok(opening), "{text}");
        assert_eq!(toml::to_string(&Opening::new()).expect("TOML"), "");
    }

    #[test]
    fn what_would_break_the_opening_is_refused_in_one_line() {
        let path = |path: &str| Opening::new().with_path(path);
        let header = |name: &str, value: &str| Opening::new().with_header(name, value);
        let long = "x".repeat(MOST_BYTES);
        let twice = Opening::new().with_subprotocol("a").and_then(|one| one.with_subprotocol("a"));
        let many = (0..=MOST_HEADERS)
            .try_fold(Opening::new(), |opening, at| opening.with_header(format!("X-{at}"), ""));
        for (refused, named) in [
            (path(""), "begin with `/`"),
            (path("ws"), "begin with `/`"),
            (path("/a b"), "percent-encoded"),
            (path("/a\r\nX: y"), "percent-encoded"),
            (path("/a#b"), "percent-encoded"),
            (path("/\u{e9}"), "percent-encoded"),
            (Opening::new().with_host(""), "a name or an address"),
            (Opening::new().with_host("a b"), "a name or an address"),
            (Opening::new().with_host("a/b"), "a name or an address"),
            (Opening::new().with_host("x@y"), "a name or an address"),
            (Opening::new().with_host("x@y/"), "a name or an address"),
            (Opening::new().with_host("a?b"), "a name or an address"),
            (path(&"\u{202e}".repeat(999)), "begin with `/`"),
            (header(&format!("{} ", "x".repeat(999)), ""), "...\": that is no header's name"),
            (header("", "x"), "no header's name"),
            (header("X Y", "x"), "no header's name"),
            (header("X:", "x"), "no header's name"),
            (header("X", "a\r\nY: b"), "a line break"),
            (header("X", "a\0b"), "control character"),
            (header("upgrade", "websocket"), "the opening handshake has it"),
            (header("Connection", "close"), "the opening handshake has it"),
            (header("sec-websocket-key", "x"), "the opening handshake has it"),
            (header("Sec-WebSocket-Version", "8"), "the opening handshake has it"),
            (header("Sec-WebSocket-Accept", "8"), "it is a server's"),
            (header("Sec-WebSocket-Extensions", "permessage-deflate"), "no extension"),
            (header("Sec-WebSocket-Protocol", "chat"), "as a subprotocol"),
            (header("host", "x"), "as the host"),
            (header("Content-Length", "3"), "has no body"),
            (header("Transfer-Encoding", "chunked"), "has no body"),
            (header("Expect", "100-continue"), "has no body"),
            (header("Trailer", "X"), "has no body"),
            (header("X", &long), "are the most"),
            (many, "are the most"),
            (Opening::new().with_subprotocol(""), "no subprotocol's name"),
            (Opening::new().with_subprotocol("a, b"), "no subprotocol's name"),
            (twice, "is offered already"),
            (Opening::new().with_header_line("nonsense"), "`Name: value`"),
        ] {
            let error = refused.expect_err(named).to_string();
            assert!(error.contains(named) && !error.contains('\n'), "{named}: {error}");
            let is_obeyed = |c: char| c.is_control() || c == '\u{202e}';
            assert!(error.len() < 250 && !error.contains(is_obeyed), "{named}: {error}");
        }
    }
}
