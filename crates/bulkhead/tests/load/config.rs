//! A configuration that cannot be is refused with its field, its value and what would be valid; with feature `serde` what is
//! written is read back as the same, and what is misspelt is refused.

use std::time::Duration;

use seawall_bulkhead::load::{Config, Hysteresis, LoadGauge};

use crate::support::MS;

const YEAR: Duration = Duration::from_secs(367 * 24 * 3600);

/// What cannot be: the configuration, and of its error the field, the value and what would be valid.
fn impossible() -> Vec<(Config, &'static str, &'static str, &'static str)> {
    let config = Config::default;
    let levels = |hysteresis| Config::default().levels(hysteresis);
    let by = Hysteresis::default;
    let (some, most) = ("1 ns to 366 days", "at most 366 days");
    let elevated = "above 0 and below `levels.critical`";
    let critical = "above `levels.elevated` and below 1";
    let margin = "at least 0 and below `levels.elevated`";
    vec![
        (config().name(""), "name", "\"\"", "1 to 31 bytes of printable text"),
        (levels(by().elevated(0.0)), "levels.elevated", "0", elevated),
        (levels(by().elevated(0.95)), "levels.elevated", "0.95", elevated),
        (levels(by().elevated(f64::NAN)), "levels.elevated", "NaN", elevated),
        (levels(by().critical(1.0)), "levels.critical", "1", critical),
        (levels(by().critical(-1.0)), "levels.critical", "-1", critical),
        (levels(by().critical(f64::NAN)), "levels.critical", "NaN", critical),
        (levels(by().margin(0.8)), "levels.margin", "0.8", margin),
        (levels(by().margin(-0.01)), "levels.margin", "-0.01", margin),
        (levels(by().margin(f64::NAN)), "levels.margin", "NaN", margin),
        (levels(by().dwell(YEAR)), "levels.dwell", "31708800s", most),
        (levels(by().rise_dwell(5_001 * MS)), "levels.rise_dwell", "5.001s", "at most `levels.dwell`"),
        (config().interval(Duration::ZERO), "interval", "0ns", some),
        (config().interval(YEAR), "interval", "31708800s", some),
        (config().smoothing(YEAR), "smoothing", "31708800s", most),
        (config().max_age(Duration::ZERO), "max_age", "0ns", some),
        (config().max_age(YEAR), "max_age", "31708800s", some),
        (config().stagger(YEAR), "stagger", "31708800s", most),
    ]
}

#[test]
fn what_cannot_be_is_named_with_its_value_and_what_would_be_valid() {
    for (config, field, value, valid) in impossible() {
        let error = LoadGauge::new(config).expect_err(field);
        assert_eq!((error.field(), error.value(), error.valid()), (field, value, valid));
    }
}

#[test]
fn the_widest_values_are_valid() {
    let nothing = Duration::ZERO;
    let levels = Hysteresis::default().elevated(f64::MIN_POSITIVE).critical(1.0_f64.next_down()).margin(0.0);
    let narrow = Config::default().levels(levels.dwell(nothing)).interval(Duration::from_nanos(1));
    LoadGauge::new(narrow.smoothing(nothing).stagger(nothing).max_age(Duration::from_nanos(1))).expect("valid");
    let most = Duration::from_secs(366 * 86_400);
    let wide = Config::default().levels(Hysteresis::default().dwell(most).rise_dwell(most)).interval(most);
    LoadGauge::new(wide.smoothing(most).stagger(most).max_age(most)).expect("valid");
}

#[cfg(feature = "serde")]
mod serde {
    use seawall_bulkhead::load::{Combine, Feature, Level, Shedding};
    use seawall_bulkhead::{Level as Short, Priority};

    use super::*;
    use crate::support::{Pushed, SECOND, raw};

    #[test]
    fn a_configuration_is_read_from_toml() {
        let text = r#"
            name = "orders"
            combine = "weighted_mean"
            interval = "100ms"
            smoothing = "2s"
            max_age = "1m"
            stagger = "3s"
            [levels]
            elevated = 0.7
            critical = 0.9
            margin = 0.1
            dwell = "10s"
            rise_dwell = "1s"
        "#;
        let levels = Hysteresis::default().elevated(0.7).critical(0.9).margin(0.1).dwell(10 * SECOND);
        let expected = Config::default()
            .name("orders")
            .combine(Combine::WeightedMean)
            .interval(100 * MS)
            .smoothing(2 * SECOND)
            .max_age(60 * SECOND)
            .stagger(3 * SECOND)
            .levels(levels.rise_dwell(SECOND));
        let read: Config = toml::from_str(text).expect("valid");
        assert_eq!(format!("{read:?}"), format!("{expected:?}"));
        let json = serde_json::to_string(&read).expect("written");
        assert!(json.contains(r#""dwell":"10s""#), "{json}");
        let again: Config = serde_json::from_str(&json).expect("as it was written");
        assert_eq!(format!("{again:?}"), format!("{expected:?}"));
    }

    #[test]
    fn what_is_left_out_is_as_by_default_and_what_is_misspelt_is_refused() {
        let read: Config = toml::from_str("").expect("all has a default");
        assert_eq!(format!("{read:?}"), format!("{:?}", Config::default()));
        for (text, told) in [
            ("dwel = \"1s\"", "unknown field `dwel`"),
            ("[levels]\nraised = 0.8", "unknown field `raised`"),
            ("combine = \"mean\"", "unknown variant `mean`"),
        ] {
            let error = toml::from_str::<Config>(text).expect_err(text).to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn features_and_shedding_are_read_too() {
        let feature: Feature = toml::from_str("name = \"search\"\nuntil = \"critical\"").expect("valid");
        assert_eq!(feature, Feature::new("search").until(Level::Critical));
        let feature: Feature = toml::from_str("name = \"search\"").expect("valid");
        assert_eq!(feature.get_until(), Short::Elevated);
        let shedding: Shedding = toml::from_str("critical = \"critical\"").expect("valid");
        assert_eq!(shedding, Shedding::default().critical(Priority::Critical));
    }

    #[test]
    fn a_snapshot_is_written() {
        let it = Pushed::new(raw());
        let switch = it.gauge.feature(Feature::new("suggestions")).expect("the first");
        it.load(0.9);
        it.time.advance(1_500 * MS);
        switch.try_admit().expect_err("off");
        let written = serde_json::to_value(it.gauge.snapshot()).expect("written");
        let expected = serde_json::json!({
            "name": "load", "level": "elevated", "load": 0.9, "since_seconds": 1.5, "changes": 1, "entered": [0, 1, 0],
            "signals": [{ "name": "cpu", "value": 0.9, "weight": 1.0, "refused": 0 }],
            "features": [{ "name": "suggestions", "on": false, "until": "elevated", "admitted": 0, "refused": 1 }],
        });
        assert_eq!(written, expected);
    }
}
