use std::fmt;
use std::hash::BuildHasher;

use seawall_core::random::Random;
use siphasher::sip::SipHasher13;

/// By which the keys of a limiter are hashed. A secret, like a password's salt: whoever knows it can find keys that are taken for
/// each other.
#[derive(Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Seed(u64, u64);

impl Seed {
    /// These 128 bits.
    pub const fn new(one: u64, other: u64) -> Self {
        Self(one, other)
    }

    /// One that nobody can foretell.
    pub fn unforeseen() -> Self {
        Self(Random::unforeseen().next(), Random::unforeseen().next())
    }

    /// Its two words.
    pub const fn words(self) -> [u64; 2] {
        [self.0, self.1]
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// A way to hash keys that is made of a [`Seed`], and the same for the same seed.
///
/// All 64 bits of a hash must depend on all of the key and of the seed, and whoever does not know the seed must not be able to
/// find two keys of one hash: such keys share their quota.
pub trait SeededHash: BuildHasher + Send + Sync + 'static {
    /// The one of this seed.
    fn with_seed(seed: Seed) -> Self;
}

/// `SipHash-1-3` (Aumasson, Bernstein 2012), as the standard library's maps use it: 6 ns for a number, 12 ns for a short text.
#[derive(Clone, Copy)]
pub struct SipHash(SipHasher13);

impl SeededHash for SipHash {
    fn with_seed(seed: Seed) -> Self {
        let [one, other] = seed.words();
        Self(SipHasher13::new_with_keys(one, other))
    }
}

impl BuildHasher for SipHash {
    type Hasher = SipHasher13;

    #[inline(always)]
    fn build_hasher(&self) -> SipHasher13 {
        self.0
    }
}

impl fmt::Debug for SipHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SipHash")
    }
}
