//! The algorithms beside models of a few lines that remember everything and look it up again each time.

use proptest::prelude::*;
use seawall_bulkhead::limit::{Aimd, Gradient, Gradient2, LimitAlgorithm, Sample, Signal, Vegas};
use seawall_core::time::Timestamp;

use crate::{at, ms};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) pause: u64,
    pub(crate) rtt: u64,
    /// Of the limit, in hundredths.
    pub(crate) used: u32,
    pub(crate) signal: Signal,
}

pub(crate) fn signal() -> impl Strategy<Value = Signal> {
    prop_oneof![8 => Just(Signal::Completed), 1 => Just(Signal::Dropped), 1 => Just(Signal::Abandoned)]
}

pub(crate) fn calls(most: usize) -> impl Strategy<Value = Vec<Call>> {
    let call = (0_u64..60, prop_oneof![1_u64..40, 1_u64..400], 1_u32..130, signal());
    let call = call.prop_map(|(pause, rtt, used, signal)| Call { pause, rtt, used, signal });
    prop::collection::vec(call, 1..most)
}

impl Call {
    pub(crate) fn sample(&self, now: Timestamp, limit: u32) -> Sample {
        Sample::new(now, ms(self.rtt), (limit * self.used / 100).max(1), self.signal)
    }
}

/// What a limit was, and since when.
struct History(Vec<(Timestamp, f64)>);

impl History {
    fn limit(&self) -> f64 {
        self.0.last().expect("the first").1
    }

    /// Whether the limit changed, or only whether it fell, after the call began.
    fn has_changed_since(&self, began: Timestamp, only_falls: bool) -> bool {
        self.0.windows(2).any(|two| two[1].0 > began && (!only_falls || two[1].1 < two[0].1))
    }

    fn become_if_it_may(&mut self, sample: &Sample, limit: f64) {
        let falls = limit < self.limit();
        if limit != self.limit() && !self.has_changed_since(sample.began(), falls) {
            self.0.push((sample.at, limit));
        }
    }
}

fn play(
    algorithm: &mut impl LimitAlgorithm,
    calls: &[Call],
    mut model: impl FnMut(&Sample) -> f64,
) -> Result<(), TestCaseError> {
    let mut now = at(1_000);
    for call in calls {
        now = now + ms(call.pause);
        let sample = call.sample(now, algorithm.limit());
        let expected = model(&sample).floor();
        prop_assert_eq!(f64::from(algorithm.on_sample(&sample)), expected, "after {:?}", sample);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn aimd_is_as_its_model(calls in calls(200), backoff in 0.1_f64..0.95, timeout in 100_u64..500) {
        let config = Aimd::default().initial(30).min(5).max(60).backoff(backoff).timeout(ms(timeout));
        let mut history = History(vec![(Timestamp::ZERO, 30.0)]);
        play(&mut config.build().expect("valid"), &calls, |sample| {
            let limit = history.limit();
            let lowered = (limit * backoff).floor().max(5.0);
            if sample.signal == Signal::Dropped || sample.rtt > ms(timeout) {
                history.become_if_it_may(sample, lowered);
            } else if sample.signal == Signal::Completed && f64::from(sample.in_flight) >= limit / 2.0 {
                history.become_if_it_may(sample, (limit + 1.0).min(60.0));
            }
            history.limit()
        })?;
    }

    #[test]
    fn vegas_is_as_its_model(calls in calls(200), smoothing in 0.1_f64..=1.0) {
        let config = Vegas::default().initial(80).max(400).smoothing(smoothing).probe(1_000_000);
        let mut history = History(vec![(Timestamp::ZERO, 80.0)]);
        let mut completed: Vec<f64> = Vec::new();
        play(&mut config.build().expect("valid"), &calls, |sample| {
            let limit = history.limit();
            let whole = limit.floor();
            let log = whole.log10().floor().max(1.0);
            let rtt = sample.rtt.as_secs_f64();
            let least = completed.iter().copied().fold(f64::INFINITY, f64::min);
            if sample.signal == Signal::Completed {
                completed.push(rtt);
                if rtt < least {
                    return whole;
                }
            }
            let queue = ((limit * (1.0 - least / rtt)) - 1e-9).ceil();
            let wanted = if sample.signal == Signal::Dropped {
                limit - log
            } else if f64::from(sample.in_flight) * 2.0 < whole || least.is_infinite() {
                limit
            } else if queue > 6.0 * log {
                limit - log
            } else if sample.signal == Signal::Abandoned {
                limit
            } else if queue <= log {
                limit + 6.0 * log
            } else if queue < 3.0 * log {
                limit + log
            } else {
                limit
            };
            let wanted = wanted.clamp(1.0, 400.0);
            history.become_if_it_may(sample, limit + smoothing * (wanted - limit));
            history.limit()
        })?;
    }

    #[test]
    fn gradient2_is_as_its_model(calls in calls(200), smoothing in 0.05_f64..=1.0, queue in 0_u32..20) {
        let config = Gradient2::default().initial(60).min(10).max(300).smoothing(smoothing).queue(queue).long_window(30);
        let mut history = History(vec![(Timestamp::ZERO, 60.0)]);
        let (mut first, mut long) = (Vec::new(), f64::NAN);
        play(&mut config.build().expect("valid"), &calls, |sample| {
            let limit = history.limit();
            let short = sample.rtt.as_secs_f64();
            if sample.signal == Signal::Dropped {
                history.become_if_it_may(sample, (limit * 0.9).max(10.0));
                return history.limit();
            }
            let mut believed = long;
            if sample.signal == Signal::Completed {
                if first.len() < 10 {
                    first.push(short);
                    long = first.iter().sum::<f64>() / first.len() as f64;
                } else {
                    long = long * 29.0 / 31.0 + short * 2.0 / 31.0;
                }
                believed = long;
                if long > 2.0 * short {
                    long *= 0.95;
                }
            }
            if believed.is_nan() || f64::from(sample.in_flight) * 2.0 < limit.floor() {
                return limit;
            }
            let gradient = (1.5 * believed / short).clamp(0.5, 1.0);
            let wanted = limit + smoothing * (limit * gradient + f64::from(queue) - limit);
            let wanted = wanted.clamp(10.0, 300.0);
            if sample.signal == Signal::Completed || wanted < limit {
                history.become_if_it_may(sample, wanted);
            }
            history.limit()
        })?;
    }

    /// Windows of a hundred milliseconds that end with the first call after them; times and bounds sorted.
    #[test]
    fn gradient_is_as_its_model(calls in calls(300), buffer in 0.0_f64..1.0) {
        let config = Gradient::default().probe_calls(1).buffer(buffer).min(4).max(200).probe_every(ms(1_000_000));
        let mut algorithm = config.build().expect("valid");
        let mut now = at(1_000);
        algorithm.on_sample(&Sample::new(now, ms(100), 4, Signal::Completed));
        let (mut limit, mut end, mut lowered, mut known) = (4_u32, now + ms(100), Timestamp::ZERO, None);
        let (mut window, mut at_min): (Vec<Sample>, u32) = (Vec::new(), 0);
        for call in calls {
            now = now + ms(call.pause);
            if now >= end {
                end = now + ms(100);
                let dropped = window.iter().any(|sample| sample.signal == Signal::Dropped);
                let most = window.iter().map(|sample| sample.in_flight).max().unwrap_or_default();
                let longest = window.iter().filter(|s| s.signal == Signal::Dropped).map(|s| s.rtt).max();
                let rtt = median(&window, known);
                let apart = rtt.map(ms).or(longest);
                window.clear();
                if let Some(apart) = apart {
                    known = rtt.or(known);
                    let gradient = rtt.map_or(1.0, |rtt| (100.0 * (1.0 + buffer) / rtt as f64).clamp(0.5, 2.0));
                    let scaled = f64::from(limit) * gradient;
                    let wanted =
                        if dropped { f64::from(limit) * gradient.min(0.9) } else { scaled + scaled.sqrt() };
                    let wanted = (wanted.floor() as u32).clamp(4, 200);
                    let before = limit;
                    if wanted > limit && most * 2 >= limit || wanted < limit && now >= lowered + apart {
                        limit = wanted;
                    }
                    if limit < before {
                        lowered = now;
                    }
                    at_min = if limit == 4 && before == 4 { at_min + 1 } else { 0 };
                    if at_min == 5 {
                        algorithm.on_tick(now);
                        prop_assert!(algorithm.is_measuring());
                        return Ok(());
                    }
                }
            }
            let sample = call.sample(now, algorithm.limit());
            window.push(sample);
            prop_assert_eq!(algorithm.on_sample(&sample), limit, "after {:?}", sample);
        }
    }
}

/// The median in milliseconds of the calls that completed and of those that did not and took longer.
fn median(window: &[Sample], known: Option<u64>) -> Option<u64> {
    let of = |completed: bool| {
        let mut times: Vec<u64> = window
            .iter()
            .filter(|sample| (sample.signal == Signal::Completed) == completed)
            .map(|sample| u64::try_from(sample.rtt.as_millis()).expect("short"))
            .collect();
        times.sort_unstable();
        times
    };
    let middle = |times: &[u64]| times.get(times.len().div_ceil(2).max(1) - 1).copied();
    let (mut times, bounds) = (of(true), of(false));
    let Some(median) = middle(&times) else {
        return middle(&bounds).filter(|bound| known.is_some_and(|known| *bound > known));
    };
    times.extend(bounds.into_iter().filter(|bound| *bound > median));
    times.sort_unstable();
    middle(&times)
}
