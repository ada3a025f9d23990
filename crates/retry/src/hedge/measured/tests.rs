use std::collections::VecDeque;
use std::sync::mpsc;

use proptest::prelude::*;

use super::*;

const MOST: u32 = 10_000;

/// Held by each test whose threads take seats, so that there are enough for all of its own.
static SEATS: Mutex<()> = Mutex::new(());

fn ns(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

/// The rule as it is documented, for one thread: a window, and a delay that is told when more than a thirty-second is new.
struct Model {
    rule: HedgeDelay,
    last: VecDeque<u64>,
    new: usize,
    delay: Option<Duration>,
}

impl Model {
    fn new(rule: HedgeDelay) -> Self {
        let mut model = Self { rule, last: VecDeque::new(), new: 0, delay: None };
        model.tell();
        model
    }

    fn observe(&mut self, nanos: u64) {
        self.last.push_back(nanos);
        self.trim();
        self.new += 1;
        if matches!(self.rule, HedgeDelay::Mean { .. }) || self.new * 32 > self.last.len() {
            self.tell();
        }
    }

    fn follow(&mut self, rule: HedgeDelay) {
        self.rule = rule;
        self.trim();
        self.tell();
    }

    fn trim(&mut self) {
        let window = match self.rule {
            HedgeDelay::Quantile { window, .. } | HedgeDelay::Mean { window, .. } => window as usize,
            HedgeDelay::Never | HedgeDelay::Fixed(_) => 0,
        };
        self.last.drain(..self.last.len().saturating_sub(window));
    }

    #[expect(clippy::cast_precision_loss, reason = "few calls")]
    fn tell(&mut self) {
        self.new = 0;
        let calls = self.last.len();
        self.delay = match self.rule {
            HedgeDelay::Never => None,
            HedgeDelay::Fixed(delay) => Some(delay),
            HedgeDelay::Quantile { warm_up, .. } | HedgeDelay::Mean { warm_up, .. } if calls < warm_up as usize => None,
            HedgeDelay::Quantile { quantile, .. } => {
                let mut ranked: Vec<u64> = self.last.iter().copied().collect();
                ranked.sort_unstable();
                ranked
                    .iter()
                    .enumerate()
                    .find(|(at, _)| (at + 1) as f64 >= quantile * calls as f64)
                    .map(|(_, at)| ns(*at))
            }
            HedgeDelay::Mean { factor, plus, .. } => {
                let mean = ns(self.last.iter().sum::<u64>() / calls as u64);
                Some(Duration::from_secs_f64(mean.as_secs_f64() * factor) + plus)
            }
        };
    }
}

fn rule() -> impl Strategy<Value = HedgeDelay> {
    let window = prop_oneof![1_u32..=40, 150_u32..=250, 600_u32..=1_200];
    let measured = (window, 0.0..1.0_f64, 0.01..0.99_f64, any::<bool>()).prop_map(|(window, warm_up, share, mean)| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a part of the window")]
        let warm_up = ((f64::from(window) * warm_up) as u32).max(1);
        let rule = if mean { HedgeDelay::mean(share * 3.0).plus(ns(7)) } else { HedgeDelay::quantile(share) };
        rule.window(window).warm_up(warm_up)
    });
    prop_oneof![8 => measured, 1 => Just(HedgeDelay::Never), 1 => Just(HedgeDelay::Fixed(ns(5)))]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn one_thread_is_told_what_the_rule_says_after_every_call(
        rules in prop::collection::vec((rule(), 0_usize..1_500), 1..4),
        // Few different ones, so that equal ones come and go, and some that differ.
        took in prop::collection::vec(prop_oneof![0_u64..10, 0_u64..1_000_000], 200),
    ) {
        let first = rules[0].0.clone();
        let (measured, mut model) = (Measured::new(first.clone()), Model::new(first));
        let mut took = took.into_iter().cycle();
        for (rule, calls) in rules {
            measured.follow(rule.clone());
            model.follow(rule);
            prop_assert_eq!(measured.delay(), model.delay);
            for (call, nanos) in took.by_ref().take(calls).enumerate() {
                measured.observe(ns(nanos));
                model.observe(nanos);
                prop_assert_eq!(measured.delay(), model.delay, "after {} calls", call + 1);
            }
        }
    }
}

/// What is in the window and what is not yet, each sorted.
fn gathered_and_pending(measured: &Measured) -> (Vec<u64>, Vec<u64>) {
    let window = measured.window.0.lock();
    let mut gathered: Vec<u64> = window.durations.last().collect();
    let mut pending = Vec::new();
    measured.pending.iter().for_each(|lane| {
        lane.gather(|nanos| pending.push(nanos));
    });
    gathered.sort_unstable();
    pending.sort_unstable();
    (gathered, pending)
}

#[test]
fn no_duration_is_lost_or_counted_twice_whoever_measures() {
    let _seats = SEATS.lock();
    let threads = stripe::seats() as u64 + 3;
    let each = u64::from(MOST) / threads;
    for rule in [HedgeDelay::quantile(0.9), HedgeDelay::mean(1.0)] {
        let measured = Measured::new(rule.window(MOST).warm_up(1));
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let measured = &measured;
                scope.spawn(move || (0..each).for_each(|call| measured.observe(ns(thread * each + call))));
            }
        });
        let (gathered, pending) = gathered_and_pending(&measured);
        assert!(!gathered.is_empty(), "nobody gathered");
        let mut all = [gathered, pending].concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..threads * each));
    }
}

/// Another thread, which keeps its seat and measures what it is sent.
struct Other {
    send: mpsc::SyncSender<u64>,
    done: mpsc::Receiver<()>,
}

impl Other {
    fn begin<'scope>(scope: &'scope std::thread::Scope<'scope, '_>, measured: &'scope Measured) -> Self {
        let (send, took) = mpsc::sync_channel(0);
        let (tell, done) = mpsc::channel();
        scope.spawn(move || {
            for nanos in took {
                measured.observe(ns(nanos));
                tell.send(()).expect("the test waits");
            }
        });
        Self { send, done }
    }

    fn observe(&self, nanos: u64) {
        self.send.send(nanos).expect("the thread lives");
        self.done.recv().expect("the thread lives");
    }
}

#[test]
fn who_has_a_batch_gathers_what_all_threads_have() {
    let _seats = SEATS.lock();
    let rule = HedgeDelay::quantile(0.99).window(200).warm_up(1);
    let measured = Measured::new(rule.clone());
    (0..200).for_each(|_| measured.observe(ns(1)));
    measured.follow(rule);
    // Seven are more than a thirty-second of 200.
    std::thread::scope(|scope| {
        let other = Other::begin(scope, &measured);
        (0..6).for_each(|_| other.observe(50));
        (0..6).for_each(|_| measured.observe(ns(1)));
        assert_eq!(measured.delay(), Some(ns(1)), "nobody has a batch");
        measured.observe(ns(1));
        assert_eq!(measured.delay(), Some(ns(50)), "the other thread's six were not gathered");
    });
}

#[test]
fn a_thread_goes_on_while_another_gathers_and_what_it_measures_is_gathered_next() {
    let _seats = SEATS.lock();
    let measured = Measured::new(HedgeDelay::mean(1.0).window(100).warm_up(1));
    std::thread::scope(|scope| {
        let other = Other::begin(scope, &measured);
        let gathering = measured.window.0.lock();
        (0..Pending::SLOTS).for_each(|_| other.observe(8));
        drop(gathering);
        assert_eq!(measured.delay(), None);
        other.observe(8 + 33);
        assert_eq!(measured.delay(), Some(ns(9)));
    });
}

#[test]
fn a_mean_is_told_with_every_call_of_a_thread_that_is_alone() {
    let _seats = SEATS.lock();
    let measured = Measured::new(HedgeDelay::mean(1.0).window(100).warm_up(1));
    let tells = |nanos| {
        let before = measured.delay();
        measured.observe(ns(nanos));
        measured.delay() != before
    };
    (0..100).for_each(|_| measured.observe(ns(1_000)));
    assert!((1..9).all(|call| tells(call * 1_000_000)));
    std::thread::scope(|scope| Other::begin(scope, &measured).observe(1));
    // A hundredth of 100 is new each time; with four, more than a thirty-second is.
    let told: Vec<bool> = (11..19).map(|call| tells(call * 1_000_000)).collect();
    assert_eq!(told, [false, false, false, true, false, false, false, true]);
    assert!((21..29).all(|call| tells(call * 1_000_000)), "it is alone again");
}
