//! A configuration that cannot be is refused with its field, its value and what would be valid, and changes nothing; with
//! feature `serde` what is written is read back as the same, and what is misspelt is refused.

use std::time::Duration;

use seawall_circuit_breaker::{
    Abandoned, CircuitBreaker, Config, HalfOpen, OpenInterval, Recovery, State, SuccessRateEma, Undecided, Window,
};
use seawall_core::time::Clock;
use seawall_core::{Jitter, Outcome};

const SECOND: Duration = Duration::from_secs(1);
const YEAR: Duration = Duration::from_secs(367 * 24 * 3600);

/// What cannot be: the configuration, and of its error the field, the value and what would be valid.
fn impossible() -> Vec<(Config, &'static str, &'static str, &'static str)> {
    let config = Config::default;
    let count = |size, minimum| config().window(Window::count(size).minimum_calls(minimum));
    let time = |length, buckets| config().window(Window::time(length).buckets(buckets));
    let open = |open: OpenInterval| config().open(open);
    let half_open = |half_open: HalfOpen| config().half_open(half_open);
    let growing = |multiplier| OpenInterval::exponential(30 * SECOND, multiplier, 600 * SECOND);
    let average = |rule| Config::empty().success_rate_ema(rule);
    let none = SuccessRateEma::over_time(0.5, SECOND).minimum_calls(0);
    let stages = |shares: &[f64]| config().recovery(Recovery::new(shares));
    let rising = "1 to 16 shares that rise, each above 0 and below 1";
    let share = "a number above 0 and at most 1";
    let span = "above zero and at most 366 days";
    let name = "1 to 31 bytes of printable text";
    vec![
        (config().name(""), "name", "\"\"", name),
        (config().name("a name of thirty-two bytes, a-b-c"), "name", "\"a name of thirty-two bytes, a-b-c\"", name),
        (config().name("two\nlines"), "name", "\"two\\nlines\"", name),
        (Config::empty(), "failure_rate", "missing", "nothing would open the circuit"),
        (config().failure_rate(0.0), "failure_rate", "0", share),
        (config().failure_rate(-0.1), "failure_rate", "-0.1", share),
        (config().failure_rate(1.5), "failure_rate", "1.5", share),
        (config().failure_rate(f64::NAN), "failure_rate", "NaN", share),
        (config().failure_rate(f64::INFINITY), "failure_rate", "inf", share),
        (config().slow_calls(Duration::ZERO, 0.5), "slow_calls.after", "0ns", span),
        (config().slow_calls(YEAR, 0.5), "slow_calls.after", "31708800s", span),
        (config().slow_calls(SECOND, 0.0), "slow_calls.rate", "0", share),
        (config().slow_calls(SECOND, 1.01), "slow_calls.rate", "1.01", share),
        (config().slow_calls(SECOND, f64::NEG_INFINITY), "slow_calls.rate", "-inf", share),
        (config().consecutive_failures(0), "consecutive_failures", "0", "1 to 4294967295"),
        (config().failures_in_period(0, SECOND), "failures_in_period.failures", "0", "1 to 100000"),
        (config().failures_in_period(100_001, SECOND), "failures_in_period.failures", "100001", "1 to 100000"),
        (config().failures_in_period(3, Duration::ZERO), "failures_in_period.period", "0ns", span),
        (count(0, 1), "window.count.size", "0", "1 to 1000000"),
        (count(1_000_001, 1), "window.count.size", "1000001", "1 to 1000000"),
        (count(10, 0), "window.count.minimum_calls", "0", "1 to 10"),
        (count(10, 11), "window.count.minimum_calls", "11", "1 to 10"),
        (time(Duration::ZERO, 10), "window.time.length", "0ns", span),
        (time(YEAR, 10), "window.time.length", "31708800s", span),
        (time(SECOND, 0), "window.time.buckets", "0", "1 to 1000"),
        (time(2 * SECOND, 1_001), "window.time.buckets", "1001", "1 to 1000"),
        (time(Duration::from_micros(9_999), 10), "window.time.length", "9.999ms", "at least 10ms"),
        (config().window(Window::time(SECOND).minimum_calls(0)), "window.time.minimum_calls", "0", "1 to 4294967295"),
        (config().abandoned(Abandoned::Rate(0.0)), "abandoned.rate", "0", share),
        (config().abandoned(Abandoned::Rate(f64::NAN)), "abandoned.rate", "NaN", share),
        (open(OpenInterval::fixed(Duration::ZERO)), "open.for", "0ns", span),
        (open(OpenInterval::fixed(YEAR)), "open.for", "31708800s", span),
        (open(OpenInterval::exponential(30 * SECOND, 1.0, Duration::ZERO)), "open.max", "0ns", span),
        (open(OpenInterval::exponential(30 * SECOND, 1.0, SECOND)), "open.max", "1s", "at least the initial 30s"),
        (open(growing(0.99)), "open.multiplier", "0.99", "a number of at least 1"),
        (open(growing(f64::NAN)), "open.multiplier", "NaN", "a number of at least 1"),
        (open(growing(f64::INFINITY)), "open.multiplier", "inf", "at least 1"),
        (half_open(HalfOpen::probes(0)), "half_open.probes", "0", "1 to 1000000"),
        (half_open(HalfOpen::probes(1_000_001)), "half_open.probes", "1000001", "1 to 1000000"),
        (half_open(HalfOpen::probes(3).successes(0)), "half_open.successes", "0", "1 to 3"),
        (half_open(HalfOpen::probes(3).successes(4)), "half_open.successes", "4", "1 to 3"),
        (half_open(HalfOpen::probes(3).max(Duration::ZERO)), "half_open.max", "0ns", span),
        (half_open(HalfOpen::probes(3).max(YEAR)), "half_open.max", "31708800s", span),
        (average(SuccessRateEma::over_calls(0.0, 9)), "success_rate_ema.required", "0", share),
        (average(SuccessRateEma::over_calls(1.01, 9)), "success_rate_ema.required", "1.01", share),
        (average(SuccessRateEma::over_calls(f64::NAN, 9)), "success_rate_ema.required", "NaN", share),
        (average(SuccessRateEma::over_calls(0.5, 0)), "success_rate_ema.over.calls", "0", "1 to 1000000"),
        (average(SuccessRateEma::over_calls(0.5, 1_000_001)), "success_rate_ema.over.calls", "1000001", "1 to 1000000"),
        (average(SuccessRateEma::over_time(0.5, Duration::ZERO)), "success_rate_ema.over.time.length", "0ns", span),
        (average(SuccessRateEma::over_time(0.5, YEAR)), "success_rate_ema.over.time.length", "31708800s", span),
        (average(none), "success_rate_ema.over.time.minimum_calls", "0", "1 to 4294967295"),
        (config().failures_in_window(0), "failures_in_window", "0", "1 to 4294967295"),
        (config().window(Window::count(10)).failures_in_window(11), "failures_in_window", "11", "1 to 10"),
        (stages(&[]), "recovery.shares", "0 shares", rising),
        (stages(&[0.01; 17]), "recovery.shares", "17 shares", rising),
        (stages(&[0.0]), "recovery.shares", "0", rising),
        (stages(&[0.5, 1.0]), "recovery.shares", "1", rising),
        (stages(&[f64::NAN]), "recovery.shares", "NaN", rising),
        (stages(&[0.1, -0.2]), "recovery.shares", "-0.2", rising),
        (stages(&[0.1, 0.1]), "recovery.shares", "0.1 after 0.1", rising),
        (stages(&[0.1, 0.5, 0.25]), "recovery.shares", "0.25 after 0.5", rising),
        (config().recovery(Recovery::default().each(Duration::ZERO)), "recovery.each", "0ns", span),
        (config().recovery(Recovery::default().calls(0)), "recovery.calls", "0", "1 to 1000000"),
    ]
}

#[test]
fn what_cannot_be_is_named_with_its_value_and_what_would_be_valid() {
    for (config, field, value, valid) in impossible() {
        let error = CircuitBreaker::new(config).expect_err(field);
        assert_eq!((error.field(), error.value()), (field, value));
        assert!(error.valid().contains(valid), "{field}: {}", error.valid());
        assert_eq!(error.to_string(), format!("`{field}` is {value}, must be {}", error.valid()));
    }
}

#[test]
fn the_limits_themselves_are_valid() {
    let config = Config::default;
    let largest = OpenInterval::exponential(30 * SECOND, 1.0, 30 * SECOND);
    let all = HalfOpen::probes(3).without_max();
    for config in [
        config().name("x"),
        config().name("exactly thirty-one bytes, a-b-c"),
        config().failure_rate(f64::MIN_POSITIVE),
        config().failure_rate(1.0),
        config().slow_calls(Duration::from_nanos(1), 1.0),
        config().failures_in_period(100_000, Duration::from_nanos(1)),
        config().window(Window::count(1)),
        config().window(Window::count(1_000_000).minimum_calls(1_000_000)),
        config().window(Window::time(Duration::from_millis(10))),
        config().window(Window::time(SECOND).buckets(1_000)),
        config().open(largest),
        config().success_rate_ema(SuccessRateEma::over_calls(1.0, 1)),
        config().success_rate_ema(SuccessRateEma::over_time(f64::MIN_POSITIVE, Duration::from_nanos(1))),
        config().half_open(all),
        config().open_for(366 * 24 * 3600 * SECOND),
    ] {
        let told = format!("{config:?}");
        assert!(CircuitBreaker::new(config).is_ok(), "{told}");
    }
}

#[test]
fn a_refused_reconfiguration_changes_nothing() {
    let (clock, time) = Clock::manual();
    let config = Config::default().window(Window::count(10)).consecutive_failures(4);
    let breaker = CircuitBreaker::with_clock(config, clock).expect("valid");
    let fail = || breaker.try_admit().expect("closed").failure();
    breaker.try_admit().expect("closed").success();
    (0..3).for_each(|_| fail());
    time.advance(SECOND);
    let before = breaker.snapshot();
    for (config, field, ..) in impossible() {
        breaker.reconfigure(config).expect_err(field);
        assert_eq!(breaker.snapshot(), before, "{field}");
    }
    let error = breaker.reconfigure(Config::classic().name("another")).expect_err("another name");
    assert_eq!((error.field(), error.value()), ("name", "\"another\""));
    assert_eq!(breaker.snapshot(), before);
    fail();
    assert_eq!(breaker.state(), State::Open, "the fourth failure in a row");
}

#[test]
fn a_reconfiguration_keeps_the_state_and_what_was_counted() {
    let (clock, _time) = Clock::manual();
    let config = || Config::default().window(Window::count(100).minimum_calls(100));
    let breaker = CircuitBreaker::with_clock(config(), clock).expect("valid");
    (0..9).for_each(|_| breaker.record(Outcome::Failure, Duration::ZERO));
    let handle = breaker.clone();
    handle.reconfigure(config().window(Window::count(50).minimum_calls(10))).expect("valid");
    assert_eq!((breaker.snapshot().figures.failed, breaker.state()), (9, State::Closed));
    breaker.record(Outcome::Success, Duration::ZERO);
    assert_eq!(breaker.state(), State::Open, "nine of ten failed, before and after");
    handle.reconfigure(Config::classic()).expect("valid");
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn the_defaults_are_these() {
    let debug = |config: Config| format!("{config:?}");
    let default = Config::empty()
        .name("circuit_breaker")
        .window(Window::Time { length: 30 * SECOND, buckets: 10, minimum_calls: 20 })
        .failure_rate(0.5)
        .abandoned(Abandoned::Rate(1.0))
        .open(
            OpenInterval::exponential(30 * SECOND, 1.0, 600 * SECOND).jitter(Jitter::None).stable_after(Duration::ZERO),
        )
        .half_open(HalfOpen::probes(3).successes(2).max(30 * SECOND));
    assert_eq!(debug(Config::default()), debug(default));
    let classic = Config::empty().consecutive_failures(5).open_for(60 * SECOND).half_open(HalfOpen::probes(3));
    assert_eq!(debug(Config::classic()), debug(classic));
    assert_eq!(Window::count(100), Window::Count { size: 100, minimum_calls: 20 });
    assert_eq!(Window::count(7), Window::Count { size: 7, minimum_calls: 7 });
}

#[cfg(feature = "serde")]
mod text {
    use super::*;

    fn toml(text: &str) -> Config {
        toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[track_caller]
    fn assert_same(one: &Config, other: &Config) {
        assert_eq!(format!("{one:?}"), format!("{other:?}"));
    }

    fn everything() -> Config {
        Config::empty()
            .name("payment")
            .window(Window::Time { length: 10 * SECOND, buckets: 20, minimum_calls: 7 })
            .failure_rate(0.25)
            .slow_calls(Duration::from_millis(800), 0.75)
            .consecutive_failures(9)
            .failures_in_period(4, Duration::from_millis(2_500))
            .abandoned(Abandoned::Rate(0.5))
            .open(
                OpenInterval::exponential(Duration::from_millis(250), 1.5, 90 * SECOND)
                    .jitter(Jitter::Equal)
                    .stable_after(60 * SECOND)
                    .ignore_hint(),
            )
            .half_open(HalfOpen::probes(5).successes(4).max(15 * SECOND).after_max(Undecided::Close).wait_for_all())
            .failures_in_window(30)
            .success_rate_ema(SuccessRateEma::over_time(0.8, 30 * SECOND).minimum_calls(7))
            .durations(true)
            .recovery(Recovery::new([0.01, 0.25]).each(20 * SECOND).calls(50))
    }

    const EVERYTHING: &str = r#"
        name = "payment"
        failure_rate = 0.25
        consecutive_failures = 9
        failures_in_window = 30
        durations = true
        abandoned = { rate = 0.5 }
        [window.time]
        length = "10s"
        buckets = 20
        minimum_calls = 7
        [slow_calls]
        after = "800ms"
        rate = 0.75
        [failures_in_period]
        failures = 4
        period = "2s 500ms"
        [success_rate_ema]
        required = 0.8
        over.time = { length = "30s", minimum_calls = 7 }
        [open]
        for = "250ms"
        multiplier = 1.5
        max = "1m 30s"
        jitter = "equal"
        stable_after = "1m"
        honour_hint = false
        [half_open]
        probes = 5
        successes = 4
        max = "15s"
        after_max = "close"
        wait_for_all = true
        [recovery]
        shares = [0.01, 0.25]
        each = "20s"
        calls = 50
    "#;

    #[test]
    fn every_field_is_read() {
        assert_same(&toml(EVERYTHING), &everything());
    }

    #[test]
    fn what_is_written_is_read_back_as_the_same() {
        let configs = [
            everything(),
            Config::default(),
            Config::classic(),
            Config::resilience4j(),
            Config::polly(),
            Config::hystrix(),
            Config::gobreaker(),
            Config::failsafe(),
            Config::default().window(Window::count(5)).abandoned(Abandoned::Ignore),
            Config::default().abandoned(Abandoned::Failure).half_open(HalfOpen::default().without_max()),
            Config::classic().half_open(HalfOpen::default().by_rates()),
            Config::default().slow_calls(SECOND, 1.0),
            Config::empty().slow_calls(SECOND, 1.0).open(OpenInterval::default().jitter(Jitter::Full)),
            Config::empty().failures_in_period(3, SECOND).open_for(1_000 * SECOND),
            Config::empty().failures_in_window(3).recovery(Recovery::default()),
            Config::empty().success_rate_ema(SuccessRateEma::over_calls(0.9, 50)),
        ];
        for config in configs {
            let text = serde_json::to_string(&config).expect("JSON");
            assert_same(&serde_json::from_str(&text).expect(&text), &config);
            let text = toml::to_string(&config).expect("TOML");
            assert_same(&toml::from_str(&text).expect(&text), &config);
        }
    }

    #[test]
    fn what_is_left_out_has_its_default() {
        assert_same(&toml(""), &Config::default());
        assert_same(&toml("failure_rate = 0.1"), &Config::default().failure_rate(0.1));
        assert_same(&toml("window.count.size = 5"), &Config::default().window(Window::count(5)));
        assert_same(&toml("window.time.length = '5s'"), &Config::default().window(Window::time(5 * SECOND)));
        assert_same(&toml("open.for = '5s'"), &Config::default().open_for(5 * SECOND));
        assert_same(&toml("open.for = '700s'"), &Config::default().open_for(700 * SECOND));
        let never = HalfOpen::probes(2).successes(1).without_max();
        assert_same(
            &toml("half_open = { probes = 2, successes = 1, max = 'never' }"),
            &Config::default().half_open(never),
        );
        // Another rule takes the place of the failure rate, as in code that begins with an empty one.
        assert_same(&toml("consecutive_failures = 5"), &Config::empty().consecutive_failures(5));
        let average = Config::empty().success_rate_ema(SuccessRateEma::over_time(0.8, 30 * SECOND));
        assert_same(&toml("success_rate_ema = { required = 0.8, over = { time = { length = '30s' } } }"), &average);
        let both = Config::default().consecutive_failures(5);
        assert_same(&toml("consecutive_failures = 5\nfailure_rate = 0.5"), &both);
    }

    #[test]
    fn what_is_unknown_is_refused() {
        for (text, name) in [
            ("failure_ratio = 0.5", "failure_ratio"),
            ("window = { count = { size = 5, minimum = 3 } }", "minimum"),
            ("window = { time = { length = '5s', bucket = 3 } }", "bucket"),
            ("window = { calls = { size = 5 } }", "calls"),
            ("slow_calls = { after = '1s', rate = 1.0, whatever = 1 }", "whatever"),
            ("failures_in_period = { failures = 1, period = '1s', minimum_calls = 1 }", "minimum_calls"),
            ("success_rate_ema = { required = 0.5, over = { calls = 9 }, minimum = 1 }", "minimum"),
            ("success_rate_ema = { required = 0.5, over = { bytes = 9 } }", "bytes"),
            ("abandoned = 'nothing'", "nothing"),
            ("abandoned = { share = 1.0 }", "share"),
            ("open = { first = '1s' }", "first"),
            ("open = { jitter = 'some' }", "some"),
            ("half_open = { permits = 1 }", "permits"),
            ("half_open = { after_max = 'wait' }", "wait"),
            ("open_by = 1", "open_by"),
            ("observer = 1", "observer"),
        ] {
            let error = toml::from_str::<Config>(text).expect_err(text).to_string();
            assert!(error.contains(name), "{text}: {error}");
        }
    }

    #[test]
    fn what_has_the_wrong_form_is_refused() {
        for (text, told) in [
            ("window.time.length = 5", "length"),
            ("window.time.length = '5 parsecs'", "parsecs"),
            ("open.for = 1.5", "for"),
            ("half_open = { max = 'soon' }", "soon"),
            ("consecutive_failures = -1", "-1"),
            ("slow_calls = { after = '1s' }", "rate"),
            ("failures_in_period = { failures = 3 }", "period"),
            ("success_rate_ema = { required = 0.5 }", "over"),
            ("durations = 'yes'", "yes"),
        ] {
            let error = toml::from_str::<Config>(text).expect_err(text).to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    #[test]
    fn a_value_that_cannot_be_is_refused_by_the_breaker_that_takes_it() {
        let error = CircuitBreaker::new(toml("window.count = { size = 10, minimum_calls = 11 }")).expect_err("above");
        assert_eq!(error.to_string(), "`window.count.minimum_calls` is 11, must be 1 to 10");
    }

    #[test]
    fn a_snapshot_says_what_it_is_in_base_units() {
        let (clock, time) = Clock::manual();
        let breaker = CircuitBreaker::with_clock(Config::classic().name("payment"), clock).expect("valid");
        breaker.trip();
        time.advance(Duration::from_millis(1_500));
        let json = serde_json::to_value(breaker.snapshot()).expect("JSON");
        assert_eq!(json["name"], "payment");
        assert_eq!(json["state"], "open");
        assert_eq!(json["cause"], "manual");
        assert_eq!(json["in_state_seconds"], 1.5);
        assert_eq!(json["retry_after_seconds"], 58.5);
        assert_eq!(json["total"]["opened"], 1);
    }
}
