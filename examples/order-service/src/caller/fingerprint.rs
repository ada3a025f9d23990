use std::str::FromStr;

use sha2::{Digest, Sha256};

/// SHA-256 of a key: all that the service keeps of one.
///
/// A key is long and random, so there is nothing to guess, and neither salt nor a slow hash would add to that. How long it takes
/// to find a fingerprint tells about the fingerprint, from which no key follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Fingerprint([u8; 32]);

/// A text that is not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotAFingerprint;

impl Fingerprint {
    /// That of `key`.
    pub(super) fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }
}

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (pairs, rest) = text.as_bytes().as_chunks();
        let bytes = pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?));
        let bytes = bytes.collect::<Option<Vec<u8>>>().filter(|_| rest.is_empty());
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(NotAFingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NIST's example of one block.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_fingerprint_is_read_as_it_is_made() {
        assert_eq!(ABC.parse(), Ok(Fingerprint::of(b"abc")));
        assert_eq!(ABC.to_uppercase().parse(), Ok(Fingerprint::of(b"abc")));
        assert_ne!(ABC.parse(), Ok(Fingerprint::of(b"abd")));
    }

    #[test]
    fn any_other_text_is_none() {
        for text in
            ["", "abc", &ABC[1..], &format!("{ABC}0"), &format!("{ABC}00"), &ABC.replace("ba", "bg"), &"é".repeat(32)]
        {
            assert_eq!(text.parse::<Fingerprint>(), Err(NotAFingerprint), "{text}");
        }
    }
}
