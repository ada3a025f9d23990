use std::sync::Arc;
use std::time::Duration;

use seawall_core::observe::Observer;
use seawall_core::{Backoff, ConfigError, Name, Ratio};

use crate::config::{Abandoned, Config, EmaWindow, HalfOpen, Recovery, SuccessRateEma, Undecided, Window};
use crate::event::{Event, OpenBy};

/// A [`Config`] whose values were checked: what the machine works with.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) name: Name,
    /// `None` when no rule needs one, and no durations are kept.
    pub(crate) window: Option<Window>,
    /// Whether the window keeps how long its calls took.
    pub(crate) durations: bool,
    pub(crate) needs: Needs,
    pub(crate) minimum_calls: u64,
    pub(crate) failure_rate: Option<Ratio>,
    pub(crate) slow: Option<Slow>,
    pub(crate) consecutive_failures: Option<u64>,
    pub(crate) failures_in_period: Option<(usize, Duration)>,
    pub(crate) failures_in_window: Option<u64>,
    pub(crate) success_rate_ema: Option<EmaRule>,
    pub(crate) abandoned: AbandonedAs,
    pub(crate) open: Open,
    pub(crate) half_open: Probing,
    pub(crate) recovery: Option<Staged>,
    pub(crate) observer: Option<Arc<dyn Observer<Event>>>,
}

/// What of the calls its rules, and whatever else it keeps, need to know.
#[derive(Clone, Copy)]
pub(crate) struct Needs {
    /// A rule decides by the window.
    pub(crate) window: bool,
    /// Successes must come one by one, because what they bring is not their number alone.
    pub(crate) every_success: bool,
    /// The durations of calls matter.
    pub(crate) times: bool,
}

#[derive(Clone, Copy)]
pub(crate) struct Slow {
    pub(crate) after: Duration,
    pub(crate) rate: Ratio,
}

/// A [`SuccessRateEma`] whose values were checked.
#[derive(Clone, Copy)]
pub(crate) struct EmaRule {
    pub(crate) required: Ratio,
    pub(crate) over: EmaOver,
}

#[derive(Clone, Copy)]
pub(crate) enum EmaOver {
    Calls(u64),
    Time { window: Duration, minimum: u64 },
}

#[derive(Clone, Copy)]
pub(crate) enum AbandonedAs {
    Nothing,
    Failure,
    Rate(Ratio),
}

#[derive(Clone)]
pub(crate) struct Open {
    pub(crate) backoff: Backoff,
    pub(crate) stable_after: Duration,
    pub(crate) honour_hint: bool,
    pub(crate) by: Option<OpenBy>,
}

#[derive(Clone, Copy)]
pub(crate) struct Probing {
    pub(crate) probes: u64,
    pub(crate) decided_by: DecidedBy,
    pub(crate) max: Option<Duration>,
    pub(crate) after_max: Undecided,
    pub(crate) wait_for_all: bool,
}

/// A [`Recovery`] whose values were checked.
#[derive(Clone)]
pub(crate) struct Staged {
    pub(crate) shares: Vec<Ratio>,
    pub(crate) each: Duration,
    pub(crate) calls: u64,
}

#[derive(Clone, Copy)]
pub(crate) enum DecidedBy {
    Successes(u64),
    Rates,
}

const LARGEST_WINDOW: u32 = 1_000_000;
const MOST_BUCKETS: u32 = 1_000;
const MOST_FAILURES: u32 = 100_000;
const MOST_STAGES: usize = 16;
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

impl TryFrom<Config> for Settings {
    type Error = ConfigError;

    fn try_from(config: Config) -> Result<Self, ConfigError> {
        let failure_rate = config.failure_rate.map(|rate| ratio("failure_rate", rate)).transpose()?;
        let slow = match config.slow_calls {
            None => None,
            Some(slow) => Some(Slow {
                after: duration("slow_calls.after", slow.after)?,
                rate: ratio("slow_calls.rate", slow.rate)?,
            }),
        };
        let consecutive_failures = match config.consecutive_failures {
            None => None,
            Some(failures) => Some(u64::from(count("consecutive_failures", failures, u32::MAX)?)),
        };
        let failures_in_period = match config.failures_in_period {
            None => None,
            Some(rule) => Some((
                count("failures_in_period.failures", rule.failures, MOST_FAILURES)? as usize,
                duration("failures_in_period.period", rule.period)?,
            )),
        };
        check_window(&config.window)?;
        let failures_in_window = match config.failures_in_window {
            None => None,
            Some(failures) => {
                let most = if let Window::Count { size, .. } = config.window { size } else { u32::MAX };
                Some(u64::from(count("failures_in_window", failures, most)?))
            }
        };
        let success_rate_ema = config.success_rate_ema.as_ref().map(ema).transpose()?;
        let is_dated = success_rate_ema.is_some_and(|rule| matches!(rule.over, EmaOver::Time { .. }));
        let rated = failure_rate.is_some() || slow.is_some();
        let windowed = rated || failures_in_window.is_some();
        let by_number = consecutive_failures.is_some() || failures_in_period.is_some();
        if !windowed && !by_number && success_rate_ema.is_none() {
            let valid = "set, or one of `slow_calls`, `consecutive_failures`, `failures_in_period`, `failures_in_window`, \
                `success_rate_ema`: nothing would open the circuit";
            return Err(ConfigError::new("failure_rate", "missing", valid));
        }
        let minimum_calls = match config.window {
            Window::Count { minimum_calls, .. } | Window::Time { minimum_calls, .. } => u64::from(minimum_calls),
        };
        let abandoned = match config.abandoned {
            Abandoned::Ignore => AbandonedAs::Nothing,
            Abandoned::Failure => AbandonedAs::Failure,
            Abandoned::Rate(rate) => AbandonedAs::Rate(ratio("abandoned.rate", rate)?),
        };
        let open = Open {
            backoff: backoff(&config)?,
            stable_after: config.open.stable_after,
            honour_hint: config.open.honour_hint,
            by: config.open_by,
        };
        Ok(Self {
            name: config.name.parse()?,
            window: (windowed || config.durations).then_some(config.window),
            durations: config.durations,
            needs: Needs {
                window: windowed,
                every_success: config.durations || is_dated,
                times: config.durations || slow.is_some(),
            },
            minimum_calls,
            failure_rate,
            slow,
            consecutive_failures,
            failures_in_period,
            failures_in_window,
            success_rate_ema,
            abandoned,
            open,
            half_open: probing(config.half_open, rated)?,
            recovery: config.recovery.as_ref().map(staged).transpose()?,
            observer: config.observer,
        })
    }
}

fn check_window(window: &Window) -> Result<(), ConfigError> {
    match *window {
        Window::Count { size, minimum_calls } => {
            count("window.count.size", size, LARGEST_WINDOW)?;
            count("window.count.minimum_calls", minimum_calls, size)?;
        }
        Window::Time { length, buckets, minimum_calls } => {
            count("window.time.buckets", buckets, MOST_BUCKETS)?;
            duration("window.time.length", length)?;
            if length < Duration::from_millis(u64::from(buckets)) {
                let valid = format!("at least {buckets}ms: one millisecond for each of {buckets} buckets");
                return Err(ConfigError::new("window.time.length", format!("{length:?}"), valid));
            }
            count("window.time.minimum_calls", minimum_calls, u32::MAX)?;
        }
    }
    Ok(())
}

fn ema(rule: &SuccessRateEma) -> Result<EmaRule, ConfigError> {
    let over = match rule.over {
        EmaWindow::Calls(window) => {
            EmaOver::Calls(u64::from(count("success_rate_ema.over.calls", window, LARGEST_WINDOW)?))
        }
        EmaWindow::Time { length, minimum_calls } => EmaOver::Time {
            window: duration("success_rate_ema.over.time.length", length)?,
            minimum: u64::from(count("success_rate_ema.over.time.minimum_calls", minimum_calls, u32::MAX)?),
        },
    };
    Ok(EmaRule { required: ratio("success_rate_ema.required", rule.required)?, over })
}

fn backoff(config: &Config) -> Result<Backoff, ConfigError> {
    let open = config.open;
    duration("open.for", open.first)?;
    duration("open.max", open.max)?;
    Backoff::exponential(open.first, open.multiplier, open.max)
        .map(|backoff| backoff.jitter(open.jitter))
        .map_err(|error| ConfigError::new(format!("open.{}", error.field()), error.value(), error.valid().to_owned()))
}

fn probing(half_open: HalfOpen, rated: bool) -> Result<Probing, ConfigError> {
    let probes = count("half_open.probes", half_open.probes, LARGEST_WINDOW)?;
    let decided_by = match half_open.successes {
        Some(successes) => DecidedBy::Successes(u64::from(count("half_open.successes", successes, probes)?)),
        None if rated => DecidedBy::Rates,
        None => DecidedBy::Successes(u64::from(probes)),
    };
    let max = half_open.max.map(|max| duration("half_open.max", max)).transpose()?;
    let HalfOpen { after_max, wait_for_all, .. } = half_open;
    Ok(Probing { probes: u64::from(probes), decided_by, max, after_max, wait_for_all })
}

fn staged(recovery: &Recovery) -> Result<Staged, ConfigError> {
    let invalid = |value: String| {
        let valid = format!("1 to {MOST_STAGES} shares that rise, each above 0 and below 1");
        ConfigError::new("recovery.shares", value, valid)
    };
    if recovery.shares.is_empty() || recovery.shares.len() > MOST_STAGES {
        return Err(invalid(format!("{} shares", recovery.shares.len())));
    }
    let mut shares: Vec<Ratio> = Vec::with_capacity(recovery.shares.len());
    for share in &recovery.shares {
        let ratio = Ratio::new(*share).ok().filter(|ratio| *ratio < Ratio::ONE);
        let ratio = ratio.ok_or_else(|| invalid(share.to_string()))?;
        match shares.last() {
            Some(last) if ratio <= *last => return Err(invalid(format!("{share} after {last}"))),
            _ => shares.push(ratio),
        }
    }
    let each = duration("recovery.each", recovery.each)?;
    Ok(Staged { shares, each, calls: u64::from(count("recovery.calls", recovery.calls, LARGEST_WINDOW)?) })
}

fn ratio(field: &'static str, value: f64) -> Result<Ratio, ConfigError> {
    Ratio::new(value).map_err(|error| ConfigError::new(field, error.value(), Ratio::VALID))
}

fn count(field: &'static str, value: u32, max: u32) -> Result<u32, ConfigError> {
    if (1..=max).contains(&value) { Ok(value) } else { Err(ConfigError::new(field, value, format!("1 to {max}"))) }
}

pub(crate) fn duration(field: &'static str, value: Duration) -> Result<Duration, ConfigError> {
    if value > Duration::ZERO && value <= LONGEST {
        Ok(value)
    } else {
        Err(ConfigError::new(field, format!("{value:?}"), "above zero and at most 366 days"))
    }
}
