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
    Enter(Priority, u32),
    Release(usize),
    Poll(usize),
    Leave(usize),
    Resize(u32),
    SetBound(usize),
    Pass(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let permits = || prop_oneof![3 => Just(1u32), 1 => 0..4u32];
    prop_oneof![
        2 => permits().prop_map(Op::TryTake),
        6 => (prop::sample::select(&Priority::ALL[..]), permits()).prop_map(|(priority, permits)| Op::Enter(priority, permits)),
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
}

impl Model {
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
            }
            self.note_emptiness();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

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
        };
        for op in ops {
            let now = Now::at(Timestamp::from_nanos(model.now * 1_000_000));
            match op {
                Op::TryTake(permits) => {
                    let free = model.queued() == 0 && model.has_free(permits);
                    prop_assert_eq!(queue.try_take_many(permits), free);
                    model.out.extend(free.then_some(permits));
                }
                Op::Enter(priority, permits) => match queue.enter(Claim::new().priority(priority).permits(permits), &now) {
                    Turn::Now => {
                        prop_assert!(model.queued() == 0 && model.has_free(permits));
                        model.out.push(permits);
                    }
                    Turn::Later(place) => {
                        prop_assert!(model.queued() > 0 || !model.has_free(permits));
                        prop_assert!(permits <= model.permits);
                        if model.queued() >= model.bound {
                            let waiting = model.waiting.iter_mut().filter(|one| one.state == State::Waits && one.priority < priority);
                            let displaced = waiting.min_by_key(|one| (one.priority, Reverse(one.entered)));
                            displaced.expect("it is pushed in for a lower one").state = State::Unserved(Unserved::Displaced);
                            prop_assert!(model.bound > 0);
                        }
                        model.note_emptiness();
                        model.standing_since.get_or_insert(model.now);
                        model.entered += 1;
                        let woken = Arc::new(Woken(AtomicUsize::new(0)));
                        model.waiting.push(Waiting {
                            place, priority, permits, entered: model.entered, since: model.now, state: State::Waits, woken, polled: false,
                        });
                    }
                    Turn::Full => {
                        prop_assert!(model.queued() > 0 || !model.has_free(permits));
                        prop_assert!(model.queued() >= model.bound);
                        let lower = model.waiting.iter().any(|one| one.state == State::Waits && one.priority < priority);
                        prop_assert!(!lower || model.bound == 0);
                    }
                    Turn::Never => prop_assert!(permits > model.permits),
                    Turn::TooLate(_) => prop_assert!(false, "there is no deadline"),
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
            for one in model.waiting.iter().filter(|one| one.polled && one.state != State::Waits) {
                prop_assert_eq!(one.woken.0.load(Ordering::SeqCst), 1, "its wait is over, but it was not woken");
            }
        }
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
    assert_eq!(wait, Duration::from_millis(10));
    let Turn::Later(_first) = queue.enter(until(90), &at(80)) else { panic!("it is in time") };
    let Turn::TooLate(wait) = queue.enter(until(99), &at(80)) else { panic!("two turns take 20 ms") };
    assert_eq!(wait, Duration::from_millis(20));
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
    assert_eq!(queue.expected_wait(Claim::new(), at(180).get()), Some(Duration::from_millis(200)));
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
    assert!(matches!(queue.enter(until(0), &at(0)), Turn::Later(_)));
}

#[test]
fn more_than_eight_are_served_by_one_release() {
    let queue = WaitQueue::new(20, 100);
    assert!(queue.try_take_many(20));
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
