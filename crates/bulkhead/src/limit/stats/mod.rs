//! What algorithms count: averages, quantiles, maxima and correlations of bounded memory. All are pure and allocate only when they are
//! made; a value that is not finite is left out.

mod correlation;
mod ema;
mod ewma;
mod median;
mod quantile;
mod rolling_max;
mod sample_window;

pub use correlation::{CorrelationWindow, VariationWindow};
pub use ema::Ema;
pub use ewma::Ewma;
pub use median::MovingMedian;
pub use quantile::QuantileWindow;
pub use rolling_max::RollingMax;
pub use sample_window::{SampleWindow, Summary};

/// The decimal logarithm in whole numbers, at least 1 (Netflix' `Log10RootFunction`).
///
/// ```
/// use seawall_bulkhead::limit::stats::log10_int;
///
/// assert_eq!([0, 9, 10, 99, 100, 10_000].map(log10_int), [1, 1, 1, 1, 2, 4]);
/// ```
pub const fn log10_int(x: u32) -> u32 {
    match x.checked_ilog10() {
        Some(log) if log > 1 => log,
        _ => 1,
    }
}

/// The square root in whole numbers, rounded down (Netflix' `SquareRootFunction`, whose baseline is a `max`).
///
/// ```
/// use seawall_bulkhead::limit::stats::sqrt_int;
///
/// assert_eq!([0, 999, 2_500].map(sqrt_int), [0, 31, 50]);
/// ```
pub const fn sqrt_int(x: u32) -> u32 {
    x.isqrt()
}
