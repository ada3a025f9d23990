//! The exact models: whole numbers only, every time multiplied by the limit instead of the period divided by it.

use crate::drive::Kept;
use crate::schedule::Scale;

/// In every span of `length` that holds its beginning and not its end at most `most` cells.
pub(crate) fn in_any_span(kept: &[Kept], length: u64, most: u64) {
    for first in kept {
        let span = first.acted..first.acted + length;
        let cells: u64 = kept.iter().filter(|kept| span.contains(&kept.acted)).map(|kept| u64::from(kept.cells)).sum();
        assert!(cells <= most, "{cells} cells in {span:?}, {most} at most: {kept:?}");
    }
}

/// In a span from one to any other at most as many cells as `most` says of its length in nanoseconds.
pub(crate) fn by_span(kept: &[Kept], most: impl Fn(u64) -> u64) {
    for first in kept {
        for last in kept {
            let Some(length) = last.acted.checked_sub(first.acted) else { continue };
            let span = first.acted..=last.acted;
            let cells: u64 =
                kept.iter().filter(|kept| span.contains(&kept.acted)).map(|kept| u64::from(kept.cells)).sum();
            let most = most(length + 1);
            assert!(cells <= most, "{cells} cells in {span:?}, {most} at most: {kept:?}");
        }
    }
}

fn in_order(kept: &[Kept]) -> Vec<&Kept> {
    let mut order: Vec<&Kept> = kept.iter().collect();
    order.sort_by_key(|kept| (kept.acted, kept.asked));
    order
}

/// The bucket that refills continuously lets all of it pass.
pub(crate) fn bucket(kept: &[Kept], scale: Scale) {
    let (limit, interval) = (u128::from(scale.limit), u128::from(scale.period));
    // A turn is told in whole nanoseconds: if the interval is none, one may come up to a nanosecond nearer to the next.
    let rounding = if scale.period.is_multiple_of(u64::from(scale.limit)) { 0 } else { limit };
    let mut full = 0_u128;
    for one in in_order(kept) {
        let now = u128::from(one.acted) * limit;
        full = full.max(now) + u128::from(one.cells) * interval;
        let most = u128::from(scale.burst) * interval + rounding;
        assert!(full - now <= most, "{} of {most} owed after {one:?} of {kept:?}", full - now);
    }
}

/// Whoever pays later has waited until those before it were paid for, all but `slack` cells.
pub(crate) fn paid_for(kept: &[Kept], scale: Scale, slack: u32) {
    let order = in_order(kept);
    for (first, one) in order.iter().enumerate() {
        let mut cells = 0_u128;
        for last in &order[first..] {
            // A turn is told in whole nanoseconds, rounded up.
            let span = u128::from(last.acted - one.acted + 1) * u128::from(scale.limit);
            let paid = u128::from(slack) * u128::from(scale.period) + span;
            assert!(cells * u128::from(scale.period) <= paid, "{cells} cells from {one:?} to {last:?}: {kept:?}");
            cells += u128::from(last.cells);
        }
    }
}
