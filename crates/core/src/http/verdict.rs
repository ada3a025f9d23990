use std::fmt::{self, Write};
use std::time::Duration;

use crate::{Outcome, Report};

/// A report that is kept until the body has ended, without what it was made of.
#[derive(Clone, Copy)]
pub(super) struct Verdict {
    outcome: Outcome,
    retry_after: Option<Duration>,
    because: Option<Text>,
}

impl Verdict {
    pub(super) const SUCCESS: Self = Self { outcome: Outcome::Success, retry_after: None, because: None };

    #[inline]
    pub(super) fn of(report: &Report<'_>) -> Self {
        Self { outcome: report.outcome(), retry_after: report.hint(), because: report.error().map(Text::of) }
    }

    #[inline]
    pub(super) fn is_failure(&self) -> bool {
        self.outcome == Outcome::Failure
    }

    #[inline]
    pub(super) fn report(&self) -> Report<'_> {
        let mut report = Report::from(self.outcome);
        if let Some(after) = self.retry_after {
            report = report.retry_after(after);
        }
        if let Some(text) = &self.because {
            report = report.because(text);
        }
        report
    }
}

/// The beginning of an error's text, kept without an allocation.
#[derive(Clone, Copy)]
struct Text {
    len: usize,
    bytes: [u8; Text::MOST],
}

impl Text {
    const MOST: usize = 64;

    fn of(value: &dyn fmt::Display) -> Self {
        let mut text = Self { len: 0, bytes: [0; Self::MOST] };
        // It ends with an error when the text is full; what fits is kept.
        let _ = write!(text, "{value}");
        text
    }
}

impl Write for Text {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        for letter in more.chars() {
            let end = self.len + letter.len_utf8();
            letter.encode_utf8(self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?);
            self.len = end;
        }
        Ok(())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only whole letters are written, so the fallback is never taken.
        f.write_str(std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(text: &str) -> String {
        Verdict::of(&Report::failure().because(&text)).report().error().expect("it was given").to_string()
    }

    #[test]
    fn the_beginning_of_a_text_is_kept() {
        assert_eq!(kept("503 Service Unavailable"), "503 Service Unavailable");
        assert_eq!(kept(&"x".repeat(100)), "x".repeat(64));
        assert_eq!(kept(&"é".repeat(100)), "é".repeat(32));
        let cut = format!("{}é!", "x".repeat(63));
        assert_eq!(kept(&cut), "x".repeat(63), "no letter is cut, and none moves up");
        assert_eq!(kept(""), "");
    }

    #[test]
    fn the_rest_of_a_report_is_kept_whole() {
        let verdict = Verdict::of(&Report::failure().retry_after(Duration::MAX));
        assert_eq!(verdict.report().hint(), Some(Duration::MAX));
        assert!(verdict.is_failure() && verdict.report().error().is_none());
        assert_eq!(Verdict::of(&Report::ignored()).report().outcome(), Outcome::Ignored);
    }
}
