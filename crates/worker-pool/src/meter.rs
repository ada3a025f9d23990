use std::time::Duration;

use seawall_core::Ratio;
use seawall_core::time::Timestamp;

/// What a pool's recent past says about how many workers it needs: for autoscalers, dashboards and people.
///
/// Rates and means are over the last 16 to 17 seconds, or over the time since the first job came if that is shorter (at least a
/// second); after a pause longer than that they begin anew.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Signals {
    /// How many jobs wait.
    pub depth: usize,
    /// How many jobs run.
    pub running: usize,
    /// How many workers there are.
    pub workers: usize,
    /// How many workers wait for work.
    pub idle: usize,
    /// How long the job has waited that has waited longest; zero if none waits.
    #[cfg_attr(feature = "serde", serde(rename = "oldest_age_seconds", with = "seawall_core::observe::seconds"))]
    pub oldest_age: Duration,
    /// Jobs that came, a second.
    pub arrival_rate: f64,
    /// Jobs that ended, a second.
    pub throughput: f64,
    /// How long a job kept its worker, on average, among those that ended; `None` if none did.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "service_time_seconds", with = "seawall_core::observe::seconds::option")
    )]
    pub service_time: Option<Duration>,
    /// How long a job waited, on average, among those that started; `None` if none did.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "wait_time_seconds", with = "seawall_core::observe::seconds::option")
    )]
    pub wait_time: Option<Duration>,
    /// Which share of the time of the workers there are now was spent on jobs, those that still run included: 0 to 1. After a pool
    /// shrank it is too high, and too low after it grew, until that is as long ago as rates go back.
    pub utilisation: f64,
    /// How many workers the arrivals need: `arrival_rate * service_time / target utilisation`. `None` while the service time is.
    ///
    /// Little's law, `L = λ W` (J. D. C. Little, "A Proof for the Queuing Formula: L = λW", Operations Research 9(3), 1961): on
    /// average `λ W` jobs are at work if `λ` come a second and each works for `W` seconds.
    pub demand: Option<f64>,
}

/// How the pool stands when it is asked for signals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inputs {
    pub(crate) depth: usize,
    /// When the job came that has waited longest.
    pub(crate) oldest: Option<Timestamp>,
    pub(crate) running: usize,
    pub(crate) workers: usize,
    pub(crate) idle: usize,
    pub(crate) target_utilisation: Ratio,
}

/// Counts what jobs do, in a ring of buckets of about a second.
///
/// What is told for each job is told under the pool's lock: integers only, no division, no allocation. Every job that
/// [started](Self::started) must [end](Self::ended) once; one that runs is known by that, and its time counts before it ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter {
    buckets: [Bucket; Self::BUCKETS],
    /// The number of the newest bucket, from 1; 0 before anything happened.
    newest: u64,
    /// When there was something to measure first, after the last pause that was longer than the ring.
    since: u64,
    /// Until when the time of running jobs is counted.
    counted: u64,
    running: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    arrived: u64,
    started: u64,
    /// In nanoseconds, as all times here.
    waited: u64,
    ended: u64,
    took: u64,
    /// The time that all running jobs together ran within this bucket.
    busy: u64,
}

impl Meter {
    /// A bucket is 2^30 ns long: its number is a shift away.
    const SHIFT: u32 = 30;
    const BUCKETS: usize = 16;
    /// What a rate is divided by at least: a few jobs at once are no rate.
    const SHORTEST: u64 = 1_000_000_000;

    /// A job came.
    #[inline]
    pub(crate) fn arrived(&mut self, now: Timestamp) {
        self.bucket(now).arrived += 1;
    }

    /// A worker began a job that had waited since then.
    #[inline]
    pub(crate) fn started(&mut self, since: Timestamp, now: Timestamp) {
        let bucket = self.bucket(now);
        bucket.started += 1;
        bucket.waited = bucket.waited.saturating_add(passed(since, now));
        self.running += 1;
    }

    /// A worker is free again that had begun then.
    #[inline]
    pub(crate) fn ended(&mut self, since: Timestamp, now: Timestamp) {
        let bucket = self.bucket(now);
        bucket.ended += 1;
        bucket.took = bucket.took.saturating_add(passed(since, now));
        self.running = self.running.saturating_sub(1);
    }

    /// How long it takes until one more job has ended, as jobs ended lately. `None` when none did.
    pub(crate) fn pace(&self, now: Timestamp) -> Option<Duration> {
        let ended: u64 = self.buckets.iter().map(|bucket| bucket.ended).sum();
        self.span(now).checked_div(ended).map(Duration::from_nanos)
    }

    /// What it all comes to.
    #[expect(clippy::cast_precision_loss, reason = "counts and nanoseconds of some seconds")]
    pub(crate) fn signals(&self, now: Timestamp, inputs: Inputs) -> Signals {
        let mut view = self.clone();
        view.advance(now);
        let total = view.total();
        let span = view.span(now) as f64;
        let rate = |count: u64| count as f64 * 1e9 / span;
        let arrival_rate = rate(total.arrived);
        let service_time = mean(total.took, total.ended);
        let offered = service_time.map(|service| arrival_rate * service.as_secs_f64());
        Signals {
            depth: inputs.depth,
            running: inputs.running,
            workers: inputs.workers,
            idle: inputs.idle,
            oldest_age: inputs.oldest.map_or(Duration::ZERO, |oldest| now.saturating_duration_since(oldest)),
            arrival_rate,
            throughput: rate(total.ended),
            service_time,
            wait_time: mean(total.waited, total.started),
            utilisation: match inputs.workers {
                0 => 0.0,
                workers => (total.busy as f64 / (span * workers as f64)).min(1.0),
            },
            demand: offered.map(|offered| offered / inputs.target_utilisation.get()),
        }
    }

    /// The bucket of this moment. A clock that stepped back counts into the newest one.
    #[inline]
    fn bucket(&mut self, now: Timestamp) -> &mut Bucket {
        if number(now) > self.newest {
            self.begin(now);
        }
        self.advance(now);
        &mut self.buckets[slot(self.newest)]
    }

    /// Something happens later than all before it.
    #[cold]
    fn begin(&mut self, now: Timestamp) {
        let is_first = self.newest == 0;
        // While jobs run there is something to measure, even if nothing begins or ends.
        let paused = number(now) - self.newest >= Self::BUCKETS as u64 && self.running == 0;
        if is_first || paused {
            self.since = now.as_nanos();
        }
    }

    /// Counts the time of running jobs until now, and clears the buckets that are reached.
    #[inline]
    fn advance(&mut self, now: Timestamp) {
        let number = number(now);
        if number > self.newest {
            self.turn(number);
        }
        let time = now.as_nanos().saturating_sub(self.counted);
        let bucket = &mut self.buckets[slot(self.newest)];
        bucket.busy = bucket.busy.saturating_add(time.saturating_mul(self.running));
        self.counted += time;
    }

    /// Begins the bucket of this number, and those that were skipped.
    #[cold]
    fn turn(&mut self, number: u64) {
        // Those further back are overwritten, and so is the first here if any were skipped, which the time since is counted into.
        let reached = self.newest.max(number.saturating_sub(Self::BUCKETS as u64));
        self.newest = reached;
        while self.newest < number {
            let end = self.newest << Self::SHIFT;
            if end > self.counted {
                let time = end - self.counted;
                let bucket = &mut self.buckets[slot(self.newest)];
                bucket.busy = bucket.busy.saturating_add(time.saturating_mul(self.running));
                self.counted = end;
            }
            self.newest += 1;
            self.buckets[slot(self.newest)] = Bucket::default();
        }
    }

    fn total(&self) -> Bucket {
        self.buckets.iter().fold(Bucket::default(), |sum, bucket| Bucket {
            arrived: sum.arrived + bucket.arrived,
            started: sum.started + bucket.started,
            waited: sum.waited.saturating_add(bucket.waited),
            ended: sum.ended + bucket.ended,
            took: sum.took.saturating_add(bucket.took),
            busy: sum.busy.saturating_add(bucket.busy),
        })
    }

    /// The time that the buckets cover, which ends now.
    fn span(&self, now: Timestamp) -> u64 {
        let oldest = self.newest.saturating_sub(Self::BUCKETS as u64) << Self::SHIFT;
        // A clock that stepped back is where it was.
        let end = now.as_nanos().max(self.counted);
        (end - oldest.max(self.since).min(end)).max(Self::SHORTEST)
    }
}

/// The number of the bucket of a moment, from 1. It ends at its number shifted.
const fn number(now: Timestamp) -> u64 {
    (now.as_nanos() >> Meter::SHIFT) + 1
}

/// Where the bucket of this number lies in the ring.
#[expect(clippy::cast_possible_truncation, reason = "below the number of buckets")]
const fn slot(number: u64) -> usize {
    (number % Meter::BUCKETS as u64) as usize
}

/// How many nanoseconds have passed; none by a clock that stepped back.
#[inline]
const fn passed(since: Timestamp, now: Timestamp) -> u64 {
    now.as_nanos().saturating_sub(since.as_nanos())
}

fn mean(sum: u64, count: u64) -> Option<Duration> {
    sum.checked_div(count).map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    /// Somewhere within a bucket, long after the origin.
    const START: Timestamp = Timestamp::from_nanos(1_000_123_456_789);

    fn before(now: Timestamp, span: Duration) -> Timestamp {
        Timestamp::from_nanos(now.as_nanos().saturating_sub(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }

    fn inputs(running: usize, workers: usize) -> Inputs {
        Inputs {
            depth: 0,
            oldest: None,
            running,
            workers,
            idle: workers - running,
            target_utilisation: Ratio::percent(80),
        }
    }

    fn millis(millis: u64) -> Timestamp {
        START + Duration::from_millis(millis)
    }

    /// `rate` jobs a second for `seconds`, each of which waits 10 ms and takes `took` milliseconds.
    fn run(meter: &mut Meter, rate: u64, seconds: u64, took: u64) {
        let mut happens: Vec<(u64, u8)> = (0..rate * seconds)
            .map(|job| job * 1_000 / rate)
            .flat_map(|at| [(at, 0), (at + 10, 1), (at + 10 + took, 2)])
            .filter(|(at, _)| *at <= seconds * 1_000)
            .collect();
        happens.sort_unstable();
        for (at, what) in happens {
            match what {
                0 => meter.arrived(millis(at)),
                1 => meter.started(before(millis(at), Duration::from_millis(10)), millis(at)),
                _ => meter.ended(before(millis(at), Duration::from_millis(took)), millis(at)),
            }
        }
    }

    #[track_caller]
    fn assert_near(value: f64, expected: f64) {
        assert!((value - expected).abs() <= 0.01 * expected.abs() + 1e-9, "{value} is not {expected}");
    }

    #[test]
    fn nothing_is_known_before_anything_happened() {
        let signals = Meter::default().signals(START, inputs(0, 3));
        assert_eq!((signals.arrival_rate, signals.throughput, signals.utilisation), (0.0, 0.0, 0.0));
        assert_eq!((signals.service_time, signals.wait_time, signals.demand), (None, None, None));
        assert_eq!(signals.oldest_age, Duration::ZERO);
    }

    #[test]
    fn rates_are_right_from_the_first_second() {
        let mut meter = Meter::default();
        run(&mut meter, 100, 2, 40);
        let signals = meter.signals(millis(2_000), inputs(4, 8));
        assert_near(signals.arrival_rate, 100.0);
        // The last five jobs or so are still at work.
        assert_near(signals.throughput, 98.0);
        assert_eq!(signals.service_time, Some(Duration::from_millis(40)));
        assert_eq!(signals.wait_time, Some(Duration::from_millis(10)));
        // 100 a second, 0.04 s each, are 4 workers at work of 8, but for the first 50 ms; at 80 % they would be 5.
        assert_near(signals.utilisation, 0.493_75);
        assert_near(signals.demand.expect("known"), 5.0);
    }

    #[test]
    fn a_few_jobs_at_once_are_no_rate() {
        let mut meter = Meter::default();
        for _ in 0..5 {
            meter.arrived(START);
        }
        assert_near(meter.signals(millis(1), inputs(0, 1)).arrival_rate, 5.0);
    }

    #[test]
    fn a_long_run_is_seen_through_the_window() {
        let mut meter = Meter::default();
        run(&mut meter, 50, 120, 100);
        let signals = meter.signals(millis(120_000), inputs(5, 10));
        assert_near(signals.arrival_rate, 50.0);
        assert_near(signals.throughput, 50.0);
        assert_near(signals.utilisation, 0.5);
        assert_near(signals.demand.expect("known"), 6.25);
    }

    #[test]
    fn what_is_longer_ago_than_the_window_is_forgotten() {
        let mut meter = Meter::default();
        run(&mut meter, 50, 3, 100);
        let (halfway, after) = (millis(12_000), millis(22_000));
        assert_near(meter.signals(halfway, inputs(0, 10)).arrival_rate, 150.0 / 12.0);
        for _ in 0..5 {
            meter.ended(before(millis(3_100), SECOND), millis(3_100));
        }
        let idle = meter.signals(after, inputs(0, 10));
        assert_eq!((idle.arrival_rate, idle.throughput, idle.utilisation, idle.demand), (0.0, 0.0, 0.0, None));
        // And what comes next is measured from its beginning.
        for at in (60_000..62_000).step_by(10) {
            meter.arrived(millis(at));
        }
        assert_near(meter.signals(millis(62_000), inputs(0, 10)).arrival_rate, 100.0);
    }

    #[test]
    fn jobs_that_have_not_ended_keep_their_workers_busy() {
        let mut meter = Meter::default();
        for _ in 0..3 {
            meter.arrived(START);
            meter.started(before(START, Duration::ZERO), START);
        }
        for seconds in [2, 15, 40, 100_000] {
            let signals = meter.signals(START + seconds * SECOND, inputs(3, 4));
            assert_near(signals.utilisation, 0.75);
            assert_eq!(signals.service_time, None);
        }
        // One of them ends after an hour, within a window in which it was at work for a half.
        let hour = 3_600 * SECOND;
        meter.ended(before(START + hour, hour), START + hour);
        let signals = meter.signals(START + hour, inputs(2, 4));
        assert_near(signals.utilisation, 0.75);
        assert_eq!(signals.service_time, Some(hour));
        let later = meter.signals(START + hour + 8 * SECOND, inputs(2, 4));
        assert!(later.utilisation > 0.55 && later.utilisation < 0.70, "{}", later.utilisation);
        assert_near(meter.signals(START + hour + 18 * SECOND, inputs(2, 4)).utilisation, 0.5);
    }

    #[test]
    fn a_clock_that_steps_back_counts_into_the_newest_bucket() {
        let mut meter = Meter::default();
        meter.arrived(millis(10_000));
        meter.started(before(millis(9_000), SECOND), millis(9_000));
        meter.arrived(Timestamp::ZERO);
        meter.ended(before(START, SECOND), START);
        let signals = meter.signals(Timestamp::ZERO, inputs(0, 1));
        assert_near(signals.arrival_rate, 2.0);
        assert_eq!(signals.service_time, Some(SECOND));
        assert_near(signals.utilisation, 0.0);
        assert_near(meter.signals(millis(12_000), inputs(0, 1)).arrival_rate, 1.0);
        meter.arrived(millis(14_000));
        assert_near(meter.signals(START, inputs(0, 1)).arrival_rate, 3.0 / 4.0);
    }

    #[test]
    fn the_ends_of_time_neither_panic_nor_overflow() {
        let mut meter = Meter::default();
        for now in [Timestamp::ZERO, Timestamp::NEVER, START, Timestamp::NEVER, Timestamp::ZERO] {
            meter.arrived(now);
            meter.started(before(now, Duration::MAX), now);
            meter.started(before(now, Duration::MAX), now);
            meter.ended(before(now, Duration::MAX), now);
            let signals = meter.signals(now, inputs(1, 1));
            assert!(signals.arrival_rate.is_finite() && signals.utilisation <= 1.0, "{signals:?}");
        }
    }

    #[test]
    fn the_oldest_age_is_since_it_came() {
        let depth = Inputs { depth: 7, oldest: Some(START), ..inputs(1, 3) };
        let signals = Meter::default().signals(START + 3 * SECOND, depth);
        assert_eq!((signals.depth, signals.idle, signals.oldest_age), (7, 2, 3 * SECOND));
    }

    #[cfg(feature = "serde")]
    #[test]
    fn times_are_written_in_seconds() {
        let mut meter = Meter::default();
        meter.started(before(START, SECOND / 2), START);
        let signals = meter.signals(START, Inputs { oldest: Some(START - SECOND / 4), ..inputs(1, 1) });
        let json = serde_json::to_value(signals).expect("writes");
        assert_eq!(json["oldest_age_seconds"], 0.25);
        assert_eq!(json["wait_time_seconds"], 0.5);
        assert!(json["service_time_seconds"].is_null() && json["demand"].is_null());
    }
}
