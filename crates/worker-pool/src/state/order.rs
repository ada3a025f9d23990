use seawall_core::Priority;
use seawall_core::time::Timestamp;

use crate::config::Order;
use crate::weights::Turns;

impl Order {
    /// Whether classes have turns that depend on who was there before.
    #[inline]
    pub(crate) const fn is_weighted(&self) -> bool {
        matches!(self, Self::Weighted(_))
    }

    /// The class that is served next, of those in which somebody waits, each known by since when its first one does.
    #[inline]
    pub(crate) fn pick(&self, turns: &mut Turns, heads: [Option<Timestamp>; Priority::COUNT]) -> Option<usize> {
        match self {
            Self::Strict => (0..Priority::COUNT).rev().find(|class| heads[*class].is_some()),
            Self::Aging(aging) => {
                // Whoever came first when `aging` is taken off for each priority; of two who are equal the higher.
                let aging = u64::try_from(aging.as_nanos()).unwrap_or(u64::MAX);
                let mut best: Option<(u64, usize)> = None;
                for (class, since) in heads.iter().enumerate().rev() {
                    let Some(since) = since else { continue };
                    let handicap = aging.saturating_mul((Priority::COUNT - 1 - class) as u64);
                    let came = since.as_nanos().saturating_add(handicap);
                    if best.is_none_or(|(earliest, _)| came < earliest) {
                        best = Some((came, class));
                    }
                }
                best.map(|(_, class)| class)
            }
            Self::Weighted(weights) => turns.next(weights, heads.map(|since| since.is_some())),
        }
    }
}
