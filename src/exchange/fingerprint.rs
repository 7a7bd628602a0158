//! The fingerprint of a message: what notes hold of its content.
//!
//! It tells the messages of one connection apart, which nobody forges. It is no checksum for
//! anything else, and its value is part of no file but the events that workers hand on.

/// Odd constants with their bits well mixed, one a lane.
const LANES: [u64; 4] =
    [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f, 0x1656_67b1_9e37_79f9, 0xd6e8_feb8_6659_fd93];

/// The fingerprint of a message with this content.
///
/// Four lanes at a time: applications are told to send messages of 64 KiB in every other script.
pub fn fingerprint(message: &[u8]) -> u64 {
    let mut lanes = LANES;
    let (blocks, rest) = message.as_chunks::<32>();
    for block in blocks {
        mix_block(&mut lanes, block);
    }
    let mut last = [0; 32];
    last[..rest.len()].copy_from_slice(rest);
    mix_block(&mut lanes, &last);
    lanes.iter().fold(message.len() as u64, |hash, lane| mix(hash ^ lane, LANES[0]))
}

fn mix_block(lanes: &mut [u64; 4], block: &[u8; 32]) {
    let (words, _) = block.as_chunks::<8>();
    for ((lane, word), key) in lanes.iter_mut().zip(words).zip(LANES) {
        *lane = mix(*lane ^ u64::from_le_bytes(*word), key);
    }
}

const fn mix(word: u64, key: u64) -> u64 {
    let mixed = word.wrapping_mul(key);
    mixed ^ mixed >> 29
}

#[cfg(test)]
mod tests {
    use super::fingerprint;
    use std::collections::BTreeSet;

    #[test]
    fn contents_that_differ_in_a_byte_an_order_or_their_length_differ() {
        let mut all = BTreeSet::new();
        let mut contents = 0;
        for length in 0..200 {
            let plain = vec![b'x'; length];
            contents += 1;
            all.insert(fingerprint(&plain));
            for at in 0..length {
                let mut other = plain.clone();
                other[at] ^= 1;
                contents += 1;
                all.insert(fingerprint(&other));
            }
        }
        assert_eq!(all.len(), contents);
        let [ab, ba] = [[b"a".repeat(32), b"b".repeat(32)], [b"b".repeat(32), b"a".repeat(32)]];
        assert_ne!(fingerprint(&ab.concat()), fingerprint(&ba.concat()));
    }
}
