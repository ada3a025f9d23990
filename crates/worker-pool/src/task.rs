use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project::pin_project;
use seawall_core::spawn::Spawner;

use crate::attempts::{Attempts, Blocked, Once, Only, Repeated};
use crate::job::{Attempt, Finish, Job};
use crate::reply::Giver;
use crate::unit::{Answer, Parting, Tried, Typed, Unit, Why};

/// A job of any type, in a box: what a [`Pool`](crate::Pool) runs unless it is told otherwise.
///
/// It is made of a future, of [`repeat`], [`blocking`] or [`repeat_blocking`] when it is submitted.
pub struct Task(Pin<Box<dyn Body>>);

/// What pools run: [`Task`]s, or [`Job`]s of one type.
pub trait Runs: Sized + Send + 'static {
    /// What the workers handle.
    #[doc(hidden)]
    type Unit: Unit + fmt::Debug;
}

impl Runs for Task {
    type Unit = Self;
}

impl<J: Job> Runs for J {
    type Unit = Typed<J>;
}

/// What can be submitted to a pool that runs `R`: for a pool of [`Task`]s any future that [finishes](Finish), and what
/// [`repeat`], [`blocking`] and [`repeat_blocking`] make; for a pool of jobs of one type those jobs.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be submitted to a pool of `{R}`",
    note = "a pool of tasks takes futures, `repeat(…)`, `blocking(…)` and `repeat_blocking(…)`, whose output is `()` or a `Result`"
)]
pub trait Work<R: Runs> {
    /// What it gives.
    type Output: Send + 'static;
    /// Why it fails.
    type Error: Send + 'static;

    #[doc(hidden)]
    fn into_unit(self, giver: Giver<Self::Output, Self::Error>) -> R::Unit;
}

impl<J: Job> Work<J> for J {
    type Output = J::Output;
    type Error = J::Error;

    #[inline]
    fn into_unit(self, giver: Giver<J::Output, J::Error>) -> Typed<J> {
        Typed::new(self, giver)
    }
}

impl<F> Work<Task> for F
where
    F: Future + Send + 'static,
    F::Output: Finish,
{
    type Output = <F::Output as Finish>::Output;
    type Error = <F::Output as Finish>::Error;

    #[inline]
    fn into_unit(self, giver: Giver<Self::Output, Self::Error>) -> Task {
        Task::of(Once(Some(self)), giver)
    }
}

/// A job that can be tried again: each attempt is a future of its own.
///
/// ```
/// use seawall_core::spawn::Spawner;
/// use seawall_worker_pool::{Config, Pool, Retry, repeat};
///
/// # smol::block_on(async {
/// let retry = Retry::new(3).backoff(seawall_core::Backoff::fixed(std::time::Duration::from_millis(1)));
/// let pool = Pool::new(Config::new(1..=2).retry(retry), Spawner::threads())?;
/// let job = repeat(|attempt| async move {
///     if attempt.number() < 3 { Err(std::io::Error::other("not yet")) } else { Ok(attempt.number()) }
/// });
/// assert_eq!(pool.submit(job).await?.await?, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub const fn repeat<M, F>(make: M) -> Repeat<M>
where
    M: FnMut(Attempt) -> F + Send + 'static,
    F: Future + Send + 'static,
    F::Output: Finish,
{
    Repeat(make)
}

/// A job that blocks a thread: it runs on one of the spawner's threads for such work, and its worker takes no other job until
/// it has ended. It is not cut off: it asks [`Attempt::is_stopped`] now and then if it can stop.
///
/// ```
/// use seawall_core::spawn::Spawner;
/// use seawall_worker_pool::{Config, Pool, blocking};
///
/// # smol::block_on(async {
/// let pool = Pool::new(Config::new(1..=2), Spawner::threads())?;
/// let sum = pool.submit(blocking(|_| "12".parse::<u32>())).await?.await?;
/// assert_eq!(sum, 12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub const fn blocking<W, O>(work: W) -> Blocking<W>
where
    W: FnOnce(&Attempt) -> O + Send + 'static,
    O: Finish,
{
    Blocking(work)
}

/// A job that blocks a thread and can be tried again: [`blocking`] and [`repeat`] at once.
pub const fn repeat_blocking<W, O>(work: W) -> RepeatBlocking<W>
where
    W: Fn(&Attempt) -> O + Send + Sync + 'static,
    O: Finish,
{
    RepeatBlocking(work)
}

/// Made by [`repeat`].
pub struct Repeat<M>(M);

/// Made by [`blocking`].
pub struct Blocking<W>(W);

/// Made by [`repeat_blocking`].
pub struct RepeatBlocking<W>(W);

impl<M, F> Work<Task> for Repeat<M>
where
    M: FnMut(Attempt) -> F + Send + 'static,
    F: Future + Send + 'static,
    F::Output: Finish,
{
    type Output = <F::Output as Finish>::Output;
    type Error = <F::Output as Finish>::Error;

    fn into_unit(self, giver: Giver<Self::Output, Self::Error>) -> Task {
        Task::of(Repeated { make: self.0, future: None }, giver)
    }
}

impl<W, O> Work<Task> for Blocking<W>
where
    W: FnOnce(&Attempt) -> O + Send + 'static,
    O: Finish,
{
    type Output = O::Output;
    type Error = O::Error;

    fn into_unit(self, giver: Giver<Self::Output, Self::Error>) -> Task {
        Task::of(Blocked { work: Only(Some(self.0)), running: None }, giver)
    }
}

impl<W, O> Work<Task> for RepeatBlocking<W>
where
    W: Fn(&Attempt) -> O + Send + Sync + 'static,
    O: Finish,
{
    type Output = O::Output;
    type Error = O::Error;

    fn into_unit(self, giver: Giver<Self::Output, Self::Error>) -> Task {
        Task::of(Blocked { work: Arc::new(self.0), running: None }, giver)
    }
}

impl Task {
    fn of<A: Attempts>(attempts: A, giver: GiverOf<A::Output>) -> Self {
        Self(Box::pin(Whole { attempts, answer: Answer::new(giver) }))
    }
}

type GiverOf<O> = Giver<<O as Finish>::Output, <O as Finish>::Error>;

/// A task's work and its answer, whatever their types.
trait Body: Send {
    /// `first` tells that an attempt begins.
    fn poll(
        self: Pin<&mut Self>,
        first: bool,
        attempt: &Attempt,
        spawner: &Spawner,
        cx: &mut Context<'_>,
    ) -> Poll<Tried>;
    /// Drops what is left of an attempt.
    fn halt(self: Pin<&mut Self>);
    fn is_repeatable(&self) -> bool;
    fn is_divisible(&self) -> bool;
    fn complaint(&self) -> String;
    fn conclude(self: Pin<&mut Self>, why: Option<Why>);
    fn parting(self: Pin<&mut Self>, why: Option<Why>) -> Option<Parting>;
}

#[pin_project]
struct Whole<A: Attempts> {
    #[pin]
    attempts: A,
    answer: Answer<<A::Output as Finish>::Output, <A::Output as Finish>::Error>,
}

impl<A: Attempts> Body for Whole<A> {
    fn poll(
        self: Pin<&mut Self>,
        first: bool,
        attempt: &Attempt,
        spawner: &Spawner,
        cx: &mut Context<'_>,
    ) -> Poll<Tried> {
        let this = self.project();
        let output = ready!(this.attempts.poll(first, attempt, spawner, cx));
        Poll::Ready(match output {
            Some(output) => this.answer.keep(output.into_result()),
            None => Tried::Lost,
        })
    }

    fn halt(self: Pin<&mut Self>) {
        self.project().attempts.halt();
    }

    fn is_repeatable(&self) -> bool {
        A::IS_REPEATABLE
    }

    fn is_divisible(&self) -> bool {
        A::IS_DIVISIBLE
    }

    fn complaint(&self) -> String {
        self.answer.complaint()
    }

    fn conclude(self: Pin<&mut Self>, why: Option<Why>) {
        self.project().answer.conclude(why);
    }

    fn parting(self: Pin<&mut Self>, why: Option<Why>) -> Option<Parting> {
        self.project().answer.parting(why)
    }
}

impl Unit for Task {
    fn attempt(&mut self, attempt: &Attempt, spawner: &Spawner) -> impl Future<Output = Tried> + Send {
        let mut going = Going { task: self, first: true };
        std::future::poll_fn(move |cx| {
            let first = std::mem::take(&mut going.first);
            going.task.0.as_mut().poll(first, attempt, spawner, cx)
        })
    }

    fn is_repeatable(&self) -> bool {
        self.0.is_repeatable()
    }

    fn is_divisible(&self) -> bool {
        self.0.is_divisible()
    }

    fn complaint(&self) -> String {
        self.0.complaint()
    }

    fn conclude(&mut self, why: Option<Why>) {
        self.0.as_mut().conclude(why);
    }

    fn parting(&mut self, why: Option<Why>) -> Option<Parting> {
        self.0.as_mut().parting(why)
    }
}

/// An attempt that goes on. Dropped before its end, it leaves nothing of itself behind.
struct Going<'a> {
    task: &'a mut Task,
    first: bool,
}

impl Drop for Going<'_> {
    fn drop(&mut self) {
        self.task.0.as_mut().halt();
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("is_repeatable", &self.0.is_repeatable()).finish_non_exhaustive()
    }
}

macro_rules! opaque {
    ($($name:ident),*) => {$(
        impl<W> fmt::Debug for $name<W> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}

opaque!(Repeat, Blocking, RepeatBlocking);
