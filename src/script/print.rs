//! Prints a script as text, one step a line. [`super::parse`] reads it back.

use super::{
    Accept, Act, Answer, Awaited, Command, ConnectionNumber, Content, Frame, Kind, Length, Masking,
    Millis, Pace, Piece, Script, Send, Setting, Size, Step, Unit,
};
use std::fmt::{self, Display, Formatter};

impl Display for Script {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

/// As `Display`, a line a step: proptest shows what failed in this form, and it can
/// be pasted into a file.
impl fmt::Debug for Script {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}")
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.connection != ConnectionNumber::FIRST {
            write!(f, "{}: ", self.connection)?;
        }
        if self.joined {
            f.write_str("+ ")?;
        }
        Display::fmt(&self.act, f)
    }
}

impl Display for Act {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(test)]
            Self::Idle => f.write_str("idle"),
            Self::Connect(after) => write!(f, "connect after {after}"),
            Self::Send(send) => Display::fmt(send, f),
            Self::Wait(time) => write!(f, "wait {time}"),
            Self::Await(awaited) => write!(f, "await {awaited}"),
            Self::StopReading => f.write_str("stop reading"),
            Self::ResumeReading => f.write_str("resume reading"),
            Self::Fin => f.write_str("fin"),
            Self::Reset => f.write_str("reset"),
            Self::Drop => f.write_str("drop"),
            Self::Cut => f.write_str("cut"),
            Self::Set(setting, size) => write!(f, "{setting} {size}"),
            Self::App(command, pace) => write!(f, "app {command}{pace}"),
        }
    }
}

impl Awaited {
    /// The word in the notation.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Upgrade => "upgrade",
            Self::Close => "close",
            Self::Message => "message",
            Self::Ping => "ping",
            Self::Pong => "pong",
            Self::End => "end",
        }
    }
}

impl Display for Awaited {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Display for Setting {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Window => "window",
            Self::SendBuffer => "send buffer",
            Self::ReceiveBuffer => "receive buffer",
            Self::Segment => "segment",
        })
    }
}

impl Display for Send {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.piece, self.unit, self.pace)
    }
}

impl Display for Piece {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => Ok(()),
            Self::First(count) => write!(f, "first {} of ", Bytes(*count)),
            Self::After(count) => write!(f, "rest after {} of ", Bytes(*count)),
        }
    }
}

/// Prints with a space before it, as it follows what it is the pace of.
impl Display for Pace {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let every = match self {
            Self::Once => return Ok(()),
            Self::Times(times, every) => {
                write!(f, " x {times}")?;
                every
            }
            Self::Pieces(size, every) => {
                write!(f, " in pieces of {}", Bytes(*size))?;
                every
            }
        };
        if every.0 == 0 { Ok(()) } else { write!(f, " every {every}") }
    }
}

/// `1 byte`, `3 bytes`.
struct Bytes(u32);

impl Display for Bytes {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} byte{}", self.0, if self.0 == 1 { "" } else { "s" })
    }
}

impl Display for Unit {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upgrade(None) => f.write_str("upgrade"),
            Self::Upgrade(Some(size)) => write!(f, "upgrade with {size} header"),
            Self::Raw(content) => write!(f, "raw{content}"),
            Self::Frame(frame) => Display::fmt(frame, f),
            Self::Accept(accept) => Display::fmt(accept, f),
        }
    }
}

impl Display for Accept {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.answer {
            Answer::Opens => f.write_str("accept"),
            Answer::Status(status) => write!(f, "accept {status}"),
            Answer::WrongKey => f.write_str("accept wrong key"),
            Answer::UnaskedProtocol => f.write_str("accept unasked protocol"),
        }?;
        self.filler.map_or(Ok(()), |size| write!(f, " with {size} header"))
    }
}

impl Display for Frame {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.mask {
            Masking::Usual => {}
            Masking::Unmasked => f.write_str("unmasked ")?,
            Masking::Masked => f.write_str("masked ")?,
        }
        if !self.fin {
            f.write_str("unfinished ")?;
        }
        if self.rsv != 0 {
            write!(f, "rsv {} ", self.rsv)?;
        }
        match self.length {
            Length::Minimal => {}
            Length::Bits16 => f.write_str("16-bit ")?,
            Length::Bits64 => f.write_str("64-bit ")?,
        }
        match &self.kind {
            Kind::Text(content) => write!(f, "text{content}"),
            Kind::Binary(content) => write!(f, "binary{content}"),
            Kind::Continuation(content) => write!(f, "continuation{content}"),
            Kind::Ping(content) => write!(f, "ping{content}"),
            Kind::Pong(content) => write!(f, "pong{content}"),
            Kind::Close(code, content) => write_close(f, *code, content),
            Kind::Other(opcode, content) => write!(f, "opcode {}{content}", opcode.bits()),
        }?;
        self.declares.map_or(Ok(()), |length| write!(f, " declares {length}"))
    }
}

impl Display for Command {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::SendText(content) => write!(f, "send text{content}"),
            Self::SendBinary(content) => write!(f, "send binary{content}"),
            Self::Ping(content) => write!(f, "ping{content}"),
            Self::Close(code, content) => write_close(f, *code, content),
            Self::Return => f.write_str("return"),
            Self::Keep => f.write_str("keep"),
            Self::Shutdown => f.write_str("shutdown"),
            Self::Broadcast(content) => write!(f, "broadcast text{content}"),
        }
    }
}

fn write_close(f: &mut Formatter<'_>, code: Option<u16>, content: &Content) -> fmt::Result {
    f.write_str("close")?;
    if let Some(code) = code {
        write!(f, " {code}")?;
    }
    Display::fmt(content, f)
}

/// Prints with a space before it, as it follows the word that it belongs to.
impl Display for Content {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => Ok(()),
            Self::Text(text) => write_quoted(f, text),
            Self::Fill(size) => write!(f, " {size}"),
            Self::Bytes(bytes) if bytes.is_empty() => f.write_str(" hex -"),
            Self::Bytes(bytes) => {
                f.write_str(" hex ")?;
                bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

/// Text in quotes; what a terminal or a line-based file could mangle is escaped.
fn write_quoted(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str(" \"")?;
    for character in text.chars() {
        match character {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            // Three quotes in a row end a script inside a repro file.
            '\'' | ' '..='~' => write!(f, "{character}")?,
            other if other.is_alphanumeric() => write!(f, "{other}")?,
            other => write!(f, "\\u{{{:x}}}", u32::from(other))?,
        }
    }
    f.write_str("\"")
}

impl Display for Size {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes != 0 && bytes % (1 << 20) == 0 => write!(f, "{}MiB", bytes >> 20),
            bytes if bytes != 0 && bytes % (1 << 10) == 0 => write!(f, "{}KiB", bytes >> 10),
            bytes => write!(f, "{bytes}B"),
        }
    }
}

impl Display for Millis {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            millis if millis != 0 && millis % 3_600_000 == 0 => {
                write!(f, "{}h", millis / 3_600_000)
            }
            millis if millis != 0 && millis % 60_000 == 0 => write!(f, "{}min", millis / 60_000),
            millis if millis != 0 && millis % 1000 == 0 => write!(f, "{}s", millis / 1000),
            millis => write!(f, "{millis}ms"),
        }
    }
}
