use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_timer::Delay;
use parking_lot::Mutex;
use pin_project::pin_project;

use super::manual::{Manual, ManualSleep};
use super::{BoxFuture, Clock, Timestamp};

/// A wait made by [`Clock::sleep_until`]. Boxed only for a custom clock.
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct Sleep {
    #[pin]
    kind: Kind,
}

#[pin_project(project = Project)]
enum Kind {
    System {
        clock: Clock,
        at: Timestamp,
        delay: Option<Delay>,
    },
    #[cfg(feature = "tokio")]
    Tokio(#[pin] tokio::time::Sleep),
    Manual(ManualSleep),
    /// Behind a lock that is never taken, so that a sleep can be shared although the driver's future cannot.
    Custom(Mutex<BoxFuture>),
}

/// The longest single wait that is asked of the timer; longer ones are made of several.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

impl Sleep {
    pub(super) const fn system(clock: Clock, at: Timestamp) -> Self {
        Self { kind: Kind::System { clock, at, delay: None } }
    }

    #[cfg(feature = "tokio")]
    #[expect(clippy::disallowed_methods, reason = "this is the one place that sleeps")]
    pub(super) fn tokio(at: tokio::time::Instant) -> Self {
        Self { kind: Kind::Tokio(tokio::time::sleep_until(at)) }
    }

    pub(super) const fn manual(manual: Arc<Manual>, at: Timestamp) -> Self {
        Self { kind: Kind::Manual(ManualSleep::new(manual, at)) }
    }

    pub(super) const fn custom(sleep: BoxFuture) -> Self {
        Self { kind: Kind::Custom(Mutex::new(sleep)) }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.project().kind.project() {
            Project::System { clock, at, delay } => poll_system(clock, *at, delay, cx),
            #[cfg(feature = "tokio")]
            Project::Tokio(sleep) => sleep.poll(cx),
            Project::Manual(sleep) => sleep.poll(cx),
            Project::Custom(sleep) => sleep.get_mut().as_mut().poll(cx),
        }
    }
}

/// The timer runs on another clock than ours, so its end is checked, and a timer that was early is set again.
fn poll_system(clock: &Clock, at: Timestamp, delay: &mut Option<Delay>, cx: &mut Context<'_>) -> Poll<()> {
    loop {
        let left = at.saturating_duration_since(clock.now());
        if left.is_zero() {
            return Poll::Ready(());
        }
        let timer = delay.get_or_insert_with(|| Delay::new(left.min(LONGEST)));
        match Pin::new(timer).poll(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(()) => *delay = None,
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").finish_non_exhaustive()
    }
}
