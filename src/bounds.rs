//! What a target is allowed: durations and a size, each with a meaning for "no bound".

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The close bound of a target that declares none.
pub const DEFAULT_CLOSE: Duration = Duration::from_secs(5);

/// Within which time a server ends a connection, by what obliges it to.
///
/// A bound belongs to a server with its application, not to a library: no Rust
/// WebSocket library bounds its own close unless it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// From a Close either way, a protocol violation, the application's wish to
    /// close or the client's FIN, to the connection's end. Default 5 s.
    #[serde(with = "seconds")]
    pub close: Duration,
    /// From the client's RST to the drop of the transport. Default 5 s.
    #[serde(with = "seconds")]
    pub release: Duration,
    /// From accept to a complete opening request; `None`, the default, sets no bound.
    #[serde(default, with = "optional_seconds", skip_serializing_if = "Option::is_none")]
    pub handshake: Option<Duration>,
    /// From the last complete frame to the connection's end; `None`, the default, sets no bound.
    #[serde(default, with = "optional_seconds", skip_serializing_if = "Option::is_none")]
    pub idle: Option<Duration>,
    /// The most heap, in bytes, that serving one connection may hold at a time, whatever
    /// the client leaves unread or unfinished; `None`, the default, sets no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Of a whole server: from being told to shut down to the return of its function, or the exit
    /// of its process. `None`, the default: [`close`](Self::close) and a second ([`shutdown`](Self::shutdown)).
    #[serde(default, with = "optional_seconds", skip_serializing_if = "Option::is_none")]
    pub shutdown: Option<Duration>,
}

/// What a shutdown has beside the time to close, where a server has no bound of its own.
const BESIDE_CLOSING: Duration = Duration::from_secs(1);

impl Bounds {
    /// A bound to close, and to release after a reset, of `close`, and no other.
    pub const fn close_within(close: Duration) -> Self {
        Self { close, release: close, handshake: None, idle: None, memory: None, shutdown: None }
    }

    /// The same but for `close`, where there is one: it takes the place of the bounds for
    /// closing and for releasing, as [`close_within`](Self::close_within) sets both.
    #[must_use]
    pub fn held_to(self, close: Option<Duration>) -> Self {
        close.map_or(self, |close| Self { close, release: close, ..self })
    }

    /// By when a whole server has shut down that is told to.
    pub fn shutdown(&self) -> Duration {
        self.shutdown.unwrap_or(self.close + BESIDE_CLOSING)
    }

    /// The shortest of the durations.
    pub fn shortest(&self) -> Duration {
        let optional = [self.handshake, self.idle].into_iter().flatten();
        optional.fold(self.close.min(self.release), Duration::min)
    }

    /// The longest of the durations.
    pub fn longest(&self) -> Duration {
        [Some(self.close), Some(self.release), self.handshake, self.idle]
            .into_iter()
            .flatten()
            .max()
            .unwrap_or_default()
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self::close_within(DEFAULT_CLOSE)
    }
}

/// Durations as seconds in files: `5`, `0.25`.
mod seconds {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use std::time::Duration;

    pub fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(duration.as_secs_f64())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(from)?;
        if (0.0..=1e9).contains(&seconds) {
            Ok(Duration::from_micros((seconds * 1e6).round() as u64))
        } else {
            Err(D::Error::custom(format_args!("{seconds} is no number of seconds from 0 to 1e9")))
        }
    }
}

mod optional_seconds {
    use serde::{Deserializer, Serializer};
    use std::time::Duration;

    #[expect(clippy::ref_option, reason = "serde calls it with this type")]
    pub fn serialize<S: Serializer>(duration: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::seconds::serialize(duration, to),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        super::seconds::deserialize(from).map(Some)
    }
}
