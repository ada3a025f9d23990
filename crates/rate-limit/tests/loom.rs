//! Every interleaving, with at most two preemptions, of two or three threads on one limiter: nothing is admitted beyond the quota,
//! nothing that was given back is lost or given twice, and whoever looks sees what belongs together.
//!
//! `RUSTFLAGS="--cfg seawall_loom" cargo test --release -p seawall-rate-limit --test loom -- --nocapture`
#![cfg(seawall_loom)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use loom::thread;
use seawall_core::Configure;
use seawall_core::stripe::model::sit;
use seawall_core::time::{Clock, ManualTime};
use seawall_rate_limit::{Algorithm, Carry, Config, Limiter, Quota};
use seawall_testkit::model::{Order, explore_orders};

const SECOND: Duration = Duration::from_secs(1);
/// Of a window of one second in eight buckets.
const BUCKET: Duration = Duration::from_millis(125);

/// The policy itself, without the handle, whose reference counts loom need not see.
struct Limiting {
    limiter: Limiter,
    time: ManualTime,
    admitted: AtomicU32,
}

impl Limiting {
    fn new(config: Config) -> Arc<Self> {
        let (clock, time) = Clock::manual();
        time.advance(100 * SECOND);
        let limiter = Limiter::build(config, clock).expect("a valid configuration");
        Arc::new(Self { limiter, time, admitted: AtomicU32::new(0) })
    }

    fn take(&self, cells: u32) {
        if self.limiter.check_n(cells).is_ok() {
            self.admitted.fetch_add(cells, Ordering::Relaxed);
        }
    }

    fn admitted(&self) -> u32 {
        self.admitted.load(Ordering::Relaxed)
    }
}

type Role = (Option<usize>, Box<dyn FnOnce(&Limiting) + Send>);

/// What the thread on this seat does.
fn on(seat: usize, work: impl FnOnce(&Limiting) + Send + 'static) -> Role {
    (Some(seat), Box::new(work))
}

/// Lets a thread for each role work on `limiting`, and waits for all.
fn together<const N: usize>(limiting: &Arc<Limiting>, order: Order, mut roles: [Role; N]) {
    if matches!(order, Order::Reversed) {
        roles.reverse();
    }
    let threads = roles.map(|(seat, work)| {
        let limiting = limiting.clone();
        thread::spawn(move || {
            sit(seat);
            work(&limiting);
        })
    });
    for thread in threads {
        thread.join().expect("no thread panics");
    }
}

fn bucket(quota: Quota) -> Config {
    Config::new(quota).algorithm(Algorithm::Gcra)
}

fn window(limit: u32) -> Config {
    Config::new(Quota::new(limit, SECOND)).algorithm(Algorithm::SlidingWindow { buckets: 8 })
}

#[test]
fn a_bucket_gives_each_cell_once() {
    explore_orders("bucket: take, take, give back", 100, |order| {
        let limiting = Limiting::new(bucket(Quota::per_second(3)));
        let mine = limiting.limiter.check().expect("the first of three");
        together(
            &limiting,
            order,
            [
                on(0, |limiting| limiting.take(2)),
                on(1, |limiting| limiting.take(2)),
                on(1, move |limiting| limiting.limiter.refund(mine)),
            ],
        );
        // Two of two, or three of three; what is left is there.
        assert_eq!(limiting.admitted(), 2);
        assert_eq!(limiting.limiter.take_up_to(3).cells(), 1);
    });
}

#[test]
fn a_bucket_gives_turns_in_order_and_takes_them_back() {
    explore_orders("bucket: reserve, reserve, cancel", 20, |order| {
        let limiting = Limiting::new(bucket(Quota::per_second(1)));
        limiting.limiter.check().expect("the only one");
        let reserve = |limiting: &Limiting| {
            let turn = limiting.limiter.reserve(1, 10 * SECOND).expect("in turn");
            assert!([SECOND, 2 * SECOND].contains(&turn.wait()));
            limiting.admitted.fetch_add(u32::try_from(turn.wait().as_secs()).expect("small"), Ordering::Relaxed);
            drop(turn.keep());
        };
        together(&limiting, order, [on(0, reserve), on(1, reserve)]);
        assert_eq!(limiting.admitted(), 3, "one has the first turn, the other the second");
        let third = limiting.limiter.reserve(1, 10 * SECOND).expect("in turn");
        assert_eq!(third.wait(), 3 * SECOND);
    });
}

/// Both cells, of which one has been taken: the next turn is in so many seconds.
fn lined_up() -> [(&'static str, fn() -> Config, Duration); 2] {
    [("bucket", || bucket(Quota::per_second(1)), SECOND), ("window", || window(1), 9 * BUCKET)]
}

/// Those who give up while others line up leave the place in time that nobody stands behind: never one that was promised.
#[test]
fn whoever_gives_up_leaves_no_more_than_nobody_holds() {
    for (name, config, wait) in lined_up() {
        explore_orders(&format!("{name}: give up, give up, reserve"), 20, move |order| {
            let limiting = Limiting::new(config());
            limiting.limiter.check().expect("the only one");
            let (first, second) = {
                let reserve = || limiting.limiter.reserve(1, 100 * SECOND).expect("in turn").keep();
                (reserve(), reserve())
            };
            together(
                &limiting,
                order,
                [
                    on(0, move |limiting| limiting.limiter.refund(first)),
                    on(1, move |limiting| limiting.limiter.refund(second)),
                    on(1, move |limiting| {
                        let turn = limiting.limiter.reserve(1, 100 * SECOND).expect("in turn").keep();
                        limiting
                            .admitted
                            .fetch_add(u32::try_from(turn.wait().as_millis()).expect("small"), Ordering::Relaxed);
                    }),
                ],
            );
            let kept = Duration::from_millis(limiting.admitted().into());
            assert!(kept >= wait && kept <= 3 * wait, "{kept:?}");
            let next = limiting.limiter.reserve(1, 100 * SECOND).expect("in turn").keep();
            assert_eq!(next.wait(), kept + wait, "it stands behind the only one who stayed");
        });
    }
}

/// A turn is given up when its time has come by one clock and not by the other: what others take at once meanwhile stays taken.
#[test]
fn whoever_gives_up_late_takes_nothing_from_those_who_passed() {
    for (name, config, wait) in lined_up() {
        explore_orders(&format!("{name}: give up, time passes, take"), 20, move |order| {
            let limiting = Limiting::new(config());
            limiting.limiter.check().expect("the only one");
            let turn = limiting.limiter.reserve(1, 100 * SECOND).expect("in turn").keep();
            together(
                &limiting,
                order,
                [
                    on(0, move |limiting| limiting.limiter.refund(turn)),
                    on(1, move |limiting| {
                        limiting.time.advance(2 * wait);
                        limiting.take(1);
                    }),
                ],
            );
            assert_eq!(limiting.admitted(), 1, "two intervals have passed since the first, and one turn at most");
            assert_eq!(limiting.limiter.take_up_to(1).cells(), 0);
            limiting.limiter.check().expect_err("it was taken at this moment");
        });
    }
}

/// Whoever decides while the quota is replaced decides by the old one or the new one, in whole, and pays by it: by the interval of
/// the one and the burst of the other three cells would pass.
#[test]
fn a_bucket_decides_by_one_quota() {
    explore_orders("bucket: take, reconfigure", 50, |order| {
        // Two cells at once, a second each; then four, half a second each.
        let limiting = Limiting::new(bucket(Quota::per_second(1).burst(2)));
        together(
            &limiting,
            order,
            [
                on(0, |limiting| limiting.take(2)),
                on(1, |limiting| {
                    let next = bucket(Quota::per_second(2).burst(4)).carry(Carry::AsIs);
                    limiting.limiter.reconfigure(next).expect("valid");
                }),
            ],
        );
        assert_eq!(limiting.admitted(), 2);
        // Two seconds are owed, or one: nothing is left of the two that the new quota has, or two cells are.
        let left = limiting.limiter.take_up_to(4).cells();
        assert!([0, 2].contains(&left), "{left} left");
    });
}

#[test]
fn a_quota_that_is_replaced_is_read_in_whole() {
    explore_orders("bucket: read, reconfigure", 10, |order| {
        let limiting = Limiting::new(bucket(Quota::per_second(1).burst(2)));
        together(
            &limiting,
            order,
            [
                on(0, |limiting| {
                    let quota = limiting.limiter.quota();
                    let (old, new) = (Quota::per_second(1).burst(2), Quota::new(4, 2 * SECOND).burst(4));
                    assert!(quota == old || quota == new, "{quota}: of both");
                }),
                on(1, |limiting| {
                    let next = bucket(Quota::new(4, 2 * SECOND).burst(4));
                    limiting.limiter.reconfigure(next).expect("valid");
                }),
            ],
        );
    });
}

#[test]
fn a_bucket_takes_nothing_back_under_another_quota() {
    explore_orders("bucket: give back, reconfigure, take", 50, |order| {
        let limiting = Limiting::new(bucket(Quota::per_second(2)));
        let mine = limiting.limiter.check_n(2).expect("both");
        together(
            &limiting,
            order,
            [
                on(0, move |limiting| limiting.limiter.refund(mine)),
                on(1, |limiting| {
                    let next = bucket(Quota::per_second(2)).carry(Carry::Reset);
                    limiting.limiter.reconfigure(next).expect("valid");
                    limiting.take(2);
                }),
            ],
        );
        // Whether it was given back before or came too late, nothing is left beside what was taken.
        assert_eq!((limiting.admitted(), limiting.limiter.take_up_to(2).cells()), (2, 0));
    });
}

#[test]
fn a_bucket_that_is_reset_takes_nothing_back_of_before() {
    explore_orders("bucket: take and give back, reset and take", 50, |order| {
        let limiting = Limiting::new(bucket(Quota::per_second(2)));
        together(
            &limiting,
            order,
            [
                on(0, |limiting| {
                    if let Ok(grant) = limiting.limiter.check() {
                        limiting.limiter.refund(grant);
                    }
                }),
                on(1, |limiting| {
                    limiting.limiter.reset();
                    limiting.take(1);
                }),
            ],
        );
        let left = limiting.limiter.take_up_to(2).cells();
        assert!(limiting.admitted() + left <= 2, "{left} left after {}", limiting.admitted());
    });
}

/// The clock has stepped back by far: whoever asks first brings the state back, once.
#[test]
fn a_bucket_is_brought_back_once() {
    explore_orders("bucket: heal, take", 50, |order| {
        let limiting = Limiting::new(bucket(Quota::per_second(2)));
        limiting.limiter.check_n(2).expect("both");
        limiting.time.step_back(50 * SECOND);
        together(&limiting, order, [on(0, |limiting| limiting.take(1)), on(1, |limiting| limiting.take(1))]);
        assert_eq!(limiting.admitted(), 0, "it is full as of now");
        limiting.time.advance(SECOND / 2);
        together(&limiting, order, [on(0, |limiting| limiting.take(1)), on(1, |limiting| limiting.take(1))]);
        assert_eq!(limiting.admitted(), 1, "half a second later one has come back");
    });
}

#[test]
fn a_window_gives_each_cell_once() {
    explore_orders("window: take, give back and take", 100, |order| {
        let limiting = Limiting::new(window(3));
        let mine = limiting.limiter.check().expect("the first of three");
        together(
            &limiting,
            order,
            [
                on(0, |limiting| limiting.take(2)),
                on(1, move |limiting| {
                    limiting.limiter.refund(mine);
                    limiting.take(2);
                }),
            ],
        );
        assert_eq!((limiting.admitted(), limiting.limiter.take_up_to(3).cells()), (2, 1));
    });
}

/// One thread finds a new bucket while another adds to the old one; what was taken at the end of the old is counted as long as it
/// must be, and given back to where it is.
#[test]
fn a_window_loses_no_cell_where_a_bucket_begins() {
    explore_orders("window: take, next bucket", 50, |order| {
        let limiting = Limiting::new(window(2));
        limiting.take(0);
        together(
            &limiting,
            order,
            [
                on(0, |limiting| limiting.take(1)),
                on(1, |limiting| {
                    limiting.time.advance(BUCKET);
                    limiting.take(1);
                }),
            ],
        );
        assert_eq!(limiting.admitted(), 2);
        assert_eq!(limiting.limiter.take_up_to(2).cells(), 0, "both count");
        // A period after the first bucket, whichever had it.
        limiting.time.advance(7 * BUCKET);
        assert_eq!(limiting.limiter.take_up_to(2).cells(), 0, "both still count");
    });
}

#[test]
fn a_receipt_names_the_bucket_that_has_the_cell() {
    explore_orders("window: take, next bucket, give back", 50, |order| {
        let limiting = Limiting::new(window(4));
        limiting.limiter.check().expect("it opens the bucket");
        let receipt = Arc::new(std::sync::Mutex::new(None));
        let kept = receipt.clone();
        together(
            &limiting,
            order,
            [
                on(0, move |limiting| {
                    *kept.lock().expect("not poisoned") = limiting.limiter.check().ok();
                }),
                on(1, |limiting| {
                    limiting.time.advance(BUCKET);
                    limiting.take(2);
                }),
            ],
        );
        assert_eq!(limiting.admitted(), 2);
        let receipt = receipt.lock().expect("not poisoned").take().expect("one of four");
        limiting.limiter.refund(receipt);
        assert_eq!(limiting.limiter.peek().remaining(), 1);
        // When the first bucket has gone, its cells have; the two of the second count on.
        limiting.time.advance(8 * BUCKET);
        assert_eq!(limiting.limiter.peek().remaining(), 2);
    });
}

/// A full window refuses without the lock. Whoever is told to come back is told when that was so: never while there is room.
#[test]
fn a_full_window_refuses_by_what_belongs_together() {
    explore_orders("window: refuse, give back", 20, |order| {
        let limiting = Limiting::new(window(1));
        let mine = limiting.limiter.check().expect("the only one");
        let wait = limiting.limiter.check().expect_err("full").retry_after().expect("later");
        together(
            &limiting,
            order,
            [
                on(0, move |limiting| {
                    if let Err(throttled) = limiting.limiter.check() {
                        assert_eq!((throttled.retry_after(), throttled.remaining()), (Some(wait), 0));
                        assert_eq!(throttled.quota(), Quota::new(1, SECOND));
                    } else {
                        limiting.admitted.fetch_add(1, Ordering::Relaxed);
                    }
                }),
                on(1, move |limiting| {
                    limiting.limiter.refund(mine);
                    limiting.take(1);
                }),
            ],
        );
        assert_eq!(limiting.admitted(), 1, "who gave back, or who came between, has it");
    });
}

/// The same while the window is replaced: the wait, the quota and the reset that are told are of one window.
#[test]
fn what_a_full_window_tells_is_of_one_window() {
    explore_orders("window: refuse, look, reconfigure", 20, |order| {
        let limiting = Limiting::new(window(1));
        limiting.limiter.check().expect("the only one");
        let told = limiting.limiter.check().expect_err("full");
        let (wait, reset) = (told.retry_after(), told.reset_after());
        let minute = Quota::new(1, 60 * SECOND);
        together(
            &limiting,
            order,
            [
                on(0, move |limiting| {
                    let throttled = limiting.limiter.check().expect_err("full under both");
                    let old = throttled.quota() == Quota::new(1, SECOND);
                    assert!(old || throttled.quota() == minute, "{throttled}");
                    assert_eq!(old, throttled.retry_after() == wait, "{throttled}");
                    assert_eq!(old, throttled.reset_after() == reset, "{throttled}");
                }),
                on(1, move |limiting| {
                    limiting.limiter.reconfigure(Config::new(minute)).expect("valid");
                }),
            ],
        );
    });
}

#[test]
fn a_look_sees_what_belongs_together() {
    explore_orders("window: look, take, next bucket", 20, |order| {
        let limiting = Limiting::new(window(2));
        limiting.limiter.check().expect("the first of two");
        together(
            &limiting,
            order,
            [
                on(0, |limiting| {
                    let seen = limiting.limiter.snapshot();
                    // One is left, or none after the other call: never more, and what counts counts for a period at least.
                    assert!(seen.remaining <= 1, "{seen:?}");
                    assert!(seen.reset_after >= 8 * BUCKET, "{seen:?}");
                    assert!(seen.reset_after <= 10 * BUCKET, "{seen:?}");
                }),
                on(1, |limiting| {
                    limiting.time.advance(BUCKET);
                    limiting.take(1);
                }),
            ],
        );
        assert_eq!(limiting.admitted(), 1);
    });
}
