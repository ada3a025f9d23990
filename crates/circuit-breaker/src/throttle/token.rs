use std::num::NonZeroU64;

use super::gate::Gate;

/// What an admitted call carries: in which generation of counts it is.
#[derive(Clone, Copy, Debug)]
pub struct Token(NonZeroU64);

impl Token {
    const ASKED: u64 = 1;
    const RESERVED: u64 = 2;

    /// For a call that was counted as a request.
    #[inline]
    pub(super) const fn asked(gate: Gate) -> Self {
        Self::new(gate.generation() | Self::ASKED)
    }

    /// For one that may ask later.
    #[inline]
    pub(super) const fn reserved() -> Self {
        Self::new(Self::RESERVED)
    }

    #[inline]
    const fn new(word: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(word - 1))
    }

    #[inline]
    pub(super) const fn is_reserved(self) -> bool {
        self.0.get() == Self::RESERVED
    }

    /// Whether its request is one that the gate's generation counts.
    #[inline]
    pub(super) const fn is_of(self, gate: Gate) -> bool {
        self.0.get() == Self::asked(gate).0.get()
    }
}
