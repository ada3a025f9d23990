use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use seawall_core::sync::atomic::Ordering;
use seawall_core::time::{Sleep, Timestamp};

use crate::engine::Engine;
use crate::state::{Calls, Phase};
use crate::unit::Unit;

/// Starts the task that does what time brings: jobs that are due again, workers that have waited for too long, a queue that
/// stands. A pool to which time brings nothing has none.
pub(crate) fn start<U: Unit>(engine: &Arc<Engine<U>>) {
    engine.is_kept.store(true, Ordering::Release);
    let presence = Presence { engine: engine.clone(), has_begun: false };
    // Refused by the spawner, it is dropped, and the next who needs one asks again. Workers look after what is due as well.
    let _taken = engine.spawner.spawn(Box::pin(keep(presence)));
}

/// The keeper, as long as it lives.
struct Presence<U: Unit> {
    engine: Arc<Engine<U>>,
    has_begun: bool,
}

impl<U: Unit> Drop for Presence<U> {
    fn drop(&mut self) {
        let (waker, is_missed) = {
            let mut state = self.engine.state.lock();
            state.keeper.exists = false;
            self.engine.is_kept.store(false, Ordering::Release);
            (state.keeper.waker.take(), state.is_kept_for())
        };
        drop(waker);
        // It was ended from outside. One that does not even begin is not replaced: its runtime takes no more tasks.
        if self.has_begun && is_missed {
            self.engine.wake_keeper();
        }
        // Workers whose attempts it watched look at the time themselves, and so do those who wait for room.
        if !self.engine.is_kept() {
            let (unwatched, waiting) = {
                let mut state = self.engine.state.lock();
                (state.unwatched(), state.call_waiting())
            };
            waiting.into_iter().for_each(std::task::Waker::wake);
            for seat in unwatched {
                seat.wake();
            }
        }
    }
}

async fn keep<U: Unit>(mut presence: Presence<U>) {
    presence.has_begun = true;
    let engine = &presence.engine;
    let mut timer = pin!(None::<Sleep>);
    let mut set_for = Timestamp::NEVER;
    poll_fn(|cx| {
        let mut may_grow = true;
        loop {
            let Look { next, is_over, has_acted } = look(engine, &mut may_grow, cx);
            if is_over {
                return Poll::Ready(());
            }
            if has_acted {
                continue;
            }
            if set_for != next {
                timer.set((next != Timestamp::NEVER).then(|| engine.clock.sleep_until(next)));
                set_for = next;
            }
            let Some(sleep) = timer.as_mut().as_pin_mut() else { return Poll::Pending };
            ready!(sleep.poll(cx));
            timer.set(None);
            set_for = Timestamp::NEVER;
        }
    })
    .await;
}

struct Look {
    next: Timestamp,
    is_over: bool,
    has_acted: bool,
}

fn look<U: Unit>(engine: &Arc<Engine<U>>, may_grow: &mut bool, cx: &Context<'_>) -> Look {
    let waker = cx.waker().clone();
    let now = engine.now();
    let mut calls = Calls::default();
    let (next, is_over, old) = {
        let mut state = engine.state.lock();
        let next = state.keep(now, *may_grow, &mut calls);
        let is_over = state.phase() != Phase::Open && state.is_quiet();
        state.keeper.exists = !is_over;
        state.keeper.until = next;
        (next, is_over, state.keeper.waker.replace(waker))
    };
    drop(old);
    *may_grow &= calls.start.is_none();
    let has_acted =
        calls.start.is_some() || calls.worker.is_some() || calls.submitter.is_some() || calls.late.is_some();
    engine.go(calls);
    Look { next, is_over, has_acted }
}
