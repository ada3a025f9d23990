/// What a call needs to know beside the chance of being refused, in one word that is read far more often than written.
///
/// ```text
/// 63        40 39   16 15   10 9       4        1             0
/// [generation][ epoch ][ asks ][ reliefs ][..][ignores][throttling]
/// ```
///
/// `asks` and `reliefs` are how many of each a lane may count before somebody looks at all lanes: 0 or a power of two, its
/// exponent plus one. A new epoch recalls what was granted before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gate(u64);

/// What a [`Gate`] is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) generation: u32,
    pub(super) epoch: u32,
    pub(super) grant: Grant,
    /// Whether calls that are dropped count as if they had never asked.
    pub(super) ignores_abandoned: bool,
    /// Whether what is accepted or taken back changes the chance.
    pub(super) throttling: bool,
}

/// How many calls each lane may count that nobody has looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Grant {
    /// Requests: 0 or a power of two.
    pub(super) asks: u64,
    /// Calls that are accepted or taken back, which lower the chance: 0 or a power of two.
    pub(super) reliefs: u64,
}

impl Gate {
    const GENERATION: u64 = 0xff_ffff << 40;
    const EPOCH: u64 = 0xff_ffff << 16;
    const ASKS_SHIFT: u32 = 10;
    const RELIEFS_SHIFT: u32 = 4;
    const EXPONENT: u64 = 0x3f;
    const IGNORES_ABANDONED: u64 = 1 << 1;
    const THROTTLING: u64 = 1;

    /// Generations and epochs wrap at 2^24.
    pub(super) const fn new(parts: &Parts) -> Self {
        let generation = ((parts.generation as u64) << 40) & Self::GENERATION;
        let epoch = ((parts.epoch as u64) << 16) & Self::EPOCH;
        let mut word = generation | epoch;
        word |= Self::exponent(parts.grant.asks) << Self::ASKS_SHIFT;
        word |= Self::exponent(parts.grant.reliefs) << Self::RELIEFS_SHIFT;
        if parts.ignores_abandoned {
            word |= Self::IGNORES_ABANDONED;
        }
        if parts.throttling {
            word |= Self::THROTTLING;
        }
        Self(word)
    }

    const fn exponent(grant: u64) -> u64 {
        match grant.checked_ilog2() {
            Some(exponent) => exponent as u64 + 1,
            None => 0,
        }
    }

    const fn grant(exponent: u64) -> u64 {
        (1 << (exponent & Self::EXPONENT)) >> 1
    }

    #[inline]
    pub(super) const fn from_bits(word: u64) -> Self {
        Self(word)
    }

    #[inline]
    pub(super) const fn bits(self) -> u64 {
        self.0
    }

    /// The generation, in its place.
    #[inline]
    pub(super) const fn generation(self) -> u64 {
        self.0 & Self::GENERATION
    }

    /// The epoch, in its place.
    #[inline]
    pub(super) const fn epoch(self) -> u64 {
        self.0 & Self::EPOCH
    }

    /// How many requests a lane may count.
    #[inline]
    pub(super) const fn asks(self) -> u64 {
        Self::grant(self.0 >> Self::ASKS_SHIFT)
    }

    /// How many calls that are accepted or taken back a lane may count.
    #[inline]
    pub(super) const fn reliefs(self) -> u64 {
        Self::grant(self.0 >> Self::RELIEFS_SHIFT)
    }

    #[inline]
    pub(super) const fn ignores_abandoned(self) -> bool {
        self.0 & Self::IGNORES_ABANDONED != 0
    }

    #[inline]
    pub(super) const fn is_throttling(self) -> bool {
        self.0 & Self::THROTTLING != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_keeps_its_parts_apart() {
        for exponent in 0..40 {
            let grant = Grant { asks: 1 << exponent, reliefs: (1 << exponent) >> 1 };
            let parts = Parts { generation: 0xff_ffff, epoch: 0xff_ffff, grant, ..Parts::default() };
            let gate = Gate::new(&parts);
            assert_eq!((gate.asks(), gate.reliefs()), (grant.asks, grant.reliefs));
            assert_eq!((gate.generation(), gate.epoch()), (Gate::GENERATION, Gate::EPOCH));
            assert!(!gate.ignores_abandoned() && !gate.is_throttling());
            let gate = Gate::new(&Parts { generation: 0x100_0000, epoch: 0x100_0000, throttling: true, ..parts });
            assert_eq!((gate.generation(), gate.epoch()), (0, 0), "they wrap");
            assert!(gate.is_throttling() && !gate.ignores_abandoned());
        }
        assert_eq!(Gate::new(&Parts::default()).asks(), 0);
    }
}
