//! A policy of one's own, with every front door for free.
//!
//! `cargo run -p seawall-core --example core_quick_start`

use std::time::Duration;

use seawall_core::time::{Clock, Now};
use seawall_core::{Admits, Ask, Claim, Ending, Entry, Kind, Name, Place, Policy, Rejection, Shared, Turn, WaitQueue};
use std::task::{Context, Poll};

/// At most two calls at once; the others wait in line.
struct Desk {
    queue: WaitQueue,
    clock: Clock,
}

static FULL: Kind = Kind::new("desk", "full");
static LATE: Kind = Kind::new("desk", "too_late");

fn refusal(kind: &'static Kind) -> Rejection {
    Rejection::new(kind, Name::from_static("front"))
}

impl Policy for Desk {
    type Token = ();
    type Place = Option<Place>;
    type Refusal = Rejection;
    const WAITS: bool = true;
    const SCARCE: bool = true;

    fn clock(&self) -> Option<&Clock> {
        Some(&self.clock)
    }

    fn settle(&self, (): (), _ending: Ending<'_>, now: &Now<'_>) {
        self.queue.release(now);
    }

    fn leave(&self, place: Option<Place>) {
        if let Some(place) = place {
            self.queue.leave(place, &Now::new(self.clock()));
        }
    }
}

impl<Call: ?Sized> Admits<Call> for Desk {
    fn try_admit(&self, _ask: &Ask<'_, Call>) -> Result<(), Rejection> {
        self.queue.try_take().then_some(()).ok_or_else(|| refusal(&FULL))
    }

    fn enter(&self, ask: &Ask<'_, Call>) -> Result<Entry<(), Option<Place>>, Rejection> {
        match self.queue.enter(Claim::new().until(ask.deadline), ask.now) {
            Turn::Now => Ok(Entry::Admitted(())),
            Turn::Later(place) => Ok(Entry::Queued(Some(place))),
            Turn::Full | Turn::TooLate(_) | Turn::Never => Err(refusal(&FULL)),
        }
    }

    fn poll_place(
        &self,
        ask: &Ask<'_, Call>,
        place: &mut Option<Place>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Rejection>> {
        if place.as_ref().is_some_and(|place| self.queue.poll(place, cx).is_ready()) {
            *place = None;
            return Poll::Ready(Ok(()));
        }
        if ask.deadline.is_some_and(|deadline| ask.now.get() >= deadline) {
            self.leave(place.take());
            return Poll::Ready(Err(refusal(&LATE)));
        }
        Poll::Pending
    }
}

fn main() -> Result<(), Rejection> {
    let desk = Shared::from_policy(Desk { queue: WaitQueue::new(2, 1), clock: Clock::system() });
    let (first, _second) = (desk.try_admit()?, desk.try_admit()?);
    println!("two are served; a third: {}", desk.try_admit().expect_err("both places are taken"));
    println!("a third that waits: {}", desk.admit_blocking(Duration::from_millis(20)).expect_err("nobody leaves"));
    first.success();
    desk.admit_blocking(Duration::from_secs(1))?.success();
    println!("the first has left, so a third was served");
    Ok(())
}
