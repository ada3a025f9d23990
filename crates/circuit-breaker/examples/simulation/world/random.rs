use std::time::Duration;

use seawall_testkit::random::Random;

/// Draws that a seed repeats. Each number of a seed is a stream of its own, so that what one client draws does not
/// depend on what the others do: every configuration meets the same calls.
pub(crate) struct Draws(Random);

impl Draws {
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut streams = Random::new(seed);
        Self(Random::new(streams.next_u64() ^ Random::new(stream).next_u64()))
    }

    pub(crate) const fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// From 0 to just below 1, in steps of 2^-53.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// The time between two events that come independently of each other, `mean` apart.
    pub(crate) fn gap(&mut self, mean: Duration) -> Duration {
        mean.mul_f64(-(1.0 - self.unit()).ln())
    }

    /// What a call costs: the sum of four gaps (an Erlang distribution), so that few calls cost much more than `mean`.
    pub(crate) fn work(&mut self, mean: Duration) -> Duration {
        // The logarithm of a product is the sum of the logarithms.
        let product: f64 = (0..4).map(|_| 1.0 - self.unit()).product();
        mean.mul_f64(-product.ln() / 4.0)
    }

    pub(crate) fn between(&mut self, low: Duration, high: Duration) -> Duration {
        low + high.saturating_sub(low).mul_f64(self.unit())
    }

    pub(crate) fn from(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// From `low` to `high`, both included.
    pub(crate) fn number(&mut self, low: u32, high: u32) -> u32 {
        low + u32::try_from(self.0.below((high - low) as usize + 1)).expect("below a `u32`")
    }

    pub(crate) fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.0.below(among.len())]
    }
}
