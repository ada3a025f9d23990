//! Models of the lock-free cells: every interleaving of two or three threads.
//!
//! `RUSTFLAGS="--cfg seawall_loom" cargo test --release -p seawall-core --test loom -- --nocapture`
#![cfg(seawall_loom)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use loom::thread;
use seawall_core::stripe::{Striped, Tag, TaggedTally, Tally, model::sit};
use seawall_core::{Place, Priority, Turn, WaitQueue};

/// Explores `body`, and fails if fewer than `floor` executions were explored: a model that shrank proves less.
fn explore(name: &str, preemptions: Option<usize>, floor: usize, body: impl Fn() + Sync + Send + 'static) {
    let explored = Arc::new(AtomicUsize::new(0));
    let mut model = loom::model::Builder::new();
    model.preemption_bound = preemptions;
    let counted = explored.clone();
    model.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        body();
    });
    let explored = explored.load(Ordering::Relaxed);
    println!("{name}: {explored} executions explored");
    assert!(explored >= floor, "{name}: only {explored} executions, the floor is {floor}");
}

#[derive(Default)]
struct Counts {
    plain: Tally,
    tagged: TaggedTally,
}

#[test]
fn threads_without_a_seat_lose_no_count() {
    explore("shared lane", None, 50, || {
        let lanes = Arc::new(Striped::<Counts>::new(1));
        let tag = Tag::default().next();
        let threads: Vec<_> = [None, Some(0)]
            .into_iter()
            .map(|seat| {
                let lanes = lanes.clone();
                thread::spawn(move || {
                    sit(seat);
                    lanes.lane().count(|counts| &counts.plain);
                    lanes.lane().count_tagged(|counts| &counts.tagged, tag);
                })
            })
            .collect();
        sit(None);
        lanes.lane().count(|counts| &counts.plain);
        lanes.lane().count_tagged(|counts| &counts.tagged, tag);
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        assert_eq!(lanes.iter().map(|counts| counts.plain.get()).sum::<u64>(), 3);
        assert_eq!(lanes.iter().map(|counts| counts.tagged.get(tag)).sum::<u64>(), 3);
    });
}

#[test]
fn a_late_count_never_reaches_the_next_period() {
    explore("tag", None, 10, || {
        let lanes = Arc::new(Striped::<Counts>::new(2));
        let old = Tag::default().next();
        let new = old.next();
        let late = {
            let lanes = lanes.clone();
            thread::spawn(move || {
                sit(None);
                lanes.lane().count_tagged(|counts| &counts.tagged, old);
            })
        };
        sit(None);
        lanes.lane().count_tagged(|counts| &counts.tagged, new);
        assert_eq!(lanes.iter().map(|counts| counts.tagged.get(new)).sum::<u64>(), 1);
        late.join().expect("no panic");
        assert_eq!(lanes.iter().map(|counts| counts.tagged.get(new)).sum::<u64>(), 1);
    });
}

struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn waker() -> (Arc<Woken>, Waker) {
    let woken = Arc::new(Woken(AtomicUsize::new(0)));
    (woken.clone(), Waker::from(woken))
}

fn is_granted(queue: &WaitQueue, place: &Place, waker: &Waker) -> bool {
    queue.poll(place, &mut Context::from_waker(waker)) == Poll::Ready(())
}

#[test]
fn a_permit_released_while_another_queues_is_not_lost() {
    explore("release and enter", None, 60, || {
        let queue = Arc::new(WaitQueue::new(1, 2));
        assert!(queue.try_take());
        let releasing = {
            let queue = queue.clone();
            thread::spawn(move || {
                sit(Some(1));
                queue.release();
            })
        };
        sit(Some(0));
        let (woken, waker) = waker();
        match queue.enter(Priority::Normal) {
            Turn::Now => releasing.join().expect("no panic"),
            Turn::Later(place) => {
                let at_once = is_granted(&queue, &place, &waker);
                releasing.join().expect("no panic");
                if !at_once {
                    assert_eq!(woken.0.load(Ordering::SeqCst), 1, "nobody woke the one who waits");
                    assert!(is_granted(&queue, &place, &waker), "woken without a permit");
                }
            }
            Turn::Full => panic!("there is room in the line"),
        }
        assert_eq!((queue.free(), queue.waiting()), (0, 0));
    });
}

#[test]
fn of_two_takers_one_is_refused_only_while_no_permit_is_free() {
    explore("no spurious refusal", None, 15, || {
        let queue = Arc::new(WaitQueue::new(2, 0));
        sit(Some(0));
        assert!(queue.try_take());
        // One permit stays free at every moment, but moves from the second stripe to the first, behind whoever looks at
        // them in that order: the other thread releases into the first before it takes from the second.
        let moving = {
            let queue = queue.clone();
            thread::spawn(move || {
                sit(Some(0));
                queue.release();
                sit(Some(1));
                queue.try_take()
            })
        };
        let taken = queue.try_take();
        let moved = moving.join().expect("no panic");
        assert!(taken, "a permit was free all the time");
        assert!(moved, "a permit was free all the time");
        assert_eq!(queue.free(), 0);
    });
}

#[test]
fn a_place_that_is_left_while_it_is_granted_gives_its_turn_on() {
    explore("leave", None, 15, || {
        let queue = Arc::new(WaitQueue::new(1, 2));
        sit(Some(0));
        assert!(queue.try_take());
        let (Turn::Later(first), Turn::Later(second)) = (queue.enter(Priority::Normal), queue.enter(Priority::Normal))
        else {
            panic!("both wait");
        };
        let (woken, waker) = waker();
        assert!(!is_granted(&queue, &second, &waker));
        let leaving = {
            let queue = queue.clone();
            thread::spawn(move || {
                sit(Some(1));
                queue.leave(first);
            })
        };
        queue.release();
        leaving.join().expect("no panic");
        assert_eq!(woken.0.load(Ordering::SeqCst), 1, "the second was not woken");
        assert!(is_granted(&queue, &second, &waker));
        assert_eq!((queue.free(), queue.waiting()), (0, 0));
    });
}

#[test]
fn permits_are_conserved_when_the_queue_is_resized() {
    explore("resize", None, 8, || {
        let queue = Arc::new(WaitQueue::new(2, 1));
        sit(Some(0));
        assert!(queue.try_take());
        let resizing = {
            let queue = queue.clone();
            thread::spawn(move || {
                sit(Some(1));
                queue.resize(1);
            })
        };
        queue.release();
        resizing.join().expect("no panic");
        assert_eq!(queue.free(), 1);
        queue.resize(3);
        assert_eq!(queue.free(), 3);
    });
}

#[test]
fn permits_are_conserved_whatever_two_who_enter_meet() {
    explore("two waiters", Some(2), 100, || {
        let queue = Arc::new(WaitQueue::new(1, 2));
        sit(Some(0));
        assert!(queue.try_take());
        let others: Vec<_> = [(Some(1), Priority::High), (None, Priority::Normal)]
            .into_iter()
            .map(|(seat, priority)| {
                let queue = queue.clone();
                thread::spawn(move || {
                    sit(seat);
                    let (_woken, waker) = waker();
                    match queue.enter(priority) {
                        Turn::Now => queue.release(),
                        Turn::Later(place) if is_granted(&queue, &place, &waker) => queue.release(),
                        Turn::Later(place) => queue.leave(place),
                        Turn::Full => panic!("there is room in the line"),
                    }
                })
            })
            .collect();
        queue.release();
        others.into_iter().for_each(|other| other.join().expect("no panic"));
        assert_eq!((queue.free(), queue.waiting()), (1, 0), "a permit was lost or made");
    });
}
