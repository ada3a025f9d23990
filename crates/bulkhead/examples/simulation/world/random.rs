use std::time::Duration;

use seawall_core::random::Random;

/// Draws that a seed repeats. Each stream of a seed is its own, so that what calls cost does not depend on who is admitted:
/// every door meets the same calls.
#[derive(Clone, Debug)]
pub(crate) struct Draws(Random);

impl Draws {
    pub(crate) const fn new(seed: u64, stream: u64) -> Self {
        let mut streams = Random::new(seed);
        Self(Random::new(streams.next() ^ Random::new(stream).next()))
    }

    pub(crate) fn chance(&mut self, share: f64) -> bool {
        self.0.next_share() < share
    }

    /// Exponential, with a mean of 1.
    pub(crate) fn exponential(&mut self) -> f64 {
        -(1.0 - self.0.next_share()).ln()
    }

    /// The time between two events that come independently of each other, `mean` apart.
    pub(crate) fn gap(&mut self, mean: Duration) -> Duration {
        mean.mul_f64(self.exponential())
    }

    /// Log-normal, with a mean of 1; `sigma` is the deviation of its logarithm.
    pub(crate) fn log_normal(&mut self, sigma: f64) -> f64 {
        // Box and Muller, 1958.
        let radius = (2.0 * self.exponential()).sqrt();
        let angle = std::f64::consts::TAU * self.0.next_share();
        (sigma * radius * angle.cos() - sigma * sigma / 2.0).exp()
    }
}
