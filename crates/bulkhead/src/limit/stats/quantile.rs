use seawall_core::random::Random;

/// Quantiles of the times of one window: exact up to its size; of more, so many are drawn with equal chance (Vitter's algorithm R),
/// from a seed, so that a run can be replayed.
///
/// Beside times it takes lower bounds, of calls that ended before they were done: they can raise a quantile, never lower it.
///
/// ```
/// use seawall_bulkhead::limit::stats::QuantileWindow;
///
/// let mut window = QuantileWindow::new(256, 0);
/// (1..=5).for_each(|nanos| window.add(nanos));
/// assert_eq!(window.quantile(0.5), Some(3));
/// window.add_at_least(2);
/// assert_eq!(window.quantile_at_least(0.5, None), Some(3), "it might have been quick or slow");
/// window.add_at_least(100);
/// window.add_at_least(100);
/// assert_eq!(window.quantile_at_least(0.5, None), Some(4), "these were slow");
/// ```
#[derive(Clone, Debug)]
pub struct QuantileWindow {
    times: Drawn,
    bounds: Drawn,
    both: Vec<u64>,
    random: Random,
    seed: u64,
    nearest: bool,
}

#[derive(Clone, Debug)]
struct Drawn {
    kept: Vec<u64>,
    size: usize,
    seen: u32,
}

impl QuantileWindow {
    /// One that keeps `size` times, 1 to 10 000; a number beyond is taken for the nearest.
    pub fn new(size: u32, seed: u64) -> Self {
        let size = size.clamp(1, 10_000) as usize;
        let drawn = Drawn { kept: Vec::with_capacity(size), size, seen: 0 };
        Self {
            times: drawn.clone().with_room(),
            bounds: drawn.with_room(),
            both: Vec::with_capacity(2 * size),
            random: Random::new(seed),
            seed,
            nearest: false,
        }
    }

    /// Rounds ranks to the nearest instead of up: of ten times, 0.93 is the ninth and not the tenth.
    #[must_use]
    pub const fn nearest_rank(mut self) -> Self {
        self.nearest = true;
        self
    }

    /// Takes a time.
    pub fn add(&mut self, nanos: u64) {
        self.times.add(nanos, &mut self.random);
    }

    /// Takes a time that would have been longer.
    pub fn add_at_least(&mut self, nanos: u64) {
        self.bounds.add(nanos, &mut self.random);
    }

    /// How many times it has taken, without bounds.
    pub const fn len(&self) -> u32 {
        self.times.seen
    }

    /// Whether it has taken no time.
    pub const fn is_empty(&self) -> bool {
        self.times.seen == 0
    }

    /// How many times and bounds it has taken.
    pub const fn count(&self) -> u32 {
        self.times.seen.saturating_add(self.bounds.seen)
    }

    /// The least of the times such that at least the share `quantile` of them is not above it. Takes time linear in their number.
    pub fn quantile(&mut self, quantile: f64) -> Option<u64> {
        ranked(&mut self.times.kept, quantile, self.nearest)
    }

    /// The same of all times and those bounds that are above it. If there are only bounds, their quantile, if that is above what is
    /// `known`.
    pub fn quantile_at_least(&mut self, quantile: f64, known: Option<u64>) -> Option<u64> {
        let Some(time) = self.quantile(quantile) else {
            let bound = ranked(&mut self.bounds.kept, quantile, self.nearest)?;
            return known.filter(|known| bound > *known).map(|_| bound);
        };
        if self.bounds.kept.iter().all(|bound| *bound <= time) {
            return Some(time);
        }
        self.both.clear();
        self.both.extend(&self.times.kept);
        self.both.extend(self.bounds.kept.iter().filter(|bound| **bound > time));
        ranked(&mut self.both, quantile, self.nearest)
    }

    /// Forgets all of them, and draws as from the beginning.
    pub fn clear(&mut self) {
        self.times.clear();
        self.bounds.clear();
        self.random = Random::new(self.seed);
    }
}

impl Drawn {
    /// A clone of an empty `Vec` has no room.
    fn with_room(mut self) -> Self {
        self.kept.reserve_exact(self.size);
        self
    }

    fn add(&mut self, nanos: u64, random: &mut Random) {
        self.seen = self.seen.saturating_add(1);
        if self.kept.len() < self.size {
            self.kept.push(nanos);
            return;
        }
        let place = usize::try_from(random.next() % u64::from(self.seen)).unwrap_or(usize::MAX);
        if let Some(kept) = self.kept.get_mut(place) {
            *kept = nanos;
        }
    }

    fn clear(&mut self) {
        self.kept.clear();
        self.seen = 0;
    }
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
fn ranked(times: &mut [u64], quantile: f64, nearest: bool) -> Option<u64> {
    let last = times.len().checked_sub(1)?;
    let rank = quantile.clamp(0.0, 1.0) * times.len() as f64;
    let rank = if nearest { (rank + 0.5).floor() } else { rank.ceil() };
    let place = (rank as usize).saturating_sub(1).min(last);
    Some(*times.select_nth_unstable(place).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_rounded_up_or_to_the_nearest() {
        let (mut up, mut nearest) = (QuantileWindow::new(16, 0), QuantileWindow::new(16, 0).nearest_rank());
        for nanos in 1..=10 {
            up.add(nanos);
            nearest.add(nanos);
        }
        for (quantile, rank_up, rank_nearest) in
            [(0.0, 1, 1), (0.93, 10, 9), (0.95, 10, 10), (0.2, 2, 2), (1.0, 10, 10)]
        {
            assert_eq!(up.quantile(quantile), Some(rank_up), "{quantile} up");
            assert_eq!(nearest.quantile(quantile), Some(rank_nearest), "{quantile} nearest");
        }
    }

    #[test]
    fn of_many_times_a_fair_share_is_drawn() {
        let mut window = QuantileWindow::new(1_000, 7);
        (0..100_000).for_each(|nanos| window.add(nanos));
        let median = window.quantile(0.5).expect("many");
        assert!((45_000..55_000).contains(&median), "{median}");
        assert_eq!(window.len(), 100_000);
        assert_eq!(window.times.kept.len(), 1_000);
    }

    #[test]
    fn bounds_alone_only_raise_what_is_known() {
        let mut window = QuantileWindow::new(16, 0);
        window.add_at_least(50);
        assert_eq!(window.quantile_at_least(0.5, None), None);
        assert_eq!(window.quantile_at_least(0.5, Some(60)), None);
        assert_eq!(window.quantile_at_least(0.5, Some(40)), Some(50));
        assert_eq!((window.len(), window.count()), (0, 1));
    }
}
