/// What a table keeps of a key: 56 bits of its hash, and its class below them. Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Print(u64);

impl Print {
    const CLASS: u64 = 0xff;

    /// The print of a key with this hash.
    #[inline(always)]
    pub(crate) const fn new(hash: u64, class: u8) -> Self {
        let key = hash & !Self::CLASS;
        // 0 is an empty slot's.
        let key = if key == 0 { Self::CLASS + 1 } else { key };
        Self(key | class as u64)
    }

    /// The print in this word; `None` for an empty slot's.
    pub(crate) const fn from_word(word: u64) -> Option<Self> {
        if word & !Self::CLASS == 0 { None } else { Some(Self(word)) }
    }

    #[inline(always)]
    pub(crate) const fn word(self) -> u64 {
        self.0
    }

    #[expect(clippy::cast_possible_truncation, reason = "the lowest eight bits")]
    pub(crate) const fn class(self) -> u8 {
        self.0 as u8
    }

    /// Whether this word is the print of the same key, in whatever class.
    #[inline(always)]
    pub(crate) const fn is_same_key(self, word: u64) -> bool {
        (self.0 ^ word) & !Self::CLASS == 0
    }

    /// Which of so many sets, a power of two, the key belongs to.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "below the number of sets")]
    pub(crate) const fn set(self, sets: usize) -> usize {
        (self.0 >> Self::CLASS.count_ones()) as usize & (sets - 1)
    }
}

/// How many keys a set holds.
pub(super) const WAYS: usize = 4;

/// How many sets hold so many keys.
pub(super) fn sets_for(keys: usize) -> usize {
    keys.div_ceil(WAYS).next_power_of_two()
}

#[cfg(all(test, not(seawall_loom)))]
mod tests {
    use super::*;

    #[test]
    fn no_key_has_the_print_of_an_empty_slot() {
        for hash in [0, 1, 0xff, 0x100, u64::MAX] {
            for class in [0, 1, 255] {
                let print = Print::new(hash, class);
                assert_eq!(Print::from_word(print.word()), Some(print));
                assert_eq!(print.class(), class);
                assert!(print.is_same_key(Print::new(hash, class ^ 7).word()));
                assert!(!print.is_same_key(0));
            }
        }
        assert_eq!(Print::from_word(0), None);
    }

    #[test]
    fn there_is_room_for_every_key_that_was_asked_for() {
        for (keys, sets) in [(1, 1), (4, 1), (5, 2), (65_536, 16_384), (65_537, 32_768)] {
            assert_eq!(sets_for(keys), sets);
        }
        assert!((0..1_000_u64).all(|hash| Print::new(hash << 8, 3).set(16) == Print::new(hash << 8, 9).set(16)));
        assert!((1..1_000_u64).all(|hash| Print::new(hash << 8, 3).set(16) == (hash % 16) as usize));
    }
}
