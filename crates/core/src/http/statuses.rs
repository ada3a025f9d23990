use std::fmt;

use ::http::{Response, StatusCode};

use super::retry_after;
use super::status_range::{ALL, StatusRange};
use crate::{Classify, ConfigError, Outcome, Report};

/// Judges responses by their status.
///
/// | status | by default | because |
/// |---|---|---|
/// | 5xx, and 600 to 999 | failure | the server says that it failed; RFC 9110 has what is no status treated as 5xx |
/// | 501, 505 | success | the request asks for what this server never does: waiting repairs nothing |
/// | 408, 429 | failure | the server does not keep up, and says so |
/// | every other one | success | whoever finds fault with a request is there and works |
///
/// A caller's mistake is a success, not [ignored](Outcome::Ignored): calls that are ignored decide nothing, so a dependency
/// that answered 404 to each call that tries whether it is back would never be found back.
///
/// A failure tells the [`Retry-After`](retry_after) that it came with, and the status as its error. As a classifier of results
/// it takes every `Err` for a failure.
///
/// ```
/// use http::StatusCode;
/// use seawall_core::Outcome;
/// use seawall_core::http::Statuses;
///
/// let statuses = Statuses::default().failure(404)?.ignored(500..=504)?;
/// assert_eq!(statuses.outcome(StatusCode::NOT_FOUND), Outcome::Failure);
/// assert_eq!(statuses.outcome(StatusCode::BAD_GATEWAY), Outcome::Ignored);
/// assert_eq!(Statuses::default().failure(99).unwrap_err().to_string(), "`failure` is 99, must be a status from 100 to 999");
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
///
/// With feature `serde` it is read from two lists, each of which takes the place of the default's; what is on neither is
/// a success, and what is on both is an error:
///
/// ```
/// # #[cfg(feature = "serde")] {
/// # use seawall_core::http::Statuses;
/// let statuses: Statuses = serde_json::from_str(r#"{"failure": ["5xx", 408, 429], "ignored": ["400-404"]}"#).unwrap();
/// # let _ = statuses;
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Statuses {
    /// Two bits for each status.
    words: [u64; Self::WORDS],
}

impl Statuses {
    const IN_A_WORD: usize = 32;
    const WORDS: usize = ALL.len().div_ceil(Self::IN_A_WORD);

    const DEFAULT: Self = Self::empty()
        .with(500, 999, Outcome::Failure)
        .with(501, 501, Outcome::Success)
        .with(505, 505, Outcome::Success)
        .with(408, 408, Outcome::Failure)
        .with(429, 429, Outcome::Failure);

    /// Every status is a success.
    pub const fn empty() -> Self {
        Self { words: [0; Self::WORDS] }
    }

    /// The same with `statuses` as failures.
    ///
    /// # Errors
    /// If they are not within 100 to 999, or a range ends before it begins.
    pub fn failure(self, statuses: impl Into<StatusRange>) -> Result<Self, ConfigError> {
        self.set("failure", statuses.into(), Outcome::Failure)
    }

    /// The same with `statuses` as saying nothing about whoever sent them.
    ///
    /// # Errors
    /// If they are not within 100 to 999, or a range ends before it begins.
    pub fn ignored(self, statuses: impl Into<StatusRange>) -> Result<Self, ConfigError> {
        self.set("ignored", statuses.into(), Outcome::Ignored)
    }

    /// The same with `statuses` as successes.
    ///
    /// # Errors
    /// If they are not within 100 to 999, or a range ends before it begins.
    pub fn success(self, statuses: impl Into<StatusRange>) -> Result<Self, ConfigError> {
        self.set("success", statuses.into(), Outcome::Success)
    }

    /// What `status` is.
    #[inline]
    pub const fn outcome(&self, status: StatusCode) -> Outcome {
        self.at(status.as_u16())
    }

    /// The judgement of `response`.
    #[inline]
    pub fn judge<B>(&self, response: &Response<B>) -> Report<'static> {
        match self.outcome(response.status()) {
            Outcome::Failure => {
                let failure = Report::failure().because(Code::of(response.status()));
                match retry_after(response.headers()) {
                    Some(after) => failure.retry_after(after),
                    None => failure,
                }
            }
            other => other.into(),
        }
    }

    fn set(self, field: &'static str, range: StatusRange, outcome: Outcome) -> Result<Self, ConfigError> {
        range.check(field)?;
        Ok(self.with(range.first, range.last, outcome))
    }

    const fn with(mut self, first: u16, last: u16, outcome: Outcome) -> Self {
        let mut status = first;
        while status <= last {
            let (word, shift) = Self::place(status);
            self.words[word] = self.words[word] & !(0b11 << shift) | (bits(outcome) << shift);
            status += 1;
        }
        self
    }

    #[inline]
    const fn at(&self, status: u16) -> Outcome {
        let (word, shift) = Self::place(status);
        match (self.words[word] >> shift) & 0b11 {
            FAILURE => Outcome::Failure,
            IGNORED => Outcome::Ignored,
            _ => Outcome::Success,
        }
    }

    #[inline]
    const fn place(status: u16) -> (usize, usize) {
        let index = (status - ALL.first) as usize;
        (index / Self::IN_A_WORD, index % Self::IN_A_WORD * 2)
    }

    /// The statuses of this outcome, as few ranges as there can be.
    pub(super) fn ranges(&self, outcome: Outcome) -> impl Iterator<Item = StatusRange> {
        let mut rest = ALL.first..=ALL.last;
        std::iter::from_fn(move || {
            let first = rest.find(|&status| self.at(status) == outcome)?;
            let last = rest.find(|&status| self.at(status) != outcome).map_or(ALL.last, |after| after - 1);
            Some(StatusRange { first, last })
        })
    }
}

const FAILURE: u64 = 1;
const IGNORED: u64 = 2;

const fn bits(outcome: Outcome) -> u64 {
    match outcome {
        Outcome::Success => 0,
        Outcome::Failure => FAILURE,
        Outcome::Ignored => IGNORED,
    }
}

impl Default for Statuses {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl<B> Classify<Response<B>> for Statuses {
    #[inline]
    fn classify<'a>(&self, response: &'a Response<B>) -> Report<'a> {
        self.judge(response)
    }
}

impl<B, E: fmt::Display> Classify<Result<Response<B>, E>> for Statuses {
    #[inline]
    fn classify<'a>(&self, result: &'a Result<Response<B>, E>) -> Report<'a> {
        match result {
            Ok(response) => self.judge(response),
            Err(error) => Report::failure().because(error),
        }
    }
}

impl fmt::Debug for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |outcome| self.ranges(outcome).map(|range| range.to_string()).collect::<Vec<_>>();
        f.debug_struct("Statuses")
            .field("failure", &list(Outcome::Failure))
            .field("ignored", &list(Outcome::Ignored))
            .finish()
    }
}

/// A status as an error's text. A report only borrows its error, so each has its place.
#[derive(Clone, Copy)]
struct Code(u16);

impl Code {
    fn of(status: StatusCode) -> &'static Self {
        static CODES: [Code; ALL.len()] = {
            let mut codes = [Code(0); ALL.len()];
            let mut status = ALL.first;
            while status <= ALL.last {
                codes[(status - ALL.first) as usize] = Code(status);
                status += 1;
            }
            codes
        };
        &CODES[usize::from(status.as_u16() - ALL.first)]
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = StatusCode::from_u16(self.0).ok().and_then(|status| status.canonical_reason());
        match reason {
            Some(reason) => write!(f, "{} {reason}", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn status(code: u16) -> StatusCode {
        StatusCode::from_u16(code).expect("a status")
    }

    fn response(code: u16) -> Response<()> {
        Response::builder().status(code).body(()).expect("a response")
    }

    #[test]
    fn by_default_a_failure_is_what_the_server_could_not_do() {
        let failures = [408, 429, 500, 502, 503, 504, 506, 511, 599, 600, 999];
        let successes = [100, 101, 200, 204, 302, 304, 400, 401, 404, 407, 409, 428, 430, 499, 501, 505];
        for (codes, outcome) in [(&failures[..], Outcome::Failure), (&successes[..], Outcome::Success)] {
            for &code in codes {
                assert_eq!(Statuses::default().outcome(status(code)), outcome, "{code}");
            }
        }
    }

    #[test]
    fn a_failure_tells_the_status_and_the_hint() {
        let mut busy = response(503);
        busy.headers_mut().insert("retry-after", "7".parse().expect("a header"));
        let report = Statuses::default().judge(&busy);
        assert_eq!(report.hint(), Some(Duration::from_secs(7)));
        assert_eq!(report.error().expect("a text").to_string(), "503 Service Unavailable");
        let odd = Statuses::default().judge(&response(599));
        assert_eq!(odd.error().expect("a text").to_string(), "599");

        let mut moved = busy;
        *moved.status_mut() = StatusCode::FOUND;
        assert_eq!(Statuses::default().judge(&moved).hint(), None, "a hint is a failure's");
    }

    #[test]
    fn every_error_is_a_failure() {
        let error: Result<Response<()>, _> = Err("connection refused");
        let report = Statuses::empty().classify(&error);
        assert_eq!(report.outcome(), Outcome::Failure);
        assert_eq!(report.error().expect("a text").to_string(), "connection refused");
        let answered: Result<_, &str> = Ok(response(500));
        assert_eq!(Statuses::empty().classify(&answered).outcome(), Outcome::Success);
    }

    #[test]
    fn what_is_no_status_is_named() {
        let refused = |range: StatusRange| Statuses::empty().ignored(range).expect_err("refused").to_string();
        assert_eq!(refused(99.into()), "`ignored` is 99, must be a status from 100 to 999");
        assert_eq!(refused(1000.into()), "`ignored` is 1000, must be a status from 100 to 999");
        assert_eq!(refused((0..=u16::MAX).into()), "`ignored` is 0-65535, must be a range within 100 to 999");
        #[expect(clippy::reversed_empty_ranges, reason = "this is what is tried")]
        let reversed = 504..=500;
        assert_eq!(
            refused(reversed.into()),
            "`ignored` is 504-500, must be a range that does not end before it begins"
        );
    }

    #[test]
    fn it_shows_what_is_no_success() {
        let shown = format!("{:?}", Statuses::default().ignored(404).expect("valid"));
        let expected = r#"Statuses { failure: ["408", "429", "500", "502-504", "506-999"], ignored: ["404"] }"#;
        assert_eq!(shown, expected);
        assert_eq!(format!("{:?}", Statuses::empty()), "Statuses { failure: [], ignored: [] }");
    }

    proptest! {
        /// The last word on a status counts, and ranges tell the same as statuses one by one.
        #[test]
        fn each_status_is_what_was_said_last(said in proptest::collection::vec((100..=999_u16, 0..40_u16, 0..3_usize), 0..12)) {
            const OUTCOMES: [Outcome; 3] = [Outcome::Success, Outcome::Failure, Outcome::Ignored];
            let (mut statuses, mut model) = (Statuses::default(), [Outcome::Success; 1000]);
            for code in 100..=999 {
                model[usize::from(code)] = Statuses::default().outcome(status(code));
            }
            for (first, more, which) in said {
                let (last, outcome) = ((first + more).min(999), OUTCOMES[which]);
                statuses = match outcome {
                    Outcome::Failure => statuses.failure(first..=last),
                    Outcome::Ignored => statuses.ignored(first..=last),
                    Outcome::Success => statuses.success(first..=last),
                }.expect("valid");
                model[usize::from(first)..=usize::from(last)].fill(outcome);
            }
            for code in 100..=999 {
                prop_assert_eq!(statuses.outcome(status(code)), model[usize::from(code)], "{}", code);
            }
            let mut again = Statuses::empty();
            for range in statuses.ranges(Outcome::Failure) {
                again = again.failure(range).expect("valid");
            }
            for range in statuses.ranges(Outcome::Ignored) {
                again = again.ignored(range).expect("valid");
            }
            prop_assert_eq!(again, statuses);
        }
    }
}
