//! Shares and rates in whole billionths, so that what is added up is exact.

/// One, in billionths.
pub(super) const ONE: u64 = 1_000_000_000;

/// The nearest whole number of billionths. Exact for a number of at most nine decimals that is below a million, whatever its
/// nearest `f64` is: 0.7 is 700 000 000.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the settings keep it from 0 to a million")]
pub(super) fn of(value: f64) -> u64 {
    (value * 1e9).round() as u64
}

/// So many billionths as a number for people.
#[expect(clippy::cast_precision_loss, reason = "it is only looked at")]
pub(super) fn to_f64(billionths: u128) -> f64 {
    billionths as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_written_in_decimals_is_exact() {
        for (value, billionths) in
            [(0.7, 700_000_000), (0.9999, 999_900_000), (1e-9, 1), (2.0, 2 * ONE), (1_000.1, 1_000_100_000_000)]
        {
            assert_eq!(of(value), billionths, "{value}");
        }
        for thousandths in 0_u32..=20_000 {
            assert_eq!(of(f64::from(thousandths) / 1_000.0), u64::from(thousandths) * 1_000_000, "{thousandths}");
        }
        assert_eq!(of(999_999.999_999_999), 999_999_999_999_999);
    }
}
