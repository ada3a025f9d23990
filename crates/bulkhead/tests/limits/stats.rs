use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;
use seawall_bulkhead::limit::Levels;
use seawall_bulkhead::limit::stats::{
    CorrelationWindow, Ema, Ewma, MovingMedian, QuantileWindow, RollingMax, VariationWindow,
};

use crate::{at, ms};

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs()))
}

#[test]
fn an_average_over_time_forgets_by_time() {
    let mut ewma = Ewma::new(ms(10_000));
    assert_eq!((ewma.get(), ewma.get_at(at(5))), (None, None));
    ewma.add(at(1_000), 1.0);
    ewma.add(at(1_000), 99.0);
    ewma.add(at(500), 99.0);
    ewma.add(at(2_000), f64::NAN);
    assert_eq!(ewma.get(), Some(1.0));
    let e = (-1.0_f64).exp();
    assert!(near(ewma.get_at(at(11_000)).expect("a value"), e));
    ewma.add(at(11_000), 0.5);
    assert!(near(ewma.get().expect("a value"), e + 0.5 * (1.0 - e)));
    assert_eq!(ewma.get_at(at(0)), ewma.get(), "a clock that steps back takes nothing");
}

#[test]
fn a_peak_is_believed_at_once_and_less_in_time() {
    let mut ewma = Ewma::new(ms(10_000));
    ewma.add_peak(at(1_000), 1.0);
    ewma.add_peak(at(1_000), 10.0);
    assert_eq!(ewma.get(), Some(10.0), "at the same time");
    ewma.add_peak(at(1_100), 1.0);
    let kept = (-0.01_f64).exp();
    assert!(near(ewma.get().expect("a value"), 10.0 * kept + 1.0 - kept));
    ewma.add_peak(at(61_100), 0.1);
    assert_eq!(ewma.get(), Some(0.1), "more than is left");
}

#[test]
fn an_average_without_decay_is_the_latest_value() {
    let mut ewma = Ewma::new(Duration::ZERO);
    ewma.add(at(1), 5.0);
    ewma.add(at(1_000), 7.0);
    assert!(near(ewma.get().expect("a value"), 7.0));
}

#[test]
fn a_maximum_ends_with_its_time() {
    let mut max = RollingMax::new(ms(300_000));
    let added = [(0, 1030.0), (30, 691.0), (150, 700.0), (301, 650.0), (449, 1.0), (450, 2.0), (601, 3.0)];
    let found = added.map(|(s, value)| max.add(at(s * 1_000), value));
    assert_eq!(found, [1030.0, 1030.0, 1030.0, 700.0, 700.0, 650.0, 3.0]);
    assert_eq!(max.get(at(901_000)), None);
    assert_eq!(RollingMax::new(Duration::ZERO).add(at(1), 4.0), 4.0, "without a window the latest value");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_median_is_that_of_the_sorted_values(size in 1_usize..12, values in prop::collection::vec(0_u32..50, 1..80)) {
        let mut median = MovingMedian::new(u32::try_from(size).expect("few"));
        for (i, value) in values.iter().enumerate() {
            let mut latest = values[(i + 1).saturating_sub(size)..=i].to_vec();
            latest.sort_unstable();
            prop_assert_eq!(median.add(f64::from(*value)), f64::from(latest[latest.len() / 2]));
        }
    }

    #[test]
    fn a_rolling_maximum_is_that_of_all_values_in_its_time(
        window in 1_u64..50,
        steps in prop::collection::vec((0_u64..10, 0_u32..100), 1..60),
    ) {
        let mut max = RollingMax::new(ms(window));
        let (mut now, mut all) = (0, Vec::new());
        for (step, value) in steps {
            now += step;
            all.push((now, value));
            let exact = all.iter().filter(|(then, _)| now - then < window).map(|(_, value)| *value).max();
            prop_assert_eq!(max.add(at(now), f64::from(value)), f64::from(exact.expect("this one")));
        }
    }

    #[test]
    fn a_quantile_is_the_ranked_time(times in prop::collection::vec(0_u64..1_000, 1..100), quantile in 0.0_f64..=1.0) {
        let mut window = QuantileWindow::new(100, 0);
        times.iter().for_each(|nanos| window.add(*nanos));
        let least = |candidate: u64| {
            let share = times.iter().filter(|nanos| **nanos <= candidate).count() as f64;
            share >= quantile * times.len() as f64
        };
        let found = window.quantile(quantile).expect("some");
        prop_assert!(times.contains(&found) && least(found));
        prop_assert!(times.iter().all(|nanos| *nanos >= found || !least(*nanos)));
    }

    #[test]
    fn bounds_raise_a_quantile_or_leave_it(
        times in prop::collection::vec(0_u64..1_000, 1..50),
        bounds in prop::collection::vec(0_u64..2_000, 0..50),
        quantile in 0.01_f64..=1.0,
    ) {
        let mut window = QuantileWindow::new(64, 0);
        times.iter().for_each(|nanos| window.add(*nanos));
        let without = window.quantile(quantile).expect("some");
        bounds.iter().for_each(|nanos| window.add_at_least(*nanos));
        let with = window.quantile_at_least(quantile, None).expect("some");
        prop_assert!(with >= without);
        prop_assert_eq!(window.quantile(quantile), Some(without), "asking changes nothing");
        if bounds.iter().all(|bound| *bound <= without) {
            prop_assert_eq!(with, without);
        }
    }

    #[test]
    fn a_correlation_is_the_covariance_over_both_deviations(
        size in 2_usize..20,
        pairs in prop::collection::vec((1.0_f64..100.0, 1.0_f64..100.0), 1..60),
    ) {
        let mut window = CorrelationWindow::new(u32::try_from(size).expect("few"));
        let mut latest = VecDeque::new();
        for (x, y) in pairs {
            latest.push_back((x, y));
            if latest.len() > size {
                latest.pop_front();
            }
            let found = window.add(x, y);
            let n = latest.len() as f64;
            let sum = |f: &dyn Fn(f64, f64) -> f64| latest.iter().map(|(x, y)| f(*x, *y)).sum::<f64>();
            let (mean_x, mean_y) = (sum(&|x, _| x) / n, sum(&|_, y| y) / n);
            let covariance = sum(&|x, y| (x - mean_x) * (y - mean_y));
            let (spread_x, spread_y) = (sum(&|x, _| (x - mean_x).powi(2)), sum(&|_, y| (y - mean_y).powi(2)));
            let varies = |spread: f64, mean: f64| (spread / n).sqrt() / mean >= 0.01;
            if n >= 2.0 && varies(spread_x, mean_x) && varies(spread_y, mean_y) {
                prop_assert!((found - covariance / (spread_x * spread_y).sqrt()).abs() < 1e-6);
            } else {
                prop_assert_eq!(found, 0.0);
            }
        }
    }

    #[test]
    fn a_level_is_the_ranked_one_of_the_latest(
        size in 1_usize..30,
        all in prop::collection::vec(0_u16..500, 1..80),
        quantile in 0.0_f64..=1.0,
    ) {
        let mut levels = Levels::new(u32::try_from(size).expect("few"));
        all.iter().for_each(|level| levels.record(*level));
        let mut latest = all[all.len().saturating_sub(size)..].to_vec();
        latest.sort_unstable();
        let rank = (quantile * latest.len() as f64).ceil().max(1.0) as usize;
        prop_assert_eq!(levels.level(quantile), latest[rank - 1]);
    }

    #[test]
    fn no_statistic_is_ever_not_a_number(values in prop::collection::vec(prop::num::f64::ANY, 1..60)) {
        let (mut ema, mut median, mut ewma) = (Ema::new(5, 2), MovingMedian::new(5), Ewma::new(ms(10)));
        let (mut pairs, mut variation, mut max) =
            (CorrelationWindow::new(5), VariationWindow::new(5), RollingMax::new(ms(20)));
        for (i, value) in values.iter().enumerate() {
            let now = at(i as u64);
            // Sums of numbers near the greatest are beyond it.
            let value = if value.is_finite() { value / 1e200 } else { *value };
            prop_assert!(!ema.add(value).is_nan());
            prop_assert!(!median.add(value).is_nan());
            ewma.add(now, value);
            ewma.add_peak(now + ms(1), value);
            prop_assert!(!ewma.get().unwrap_or_default().is_nan());
            prop_assert!((-1.0..=1.0).contains(&pairs.add(value, 1.0 / value)));
            prop_assert!(variation.add(value).unwrap_or_default() >= 0.0);
            max.add(now, value);
            prop_assert!(max.get(now).is_none_or(f64::is_finite));
        }
    }
}
