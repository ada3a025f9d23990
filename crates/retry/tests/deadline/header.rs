use std::time::Duration;

use http::HeaderMap;
use proptest::prelude::*;
use seawall_retry::http::TimeoutHeader;

use crate::headers;

fn milliseconds(value: &str) -> Option<Duration> {
    TimeoutHeader::default().read(&headers("x-request-timeout-ms", &[value])).ok().flatten()
}

fn grpc(value: &str) -> Option<Duration> {
    TimeoutHeader::grpc().read(&headers("grpc-timeout", &[value])).ok().flatten()
}

#[test]
fn milliseconds_are_a_whole_number_however_large() {
    for (value, millis) in
        [("0", 0), ("1", 1), ("250", 250), (" 7\t", 7), ("007", 7), ("18446744073709551615", u64::MAX)]
    {
        assert_eq!(milliseconds(value), Some(Duration::from_millis(millis)), "{value}");
    }
    for value in ["18446744073709551616", "99999999999999999999999999999999999999999999"] {
        assert_eq!(milliseconds(value), Some(Duration::from_millis(u64::MAX)), "{value}");
    }
}

#[test]
fn what_is_no_number_of_milliseconds_is_bad() {
    let many =
        ["", " ", "-1", "+1", "1.5", "1e3", "0x10", "1 2", "1,2", "NaN", "inf", "250ms", "1s", "soon", "١", "1_000"];
    for value in many {
        assert_eq!(milliseconds(value), None, "{value:?}");
        let bad = TimeoutHeader::default().read(&headers("x-request-timeout-ms", &[value])).expect_err("bad");
        assert_eq!(bad.to_string(), "header `x-request-timeout-ms` is no number of milliseconds");
        assert_eq!(bad.header(), "x-request-timeout-ms");
    }
}

#[test]
fn grpc_has_eight_digits_and_a_unit() {
    let seconds = Duration::from_secs;
    for (value, left) in [
        ("1H", seconds(3_600)),
        ("2M", seconds(120)),
        ("3S", seconds(3)),
        ("100m", Duration::from_millis(100)),
        ("5u", Duration::from_micros(5)),
        ("6n", Duration::from_nanos(6)),
        ("0n", Duration::ZERO),
        ("00000001S", seconds(1)),
        ("99999999H", seconds(99_999_999 * 3_600)),
    ] {
        assert_eq!(grpc(value), Some(left), "{value}");
    }
    let many =
        ["", "S", "1", "1s", "1h", "-1S", "+1S", "1.5S", "1 S", "123456789n", "000000001S", "1SS", "1ms", "NaNS"];
    for value in many {
        assert_eq!(grpc(value), None, "{value:?}");
    }
    let bad = TimeoutHeader::grpc().read(&headers("grpc-timeout", &["1s"])).expect_err("bad");
    assert_eq!(bad.to_string(), "header `grpc-timeout` is not at most 8 digits and one of H M S m u n");
}

#[test]
fn one_that_is_there_twice_is_bad_even_if_both_say_the_same() {
    for values in [["250", "250"], ["250", "soon"]] {
        let bad = TimeoutHeader::default().read(&headers("x-request-timeout-ms", &values)).expect_err("bad");
        assert_eq!(bad.to_string(), "header `x-request-timeout-ms` is there more than once");
    }
    assert_eq!(TimeoutHeader::default().read(&HeaderMap::new()), Ok(None), "none at all is no mistake");
}

#[test]
fn what_is_no_text_is_bad() {
    let mut headers = HeaderMap::new();
    headers.insert("x-request-timeout-ms", http::HeaderValue::from_bytes(b"1\xff").expect("opaque"));
    assert!(TimeoutHeader::default().read(&headers).is_err());
}

#[test]
fn writing_replaces_whatever_was_there() {
    let mut there = headers("x-request-timeout-ms", &["1", "2"]);
    TimeoutHeader::default().write(&mut there, Duration::from_millis(3));
    assert_eq!(there, headers("x-request-timeout-ms", &["3"]));
}

#[test]
fn grpc_is_written_in_the_finest_unit_that_fits() {
    for (left, value) in [
        (Duration::from_nanos(99_999_999), "99999999n"),
        (Duration::from_millis(100), "100000u"),
        (Duration::from_micros(99_999_999), "99999999u"),
        (Duration::from_nanos(99_999_999_999), "99999999u"),
        (Duration::from_secs(100), "100000m"),
        (Duration::from_secs(99_999_999), "99999999S"),
        (Duration::from_secs(100_000_000), "1666666M"),
        (Duration::from_secs(99_999_999 * 60 + 60), "1666666H"),
        (Duration::MAX, "99999999H"),
        (Duration::ZERO, "0n"),
    ] {
        let mut written = HeaderMap::new();
        TimeoutHeader::grpc().write(&mut written, left);
        assert_eq!(written["grpc-timeout"], value, "{left:?}");
    }
}

#[test]
fn a_name_says_which_format_it_is() {
    assert_eq!("grpc-timeout".parse(), Ok(TimeoutHeader::grpc()));
    assert_eq!("GRPC-Timeout".parse(), Ok(TimeoutHeader::grpc()));
    assert_eq!("x-request-timeout-ms".parse(), Ok(TimeoutHeader::default()));
    let envoys: TimeoutHeader = "x-envoy-expected-rq-timeout-ms".parse().expect("a name");
    assert_eq!(envoys.name(), "x-envoy-expected-rq-timeout-ms");
    for name in ["", "a header", "täglich", "a:b", "a\n"] {
        let error = name.parse::<TimeoutHeader>().expect_err(name);
        assert_eq!((error.field(), error.value()), ("header", format!("{name:?}").as_str()));
    }
}

proptest! {
    #![proptest_config(crate::cases())]

    /// What is written is never more than what is left, less by no more than its unit, and never negative.
    #[test]
    fn what_was_written_is_read(secs in 0..u64::MAX / 1_000, nanos in 0..1_000_000_000_u32, small in any::<bool>()) {
        let left = if small { Duration::new(secs % 1_000, nanos) } else { Duration::new(secs, nanos) };
        let mut written = HeaderMap::new();
        TimeoutHeader::default().write(&mut written, left);
        let read = TimeoutHeader::default().read(&written).expect("readable").expect("there");
        prop_assert!(read <= left && left.checked_sub(read) < Some(Duration::from_millis(1)));

        TimeoutHeader::grpc().write(&mut written, left);
        let read = TimeoutHeader::grpc().read(&written).expect("readable").expect("there");
        prop_assert!(read <= left);
        // A unit is taken only for what is at least a hundred thousand of it.
        if left < Duration::from_secs(99_999_999 * 3_600) {
            prop_assert!(left.checked_sub(read).expect("not more") <= left / 100_000, "{left:?} became {read:?}");
        }
    }

    #[test]
    fn no_value_makes_it_panic(value in "[ -~\t]{0,40}", grpcs in "[0-9]{0,10}[HMSmunx]?") {
        let _ = (milliseconds(&value), grpc(&value));
        let digits = grpcs.len().wrapping_sub(1);
        let valid = (1..=8).contains(&digits) && grpcs.ends_with(['H', 'M', 'S', 'm', 'u', 'n']);
        prop_assert_eq!(grpc(&grpcs).is_some(), valid, "{}", grpcs);
    }
}
