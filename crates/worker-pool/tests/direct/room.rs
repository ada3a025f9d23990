use std::time::Duration;

use seawall_worker_pool::{
    Backoff, Config, FullPolicy, GrowthPolicy, JobOptions, Pool, Priority, Reason, Retry, repeat,
};

use crate::desk::{Desk, Gate, Waits, assert_all_accounted};

const SECOND: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(3_600);

fn at(priority: Priority) -> JobOptions {
    JobOptions::new().priority(priority)
}

/// A submission that a test polls.
fn submit(pool: &Pool, options: JobOptions) -> Waits<Result<(), Reason>> {
    let pool = pool.clone();
    Waits::new(async move {
        let submitted = pool.with(options).execute_within(LONG, async {}).await;
        submitted.map_err(|refused| refused.reason())
    })
}

#[test]
fn room_in_a_lane_is_granted_as_soon_as_a_job_of_it_starts() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=1).queue(10).depth_limit(Priority::High, 1));
    let (first, second) = (Gate::default(), Gate::default());
    pool.try_execute(first.pass()).expect("room");
    desk.run();
    pool.with(at(Priority::High)).try_execute(second.pass()).expect("room in the lane");
    let mut waiting = submit(&pool, at(Priority::High));
    assert_eq!(waiting.poll(), None, "the lane is full");
    first.open();
    desk.run();
    assert_eq!((pool.running(), pool.queued()), (1, 0));
    assert_eq!(waiting.poll_if_woken(), Some(Ok(())), "the lane is empty now");
}

#[test]
fn a_priority_that_has_room_is_not_refused_because_another_has_none() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=1).queue(10).depth_limit(Priority::High, 1));
    let gate = Gate::default();
    pool.try_execute(gate.pass()).expect("room");
    desk.run();
    pool.with(at(Priority::High)).try_execute(async {}).expect("room in the lane");
    let mut waiting = submit(&pool, at(Priority::High));
    assert_eq!(waiting.poll(), None);
    pool.try_execute(async {}).expect("nine of ten places are free, and nobody waits for them");
    let refused = pool.with(at(Priority::High)).try_execute(async {}).expect_err("the lane is full");
    assert_eq!(refused.reason(), Reason::DepthLimit);
}

#[test]
fn room_that_comes_too_late_for_one_goes_to_the_next() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=1).queue(0));
    let gate = Gate::default();
    pool.try_execute(gate.pass()).expect("a worker is free");
    desk.run();
    let mut late = submit(&pool, JobOptions::new().expires_in(SECOND));
    let mut next = submit(&pool, JobOptions::new());
    assert_eq!((late.poll(), next.poll()), (None, None));
    gate.open();
    desk.run();
    assert!(late.is_woken() && !next.is_woken(), "the first has been granted the room");
    desk.time.advance(2 * SECOND);
    assert_eq!(late.poll(), Some(Err(Reason::Expired)));
    assert_eq!(next.poll_if_woken(), Some(Ok(())), "the room is free");
}

#[test]
fn room_that_was_granted_to_one_who_went_away_goes_to_the_next() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=1).queue(0));
    let gate = Gate::default();
    pool.try_execute(gate.pass()).expect("a worker is free");
    desk.run();
    let mut gone = submit(&pool, JobOptions::new());
    let mut next = submit(&pool, JobOptions::new());
    assert_eq!((gone.poll(), next.poll()), (None, None));
    gate.open();
    desk.run();
    assert!(gone.is_woken());
    drop(gone);
    assert_eq!(next.poll_if_woken(), Some(Ok(())));
    desk.run();
    assert_eq!(assert_all_accounted(&pool).completed, 2);
}

#[test]
fn room_is_granted_when_jobs_are_given_up() {
    let desk = Desk::new();
    desk.take_only(1);
    let pool: Pool = desk.pool(Config::new(1..=1).queue(2));
    pool.try_execute(std::future::pending::<()>()).expect("room");
    desk.run();
    for _ in 0..2 {
        pool.try_execute(async {}).expect("room");
    }
    let mut waiting = [submit(&pool, JobOptions::new()), submit(&pool, JobOptions::new())];
    assert!(waiting.iter_mut().all(|waits| waits.poll().is_none()));
    desk.lose(0);
    assert_eq!(pool.queued(), 0, "nobody is left to run them");
    for waits in &mut waiting {
        let told = waits.poll_if_woken();
        assert_eq!(told, Some(Err(Reason::NoWorker)), "the queue is empty: nobody waits for room in it");
    }
    assert_all_accounted(&pool);
}

#[test]
fn all_room_of_a_longer_queue_is_granted() {
    let desk = Desk::new();
    let config = Config::new(1..=1).queue(0);
    let pool: Pool = desk.pool(config.clone());
    pool.try_execute(std::future::pending::<()>()).expect("a worker is free");
    desk.run();
    let mut waiting: Vec<_> = (0..5).map(|_| submit(&pool, JobOptions::new())).collect();
    assert!(waiting.iter_mut().all(|waits| waits.poll().is_none()));
    pool.reconfigure(config.queue(4)).expect("valid");
    let served = waiting.iter_mut().filter_map(Waits::poll_if_woken).flatten().count();
    assert_eq!((served, pool.queued()), (4, 4));
}

#[test]
fn those_who_wait_for_room_are_told_when_the_pool_closes() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=1).queue(0));
    let gate = Gate::default();
    pool.try_execute(gate.pass()).expect("a worker is free");
    desk.run();
    let mut granted = submit(&pool, JobOptions::new());
    let mut waiting = submit(&pool, JobOptions::new());
    assert_eq!((granted.poll(), waiting.poll()), (None, None));
    gate.open();
    desk.run();
    pool.close();
    assert_eq!(
        granted.poll_if_woken(),
        Some(Err(Reason::Stopped)),
        "room was granted and the pool closed before it was used"
    );
    assert_eq!(waiting.poll_if_woken(), Some(Err(Reason::Stopped)));
    desk.run();
    assert_eq!((pool.workers(), desk.live_tasks()), (0, 0));
}

#[test]
fn a_pool_that_was_scaled_up_by_hand_shrinks_when_the_policy_takes_over_again() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(1..=4).keep_alive(SECOND));
    pool.scale_to(4).expect("within");
    desk.pass(10 * SECOND);
    assert_eq!(pool.workers(), 4, "by hand");
    pool.scale_by_policy();
    desk.pass(10 * SECOND);
    assert_eq!(pool.workers(), 1, "they have waited for longer than the keep-alive");
}

#[test]
fn jobs_that_become_due_together_make_the_pool_grow_as_if_they_were_submitted() {
    let desk = Desk::new();
    let retry = Retry::new(2).backoff(Backoff::fixed(SECOND));
    let pool: Pool = desk.pool(Config::new(1..=4).growth(GrowthPolicy::QueueDepth).retry(retry).keep_alive(LONG));
    let gate = Gate::default();
    for _ in 0..4 {
        let gate = gate.clone();
        let job = repeat(move |attempt| {
            let pass = gate.pass();
            async move {
                if attempt.number() == 1 {
                    return Err("not yet");
                }
                pass.await;
                Ok(())
            }
        });
        pool.try_execute(job).expect("room");
    }
    pool.scale_to(1).expect("within");
    desk.run();
    pool.scale_by_policy();
    assert_eq!((pool.snapshot().delayed, pool.workers()), (4, 1));
    desk.pass(2 * SECOND);
    assert_eq!((pool.running(), pool.queued()), (4, 0), "no job waits while there could be a worker for it");
}

#[test]
fn a_pool_that_was_scaled_to_nothing_works_off_what_it_has_when_it_closes() {
    let desk = Desk::new();
    let pool: Pool = desk.pool(Config::new(0..=2));
    pool.scale_to(0).expect("within");
    let job = pool.try_submit(async {}).expect("room");
    desk.run();
    assert!(!job.is_finished(), "there is nobody");
    drop(pool);
    desk.run();
    assert!(job.is_finished(), "the last handle is gone: what was taken is worked off");
    assert_eq!(desk.live_tasks(), 0);
}

#[test]
fn a_refused_submission_leaves_a_pool_that_drops_as_it_was() {
    for (policy, reason) in [(FullPolicy::DropLowest, Reason::Full), (FullPolicy::DropOldest, Reason::Full)] {
        let desk = Desk::new();
        let pool: Pool = desk.pool(Config::new(1..=1).queue(1).full(policy));
        pool.try_execute(std::future::pending::<()>()).expect("room");
        desk.run();
        let kept = pool.with(at(Priority::High)).try_submit(async {}).expect("room");
        let refused =
            pool.with(at(Priority::Low)).try_execute(async {}).expect_err("none of its priority or a lower one");
        assert_eq!((refused.reason(), kept.is_finished()), (reason, false), "{policy:?}");
        assert_eq!(assert_all_accounted(&pool).dropped, 0);
    }
}
