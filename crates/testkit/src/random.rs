//! Numbers that a seed repeats exactly, in every version of this crate.

/// The `SplitMix64` generator: one addition and a bit mixer, good enough to choose interleavings and faults.
///
/// Its sequence is fixed by its published definition, so that a seed noted in a bug report stays good.
///
/// ```
/// use seawall_testkit::random::Random;
///
/// let mut random = Random::new(0);
/// assert_eq!(random.next_u64(), 0xe220_a839_7b1d_cdaf);
/// assert!(random.below(6) < 6);
/// ```
#[derive(Clone, Debug)]
pub struct Random {
    numbers: seawall_core::random::Random,
}

impl Random {
    /// The sequence of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self { numbers: seawall_core::random::Random::new(seed) }
    }

    /// A sequence that differs from run to run, for what must not repeat.
    pub fn from_entropy() -> Self {
        Self { numbers: seawall_core::random::Random::unforeseen() }
    }

    /// The next number.
    pub const fn next_u64(&mut self) -> u64 {
        self.numbers.next()
    }

    /// A number in `0..bound`.
    ///
    /// # Panics
    ///
    /// When `bound` is zero: there is no such number.
    pub fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "there is no number below 0");
        // The high half of the product is in `0..bound`; its bias is below 2^-32 for any bound that a test uses.
        let product = u128::from(self.next_u64()) * (bound as u128);
        usize::try_from(product >> 64).expect("below a `usize`")
    }

    /// True in `part` of `whole` draws.
    ///
    /// # Panics
    ///
    /// When `whole` is zero.
    pub fn chance(&mut self, part: usize, whole: usize) -> bool {
        self.below(whole) < part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        let mut random = Random::new(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| random.next_u64()).collect();
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn every_number_below_the_bound_is_drawn() {
        let mut random = Random::new(7);
        let mut seen = [0_u32; 5];
        (0..1000).for_each(|_| seen[random.below(5)] += 1);
        assert!(seen.iter().all(|&count| (150..250).contains(&count)), "{seen:?}");
    }

    #[test]
    fn a_chance_is_kept() {
        let mut random = Random::new(7);
        let hits = (0..1000).filter(|_| random.chance(1, 4)).count();
        assert!((200..300).contains(&hits), "{hits}");
        assert!(!random.chance(0, 1));
        assert!(random.chance(1, 1));
    }
}
