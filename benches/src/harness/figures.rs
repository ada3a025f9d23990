//! The mathematics of the rounds.

/// The middle value, or the mean of the two middle ones; `None` of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) {
        let below = sorted.get(middle.checked_sub(1)?)?;
        Some(f64::midpoint(*below, sorted[middle]))
    } else {
        sorted.get(middle).copied()
    }
}

/// The ratio of the medians of two interleaved series.
///
/// It is preferred to the median of the rounds' own ratios: a round that was disturbed on either side spoils its ratio, so
/// such a median breaks as soon as half of the *pairs* are touched, the median of each side only when half of that side's
/// rounds are. Slow drift touches both sides alike, because their rounds alternate. And it is
/// the quotient of the two times that the report prints.
pub fn ratio_of_medians(ours: &[f64], peer: &[f64]) -> Option<f64> {
    Some(median(ours)? / median(peer)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_needs_no_order() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[4.0]), Some(4.0));
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(&[8.0, 1.0, 2.0, 4.0]), Some(3.0));
    }

    #[test]
    fn disturbed_rounds_on_both_sides_leave_the_ratio_alone() {
        // Four of nine rounds are disturbed on one side, four others on the other: eight of the nine pairs are spoilt.
        let ours = [10.0, 90.0, 90.0, 90.0, 90.0, 10.0, 10.0, 10.0, 10.0];
        let peer = [20.0, 20.0, 20.0, 20.0, 20.0, 70.0, 70.0, 70.0, 70.0];
        assert_eq!(ratio_of_medians(&ours, &peer), Some(0.5));
    }

    #[test]
    fn without_rounds_there_is_no_ratio() {
        assert_eq!(ratio_of_medians(&[], &[1.0]), None);
        assert_eq!(ratio_of_medians(&[1.0], &[]), None);
    }
}
