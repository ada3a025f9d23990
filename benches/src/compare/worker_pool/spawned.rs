//! A task for each job, with a bound on how many there are at once.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use super::course::{Answers, Board, Course, Forgets, Grounds, answer, forget, job};
use crate::harness::Subject;

/// How many tasks there are at once.
const AT_ONCE: usize = 64;

/// A permit is taken before the task is spawned, and held by it.
pub(super) fn semaphore<C: Course>() -> Subject {
    forget::<C, _>(Bounded::<C>::on)
}

/// The same, and the result is the task's own.
pub(super) fn join_handles<C: Course>() -> Subject {
    answer::<C, _>(Bounded::<C>::on)
}

struct Bounded<C> {
    permits: Arc<Semaphore>,
    board: Board,
    course: PhantomData<C>,
}

impl<C> Bounded<C> {
    fn on(grounds: &Grounds<'_>) -> Self {
        Self { permits: Arc::new(Semaphore::new(AT_ONCE)), board: grounds.board, course: PhantomData }
    }
}

impl<C> Clone for Bounded<C> {
    fn clone(&self) -> Self {
        Self { permits: Arc::clone(&self.permits), board: self.board, course: PhantomData }
    }
}

impl<C: Course> Forgets for Bounded<C> {
    async fn send(&mut self, _: u64) {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("it is never closed");
        let board = self.board;
        tokio::spawn(async move {
            job::<C>(board).await;
            drop(permit);
        });
    }
}

impl<C: Course> Answers for Bounded<C> {
    type Answer = Joined;

    async fn ask(&mut self, number: u64) -> Joined {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("it is never closed");
        let board = self.board;
        Joined(tokio::spawn(async move {
            job::<C>(board).await;
            drop(permit);
            number
        }))
    }
}

pub(super) struct Joined(JoinHandle<u64>);

impl Future for Joined {
    type Output = Option<u64>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        Poll::Ready(ready!(Pin::new(&mut self.0).poll(cx)).ok())
    }
}

/// The producer joins a task before it spawns another when there are enough.
pub(super) fn join_set<C: Course>() -> Subject {
    forget::<C, _>(|grounds| Set { tasks: JoinSet::new(), board: grounds.board, course: PhantomData::<C> })
}

struct Set<C> {
    tasks: JoinSet<()>,
    board: Board,
    course: PhantomData<C>,
}

impl<C> Clone for Set<C> {
    fn clone(&self) -> Self {
        Self { tasks: JoinSet::new(), board: self.board, course: PhantomData }
    }
}

impl<C: Course> Forgets for Set<C> {
    async fn send(&mut self, _: u64) {
        if self.tasks.len() >= AT_ONCE {
            self.tasks.join_next().await;
        }
        self.tasks.spawn(job::<C>(self.board));
    }

    async fn finish(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}
