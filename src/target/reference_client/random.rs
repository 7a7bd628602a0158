//! What a client must draw so that nobody can predict it (RFC 6455 section 10.3): the system's
//! randomness, by way of the standard library's hash keys. Digests of exchanges leave it out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};

fn draw() -> [u8; 8] {
    RandomState::new().build_hasher().finish().to_le_bytes()
}

/// A masking key.
pub(super) fn mask() -> [u8; 4] {
    let [a, b, c, d, ..] = draw();
    [a, b, c, d]
}

/// A `Sec-WebSocket-Key`: 16 bytes in base64.
pub(super) fn key() -> String {
    STANDARD.encode([draw(), draw()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn keys_and_masks_are_drawn_anew_each_time() {
        let masks: BTreeSet<[u8; 4]> = (0..100).map(|_| mask()).collect();
        assert!(masks.len() > 95, "{masks:?}");
        assert_ne!(key(), key());
        assert_eq!(key().len(), 24);
    }
}
