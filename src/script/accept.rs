//! What an actor that is the server answers an opening request with: data, and its bytes; and which
//! scripts are against a client because of that.

use super::encode::append_filler;
use super::{Act, Script, Send, Size, Unit};
use crate::wire::{Role, handshake};

/// An answer to the opening request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Accept {
    /// What it says.
    pub answer: Answer,
    /// The size of a filler header, where it has one.
    pub filler: Option<Size>,
}

impl Accept {
    /// The 101 that opens the WebSocket.
    pub const USUAL: Self = Self { answer: Answer::Opens, filler: None };

    /// Appends its bytes to `out`; `accept` answers the key of the request.
    pub(super) fn encode(&self, accept: &str, out: &mut Vec<u8>) {
        let start = out.len();
        match self.answer {
            Answer::Opens => out.extend(handshake::switching_protocols(accept).bytes()),
            Answer::Status(status) => {
                let head = format!("HTTP/1.1 {status:03} Status\r\nContent-Length: 0\r\n\r\n");
                out.extend(head.bytes());
            }
            // The digest of nobody's key.
            Answer::WrongKey => {
                out.extend(handshake::switching_protocols("AAAAAAAAAAAAAAAAAAAAAAAAAAA=").bytes());
            }
            Answer::UnaskedProtocol => {
                out.extend(handshake::switching_protocols(accept).bytes());
                out.truncate(out.len() - 2);
                out.extend(b"Sec-WebSocket-Protocol: unasked\r\n\r\n");
            }
        }
        if let Some(filler) = self.filler {
            append_filler(filler, start, out);
        }
    }
}

/// What an answer to the opening request says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    /// 101, with the hash of the request's key: the WebSocket is open.
    Opens,
    /// Another status of HTTP, from 200 to 599: the WebSocket is refused.
    Status(u16),
    /// 101, with a hash that answers another key.
    WrongKey,
    /// 101, with a subprotocol that the client did not offer.
    UnaskedProtocol,
}

impl Script {
    /// Why the script cannot be meant for a subject in this role, where it cannot: it has a step with which
    /// the actor opens a connection to the other one. A script without any is for either.
    pub fn is_not_against(&self, subject: Role) -> Option<String> {
        let wrong = self.steps.iter().find_map(|step| match (&step.act, subject) {
            (Act::Send(Send { unit: Unit::Accept(_), .. }), Role::Server) => Some("accept"),
            (Act::Send(Send { unit: Unit::Upgrade(_), .. }), Role::Client) => Some("upgrade"),
            _ => None,
        })?;
        Some(format!("`{wrong}` is a step against a {}", subject.other().word()))
    }
}

/// The status codes that a refusal can have in a script; 1xx are no final answers.
pub(super) const STATUS: std::ops::RangeInclusive<u32> = 200..=599;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Encoding;

    fn bytes(line: &str, accept: &str) -> String {
        let script: Script = line.parse().expect(line);
        assert_eq!(script.to_string(), format!("{line}\n"));
        let Act::Send(Send { unit, .. }) = &script.steps[0].act else {
            panic!("{line} is no send")
        };
        let mut out = Vec::new();
        unit.encode_with(&Encoding { sender: Role::Server, accept, ..Encoding::USUAL }, &mut out);
        assert!(out.len() as u64 <= script.max_bytes_sent(), "{line}: {}", out.len());
        String::from_utf8(out).expect("a head is text")
    }

    #[test]
    fn an_answer_opens_with_the_key_that_was_sent_and_is_refused_in_each_other_way() {
        let other = handshake::accept_key(b"AAAAAAAAAAAAAAAAAAAAAA==");
        assert_eq!(bytes("accept", &other), handshake::switching_protocols(&other));
        assert!(!bytes("accept wrong key", &other).contains(&other));
        assert!(!bytes("accept wrong key", handshake::ACCEPT).contains(handshake::ACCEPT));
        let protocol = bytes("accept unasked protocol", &other);
        assert!(
            protocol.contains(&other) && protocol.contains("Sec-WebSocket-Protocol: unasked\r\n")
        );
        assert!(bytes("accept 503", &other).starts_with("HTTP/1.1 503 "));
        for line in ["accept with 3KiB header", "accept 404 with 3KiB header"] {
            let text = bytes(line, &other);
            assert!(text.len() > 3072, "{line}");
            assert_eq!(handshake::head_length(text.as_bytes()), Some(text.len()), "{line}");
        }
        for line in ["accept", "accept wrong key", "accept unasked protocol", "accept 503"] {
            let text = bytes(line, &other);
            assert_eq!(handshake::head_length(text.as_bytes()), Some(text.len()), "{line}");
        }
    }

    #[test]
    fn a_script_is_against_the_role_that_its_opening_is_for_and_without_one_against_either() {
        for (text, server, client) in [
            ("upgrade\nclose", None, Some("`upgrade` is a step against a server")),
            ("accept 404", Some("`accept` is a step against a client"), None),
            ("wait 1s\nfin", None, None),
        ] {
            let script: Script = text.parse().expect(text);
            let why = [Role::Server, Role::Client].map(|role| script.is_not_against(role));
            assert_eq!(why.each_ref().map(Option::as_deref), [server, client], "{text}");
        }
    }

    #[test]
    fn a_status_that_is_no_final_answer_is_no_script() {
        for line in ["accept 101", "accept 199", "accept 600", "accept wrong", "accept unasked"] {
            assert!(line.parse::<Script>().is_err(), "{line}");
        }
    }
}
