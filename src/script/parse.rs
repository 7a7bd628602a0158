//! Parses text as a script: the inverse of [`super::print`].
//!
//! A step a line; blank lines and lines that begin with `#` are ignored. An
//! error names its line, its column, what stands there, and what could.

use super::accept::STATUS;
use super::connection::{above_a_gap, order};
use super::{
    Accept, Act, Answer, Awaited, Command, ConnectionNumber, Content, DeclaredLength, Frame, Kind,
    Length, MAX_ACTS, MAX_BYTES, MAX_TIMES, Masking, Millis, Pace, Piece, Script, Send, Setting,
    Size, Step, Unit,
};
use crate::excerpt::{excerpt, nearest};
use crate::wire::Opcode;
use std::fmt;
use std::str::FromStr;

/// Why a text is not a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What stands there; `None` at the line's end.
    pub found: Option<String>,
    /// What could stand there.
    pub expected: Vec<&'static str>,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: ", self.line, self.column)?;
        match &self.found {
            Some(found) => write!(f, "found `{}`", excerpt(found))?,
            None => f.write_str("the line ends")?,
        }
        let found = self.found.as_deref().unwrap_or_default();
        let names = nearest(found, self.expected.iter().copied());
        match names.as_slice() {
            [one] => write!(f, ", expected {one}"),
            all if all.len() == self.expected.len() => {
                write!(f, ", expected one of: {}", all.join(", "))
            }
            some => write!(
                f,
                ", expected one of: {}, .. (`hangup explain notation` lists all)",
                some.join(", ")
            ),
        }
    }
}

impl std::error::Error for ParseError {}

impl FromStr for Script {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse(text, MAX_BYTES, MAX_ACTS)
    }
}

impl Script {
    /// Reads what hangup itself has made of a script that was read: a control, or a candidate of
    /// shrinking, may be a step longer than scripts may be.
    #[cfg(feature = "cli")]
    pub(crate) fn parse_own(text: &str) -> Result<Self, ParseError> {
        parse(text, u64::MAX, u64::MAX)
    }
}

fn parse(text: &str, most_bytes: u64, most_acts: u64) -> Result<Script, ParseError> {
    let mut script = Script::default();
    let (mut max_bytes, mut acts) = (0, 0);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let mut rest = Line::new(line, index + 1);
        rest.skip_space();
        if rest.is_empty() || rest.text.starts_with('#') {
            continue;
        }
        let step = rest.step(&script.steps)?;
        max_bytes += step.max_bytes_sent();
        acts += step.acts();
        script.steps.push(step);
        let too_much = match () {
            () if max_bytes > most_bytes => "a script of at most 32 MiB in all",
            () if acts > most_acts => {
                "a script of at most 100000 steps, repetitions and pieces in all"
            }
            () => continue,
        };
        return Err(Line::new(line, index + 1).error(&[too_much]));
    }
    order(&mut script.steps);
    match above_a_gap(&script.steps) {
        Some(number) => Err(left_out_below(number, text)),
        None => Ok(script),
    }
}

/// The error that no step is of the connection before this one, at the first step of it.
fn left_out_below(number: ConnectionNumber, text: &str) -> ParseError {
    let lines = text.lines().enumerate().map(|(index, line)| Line::new(line, index + 1));
    let mut its = lines.filter_map(|mut line| {
        line.skip_space();
        let start = line.clone();
        (line.connection() == Ok(number)).then_some(start)
    });
    // It has steps: that is how the gap was seen.
    let line = its.next().unwrap_or(Line::new("", 1));
    line.error(&["the next number: connections are 1, 2, 3 and so on, none left out"])
}

/// A time as scripts write it: `10ms`, `2s`, `5min`, `12h`.
impl FromStr for Millis {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut line = Line::new(text, 1);
        let millis = line.millis()?;
        if line.is_empty() { Ok(millis) } else { Err(line.error(&["nothing more"])) }
    }
}

/// The words that a step can begin with.
const STEPS: &[&str] = &[
    #[cfg(test)]
    "idle",
    "connect after",
    "upgrade",
    "accept",
    "text",
    "binary",
    "continuation",
    "ping",
    "pong",
    "close",
    "opcode",
    "raw",
    "first",
    "rest after",
    "unmasked",
    "masked",
    "unfinished",
    "rsv",
    "16-bit",
    "64-bit",
    "wait",
    "await",
    "stop reading",
    "resume reading",
    "fin",
    "reset",
    "drop",
    "cut",
    "window",
    "send buffer",
    "receive buffer",
    "segment",
    "app",
];
const UNITS: &[&str] = &[
    "upgrade",
    "accept",
    "text",
    "binary",
    "continuation",
    "ping",
    "pong",
    "close",
    "opcode",
    "raw",
    "unmasked",
    "masked",
    "unfinished",
    "rsv",
    "16-bit",
    "64-bit",
];
const FRAMES: &[&str] = &["text", "binary", "continuation", "ping", "pong", "close", "opcode"];
/// What stands behind `send`, where people look for a message.
const SEND: &str = "buffer, as in `send buffer 64KiB`; what sends a message begins with its kind, as `text \"hello\"`";
const AWAITED: &[Awaited] = &[
    Awaited::Upgrade,
    Awaited::Close,
    Awaited::Message,
    Awaited::Ping,
    Awaited::Pong,
    Awaited::End,
];

type Parsed<T> = Result<T, ParseError>;

/// What is left of one line, and where it stands.
#[derive(Clone)]
struct Line<'a> {
    text: &'a str,
    line: usize,
    column: usize,
}

impl<'a> Line<'a> {
    const fn new(text: &'a str, line: usize) -> Self {
        Self { text, line, column: 1 }
    }

    const fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    fn advance(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.text.split_at(bytes);
        self.column += taken.chars().count();
        self.text = rest;
        taken
    }

    fn skip_space(&mut self) {
        let space = self.text.len() - self.text.trim_start().len();
        self.advance(space);
    }

    /// The next word, without taking it; empty at the line's end.
    fn peek(&self) -> &'a str {
        self.text.split(char::is_whitespace).next().unwrap_or_default()
    }

    fn error(&self, expected: &[&'static str]) -> ParseError {
        let found = self.peek();
        ParseError {
            line: self.line,
            column: self.column,
            found: (!found.is_empty()).then(|| found.to_owned()),
            expected: expected.to_vec(),
        }
    }

    /// Takes the next word where it is `word`.
    fn take(&mut self, word: &str) -> bool {
        let rest = self.text.strip_prefix(word);
        let found =
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace));
        if found {
            self.advance(word.len());
            self.skip_space();
        }
        found
    }

    fn demand(&mut self, word: &'static str) -> Parsed<()> {
        if self.take(word) { Ok(()) } else { Err(self.error(&[word])) }
    }

    /// Takes the next word as a number from `low` to `high`.
    fn number(&mut self, low: u32, high: u32, what: &'static str) -> Parsed<u32> {
        match canonical_number(self.peek()) {
            Some(number) if (low..=high).contains(&number) => {
                let word = self.peek().len();
                self.advance(word);
                self.skip_space();
                Ok(number)
            }
            _ => Err(self.error(&[what])),
        }
    }

    /// Takes the next word as a number with one of `units`, each with its factor.
    fn number_with_unit(
        &mut self,
        units: &[(&str, u32)],
        high: u32,
        what: &'static str,
    ) -> Parsed<u32> {
        let word = self.peek();
        let digits = word.len() - word.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = word.split_at(digits);
        let value = canonical_number(number)
            .zip(units.iter().find(|(name, _)| *name == unit))
            .and_then(|(number, (_, factor))| number.checked_mul(*factor))
            .filter(|value| *value <= high)
            .ok_or_else(|| self.error(&[what]))?;
        self.advance(word.len());
        self.skip_space();
        Ok(value)
    }

    fn size(&mut self) -> Parsed<Size> {
        let units = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20)];
        self.number_with_unit(&units, Size::MAX.0, "a size up to 16MiB, such as 10B or 64KiB")
            .map(Size)
    }

    fn millis(&mut self) -> Parsed<Millis> {
        let units = [("ms", 1), ("s", 1000), ("min", 60_000), ("h", 3_600_000)];
        self.number_with_unit(&units, u32::MAX, "a time up to 1193h, such as 10ms, 2s, 5min or 12h")
            .map(Millis)
    }

    fn byte_count(&mut self, least: u32) -> Parsed<u32> {
        let what = if least == 0 { "a number of bytes" } else { "a number of bytes, 1 or more" };
        let count = self.number(least, Size::MAX.0, what)?;
        if self.take("bytes") || self.take("byte") {
            Ok(count)
        } else {
            Err(self.error(&["bytes"]))
        }
    }

    /// The step behind those `before`.
    fn step(&mut self, before: &[Step]) -> Parsed<Step> {
        let connection = self.connection()?;
        let joined = self.take("+");
        let start = self.clone();
        let step = Step { connection, joined, act: self.act()? };
        if step.connects() && before.iter().any(|step| step.connection == connection) {
            return Err(start.error(&["`connect` as the first step of its connection"]));
        }
        if self.is_empty() { Ok(step) } else { Err(self.error(&["the line's end"])) }
    }

    /// The connection whose number the line begins with: the first where it begins with none.
    fn connection(&mut self) -> Parsed<ConnectionNumber> {
        let digits =
            self.text.len() - self.text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits == 0 || !self.text[digits..].starts_with(':') {
            return Ok(ConnectionNumber::FIRST);
        }
        let number =
            canonical_number(&self.text[..digits]).and_then(|number| u8::try_from(number).ok());
        let Some(number) = number.and_then(ConnectionNumber::new) else {
            return Err(self.error(&["the number of a connection from 1 to 8"]));
        };
        self.advance(digits + 1);
        self.skip_space();
        if self.is_empty() { Err(self.error(&["a step"])) } else { Ok(number) }
    }

    fn act(&mut self) -> Parsed<Act> {
        let start = self.clone();
        let word = self.peek();
        self.take(word);
        let act = match word {
            #[cfg(test)]
            "idle" => Act::Idle,
            "connect" => {
                self.demand("after")?;
                Act::Connect(self.millis()?)
            }
            "wait" => Act::Wait(self.millis()?),
            "await" => Act::Await(self.awaited()?),
            "stop" => self.demand("reading").map(|()| Act::StopReading)?,
            "resume" => self.demand("reading").map(|()| Act::ResumeReading)?,
            "fin" => Act::Fin,
            "reset" => Act::Reset,
            "drop" => Act::Drop,
            "cut" => Act::Cut,
            "window" => Act::Set(Setting::Window, self.size()?),
            "segment" => Act::Set(Setting::Segment, self.size()?),
            "send" => {
                if !self.take("buffer") {
                    return Err(self.error(&[SEND]));
                }
                Act::Set(Setting::SendBuffer, self.size()?)
            }
            "receive" => {
                self.demand("buffer")?;
                Act::Set(Setting::ReceiveBuffer, self.size()?)
            }
            "app" => {
                let command = self.command()?;
                Act::App(command, self.pace(false)?)
            }
            "first" | "rest" => {
                let piece = if word == "first" {
                    Piece::First(self.byte_count(0)?)
                } else {
                    self.demand("after")?;
                    Piece::After(self.byte_count(0)?)
                };
                self.demand("of")?;
                let unit = self.unit(UNITS)?;
                Act::Send(Send { piece, unit, pace: self.pace(true)? })
            }
            _ => {
                *self = start;
                let unit = self.unit(STEPS)?;
                Act::Send(Send { piece: Piece::Whole, unit, pace: self.pace(true)? })
            }
        };
        Ok(act)
    }

    fn awaited(&mut self) -> Parsed<Awaited> {
        match AWAITED.iter().find(|awaited| self.take(awaited.word())) {
            Some(awaited) => Ok(*awaited),
            None => {
                Err(self.error(&AWAITED.iter().map(|awaited| awaited.word()).collect::<Vec<_>>()))
            }
        }
    }

    fn command(&mut self) -> Parsed<Command> {
        if self.take("send") {
            return match () {
                () if self.take("text") => Ok(Command::SendText(self.content()?)),
                () if self.take("binary") => Ok(Command::SendBinary(self.content()?)),
                () => Err(self.error(&["text", "binary"])),
            };
        }
        if self.take("broadcast") {
            self.demand("text")?;
            return Ok(Command::Broadcast(self.content()?));
        }
        match () {
            () if self.take("ping") => Ok(Command::Ping(self.content()?)),
            () if self.take("close") => Ok(Command::Close(self.code()?, self.content()?)),
            () if self.take("return") => Ok(Command::Return),
            () if self.take("keep") => Ok(Command::Keep),
            () if self.take("shutdown") => Ok(Command::Shutdown),
            () => Err(self.error(&[
                "send",
                "ping",
                "close",
                "return",
                "keep",
                "shutdown",
                "broadcast",
            ])),
        }
    }

    fn pace(&mut self, cuttable: bool) -> Parsed<Pace> {
        if self.take("x") {
            let times = self.number(1, MAX_TIMES, "a number from 1 to 10000")?;
            return Ok(Pace::Times(times, self.every()?));
        }
        if cuttable && self.take("in") {
            self.demand("pieces")?;
            self.demand("of")?;
            let size = self.byte_count(1)?;
            return Ok(Pace::Pieces(size, self.every()?));
        }
        Ok(Pace::Once)
    }

    fn every(&mut self) -> Parsed<Millis> {
        if self.take("every") { self.millis() } else { Ok(Millis(0)) }
    }

    fn unit(&mut self, expected: &[&'static str]) -> Parsed<Unit> {
        if self.take("upgrade") {
            return self.filler().map(Unit::Upgrade);
        }
        if self.take("accept") {
            return self.accept().map(Unit::Accept);
        }
        if self.take("raw") {
            return Ok(Unit::Raw(self.content()?));
        }
        self.frame(expected).map(Unit::Frame)
    }

    /// `with 4KiB header`, where that stands there.
    fn filler(&mut self) -> Parsed<Option<Size>> {
        if !self.take("with") {
            return Ok(None);
        }
        let size = self.size()?;
        self.demand("header")?;
        Ok(Some(size))
    }

    fn accept(&mut self) -> Parsed<Accept> {
        let answer = match () {
            () if self.take("wrong") => {
                self.demand("key")?;
                Answer::WrongKey
            }
            () if self.take("unasked") => {
                self.demand("protocol")?;
                Answer::UnaskedProtocol
            }
            () if self.peek().starts_with(|c: char| c.is_ascii_digit()) => {
                let (least, most) = (*STATUS.start(), *STATUS.end());
                Answer::Status(self.number(least, most, "a status from 200 to 599")? as u16)
            }
            () => Answer::Opens,
        };
        Ok(Accept { answer, filler: self.filler()? })
    }

    fn frame(&mut self, expected: &[&'static str]) -> Parsed<Frame> {
        let start = self.column;
        let mask = match () {
            () if self.take("unmasked") => Masking::Unmasked,
            () if self.take("masked") => Masking::Masked,
            () => Masking::Usual,
        };
        let fin = !self.take("unfinished");
        let rsv =
            if self.take("rsv") { self.number(1, 7, "a number from 1 to 7")? as u8 } else { 0 };
        let length = match () {
            () if self.take("16-bit") => Length::Bits16,
            () if self.take("64-bit") => Length::Bits64,
            () => Length::Minimal,
        };
        let expected = if self.column == start { expected } else { FRAMES };
        let kind = self.kind(expected)?;
        let declares = if self.take("declares") { Some(self.declared_length()?) } else { None };
        Ok(Frame { kind, fin, rsv, mask, length, declares })
    }

    fn declared_length(&mut self) -> Parsed<DeclaredLength> {
        let word = self.peek();
        let length = DeclaredLength::parse(word).ok_or_else(|| {
            self.error(&["a number of bytes up to 2^64-1, such as 126, 2^31 or 2^64-1"])
        })?;
        self.advance(word.len());
        self.skip_space();
        Ok(length)
    }

    fn kind(&mut self, expected: &[&'static str]) -> Parsed<Kind> {
        Ok(match () {
            () if self.take("text") => Kind::Text(self.content()?),
            () if self.take("binary") => Kind::Binary(self.content()?),
            () if self.take("continuation") => Kind::Continuation(self.content()?),
            () if self.take("ping") => Kind::Ping(self.content()?),
            () if self.take("pong") => Kind::Pong(self.content()?),
            () if self.take("close") => Kind::Close(self.code()?, self.content()?),
            () if self.take("opcode") => {
                let here = self.error(&["a reserved opcode: 3 to 7 or 11 to 15"]);
                let opcode = Opcode::new(self.number(0, 15, "an opcode")? as u8);
                if !opcode.is_reserved() {
                    return Err(here);
                }
                Kind::Other(opcode, self.content()?)
            }
            () => return Err(self.error(expected)),
        })
    }

    fn code(&mut self) -> Parsed<Option<u16>> {
        if self.peek().is_empty() || !self.peek().chars().all(|c| c.is_ascii_digit()) {
            return Ok(None);
        }
        let code = self.number(0, u32::from(u16::MAX), "a close code from 0 to 65535")?;
        Ok(u16::try_from(code).ok())
    }

    fn content(&mut self) -> Parsed<Content> {
        let word = self.peek();
        if word.starts_with('"') {
            return self.quoted().map(Content::Text);
        }
        if self.take("hex") {
            return self.hex().map(Content::Bytes);
        }
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return self.size().map(Content::Fill);
        }
        Ok(Content::Empty)
    }

    fn hex(&mut self) -> Parsed<Vec<u8>> {
        if self.take("-") {
            return Ok(Vec::new());
        }
        let word = self.peek().as_bytes();
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let bytes: Option<Vec<u8>> = word
            .chunks(2)
            .map(|pair| match pair {
                [high, low] => Some((digit(*high)? << 4 | digit(*low)?) as u8),
                _ => None,
            })
            .collect();
        match bytes {
            Some(bytes) if !bytes.is_empty() => {
                self.advance(word.len());
                self.skip_space();
                Ok(bytes)
            }
            _ => Err(self.error(&["pairs of hex digits, or - for none"])),
        }
    }

    fn quoted(&mut self) -> Parsed<String> {
        let start = self.clone();
        let unclosed = || start.error(&["text that ends with a quote"]);
        self.advance(1);
        let mut text = String::new();
        loop {
            let next = self.text.chars().next().ok_or_else(unclosed)?;
            match next {
                '"' => {
                    self.advance(1);
                    break;
                }
                '\\' => text.push(self.escape()?),
                other => {
                    self.advance(other.len_utf8());
                    text.push(other);
                }
            }
        }
        if !self.is_empty() && !self.text.starts_with(char::is_whitespace) {
            return Err(self.error(&["a space after the quote"]));
        }
        self.skip_space();
        Ok(text)
    }

    fn escape(&mut self) -> Parsed<char> {
        // Only where it is needed: a long text of nothing but escapes is read in linear time.
        let start = self.clone();
        let error = || start.error(&[r#"one of \" \\ \n \r \t \u{..}"#]);
        let mut characters = self.text.chars().skip(1);
        let (character, length) = match characters.next() {
            Some('"') => ('"', 2),
            Some('\\') => ('\\', 2),
            Some('n') => ('\n', 2),
            Some('r') => ('\r', 2),
            Some('t') => ('\t', 2),
            Some('u') => {
                let inner = self.text.get(3..).filter(|_| self.text[2..].starts_with('{'));
                let digits =
                    inner.and_then(|inner| inner.split_once('}')).map(|(digits, _)| digits);
                let value = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
                let Some((digits, character)) = digits.zip(value.and_then(char::from_u32)) else {
                    return Err(error());
                };
                (character, digits.len() + 4)
            }
            _ => return Err(error()),
        };
        self.advance(length);
        Ok(character)
    }
}

/// A decimal number in its one spelling: no sign, no leading zero.
fn canonical_number(word: &str) -> Option<u32> {
    let canonical = word == "0" || !word.starts_with('0');
    let digits = word.chars().all(|c| c.is_ascii_digit());
    if canonical && digits { word.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(text: &str) {
        let script: Script = text.parse().unwrap_or_else(|error| panic!("{text}\n{error}"));
        assert_eq!(script.to_string(), text);
    }

    #[test]
    fn a_typical_script_parses_and_prints_back() {
        round_trip(
            "upgrade\napp send text 64KiB\napp close 1000 \"bye\"\nawait close\nwait 2s\n\
             ping \"still here\" x 30 every 1s\nfirst 3 bytes of close 1000\nstop reading\n",
        );
    }

    #[test]
    fn every_kind_of_step_parses_and_prints_back() {
        round_trip(
            "upgrade with 64KiB header\n+ unmasked unfinished rsv 5 16-bit text hex ff00\n\
             first 1 byte of upgrade\nrest after 1 byte of upgrade\nraw \"GET\\r\\n\\u{7f}\"\n\
             binary 1MiB in pieces of 1000 bytes every 1ms\ncontinuation\npong \"\"\n\
             64-bit close 1005 \"é\\\"\\\\\"\nclose hex -\nopcode 11 10B x 2\nping declares 126\n\
             64-bit text \"x\" declares 2^64-1 in pieces of 1 byte every 1s\nwait 12h\nwait 90s\n\
             await upgrade\nawait message\nawait ping\nawait pong\nawait end\nresume reading\nfin\n\
             reset\ndrop\ncut\naccept\n+ masked close 1000\nfirst 20 bytes of accept wrong key\n\
             accept 503 in pieces of 9 bytes every 1s\naccept unasked protocol with 64KiB header\nwindow 64B\nsend buffer 0B\nreceive buffer 1KiB\nsegment 1B\n\
             app send binary\napp ping \"x\" x 30 every 1s\napp close\napp close 65535\n\
             app close 4000 100B\napp return\n",
        );
    }

    #[test]
    fn comments_blank_lines_and_indents_are_ignored() {
        let script: Script = "# a story\n\n   upgrade   \n\t close   1000\n".parse().expect("fine");
        assert_eq!(script.to_string(), "upgrade\nclose 1000\n");
    }

    #[test]
    fn an_error_has_its_line_its_column_and_the_expected_words() {
        let error = |text: &str| text.parse::<Script>().expect_err(text).to_string();
        assert_eq!(
            error("upgrade\nawait clsoe"),
            "line 2, column 7: found `clsoe`, expected one of: close, message, ping, pong, end, .. \
             (`hangup explain notation` lists all)"
        );
        assert_eq!(error("stop"), "line 1, column 5: the line ends, expected reading");
        assert_eq!(error("fin now"), "line 1, column 5: found `now`, expected the line's end");
        assert_eq!(
            error("opcode 9"),
            "line 1, column 8: found `9`, expected a reserved opcode: 3 to 7 or 11 to 15"
        );
        assert_eq!(
            error("text \"open"),
            "line 1, column 6: found `\"open`, expected text that ends with a quote"
        );
        assert_eq!(
            error("wait 2 s"),
            "line 1, column 6: found `2`, expected a time up to 1193h, such as 10ms, 2s, 5min or 12h"
        );
        assert_eq!(
            error("text declares 2^64"),
            "line 1, column 15: found `2^64`, expected a number of bytes up to 2^64-1, \
             such as 126, 2^31 or 2^64-1"
        );
        assert!(error("txet").contains("expected one of: text, "));
        assert!(error("unmasked wait 1s").contains("expected one of: "));
        assert!(error("fin\ntext 16MiB x 10000").contains("a script of at most 32 MiB in all"));
        assert_eq!(
            error("upgrade in pieces of 0 bytes"),
            "line 1, column 22: found `0`, expected a number of bytes, 1 or more"
        );
    }

    #[test]
    fn a_script_has_a_bound_of_steps_repetitions_and_pieces_together() {
        let most = MAX_ACTS as usize;
        for (text, acts) in [
            ("fin\n".repeat(most), MAX_ACTS),
            ("ping x 10000\n".repeat(10), MAX_ACTS),
            ("raw 100000B in pieces of 1 byte\n".to_owned(), MAX_ACTS),
            ("app ping x 9999 every 1s\n+ wait 1s\n".repeat(10), MAX_ACTS),
        ] {
            let script: Script = text.parse().expect("not one too many");
            assert_eq!(script.acts(), acts, "{text:.40}");
            let error = format!("{text}cut\n").parse::<Script>().expect_err("one too many");
            assert!(error.to_string().contains("at most 100000 steps, repetitions"), "{error}");
            assert_eq!(error.line, script.steps.len() + 1);
        }
    }

    #[test]
    fn an_error_repeats_little_of_what_it_found_and_nothing_that_a_terminal_would_obey() {
        for word in ["x".repeat(1 << 20), "\u{202e}\u{1b}[2J".repeat(9), "\0".to_owned()] {
            for text in [word.clone(), format!("text {word}"), format!("wait {word}")] {
                let error = text.parse::<Script>().expect_err("no script").to_string();
                assert!(
                    error.len() < 300 && !error.contains(['\u{202e}', '\u{1b}', '\0']),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic() {
        let words =
            ["text", "\"", "\\u{", "}", "hex", "0", "99999999999", "é", "first", "x", "+", "\\"];
        for a in words {
            for b in words {
                for c in words {
                    let _ = format!("text \"{a}{b}{c}").parse::<Script>();
                    let _ = format!("{a} {b}{c}").parse::<Script>();
                    let _ = format!("{a}{b} {c}").parse::<Script>();
                }
            }
        }
    }
}
