//! Every interleaving, with at most two preemptions, of two threads on one partitioned bulkhead: no waiter is lost, and the
//! limit holds.
//!
//! `RUSTFLAGS="--cfg seawall_loom" cargo test --release -p seawall-bulkhead --test partitions_loom -- --nocapture`
#![cfg(seawall_loom)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use loom::thread;
use seawall_bulkhead::partitions::{Config, Partitions, Token, Waiting};
use seawall_core::stripe::model::sit;
use seawall_core::time::{Clock, Now, Timestamp};
use seawall_core::{Admits, Ask, Configure, Ending, Entry, Policy};

/// Explores `body`, and fails if fewer than `floor` executions were explored: a model that shrank proves less.
fn explore(name: &str, floor: usize, body: impl Fn() + Sync + Send + 'static) {
    let explored = Arc::new(AtomicUsize::new(0));
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(2);
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
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Two permits, one of each partition.
fn partitions() -> Arc<Partitions> {
    let config = Config::new(2).partition("a", 0.5).partition("b", 0.5).queue(2);
    Arc::new(Partitions::build(config, Clock::manual().0).expect("valid"))
}

fn now() -> Now<'static> {
    Now::at(Timestamp::ZERO)
}

fn take(bulkhead: &Partitions, name: &str) -> Token {
    Admits::try_admit(bulkhead, &Ask::new(name, &now())).expect("free")
}

fn enter(bulkhead: &Partitions, name: &str) -> Entry<Token, Waiting> {
    Admits::enter(bulkhead, &Ask::new(name, &now())).expect("there is room in the queue")
}

fn end(bulkhead: &Partitions, token: Token) {
    bulkhead.settle(token, Ending::Cancelled, &now());
}

fn look(bulkhead: &Partitions, waiting: &mut Waiting, waker: &Waker) -> Poll<Token> {
    let mut cx = Context::from_waker(waker);
    Admits::poll_place(bulkhead, &Ask::new("a", &now()), waiting, &mut cx).map(|turn| turn.expect("nobody refuses it"))
}

#[test]
fn a_permit_released_while_another_waits_is_not_lost() {
    explore("release and wait", 8, || {
        let bulkhead = partitions();
        let borrowed = [take(&bulkhead, "b"), take(&bulkhead, "b")];
        let releasing = {
            let bulkhead = bulkhead.clone();
            thread::spawn(move || {
                sit(Some(1));
                end(&bulkhead, borrowed[0]);
            })
        };
        sit(Some(0));
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        match enter(&bulkhead, "a") {
            Entry::Admitted(_) => releasing.join().expect("no panic"),
            Entry::Queued(mut waiting) => {
                let at_once = look(&bulkhead, &mut waiting, &waker).is_ready();
                releasing.join().expect("no panic");
                if !at_once {
                    assert_eq!(woken.0.load(Ordering::SeqCst), 1, "nobody woke the one who waits");
                    assert!(look(&bulkhead, &mut waiting, &waker).is_ready(), "woken without a permit");
                }
            }
        }
        assert_eq!((bulkhead.in_flight(), bulkhead.queued()), (2, 0));
    });
}

#[test]
fn a_turn_given_to_one_who_leaves_goes_to_the_next() {
    explore("release and leave", 9, || {
        let bulkhead = partitions();
        let borrowed = [take(&bulkhead, "b"), take(&bulkhead, "b")];
        let (Entry::Queued(first), Entry::Queued(mut second)) = (enter(&bulkhead, "a"), enter(&bulkhead, "a")) else {
            panic!("nothing is free")
        };
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        assert!(look(&bulkhead, &mut second, &waker).is_pending());
        let leaving = {
            let bulkhead = bulkhead.clone();
            thread::spawn(move || {
                sit(Some(1));
                bulkhead.leave(first);
            })
        };
        sit(Some(0));
        end(&bulkhead, borrowed[0]);
        leaving.join().expect("no panic");
        assert_eq!(woken.0.load(Ordering::SeqCst), 1, "nobody woke the second");
        assert!(look(&bulkhead, &mut second, &waker).is_ready());
        assert_eq!((bulkhead.in_flight(), bulkhead.queued()), (2, 0));
    });
}

#[test]
fn of_a_release_and_a_taker_who_would_be_served_later_the_waiter_gets_the_permit() {
    explore("release and take", 7, || {
        let bulkhead = partitions();
        let borrowed = [take(&bulkhead, "b"), take(&bulkhead, "b")];
        let Entry::Queued(mut waiting) = enter(&bulkhead, "a") else { panic!("nothing is free") };
        let taking = {
            let bulkhead = bulkhead.clone();
            thread::spawn(move || {
                sit(Some(1));
                let ask = now();
                assert!(Admits::try_admit(&*bulkhead, &Ask::new("b", &ask)).is_err(), "it has its share");
            })
        };
        sit(Some(0));
        end(&bulkhead, borrowed[0]);
        taking.join().expect("no panic");
        assert!(look(&bulkhead, &mut waiting, Waker::noop()).is_ready());
        assert_eq!((bulkhead.in_flight(), bulkhead.queued()), (2, 0));
    });
}
