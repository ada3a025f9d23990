//! The steps of a vector, which are written as people say them.

/// What is done.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// So many jobs that wait to be released.
    Submit(usize),
    /// The job of this number, as it is written.
    SubmitNth(String),
    SubmitNamed(String),
    TrySubmit(String),
    Resize(i64),
    /// So many jobs that run, the earliest first.
    Finish(usize),
    Release(String),
    ReleaseAll,
    Prestart(usize),
    SetCore(usize),
    CancelPool,
    Stop,
    StopWithin(f64),
    Shutdown,
    Reboot,
    SubmitWhileStopping,
}

/// A step with what is said of it.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) step: Step,
    /// What stands in parentheses.
    pub(super) remark: String,
}

/// The steps that a text tells, one or several.
pub(super) fn steps(text: &str) -> Result<Vec<Said>, String> {
    let parts = text.split(';').flat_map(|part| part.split(" then "));
    parts.map(|part| one(part.trim()).ok_or_else(|| format!("no step is called `{part}` of `{text}`"))).collect()
}

fn one(text: &str) -> Option<Said> {
    let (words, remark) = match text.split_once('(') {
        Some((words, remark)) => (words, remark.trim_end_matches(')')),
        None => (text, ""),
    };
    let words: Vec<&str> = words.split_whitespace().collect();
    let step = match *words.as_slice() {
        ["task", "submits", "to", "the", "same", "pool", "while", "it", "is", "stopping"] => Step::SubmitWhileStopping,
        ["submit", "again" | "another"] | ["submit", "after", ..] | ["submit", "one", "more"] | ["submit"] => {
            Step::Submit(1)
        }
        ["submit", what, ..] => match (what.parse(), number(what)) {
            (Ok(count), _) => Step::Submit(count),
            (Err(_), Some(_)) => Step::SubmitNth(what.into()),
            (Err(_), None) => Step::SubmitNamed(what.into()),
        },
        ["try_submit"] => Step::TrySubmit(String::new()),
        ["try_submit", name, ..] => Step::TrySubmit(name.into()),
        ["resize" | "tune", to] | ["resize" | "tune", "to", to] => Step::Resize(to.parse().ok()?),
        ["finish" | "complete" | "release", "all", ..] => Step::ReleaseAll,
        ["finish" | "complete" | "release", "one", ..] => Step::Finish(1),
        ["finish" | "complete", "the", count, ..] | ["finish" | "complete", count, ..] => {
            Step::Finish(count.parse().ok()?)
        }
        ["release", name] => Step::Release(name.into()),
        ["prestart"] => Step::Prestart(1),
        ["prestart", times] => Step::Prestart(times.trim_start_matches('x').parse().ok()?),
        ["set", "core", count] => Step::SetCore(count.parse().ok()?),
        ["cancel", "pool", "context"] => Step::CancelPool,
        ["stop_and_wait" | "stop"] => Step::Stop,
        ["release_timeout", seconds, "s"] => Step::StopWithin(seconds.parse().ok()?),
        ["shutdown"] => Step::Shutdown,
        ["reboot"] => Step::Reboot,
        _ => return None,
    };
    Some(Said { step, remark: remark.into() })
}

/// What `11th` counts.
pub(super) fn number(ordinal: &str) -> Option<usize> {
    let digits = ["st", "nd", "rd", "th"].iter().find_map(|ending| ordinal.strip_suffix(ending))?;
    digits.parse().ok()
}
