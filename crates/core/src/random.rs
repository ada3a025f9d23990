//! Numbers for jitter and for drawing lots: not for secrets.

use std::hash::{BuildHasher, Hasher, RandomState};

/// `SplitMix64` (Steele, Lea, Flood 2014): cheap, and repeatable from its seed.
///
/// ```
/// use seawall_core::random::Random;
///
/// let (mut one, mut other) = (Random::new(7), Random::new(7));
/// assert_eq!(one.next(), other.next());
/// assert!((0.0..1.0).contains(&one.next_share()));
/// ```
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The numbers that belong to `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Numbers that nobody can foretell, seeded as the standard library seeds its hash maps. Under loom they are always the
    /// same: a model must take the same way whenever it is explored again.
    pub fn unforeseen() -> Self {
        if cfg!(seawall_loom) {
            return Self(0);
        }
        let mut seed = RandomState::new().build_hasher();
        seed.write_u8(0);
        Self(seed.finish())
    }

    /// The next number, spread over all of `u64`.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next number, at least 0 and below 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub const fn next_share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}
