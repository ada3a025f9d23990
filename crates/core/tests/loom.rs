//! Models of the lock-free cells: every interleaving of two or three threads.
//!
//! `RUSTFLAGS="--cfg seawall_loom" cargo test --release -p seawall-core --test loom -- --nocapture`
#![cfg(seawall_loom)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use loom::thread;
use seawall_core::stripe::{Striped, Tag, TaggedTally, Tally, model::sit};
use seawall_core::time::{Now, Timestamp};
use seawall_core::wait::{CoDel, Discipline};
use seawall_core::{Claim, Place, Priority, Turn, Unserved, WaitQueue};

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

fn now() -> Now<'static> {
    Now::at(Timestamp::ZERO)
}

fn is_granted(queue: &WaitQueue, place: &Place, waker: &Waker) -> bool {
    queue.poll(place, &mut Context::from_waker(waker)) == Poll::Ready(Ok(()))
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
                queue.release(&now());
            })
        };
        sit(Some(0));
        let (woken, waker) = waker();
        match queue.enter(Claim::new(), &now()) {
            Turn::Now => releasing.join().expect("no panic"),
            Turn::Later(place) => {
                let at_once = is_granted(&queue, &place, &waker);
                releasing.join().expect("no panic");
                if !at_once {
                    assert_eq!(woken.0.load(Ordering::SeqCst), 1, "nobody woke the one who waits");
                    assert!(is_granted(&queue, &place, &waker), "woken without a permit");
                }
            }
            Turn::Full | Turn::TooLate(_) | Turn::Never => panic!("there is room in the line"),
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
                queue.release(&now());
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
        let (Turn::Later(first), Turn::Later(second)) =
            (queue.enter(Claim::new(), &now()), queue.enter(Claim::new(), &now()))
        else {
            panic!("both wait");
        };
        let (woken, waker) = waker();
        assert!(!is_granted(&queue, &second, &waker));
        let leaving = {
            let queue = queue.clone();
            thread::spawn(move || {
                sit(Some(1));
                queue.leave(first, &now());
            })
        };
        queue.release(&now());
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
                queue.resize(1, &now());
            })
        };
        queue.release(&now());
        resizing.join().expect("no panic");
        assert_eq!(queue.free(), 1);
        queue.resize(3, &now());
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
                    match queue.enter(Claim::new().priority(priority), &now()) {
                        Turn::Now => queue.release(&now()),
                        Turn::Later(place) if is_granted(&queue, &place, &waker) => queue.release(&now()),
                        Turn::Later(place) => queue.leave(place, &now()),
                        Turn::Full | Turn::TooLate(_) | Turn::Never => panic!("there is room in the line"),
                    }
                })
            })
            .collect();
        queue.release(&now());
        others.into_iter().for_each(|other| other.join().expect("no panic"));
        assert_eq!((queue.free(), queue.waiting()), (1, 0), "a permit was lost or made");
    });
}

#[test]
fn one_who_asks_for_little_is_not_refused_because_another_asks_for_much() {
    explore("gather in vain", None, 15, || {
        // Two permits are free in two stripes. One thread asks for three, which are never free, so it must not hide the two
        // from the other thread while it finds that out.
        let queue = Arc::new(WaitQueue::new(3, 0));
        sit(Some(0));
        assert!(queue.try_take());
        let greedy = {
            let queue = queue.clone();
            thread::spawn(move || {
                sit(Some(0));
                matches!(queue.enter(Claim::new().permits(3), &now()), Turn::Full)
            })
        };
        sit(Some(1));
        assert!(queue.try_take(), "two permits were free all the time");
        assert!(greedy.join().expect("no panic"), "three permits were never free");
        assert_eq!(queue.free(), 1);
    });
}

#[test]
fn a_claim_for_several_is_served_by_several_releases() {
    explore("several permits", Some(3), 100, || {
        let queue = Arc::new(WaitQueue::new(2, 1));
        sit(Some(0));
        assert!(queue.try_take() && queue.try_take());
        let releasing = {
            let queue = queue.clone();
            thread::spawn(move || {
                sit(Some(1));
                queue.release(&now());
            })
        };
        let (woken, waker) = waker();
        let Turn::Later(place) = queue.enter(Claim::new().permits(2), &now()) else { panic!("nothing is free") };
        assert!(!is_granted(&queue, &place, &waker));
        queue.release(&now());
        releasing.join().expect("no panic");
        assert_eq!(woken.0.load(Ordering::SeqCst), 1, "both permits are free and nobody was woken");
        assert!(is_granted(&queue, &place, &waker));
        assert_eq!((queue.free(), queue.waiting()), (0, 0));
    });
}

#[test]
fn the_one_behind_is_served_when_the_one_who_asks_for_more_leaves() {
    explore("leave before a smaller claim", Some(3), 40, || {
        let queue = Arc::new(WaitQueue::new(2, 2));
        sit(Some(0));
        assert!(queue.try_take() && queue.try_take());
        let Turn::Later(first) = queue.enter(Claim::new().permits(2), &now()) else { panic!("nothing is free") };
        let Turn::Later(second) = queue.enter(Claim::new(), &now()) else { panic!("nothing is free") };
        let (woken, waker) = waker();
        assert!(!is_granted(&queue, &second, &waker));
        let leaving = {
            let queue = queue.clone();
            thread::spawn(move || {
                sit(Some(1));
                queue.leave(first, &now());
            })
        };
        queue.release(&now());
        leaving.join().expect("no panic");
        assert_eq!(woken.0.load(Ordering::SeqCst), 1, "a permit is free and nobody was woken");
        assert!(is_granted(&queue, &second, &waker));
        assert_eq!((queue.free(), queue.waiting()), (0, 0));
    });
}

#[test]
fn a_reduction_is_never_passed_by() {
    explore("reduce and take", Some(3), 50, || {
        let queue = Arc::new(WaitQueue::new(2, 0));
        sit(Some(0));
        assert!(queue.try_take());
        let resizing = {
            let queue = queue.clone();
            thread::spawn(move || {
                sit(Some(1));
                queue.resize(1, &now());
            })
        };
        let taken = queue.try_take();
        resizing.join().expect("no panic");
        assert_eq!(queue.taken(), 1 + u32::from(taken));
        assert!(!queue.try_take(), "more are out than there are");
        queue.release(&now());
        if taken {
            assert!(!queue.try_take(), "the first that came back was to be withdrawn");
            queue.release(&now());
        }
        assert_eq!((queue.free(), queue.taken()), (1, 0));
    });
}

#[test]
fn a_look_ahead_finds_what_one_who_gathers_in_vain_hides() {
    explore("gather in vain, look ahead", None, 15, || {
        // Two permits are free, both in the other stripe. One thread asks for three, which are never free.
        let queue = Arc::new(WaitQueue::new(4, 0));
        sit(Some(0));
        assert!(queue.try_take() && queue.try_take());
        let looking = {
            let queue = queue.clone();
            thread::spawn(move || {
                sit(Some(0));
                assert!(!queue.would_refuse(1), "two permits were free all the time");
            })
        };
        assert!(matches!(queue.enter(Claim::new().permits(3), &now()), Turn::Full));
        looking.join().expect("no panic");
        assert!(!queue.would_refuse(2) && queue.would_refuse(3));
    });
}

#[test]
fn one_who_is_displaced_while_it_looks_is_told_so_once() {
    explore("displace and poll", None, 4, || {
        let queue = Arc::new(WaitQueue::new(1, 1));
        sit(Some(0));
        assert!(queue.try_take());
        let Turn::Later(low) = queue.enter(Claim::new().priority(Priority::Low), &now()) else {
            panic!("nothing is free")
        };
        let entering = {
            let queue = queue.clone();
            thread::spawn(move || {
                sit(Some(1));
                queue.enter(Claim::new().priority(Priority::High), &now())
            })
        };
        let (woken, waker) = waker();
        let polled = queue.poll(&low, &mut Context::from_waker(&waker));
        let Turn::Later(high) = entering.join().expect("no panic") else { panic!("it takes the place") };
        if polled.is_pending() {
            assert_eq!(woken.0.load(Ordering::SeqCst), 1, "it waits, and nobody tells it that it waits in vain");
            let polled = queue.poll(&low, &mut Context::from_waker(&waker));
            assert_eq!(polled, Poll::Ready(Err(Unserved::Displaced)));
        } else {
            assert_eq!(polled, Poll::Ready(Err(Unserved::Displaced)));
        }
        queue.release(&now());
        assert!(is_granted(&queue, &high, &waker));
        assert_eq!((queue.free(), queue.waiting()), (0, 0));
    });
}

#[test]
fn one_who_leaves_while_it_is_dropped_for_being_late_costs_no_permit() {
    explore("late and leave", None, 8, || {
        let at = |millis: u64| Now::at(Timestamp::from_nanos(millis * 1_000_000));
        let queue = Arc::new(WaitQueue::new(1, 3));
        queue.set_discipline(Discipline::default().codel(Some(CoDel::default())));
        sit(Some(0));
        assert!(queue.try_take());
        let (Turn::Later(first), Turn::Later(second)) =
            (queue.enter(Claim::new(), &at(0)), queue.enter(Claim::new(), &at(1)))
        else {
            panic!("both wait");
        };
        let (woken, waker) = waker();
        assert!(!is_granted(&queue, &second, &waker));
        let leaving = {
            let queue = queue.clone();
            thread::spawn(move || {
                sit(Some(1));
                queue.leave(first, &at(200));
            })
        };
        queue.release(&at(200));
        leaving.join().expect("no panic");
        assert_eq!(woken.0.load(Ordering::SeqCst), 1, "the last one is served however late it is");
        assert!(is_granted(&queue, &second, &waker));
        queue.release(&at(200));
        assert_eq!((queue.free(), queue.waiting()), (1, 0));
    });
}

#[test]
fn one_who_enters_while_the_queue_grows_is_not_left_waiting() {
    explore("grow and enter", None, 15, || {
        let queue = Arc::new(WaitQueue::new(1, 1));
        sit(Some(0));
        assert!(queue.try_take());
        let growing = {
            let queue = queue.clone();
            thread::spawn(move || {
                sit(Some(1));
                queue.resize(2, &now())
            })
        };
        let (woken, waker) = waker();
        match queue.enter(Claim::new(), &now()) {
            Turn::Now => growing.join().expect("no panic"),
            Turn::Later(place) => {
                let at_once = is_granted(&queue, &place, &waker);
                growing.join().expect("no panic");
                if !at_once {
                    assert_eq!(woken.0.load(Ordering::SeqCst), 1, "the new permit woke nobody");
                    assert!(is_granted(&queue, &place, &waker));
                }
            }
            Turn::Full | Turn::TooLate(_) | Turn::Never => panic!("there is room in the line"),
        }
        assert_eq!((queue.free(), queue.taken(), queue.waiting()), (0, 2, 0));
    });
}

#[test]
fn of_several_resizes_at_once_the_last_word_holds() {
    explore("two resizes", Some(3), 30, || {
        let queue = Arc::new(WaitQueue::new(2, 0));
        let word = Arc::new(loom::sync::atomic::AtomicU32::new(2));
        sit(Some(0));
        assert!(queue.try_take());
        let others: Vec<_> = [(Some(1), 1), (None, 3)]
            .into_iter()
            .map(|(seat, permits)| {
                let (queue, word) = (queue.clone(), word.clone());
                thread::spawn(move || {
                    sit(seat);
                    word.store(permits, Ordering::SeqCst);
                    queue.resize_to(|| word.load(Ordering::SeqCst), &now())
                })
            })
            .collect();
        let mut steps: Vec<_> = others.into_iter().map(|other| other.join().expect("no panic")).collect();
        let last = word.load(Ordering::SeqCst);
        assert_eq!(queue.permits(), last);
        assert_eq!((queue.taken(), queue.free()), (1, last - 1));
        // What was told is a chain from the first number to the last.
        if steps[0].0 != 2 {
            steps.swap(0, 1);
        }
        assert_eq!((steps[0].0, steps[0].1, steps[1].1), (2, steps[1].0, last), "{steps:?}");
    });
}
