//! The wait queue against a model that is a sorted list.
#![cfg(not(seawall_loom))]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use proptest::prelude::*;
use seawall_core::{Place, Priority, Turn, WaitQueue};

#[derive(Clone, Debug)]
enum Op {
    TryTake,
    Enter(Priority),
    Release,
    Poll(usize),
    Leave(usize),
    Resize(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let priority =
        prop_oneof![Just(Priority::Low), Just(Priority::Normal), Just(Priority::High), Just(Priority::Critical)];
    prop_oneof![
        2 => Just(Op::TryTake),
        4 => priority.prop_map(Op::Enter),
        4 => Just(Op::Release),
        3 => (0..8usize).prop_map(Op::Poll),
        2 => (0..8usize).prop_map(Op::Leave),
        1 => (0..6usize).prop_map(Op::Resize),
    ]
}

struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

struct Waiting {
    place: Place,
    priority: Priority,
    entered: usize,
    granted: bool,
    woken: Arc<Woken>,
    polled: bool,
}

/// What the queue must do, said plainly.
struct Model {
    permits: usize,
    out: usize,
    waiting: Vec<Waiting>,
    entered: usize,
}

impl Model {
    /// Grants to the highest priority, and there to the first, as long as there is something to grant.
    fn hand_out(&mut self) {
        while self.out < self.permits {
            let next = self.waiting.iter_mut().filter(|one| !one.granted);
            let Some(next) = next.min_by_key(|one| (std::cmp::Reverse(one.priority), one.entered)) else { break };
            next.granted = true;
            self.out += 1;
        }
    }

    fn queued(&self) -> usize {
        self.waiting.iter().filter(|one| !one.granted).count()
    }
}

proptest! {
    #[test]
    fn it_does_what_a_sorted_list_would(permits in 0..5usize, bound in 0..5usize, ops in prop::collection::vec(op(), 1..120)) {
        let queue = WaitQueue::new(permits, bound);
        let mut model = Model { permits, out: 0, waiting: Vec::new(), entered: 0 };
        for op in ops {
            match op {
                Op::TryTake => {
                    let free = model.out < model.permits && model.queued() == 0;
                    prop_assert_eq!(queue.try_take(), free);
                    model.out += usize::from(free);
                }
                Op::Enter(priority) => match queue.enter(priority) {
                    Turn::Now => {
                        prop_assert!(model.out < model.permits && model.queued() == 0);
                        model.out += 1;
                    }
                    Turn::Later(place) => {
                        prop_assert!(model.out >= model.permits || model.queued() > 0);
                        prop_assert!(model.queued() < bound);
                        model.entered += 1;
                        let woken = Arc::new(Woken(AtomicUsize::new(0)));
                        let entered = model.entered;
                        model.waiting.push(Waiting { place, priority, entered, granted: false, woken, polled: false });
                    }
                    Turn::Full => prop_assert!(model.out >= model.permits && model.queued() == bound),
                },
                Op::Release => {
                    let held = model.out - model.waiting.iter().filter(|one| one.granted).count();
                    if held > 0 {
                        queue.release();
                        model.out -= 1;
                        model.hand_out();
                    }
                }
                Op::Poll(which) if which < model.waiting.len() => {
                    let one = &mut model.waiting[which];
                    let waker = Waker::from(one.woken.clone());
                    let polled = queue.poll(&one.place, &mut Context::from_waker(&waker));
                    prop_assert_eq!(polled == Poll::Ready(()), one.granted);
                    one.polled = true;
                    if polled.is_ready() {
                        model.waiting.remove(which);
                    }
                }
                Op::Leave(which) if which < model.waiting.len() => {
                    let one = model.waiting.remove(which);
                    queue.leave(one.place);
                    model.out -= usize::from(one.granted);
                    model.hand_out();
                }
                Op::Resize(permits) => {
                    queue.resize(permits);
                    model.permits = permits;
                    model.hand_out();
                }
                Op::Poll(_) | Op::Leave(_) => {}
            }
            prop_assert_eq!(queue.waiting(), model.queued());
            prop_assert_eq!(queue.free(), model.permits.saturating_sub(model.out));
            for one in model.waiting.iter().filter(|one| one.polled && one.granted) {
                prop_assert_eq!(one.woken.0.load(Ordering::SeqCst), 1, "granted, but not woken");
            }
        }
    }
}
