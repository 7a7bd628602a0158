//! RFC 6455 on the wire.
//!
//! Opcodes, close codes, a frame encoder that can build any illegal frame, a
//! strict incremental decoder for either role, and the opening handshake. This
//! module knows nothing of scripts, exchanges or servers, and keeps no clock.

mod close;
mod decode;
mod frame;
pub mod handshake;
mod opcode;
mod opening;
mod utf8;

pub use close::{CloseClass, CloseCode, ClosePayload};
pub use decode::{Decoder, Fault, Head, Item, Started};
pub use frame::{FrameHead, LengthForm, MASK};
pub use opcode::Opcode;
pub use opening::{InvalidOpening, Opening};
pub use utf8::{InvalidUtf8, Utf8};

use serde::{Deserialize, Serialize};

/// Who sends a stream of frames. RFC 6455 section 5.1 asks a client to mask every
/// frame and a server to mask none. In files it is its [`word`](Role::word).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The end that opened the connection; its frames are masked.
    Client,
    /// The end that accepted it; its frames are not masked. What names no role is about a server.
    #[default]
    Server,
}

impl Role {
    /// The role in a sentence: `client`, `server`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }

    /// The role of the other end.
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}
