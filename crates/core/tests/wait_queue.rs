//! The wait queue against a model that is a sorted list.
#![cfg(not(seawall_loom))]

use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use proptest::prelude::*;
use seawall_core::time::{Now, Timestamp};
use seawall_core::wait::{CoDel, Discipline, Order};
use seawall_core::{Claim, Place, Priority, Turn, Unserved, WaitQueue};

#[derive(Clone, Debug)]
enum Op {
    TryTake(u32),
    /// With a deadline in so many milliseconds, given as one or as the longest wait.
    Enter(Priority, u32, Option<(u64, bool)>),
    Release(usize),
    Poll(usize),
    Leave(usize),
    Resize(u32),
    SetBound(usize),
    Pass(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let permits = || prop_oneof![3 => Just(1u32), 1 => 0..4u32];
    let deadline = || prop_oneof![2 => Just(None), 1 => (0..200u64, any::<bool>()).prop_map(Some)];
    prop_oneof![
        2 => permits().prop_map(Op::TryTake),
        6 => (prop::sample::select(&Priority::ALL[..]), permits(), deadline()).prop_map(|(priority, permits, deadline)| Op::Enter(priority, permits, deadline)),
        4 => (0..8usize).prop_map(Op::Release),
        3 => (0..8usize).prop_map(Op::Poll),
        2 => (0..8usize).prop_map(Op::Leave),
        1 => (0..6u32).prop_map(Op::Resize),
        1 => (0..5usize).prop_map(Op::SetBound),
        3 => (0..60u64).prop_map(Op::Pass),
    ]
}

/// What a discipline is made of, in milliseconds.
#[derive(Clone, Debug)]
struct Rules {
    lifo_after: Option<u64>,
    aging: Option<u64>,
    codel: Option<(u64, u64)>,
}

fn rules() -> impl Strategy<Value = Rules> {
    let some = |range: std::ops::Range<u64>| prop::option::of(range);
    (some(0..100), some(0..80), prop::option::of((0..40u64, 0..100u64))).prop_map(|(lifo_after, aging, codel)| Rules {
        lifo_after,
        aging,
        codel,
    })
}

impl Rules {
    fn discipline(&self) -> Discipline {
        let millis = Duration::from_millis;
        Discipline::default()
            .order(self.lifo_after.map_or(Order::Fifo, |after| Order::AdaptiveLifo { after: millis(after) }))
            .aging(self.aging.map(millis))
            .codel(self.codel.map(|(target, interval)| CoDel::new(millis(target), millis(interval))))
    }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(1_000)
}

struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Waits,
    Granted,
    Unserved(Unserved),
}

struct Waiting {
    place: Place,
    priority: Priority,
    permits: u32,
    entered: usize,
    since: u64,
    state: State,
    woken: Arc<Woken>,
    polled: bool,
}

/// What the queue must do, said plainly.
struct Model {
    rules: Rules,
    now: u64,
    permits: u32,
    bound: usize,
    out: Vec<u32>,
    waiting: Vec<Waiting>,
    entered: usize,
    standing_since: Option<u64>,
    pace: ModelPace,
}

/// What each permit took, in nanoseconds.
#[derive(Default)]
struct ModelPace {
    average: i64,
    turns: i64,
    last: i64,
}

impl ModelPace {
    fn line_forms(&mut self, now: u64) {
        let now = nanos(now);
        if now - self.last > self.average {
            (self.average, self.turns) = (0, 0);
        }
        self.last = now;
    }

    fn turn(&mut self, permits: u32, now: u64) {
        let took = (nanos(now) - self.last) / i64::from(permits.max(1));
        self.turns += 1;
        self.average += (took - self.average) / self.turns.min(8);
        self.last = nanos(now);
    }

    fn wait(&self, permits: u32, somebody_waits: bool, now: u64) -> Option<i64> {
        let step = nanos(now) - self.last;
        let all = self.average * i64::from(permits);
        match (self.turns < 8, somebody_waits) {
            (true, _) => None,
            (false, true) => Some(all.max(0) - if permits == 0 { 0 } else { self.average } + self.average.max(step)),
            (false, false) => (step <= all).then_some(all),
        }
    }
}

fn nanos(millis: u64) -> i64 {
    i64::try_from(millis).expect("a short test") * 1_000_000
}

impl Model {
    /// How long one would wait, behind those of its class and above; in an overload of LIFO behind those above.
    fn expected_wait(&self, priority: Priority, permits: u32) -> Option<i64> {
        let newest_first = self.rules.lifo_after.is_some_and(|after| self.standing() >= after);
        let waiting = self.waiting.iter().filter(|one| one.state == State::Waits);
        let before = waiting.filter(|one| one.priority > priority || !newest_first && one.priority == priority);
        let ahead: u32 = before.map(|one| one.permits).sum();
        self.pace.wait(ahead + permits, self.queued() > 0, self.now)
    }

    fn is_too_late(&self, priority: Priority, permits: u32, within: u64) -> bool {
        within == 0 || self.expected_wait(priority, permits).is_some_and(|wait| wait > nanos(within))
    }

    fn taken(&self) -> u32 {
        let granted = self.waiting.iter().filter(|one| one.state == State::Granted).map(|one| one.permits);
        self.out.iter().copied().chain(granted).sum()
    }

    fn has_free(&self, permits: u32) -> bool {
        permits == 0 && self.taken() <= self.permits || self.taken() + permits <= self.permits
    }

    fn queued(&self) -> usize {
        self.waiting.iter().filter(|one| one.state == State::Waits).count()
    }

    fn standing(&self) -> u64 {
        self.standing_since.map_or(0, |since| self.now - since)
    }

    fn note_emptiness(&mut self) {
        if self.queued() == 0 {
            self.standing_since = None;
        }
    }

    fn next(&mut self) -> Option<&mut Waiting> {
        let newest_first = self.rules.lifo_after.is_some_and(|after| self.standing() >= after);
        let aging = self.rules.aging;
        let waiting = self.waiting.iter_mut().filter(|one| one.state == State::Waits);
        if newest_first {
            return waiting.min_by_key(|one| (Reverse(one.priority), Reverse(one.entered)));
        }
        match aging {
            None => waiting.min_by_key(|one| (Reverse(one.priority), one.entered)),
            Some(aging) => waiting.min_by_key(|one| {
                let arrival = i128::from(one.since) - i128::from(aging) * one.priority as i128;
                (arrival, Reverse(one.priority), one.entered)
            }),
        }
    }

    fn late(&mut self) -> Option<&mut Waiting> {
        let (target, interval) = self.rules.codel?;
        if self.queued() < 2 || self.standing() < interval {
            return None;
        }
        let now = self.now;
        let waiting = self.waiting.iter_mut().filter(|one| one.state == State::Waits && now - one.since > target);
        waiting.min_by_key(|one| (one.priority, one.entered))
    }

    /// Serves those who wait as long as there is something to serve them with.
    fn hand_out(&mut self) {
        while self.taken() <= self.permits {
            if let Some(late) = self.late() {
                late.state = State::Unserved(Unserved::Late);
            } else {
                let Some(permits) = self.next().map(|next| next.permits) else { break };
                if !self.has_free(permits) {
                    break;
                }
                self.next().expect("there was one").state = State::Granted;
                self.pace.turn(permits, self.now);
            }
            self.note_emptiness();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn it_does_what_a_sorted_list_would(
        permits in 0..5u32,
        bound in 0..5usize,
        rules in rules(),
        ops in prop::collection::vec(op(), 1..150),
    ) {
        let queue = WaitQueue::new(permits, bound);
        queue.set_discipline(rules.discipline());
        let mut model = Model {
            rules, now: 0, permits, bound, out: Vec::new(), waiting: Vec::new(), entered: 0, standing_since: None,
            pace: ModelPace::default(),
        };
        for op in ops {
            let now = Now::at(Timestamp::from_nanos(model.now * 1_000_000));
            match op {
                Op::TryTake(permits) => {
                    let free = model.queued() == 0 && model.has_free(permits);
                    prop_assert_eq!(queue.try_take_many(permits).is_ok(), free);
                    model.out.extend(free.then_some(permits));
                }
                Op::Enter(priority, permits, deadline) => match queue.enter(claim(priority, permits, deadline, now.get()), &now) {
                    Turn::Now => {
                        prop_assert!(model.queued() == 0 && model.has_free(permits));
                        model.out.push(permits);
                    }
                    Turn::Later(place) => {
                        prop_assert!(model.queued() > 0 || !model.has_free(permits));
                        prop_assert!(permits <= model.permits);
                        prop_assert!(!deadline.is_some_and(|(within, _)| model.is_too_late(priority, permits, within)));
                        if model.queued() == 0 {
                            model.pace.line_forms(model.now);
                        }
                        if model.queued() >= model.bound {
                            let waiting = model.waiting.iter_mut().filter(|one| one.state == State::Waits && one.priority < priority);
                            let displaced = waiting.min_by_key(|one| (one.priority, Reverse(one.entered)));
                            displaced.expect("it is pushed in for a lower one").state = State::Unserved(Unserved::Displaced);
                            prop_assert!(model.bound > 0);
                        }
                        model.standing_since.get_or_insert(model.now);
                        model.entered += 1;
                        let woken = Arc::new(Woken(AtomicUsize::new(0)));
                        model.waiting.push(Waiting {
                            place, priority, permits, entered: model.entered, since: model.now, state: State::Waits, woken, polled: false,
                        });
                        // It may be the next, and ask for little.
                        model.hand_out();
                    }
                    Turn::Full => {
                        prop_assert!(model.queued() > 0 || !model.has_free(permits));
                        prop_assert!(model.queued() >= model.bound);
                        let lower = model.waiting.iter().any(|one| one.state == State::Waits && one.priority < priority);
                        prop_assert!(!lower || model.bound == 0);
                        prop_assert!(!deadline.is_some_and(|(within, _)| model.is_too_late(priority, permits, within)));
                    }
                    Turn::Never => prop_assert!(permits > model.permits),
                    Turn::TooLate(wait) => {
                        prop_assert!(model.queued() > 0 || !model.has_free(permits));
                        prop_assert!(permits <= model.permits);
                        let (within, _) = deadline.expect("there is a deadline");
                        prop_assert!(model.is_too_late(priority, permits, within));
                        let wait = wait.map(|wait| i64::try_from(wait.as_nanos()).expect("a short test"));
                        prop_assert_eq!(wait, model.expected_wait(priority, permits));
                    }
                },
                Op::Release(which) if which < model.out.len() => {
                    let permits = model.out.swap_remove(which);
                    queue.release_many(permits, &now);
                    model.hand_out();
                }
                Op::Poll(which) if which < model.waiting.len() => {
                    let one = &mut model.waiting[which];
                    let waker = Waker::from(one.woken.clone());
                    let polled = queue.poll(&one.place, &mut Context::from_waker(&waker));
                    let expected = match one.state {
                        State::Waits => Poll::Pending,
                        State::Granted => Poll::Ready(Ok(())),
                        State::Unserved(why) => Poll::Ready(Err(why)),
                    };
                    prop_assert_eq!(polled, expected);
                    one.polled = true;
                    if polled.is_ready() {
                        let one = model.waiting.remove(which);
                        model.out.extend((one.state == State::Granted).then_some(one.permits));
                    }
                }
                Op::Leave(which) if which < model.waiting.len() => {
                    let one = model.waiting.remove(which);
                    queue.leave(one.place, &now);
                    model.note_emptiness();
                    if !matches!(one.state, State::Unserved(_)) {
                        model.hand_out();
                    }
                }
                Op::Resize(permits) => {
                    queue.resize(permits, &now);
                    model.permits = permits;
                    for one in model.waiting.iter_mut().filter(|one| one.state == State::Waits && one.permits > permits) {
                        one.state = State::Unserved(Unserved::Never);
                    }
                    model.note_emptiness();
                    model.hand_out();
                }
                Op::SetBound(bound) => {
                    queue.set_bound(bound);
                    model.bound = bound;
                }
                Op::Pass(millis) => model.now += millis,
                Op::Release(_) | Op::Poll(_) | Op::Leave(_) => {}
            }
            prop_assert_eq!(queue.waiting(), model.queued());
            prop_assert_eq!(queue.free(), model.permits.saturating_sub(model.taken()));
            prop_assert_eq!(queue.taken(), model.taken());
            prop_assert_eq!(queue.permits(), model.permits);
            for permits in 0..4 {
                let refused = model.queued() > 0 || !model.has_free(permits);
                prop_assert_eq!(queue.would_refuse(permits), refused, "{} permits", permits);
            }
            for one in model.waiting.iter().filter(|one| one.polled && one.state != State::Waits) {
                prop_assert_eq!(one.woken.0.load(Ordering::SeqCst), 1, "its wait is over, but it was not woken");
            }
        }
    }
}

fn claim(priority: Priority, permits: u32, deadline: Option<(u64, bool)>, now: Timestamp) -> Claim {
    let claim = Claim::new().priority(priority).permits(permits);
    match deadline.map(|(within, counted)| (Duration::from_millis(within), counted)) {
        Some((within, false)) => claim.until(Some(now + within)),
        Some((within, true)) => claim.or_within(within),
        None => claim,
    }
}

fn at(millis: u64) -> Now<'static> {
    Now::at(Timestamp::from_nanos(millis * 1_000_000))
}

/// A queue with one permit that is taken, whose line moves by one turn every ten milliseconds; the time is then 80 ms and
/// nobody waits.
fn with_a_known_pace() -> WaitQueue {
    let queue = WaitQueue::new(1, 100);
    assert!(queue.try_take());
    for turn in 0..8 {
        let Turn::Later(place) = queue.enter(Claim::new(), &at(turn * 10)) else { panic!("nothing is free") };
        queue.release(&at(turn * 10 + 10));
        assert_eq!(queue.poll(&place, &mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(())));
    }
    queue
}

fn until(millis: u64) -> Claim {
    Claim::new().until(Some(at(millis).get()))
}

#[test]
fn a_turn_that_is_expected_after_the_deadline_is_refused_at_once() {
    let queue = with_a_known_pace();
    let Turn::TooLate(wait) = queue.enter(until(89), &at(80)) else { panic!("a turn takes 10 ms") };
    assert_eq!(wait, Some(Duration::from_millis(10)));
    let Turn::Later(_first) = queue.enter(until(90), &at(80)) else { panic!("it is in time") };
    let Turn::TooLate(wait) = queue.enter(until(99), &at(80)) else { panic!("two turns take 20 ms") };
    assert_eq!(wait, Some(Duration::from_millis(20)));
    let Turn::Later(_second) = queue.enter(until(99).priority(Priority::High), &at(80)) else {
        panic!("nobody of its priority is before it")
    };
    assert_eq!(queue.waiting(), 2);
    assert_eq!(queue.usual_wait(1), Some(Duration::from_millis(30)));
}

#[test]
fn a_line_that_stands_still_is_expected_to_go_on_so() {
    let queue = with_a_known_pace();
    let Turn::Later(_first) = queue.enter(Claim::new(), &at(80)) else { panic!("nothing is free") };
    assert_eq!(queue.expected_wait(Claim::new(), at(85).get()), Some(Duration::from_millis(20)));
    assert_eq!(queue.expected_wait(Claim::new(), at(180).get()), Some(Duration::from_millis(110)));
}

#[test]
fn a_pace_is_forgotten_when_the_line_is_empty_for_as_long_as_it_foretells() {
    let queue = with_a_known_pace();
    assert_eq!(queue.expected_wait(Claim::new(), at(90).get()), Some(Duration::from_millis(10)));
    assert_eq!(queue.expected_wait(Claim::new(), at(91).get()), None);
    assert!(matches!(queue.enter(until(92), &at(91)), Turn::Later(_)), "refused by a pace of long ago");
}

#[test]
fn nothing_is_foretold_before_the_pace_is_known() {
    let queue = WaitQueue::new(1, 100);
    assert!(queue.try_take());
    assert_eq!((queue.expected_wait(Claim::new(), at(0).get()), queue.usual_wait(1)), (None, None));
    assert!(matches!(queue.enter(until(1), &at(0)), Turn::Later(_)));
}

#[test]
fn what_a_wait_took_lately_is_told_though_nothing_is_foretold_by_it() {
    let queue = with_a_known_pace();
    let Turn::Later(_place) = queue.enter(Claim::new(), &at(1_000)) else { panic!("nothing is free") };
    queue.release(&at(1_001));
    assert_eq!(queue.expected_wait(Claim::new(), at(1_001).get()), None, "the line is learnt anew");
    assert_eq!(queue.usual_wait(1), Some(Duration::from_millis(10)));
}

#[test]
fn one_late_step_does_not_make_all_who_wait_late() {
    let queue = with_a_known_pace();
    let _ahead: Vec<_> = (0..9).map(|_| queue.enter(Claim::new(), &at(80))).collect();
    // The tenth turn comes 100 ms after the line began to move; 15 ms of its first step are over.
    assert!(
        matches!(queue.enter(until(195), &at(95)), Turn::TooLate(Some(wait)) if wait == Duration::from_millis(105))
    );
    assert!(matches!(queue.enter(until(200), &at(95)), Turn::Later(_)));
}

#[test]
fn a_slow_line_of_long_ago_does_not_refuse_those_who_wait_now() {
    let queue = WaitQueue::new(1, 100);
    assert!(queue.try_take());
    let mut time = 0;
    let serve = |time: &mut u64, step: u64| {
        let turn = queue.enter(until(*time + 60_000), &at(*time));
        let Turn::Later(place) = turn else { panic!("it is patient") };
        *time += step;
        queue.release(&at(*time));
        assert!(queue.poll(&place, &mut Context::from_waker(Waker::noop())).is_ready());
    };
    (0..8).for_each(|_| serve(&mut time, 10_000));
    assert!(matches!(queue.enter(until(time + 1_000), &at(time)), Turn::TooLate(Some(_))), "it takes 10 s");
    time += 10_001;
    // From here on a turn takes 5 ms.
    for turn in 0..20 {
        assert!(!matches!(queue.enter(until(time + 1_000), &at(time)), Turn::TooLate(_)), "turn {turn} is refused");
        time += 5;
        queue.release(&at(time));
    }
}

#[test]
fn one_who_is_next_and_asks_for_what_is_free_is_served_at_once() {
    let queue = WaitQueue::new(3, 9);
    assert!(queue.try_take());
    let Turn::Later(low) = queue.enter(Claim::new().permits(3), &at(0)) else { panic!("two are free") };
    let Turn::Later(high) = queue.enter(Claim::new().permits(2).priority(Priority::High), &at(0)) else {
        panic!("somebody waits")
    };
    assert!(queue.poll(&high, &mut Context::from_waker(Waker::noop())).is_ready(), "it waits for what is free");
    assert!(queue.poll(&low, &mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!((queue.free(), queue.waiting()), (0, 1));
}

#[test]
fn whoever_cannot_wait_takes_nobodys_place() {
    let queue = WaitQueue::new(1, 1);
    assert!(queue.try_take());
    let Turn::Later(low) = queue.enter(Claim::new().priority(Priority::Low), &at(10)) else { panic!("it has time") };
    for claim in [until(0), until(10), Claim::new().or_within(Duration::ZERO)] {
        let turn = queue.enter(claim.priority(Priority::Critical), &at(10));
        assert!(matches!(turn, Turn::TooLate(None)), "{turn:?}");
    }
    assert!(queue.poll(&low, &mut Context::from_waker(Waker::noop())).is_pending(), "it was displaced for nothing");
    queue.leave(low, &at(20));
    queue.release(&at(20));
    assert!(matches!(queue.enter(until(0), &at(30)), Turn::Now), "it need not wait");
}

#[test]
fn a_longest_wait_is_a_deadline_from_when_one_enters() {
    let queue = with_a_known_pace();
    let within = |millis| Claim::new().or_within(Duration::from_millis(millis));
    assert!(matches!(queue.enter(within(9), &at(80)), Turn::TooLate(Some(_))));
    assert!(
        matches!(queue.enter(within(9).until(Some(at(90).get())), &at(80)), Turn::Later(_)),
        "a deadline comes first"
    );
}

#[test]
fn more_than_eight_are_served_by_one_release() {
    let queue = WaitQueue::new(20, 100);
    assert!(queue.try_take_many(20).is_ok());
    let places: Vec<_> = (0..20)
        .map(|_| match queue.enter(Claim::new(), &at(0)) {
            Turn::Later(place) => place,
            _ => panic!("nothing is free"),
        })
        .collect();
    queue.release_many(20, &at(1));
    assert!(places.iter().all(|place| queue.poll(place, &mut Context::from_waker(Waker::noop())).is_ready()));
}

#[test]
fn as_many_threads_as_permits_are_never_refused() {
    for permits in [2, 3, 5] {
        let queue = WaitQueue::new(permits, 0);
        std::thread::scope(|scope| {
            for _ in 0..permits {
                scope.spawn(|| {
                    for _ in 0..300_000 {
                        assert!(queue.try_take(), "there is a permit for everybody");
                        queue.release(&at(0));
                    }
                });
            }
        });
        assert_eq!(queue.free(), permits);
    }
}
