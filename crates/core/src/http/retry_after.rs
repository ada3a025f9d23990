use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::http::header::{DATE, RETRY_AFTER};
use ::http::{HeaderMap, HeaderName};

/// How long whoever sent these headers asks to be left alone: `Retry-After`, as RFC 9110 has it in section 10.2.3.
///
/// A number of seconds is taken as it is, however large. A date, in any of its three forms, is taken relative to the `Date`
/// of the same response, so that clocks which disagree do no harm; only without one is it relative to this machine's
/// clock. A date that has passed is zero. What is neither is `None`.
///
/// ```
/// use http::HeaderMap;
/// use seawall_core::http::retry_after;
/// use std::time::Duration;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT".parse()?);
/// headers.insert("date", "Fri, 31 Dec 1999 23:59:00 GMT".parse()?);
/// assert_eq!(retry_after(&headers), Some(Duration::from_secs(59)));
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = text(headers, &RETRY_AFTER)?;
    if let Some(seconds) = whole_number(value) {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    let sent = text(headers, &DATE).and_then(|date| httpdate::parse_http_date(date).ok());
    Some(at.duration_since(sent.unwrap_or_else(wall_time)).unwrap_or_default())
}

/// `after` as the seconds of a `Retry-After`: rounded up, and at least 1, so that nobody comes back too early.
///
/// ```
/// use seawall_core::http::delay_seconds;
/// use std::time::Duration;
///
/// assert_eq!(delay_seconds(Duration::from_millis(1_001)), 2);
/// assert_eq!(delay_seconds(Duration::ZERO), 1);
/// ```
pub const fn delay_seconds(after: Duration) -> u64 {
    let seconds = after.as_secs().saturating_add((after.subsec_nanos() > 0) as u64);
    if seconds == 0 { 1 } else { seconds }
}

/// A number without a sign; one that is too large is the largest.
pub(super) fn whole_number(value: &str) -> Option<u64> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| value.parse().unwrap_or(u64::MAX))
}

/// The header's first value, if it is text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    Some(headers.get(name)?.to_str().ok()?.trim_matches([' ', '\t']))
}

#[expect(clippy::disallowed_methods, reason = "a date of the wall clock that comes without its sender's time")]
fn wall_time() -> SystemTime {
    UNIX_EPOCH.elapsed().map_or(UNIX_EPOCH, |since| UNIX_EPOCH + since)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(retry_after: &str, date: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after.parse().expect("a header"));
        if let Some(date) = date {
            headers.insert(DATE, date.parse().expect("a header"));
        }
        super::retry_after(&headers)
    }

    const SENT: Option<&str> = Some("Sun, 06 Nov 1994 08:49:00 GMT");

    #[test]
    fn seconds_are_taken_as_they_are() {
        for (value, seconds) in [("0", 0), ("120", 120), (" 7\t", 7), ("007", 7), ("18446744073709551616", u64::MAX)] {
            assert_eq!(read(value, SENT), Some(Duration::from_secs(seconds)), "{value}");
        }
    }

    #[test]
    fn a_date_in_any_form_is_relative_to_its_senders_clock() {
        for date in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(read(date, SENT), Some(Duration::from_secs(37)), "{date}");
        }
        assert_eq!(read("Sun, 06 Nov 1994 08:48:59 GMT", SENT), Some(Duration::ZERO), "it has passed");
    }

    #[test]
    fn a_date_without_its_senders_time_is_relative_to_this_machines_clock() {
        for no_date in [None, Some("yesterday")] {
            assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT", no_date), Some(Duration::ZERO));
            let far = read("Fri, 31 Dec 9999 23:59:59 GMT", no_date).expect("a date");
            assert!(far > Duration::from_secs(365 * 86_400), "{far:?}");
        }
    }

    #[test]
    fn what_is_neither_is_nothing() {
        for value in ["", "-1", "+1", "1.5", "1e3", "0x10", "1 2", "soon", "١", "Sun, 32 Nov 1994 08:49:37 GMT"] {
            assert_eq!(read(value, SENT), None, "{value:?}");
        }
        assert_eq!(super::retry_after(&HeaderMap::new()), None);
    }

    #[test]
    fn a_delay_is_rounded_up_and_never_nothing() {
        let largest = Duration::new(u64::MAX, 1);
        let nanos = Duration::from_nanos;
        for (after, seconds) in [
            (nanos(0), 1),
            (nanos(1), 1),
            (nanos(1_000_000_000), 1),
            (nanos(1_000_999_999), 2),
            (nanos(59_999_999_999), 60),
            (largest, u64::MAX),
        ] {
            assert_eq!(delay_seconds(after), seconds, "{after:?}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(value in "[ -~\t]{0,40}", date in "[ -~\t]{0,40}") {
            let _ = read(&value, Some(&date));
        }

        #[test]
        fn what_was_written_is_read(millis in 0..u64::MAX / 2) {
            let after = Duration::from_millis(millis);
            let seconds = delay_seconds(after);
            let told = read(&seconds.to_string(), None).expect("a number");
            prop_assert!(told >= after && told.checked_sub(after).is_none_or(|more| more <= Duration::from_secs(1)));
        }
    }
}
