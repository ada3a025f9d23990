use std::time::Duration;

use seawall_bulkhead::limit::stats::Summary;
use seawall_bulkhead::limit::{
    Adaptive, Aimd, Bbr, Correlation, Decrease, Gradient, Gradient2, LimitAlgorithm, Scale, Vegas, Windowed,
};
use seawall_core::ConfigError;

use crate::ms;

fn error(config: impl Into<Adaptive>) -> ConfigError {
    config.into().build().expect_err("impossible")
}

#[test]
fn what_cannot_be_is_named_with_its_value_and_what_could() {
    const NONE: Duration = Duration::ZERO;
    const NAN: f64 = f64::NAN;
    let (aimd, vegas, two) = (Aimd::default(), Vegas::default(), Gradient2::default());
    let (gradient, correlation, windowed) = (Gradient::default(), Correlation::default(), Windowed::new(aimd));
    for (error, text) in [
        (error(aimd.min(0)), "`aimd.min` is 0, must be 1 to the `max`"),
        (error(aimd.max(19)), "`aimd.max` is 19, must be at least the `min` of 20"),
        (error(aimd.initial(201)), "`aimd.initial` is 201, must be 20 to 200"),
        (error(aimd.initial(19)), "`aimd.initial` is 19, must be 20 to 200"),
        (error(aimd.backoff(1.0)), "`aimd.backoff` is 1, must be a number above 0 and below 1"),
        (error(aimd.backoff(0.0)), "`aimd.backoff` is 0, must be a number above 0 and below 1"),
        (error(aimd.backoff(NAN)), "`aimd.backoff` is NaN, must be a number above 0 and below 1"),
        (error(aimd.timeout(NONE)), "`aimd.timeout` is 0ns, must be 1ns to 366days"),
        (
            error(aimd.timeout(Duration::MAX)),
            "`aimd.timeout` is 18446744073709551615.999999999s, must be 1ns to 366days",
        ),
        (error(vegas.min(21)), "`vegas.initial` is 20, must be 21 to 1000"),
        (error(vegas.smoothing(0.0)), "`vegas.smoothing` is 0, must be a number above 0 and at most 1"),
        (error(vegas.smoothing(1.01)), "`vegas.smoothing` is 1.01, must be a number above 0 and at most 1"),
        (error(vegas.smoothing(-0.1)), "`vegas.smoothing` is -0.1, must be a number above 0 and at most 1"),
        (error(vegas.alpha(Scale::Log10(0))), "`vegas.alpha` is 0, must be 1 to 1000000"),
        (error(vegas.beta(Scale::Fixed(0))), "`vegas.beta` is 0, must be 1 to 1000000"),
        (error(vegas.threshold(Scale::Fixed(1_000_001))), "`vegas.threshold` is 1000001, must be 1 to 1000000"),
        (error(vegas.increase(Scale::Fixed(0))), "`vegas.increase` is 0, must be 1 to 1000000"),
        (error(vegas.decrease(Decrease::To(1.0))), "`vegas.decrease` is 1, must be a number above 0 and below 1"),
        (error(vegas.decrease(Decrease::By(Scale::Fixed(0)))), "`vegas.decrease` is 0, must be 1 to 1000000"),
        (error(vegas.probe(0)), "`vegas.probe` is 0, must be 1 to 1000000"),
        (error(two.smoothing(f64::INFINITY)), "`gradient2.smoothing` is inf, must be a number above 0 and at most 1"),
        (error(two.queue(1_000_001)), "`gradient2.queue` is 1000001, must be 0 to 1000000"),
        (error(two.long_window(0)), "`gradient2.long_window` is 0, must be 1 to 1000000"),
        (error(two.tolerance(0.99)), "`gradient2.tolerance` is 0.99, must be a number from 1 to 1000"),
        (error(two.drift(0.0)), "`gradient2.drift` is 0, must be a number above 0 and at most 1"),
        (error(two.backoff(1.1)), "`gradient2.backoff` is 1.1, must be a number above 0 and at most 1"),
        (error(two.probe(1_000_001)), "`gradient2.probe` is 1000001, must be 0 to 1000000"),
        (error(gradient.min(0)), "`gradient.min` is 0, must be 1 to the `max`"),
        (error(gradient.max(2)), "`gradient.max` is 2, must be at least the `min` of 3"),
        (error(gradient.window(NONE)), "`gradient.window` is 0ns, must be 1ns to 366days"),
        (error(gradient.percentile(0.0)), "`gradient.percentile` is 0, must be a number above 0 and at most 1"),
        (error(gradient.buffer(-0.25)), "`gradient.buffer` is -0.25, must be a number from 0 to 1000"),
        (error(gradient.probe_every(NONE)), "`gradient.probe_every` is 0ns, must be 1ns to 366days"),
        (error(gradient.jitter(1.5)), "`gradient.jitter` is 1.5, must be a number from 0 to 1"),
        (error(gradient.probe_calls(0)), "`gradient.probe_calls` is 0, must be 1 to 10000"),
        (error(gradient.backoff(0.0)), "`gradient.backoff` is 0, must be a number above 0 and at most 1"),
        (error(correlation.longest(ms(999))), "`correlation.longest` is 999ms, must be at least the `window` of 1s"),
        (error(correlation.window(NONE)), "`correlation.window` is 0ns, must be 1ns to 366days"),
        (error(correlation.min_samples(0)), "`correlation.min_samples` is 0, must be 1 to 1000000"),
        (error(correlation.quantile(1.1)), "`correlation.quantile` is 1.1, must be a number above 0 and at most 1"),
        (error(correlation.median(0)), "`correlation.median` is 0, must be 1 to 1000"),
        (error(correlation.smoothing(0)), "`correlation.smoothing` is 0, must be 1 to 1000000"),
        (error(correlation.baseline(0)), "`correlation.baseline` is 0, must be 1 to 1000000"),
        (error(correlation.correlation(1)), "`correlation.correlation` is 1, must be 2 to 1000"),
        (error(correlation.step(Scale::Fixed(0))), "`correlation.step` is 0, must be 1 to 1000000"),
        (error(correlation.max_factor(0.9)), "`correlation.max_factor` is 0.9, must be a number from 1 to 1000000"),
        (error(correlation.factor_decay(-1.0)), "`correlation.factor_decay` is -1, must be a number from 0 to 1000000"),
        (error(correlation.min_factor(NAN)), "`correlation.min_factor` is NaN, must be a number from 1 to 1000000"),
        (error(correlation.min_use(2.0)), "`correlation.min_use` is 2, must be a number from 0 to 1"),
        (error(windowed.window(NONE)), "`windowed.window` is 0ns, must be 1ns to 366days"),
        (error(windowed.longest(ms(1))), "`windowed.longest` is 1ms, must be at least the `window` of 1s"),
        (error(windowed.min_samples(0)), "`windowed.min_samples` is 0, must be 1 to 1000000"),
        (
            error(windowed.summary(Summary::Percentile(0.0))),
            "`windowed.summary` is 0, must be a number above 0 and at most 1",
        ),
        (error(windowed.max_dropped(NAN)), "`windowed.max_dropped` is NaN, must be a number from 0 to 1"),
        (error(windowed.max_dropped(-0.1)), "`windowed.max_dropped` is -0.1, must be a number from 0 to 1"),
        (error(windowed.max_dropped(1.1)), "`windowed.max_dropped` is 1.1, must be a number from 0 to 1"),
        (error(Windowed::new(aimd.min(0))), "`aimd.min` is 0, must be 1 to the `max`"),
    ] {
        assert_eq!(error.to_string(), text);
    }
    let bbr = Bbr::default();
    for (bbr, text) in [
        (bbr.window(NONE), "`bbr.window` is 0ns, must be 1ns to 366days"),
        (bbr.buckets(1), "`bbr.buckets` is 1, must be 2 to 1000"),
        (bbr.window(Duration::from_nanos(99)), "`bbr.window` is 99ns, must be at least 1ns for each of the `buckets`"),
        (bbr.cpu(0.0), "`bbr.cpu` is 0, must be a number above 0 and at most 1"),
        (bbr.cooldown(NONE), "`bbr.cooldown` is 0ns, must be 1ns to 366days"),
        (bbr.resolution(NONE), "`bbr.resolution` is 0ns, must be 1ns to 366days"),
    ] {
        assert_eq!(bbr.build().expect_err("impossible").to_string(), text);
    }
}

#[test]
fn all_begin_with_the_limit_that_is_their_first() {
    for (adaptive, first) in [
        (Adaptive::from(Aimd::default()), 20),
        (Vegas::default().into(), 20),
        (Gradient2::default().into(), 20),
        (Gradient::default().into(), 3),
        (Correlation::default().into(), 20),
        (Windowed::new(Vegas::default().initial(7)).into(), 7),
        (Adaptive::default(), 3),
    ] {
        assert_eq!(adaptive.build().expect("valid").limit(), first, "{adaptive:?}");
    }
}

#[test]
fn the_one_to_begin_with_needs_to_be_told_nothing() {
    assert_eq!(Adaptive::default(), Adaptive::from(Gradient::default()));
}

#[cfg(feature = "serde")]
mod serde {
    use super::*;

    #[derive(Debug, PartialEq, ::serde::Deserialize, ::serde::Serialize)]
    struct File {
        adaptive: Adaptive,
    }

    fn read(text: &str) -> Adaptive {
        toml::from_str::<File>(text).unwrap_or_else(|error| panic!("{text}: {error}")).adaptive
    }

    #[test]
    fn an_algorithm_is_a_table_of_its_name() {
        for (text, adaptive) in [
            ("adaptive = { aimd = {} }", Aimd::default().into()),
            ("adaptive = { aimd = { timeout = \"250ms\" } }", Aimd::default().timeout(ms(250)).into()),
            ("adaptive = { vegas = { max = 100 } }", Vegas::default().max(100).into()),
            (
                "adaptive = { vegas = { alpha = { fixed = 3 }, beta = { log10 = 7 }, decrease = { to = 0.5 } } }",
                Adaptive::from(
                    Vegas::default().alpha(Scale::Fixed(3)).beta(Scale::Log10(7)).decrease(Decrease::To(0.5)),
                ),
            ),
            ("adaptive = { gradient2 = { queue = 9 } }", Gradient2::default().queue(9).into()),
            ("adaptive = { gradient2 = { probe = 100 } }", Gradient2::default().probe(100).into()),
            ("adaptive = { gradient = { probe_every = \"30s\" } }", Gradient::default().probe_every(ms(30_000)).into()),
            (
                "adaptive = { correlation = { stabilization = \"5m\" } }",
                Correlation::default().stabilization(ms(300_000)).into(),
            ),
            (
                "adaptive = { windowed = { inner = { gradient2 = {} }, window = \"2s\", longest = \"2s\", summary = { percentile = 0.5 } } }",
                Windowed::new(Gradient2::default())
                    .window(ms(2_000))
                    .longest(ms(2_000))
                    .summary(Summary::Percentile(0.5))
                    .into(),
            ),
            ("adaptive = { windowed = { inner = { aimd = {} } } }", Windowed::new(Aimd::default()).into()),
            (
                "adaptive = { windowed = { inner = { aimd = {} }, max_dropped = 0.1 } }",
                Windowed::new(Aimd::default()).max_dropped(0.1).into(),
            ),
        ] {
            assert_eq!(read(text), adaptive, "{text}");
            let written = toml::to_string(&File { adaptive }).expect("can be written");
            assert_eq!(read(&written), adaptive, "{written}");
        }
    }

    #[test]
    fn what_nobody_knows_is_refused_by_name() {
        for (text, named) in [
            ("adaptive = { aimd = { mx = 1 } }", "mx"),
            ("adaptive = { vegas = { alpha = { square = 1 } } }", "square"),
            ("adaptive = { gradient2 = { timeout = \"1s\" } }", "timeout"),
            ("adaptive = { gradient = { initial = 1 } }", "initial"),
            ("adaptive = { correlation = { windows = 1 } }", "windows"),
            ("adaptive = { windowed = { inner = { gradient = {} } } }", "gradient"),
            ("adaptive = { windowed = { window = \"1s\" } }", "inner"),
            ("adaptive = { magic = {} }", "magic"),
            // The one to begin with is chosen in code: in a file an algorithm has to be named.
            ("adaptive = {}", "adaptive"),
            ("", "adaptive"),
            ("adaptive = { aimd = { timeout = 5 } }", "timeout"),
        ] {
            let error = toml::from_str::<File>(text).expect_err(text).to_string();
            assert!(error.contains(named), "{error}");
        }
        assert_eq!(
            toml::from_str::<Bbr>("cpu = 0.9\nwindow = \"5s\"").expect("valid"),
            Bbr::default().cpu(0.9).window(ms(5_000))
        );
        assert!(toml::from_str::<Bbr>("cpus = 1").is_err());
    }
}
