/// A probability as what a random word is compared with: in 64 bits, so that even one of 1 - 1e-15 lets a call pass now and
/// then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) const NEVER: Self = Self(0);
    pub(super) const ALWAYS: Self = Self(u64::MAX);
    /// 2^64.
    const WHOLE: f64 = 18_446_744_073_709_551_616.0;

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between the two bounds")]
    pub(super) fn of(probability: f64) -> Self {
        if probability <= 0.0 {
            Self::NEVER
        } else if probability >= 1.0 {
            Self::ALWAYS
        } else {
            Self(((probability * Self::WHOLE) as u64).clamp(1, u64::MAX - 1))
        }
    }

    #[inline]
    pub(super) const fn from_bits(word: u64) -> Self {
        Self(word)
    }

    #[inline]
    pub(super) const fn bits(self) -> u64 {
        self.0
    }

    #[inline]
    pub(super) const fn is_never(self) -> bool {
        self.0 == 0
    }

    #[inline]
    pub(super) const fn is_always(self) -> bool {
        self.0 == u64::MAX
    }

    /// Whether a word that is drawn from all words alike hits it.
    #[inline]
    pub(super) const fn is_hit_by(self, random: u64) -> bool {
        random < self.0 || self.is_always()
    }

    #[expect(clippy::cast_precision_loss, reason = "a probability needs no more than 53 bits")]
    pub(super) fn probability(self) -> f64 {
        if self.is_always() { 1.0 } else { self.0 as f64 / Self::WHOLE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chance_is_the_probability_that_it_was_made_of() {
        for probability in [0.0, 1e-18, 0.1, 0.5, 2.0 / 3.0, 1.0 - f64::EPSILON / 2.0, 1.0] {
            let chance = Chance::of(probability);
            assert!((chance.probability() - probability).abs() <= probability * 1e-9 + 1e-19, "{probability}");
            assert_eq!(chance.is_always(), probability >= 1.0);
            assert_eq!(chance.is_never(), probability <= 0.0);
        }
    }

    #[test]
    fn the_bounds_are_what_they_say() {
        assert!(!Chance::NEVER.is_hit_by(0));
        assert!(Chance::ALWAYS.is_hit_by(u64::MAX));
        let half = Chance::of(0.5);
        assert!(half.is_hit_by(u64::MAX / 2) && !half.is_hit_by(u64::MAX / 2 + 1));
        assert!(!Chance::of(1.0 - f64::EPSILON / 2.0).is_hit_by(u64::MAX), "what is no certainty lets some call pass");
    }
}
