//! What has to hold: after each step, whenever nothing can run before time moves, and at the end.

use std::sync::atomic::Ordering;

use seawall_core::Priority;
use seawall_worker_pool::{Pool, Snapshot};

use crate::job::{Admission, Door, Form, Record, Told};
use crate::world::{Ground, History, World};

/// The books of every pool balance, at every moment.
pub(crate) fn books(world: &World) {
    for ground in &world.pools {
        let Some(pool) = ground.pool() else { continue };
        let snapshot = pool.snapshot();
        let ended = snapshot.completed + snapshot.failed + snapshot.cancelled + snapshot.expired + snapshot.dropped;
        let left = (snapshot.queued + snapshot.running) as u64;
        assert_eq!(snapshot.submitted, ended + left, "{snapshot:#?}");
        assert!(snapshot.idle <= snapshot.workers && snapshot.delayed <= snapshot.queued, "{snapshot:#?}");
    }
}

/// Nothing can run before time moves: then nobody waits for what is there.
pub(crate) fn stalled(world: &World) {
    nobody_outstays(world);
    for (at, ground) in world.pools.iter().enumerate() {
        let Some(pool) = ground.pool() else { continue };
        let snapshot = pool.snapshot();
        let ready = snapshot.queued - snapshot.delayed;
        assert!(ready == 0 || snapshot.idle == 0, "{ready} jobs wait while workers are idle: {snapshot:#?}");
        let is_over = (snapshot.queued, snapshot.running) == (0, 0);
        assert!(!is_over || ground.drains.load(Ordering::Relaxed) == 0, "a drain waits for nothing: {snapshot:#?}");
        let waiting = waiting(world, at);
        // One who runs a pool's job to its end may wait for room or for the result: it cannot be seen which.
        let running =
            world.submitters.lock().iter().any(|(_, record)| record.pool == at && record.plan.door == Door::Run);
        assert!(running || waiting.len() == snapshot.submitters, "{} wait: {snapshot:#?}", waiting.len());
        room_is_given(world, at, &snapshot, &waiting);
        if !snapshot.is_open {
            assert!(snapshot.submitters == 0, "it takes no more jobs: {snapshot:#?}");
        }
    }
}

/// What is to end is dropped at its next await.
fn nobody_outstays(world: &World) {
    for record in world.jobs.lock().iter() {
        let seen = record.seen();
        let divisible = matches!(record.plan.form, Form::Future | Form::Repeat);
        if seen.running > 0 && divisible {
            assert_eq!(seen.cancelled, None, "job {} runs on though it was cancelled", record.id);
            assert!(
                seen.until.is_none_or(|until| world.now() < until),
                "job {} runs on though its time is up",
                record.id
            );
        }
    }
}

/// The priorities of those who wait for room, or have been granted it and have not come for it.
pub(crate) fn waiting(world: &World, pool: usize) -> Vec<Priority> {
    let submitters = world.submitters.lock();
    let waiting = submitters.iter().filter(|(_, record)| {
        let seen = record.seen();
        let waits = seen.admission == Admission::Unknown && seen.started == 0 && record.plan.door != Door::Run;
        record.pool == pool && waits && !is_running_here(record)
    });
    waiting.map(|(_, record)| record.plan.priority).collect()
}

/// A blocking job of a submitter that runs it itself has not started while it waits for its thread.
fn is_running_here(record: &Record) -> bool {
    matches!(record.plan.form, Form::Blocking | Form::RepeatBlocking) && record.seen().running > 0
}

fn room_is_given(world: &World, pool: usize, snapshot: &Snapshot, waiting: &[Priority]) {
    let ready = snapshot.queued - snapshot.delayed;
    if ready >= snapshot.queue + snapshot.idle {
        return;
    }
    let limits = world.pools[pool].setting.lock().limits;
    for priority in waiting {
        let Some(most) = limits[*priority as usize] else {
            panic!("there is room, and somebody of priority {priority:?} waits for it: {snapshot:#?}")
        };
        // Some of these may wait for their next attempt, or be kept as dead letters: the lane is not longer than this.
        let jobs = world.jobs.lock();
        let at_most = jobs.iter().filter(|record| {
            let seen = record.seen();
            let is_here = record.pool == pool && record.plan.priority == *priority;
            // Handed on, a job may be here as well.
            let is_here = is_here || seen.moved && *priority == Priority::Normal;
            let may_be_taken = seen.admission != Admission::Unknown || record.plan.door == Door::Run;
            is_here && may_be_taken && seen.alive > 0 && seen.running == 0
        });
        let lane = at_most.count();
        assert!(lane >= most, "the lane has room, and somebody of priority {priority:?} waits for it: {snapshot:#?}");
    }
}

/// Everything has ended that ends by itself; the pool is open and has nothing to do.
pub(crate) fn at_rest(ground: &Ground, pool: &Pool) {
    let snapshot = pool.snapshot();
    assert_eq!((snapshot.queued, snapshot.running, snapshot.submitters), (0, 0, 0), "{snapshot:#?}");
    if snapshot.is_open {
        let fewest = ground.setting.lock().workers.0;
        assert_eq!(snapshot.workers, snapshot.scaled_to.unwrap_or(fewest), "{snapshot:#?}");
    } else {
        assert_eq!(snapshot.workers, 0, "{snapshot:#?}");
    }
    assert_eq!(snapshot.idle, snapshot.workers, "{snapshot:#?}");
}

/// What became of a job fits what was told of it.
pub(crate) fn job(world: &World, record: &Record) {
    let seen = record.seen();
    let history = world.pools[record.pool].history.lock().clone();
    // Another pool may have gone on with it.
    let other = world.pools[1 - record.pool].history.lock().clone();
    let ever = |of: fn(&History) -> bool| of(&history) || seen.moved && of(&other);
    let (drops, times_out) = (ever(|it| it.drops), ever(|it| it.times_out));
    let (expires, stopped) = (ever(|it| it.expires), ever(|it| it.stopped));
    let faults = world.executor.played() > 0;
    let what = || format!("job {}: {seen:#?}\n{:#?}\n{history:?}", record.id, record.plan);
    assert_eq!(seen.wrong, None, "{}", what());
    assert_eq!((seen.alive, seen.running), (0, 0), "something of it is left: {}", what());
    assert!(seen.succeeded <= 1, "{}", what());
    let once = matches!(record.plan.form, Form::Future | Form::Blocking);
    let most = if once { 1 } else { record.plan.attempts.unwrap_or(history.attempts).max(history.attempts) };
    // Another pool may begin anew.
    let pools = if seen.moved { 2 } else { 1 };
    assert!(seen.started <= most * pools || seen.moved, "too many attempts: {}", what());
    assert!(seen.panicked + seen.failed + seen.cut + seen.succeeded >= seen.started, "{}", what());
    match seen.admission {
        Admission::Unknown => panic!("nobody knows whether it was taken: {}", what()),
        Admission::Refused(_) => assert_eq!(seen.started, 0, "{}", what()),
        Admission::Taken | Admission::Abandoned => {}
    }
    let Some(told) = seen.told else { return };
    let unharmed = seen.succeeded == 0;
    let fits = match told {
        Told::Completed => seen.succeeded == 1,
        Told::Failed => unharmed && seen.failed > 0,
        Told::Panicked => unharmed && seen.panicked > 0,
        Told::TimedOut => unharmed && (times_out || has_timeout(record)),
        Told::Cancelled => unharmed && (seen.cancelled.is_some() || stopped),
        Told::Expired => unharmed && (expires || has_deadline(record)),
        Told::Dropped => {
            unharmed && (seen.moved || drops && (seen.started == 0 || seen.failed + seen.panicked + seen.cut > 0))
        }
        // Its blocking work may have gone on.
        Told::Lost => faults,
    };
    assert!(fits, "told {told:?}: {}", what());
    if seen.cancelled == Some(0) && !matches!(record.plan.form, Form::Blocking | Form::RepeatBlocking) {
        assert!(told == Told::Cancelled, "{}", what());
    }
}

fn has_timeout(record: &Record) -> bool {
    let now = seawall_core::time::Timestamp::ZERO;
    record.plan.options.effective_deadline(now).is_some()
}

fn has_deadline(record: &Record) -> bool {
    has_timeout(record)
}

/// The books of a pool against what was seen of its jobs. Nothing runs any more.
pub(crate) fn sums(world: &World, at: usize, snapshot: &Snapshot) {
    let jobs = world.jobs.lock();
    let ground = &world.pools[at];
    let history = ground.history.lock();
    let faults = world.executor.played() > 0;
    let of = |told: Told| {
        let fits = |record: &&std::sync::Arc<Record>| {
            let seen = record.seen();
            record.pool == at && !seen.moved && seen.told == Some(told)
        };
        jobs.iter().filter(fits).count() as u64
    };
    let known = [
        ("completed", of(Told::Completed), snapshot.completed),
        ("failed", of(Told::Failed) + of(Told::Panicked) + of(Told::TimedOut) + of(Told::Lost), snapshot.failed),
        ("panicked", of(Told::Panicked), snapshot.panicked),
        ("cancelled", of(Told::Cancelled), snapshot.cancelled),
        ("expired", of(Told::Expired), snapshot.expired),
        ("dropped", of(Told::Dropped) + history.returned, snapshot.dropped),
    ];
    for (what, told, counted) in known {
        assert!(told <= counted, "{told} were told that they {what}: {snapshot:#?}");
    }
    if !history.drops {
        assert_eq!(snapshot.dropped, history.returned, "{snapshot:#?}");
    }
    let taken =
        jobs.iter().filter(|record| record.pool == at && record.seen().admission == Admission::Taken).count() as u64;
    // Those whose submitter left while it ran them, or waited for their result.
    let left = jobs.iter().filter(|record| record.pool == at && record.seen().admission == Admission::Abandoned).count()
        as u64;
    let taken = taken + history.resubmitted;
    assert!((taken..=taken + left).contains(&snapshot.submitted), "{taken} and {left}: {snapshot:#?}");
    let refused =
        jobs.iter().filter(|record| record.pool == at && matches!(record.seen().admission, Admission::Refused(_)));
    let refused = refused.count() as u64;
    assert!(snapshot.refused.total() >= refused, "{refused}: {snapshot:#?}");
    // Jobs that never moved and came from nowhere else: what succeeded was counted, once.
    let moved = jobs.iter().any(|record| record.seen().moved);
    if !faults && !moved {
        let abandoned = |record: &Record| record.seen().admission == Admission::Abandoned;
        let succeeded = jobs.iter().filter(|record| record.pool == at && record.seen().succeeded > 0);
        let (sure, unsure): (Vec<_>, Vec<_>) = succeeded.partition(|record| !abandoned(record));
        let (sure, unsure) = (sure.len() as u64, unsure.len() as u64);
        assert!((sure..=sure + unsure).contains(&snapshot.completed), "{sure} and {unsure}: {snapshot:#?}");
    }
}
