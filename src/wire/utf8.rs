//! An incremental UTF-8 check, for text that arrives in pieces (RFC 6455 section 8.1).

/// An incremental UTF-8 check over a stream that is cut anywhere.
///
/// Reports an invalid sequence at the first byte that no valid text can have
/// there, not at the end of the message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Utf8 {
    /// The bytes of a character that has begun and is not complete.
    partial: [u8; 3],
    partial_len: u8,
}

/// The stream cannot become valid UTF-8 any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidUtf8;

impl Utf8 {
    /// The check at the start of a text.
    pub const EMPTY: Self = Self { partial: [0; 3], partial_len: 0 };

    /// Takes the next bytes of the text.
    ///
    /// # Errors
    ///
    /// [`InvalidUtf8`] where a byte of `bytes` cannot follow what came before it.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<(), InvalidUtf8> {
        while self.partial_len > 0 {
            let Some((&next, rest)) = bytes.split_first() else { return Ok(()) };
            let partial_len = usize::from(self.partial_len);
            let mut character = [0; 4];
            character[..partial_len].copy_from_slice(&self.partial[..partial_len]);
            character[partial_len] = next;
            self.partial_len = 0;
            self.check(&character[..=partial_len])?;
            bytes = rest;
        }
        self.check(bytes)
    }

    /// Whether the text may end here: no character is cut in half.
    pub const fn is_complete(&self) -> bool {
        self.partial_len == 0
    }

    /// Checks `bytes` from a character's start, and holds a cut one back.
    fn check(&mut self, bytes: &[u8]) -> Result<(), InvalidUtf8> {
        let Err(error) = std::str::from_utf8(bytes) else { return Ok(()) };
        if error.error_len().is_some() {
            return Err(InvalidUtf8);
        }
        let tail = &bytes[error.valid_up_to()..];
        self.partial[..tail.len()].copy_from_slice(tail);
        self.partial_len = tail.len() as u8;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn byte_by_byte(text: &[u8]) -> (Result<(), InvalidUtf8>, usize, bool) {
        let mut check = Utf8::default();
        for (i, byte) in text.iter().enumerate() {
            if check.feed(&[*byte]).is_err() {
                return (Err(InvalidUtf8), i, check.is_complete());
            }
        }
        (Ok(()), text.len(), check.is_complete())
    }

    #[test]
    fn text_cut_at_every_byte_is_still_text() {
        let text = "aé€😀\u{10ffff}";
        assert_eq!(byte_by_byte(text.as_bytes()), (Ok(()), text.len(), true));
    }

    #[test]
    fn an_error_is_reported_at_the_byte_that_proves_it() {
        // A surrogate is proven by its second byte, an overlong form by its first or second.
        assert_eq!(byte_by_byte(&[0xed, 0xa0, 0x80]).1, 1);
        assert_eq!(byte_by_byte(&[0xc0, 0x80]).1, 0);
        assert_eq!(byte_by_byte(&[b'a', 0xff]).1, 1);
        assert_eq!(byte_by_byte(&[0xf4, 0x90, 0x80, 0x80]).1, 1);
    }

    #[test]
    fn a_cut_character_is_not_complete() {
        assert_eq!(byte_by_byte("€".as_bytes().split_at(2).0), (Ok(()), 2, false));
    }
}
