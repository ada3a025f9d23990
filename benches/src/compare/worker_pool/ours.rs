//! The pool.

use std::convert::Infallible;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use seawall_core::spawn::Spawner;
use seawall_worker_pool::{Attempt, Config, Job, JobHandle, JobOptions, Pool, Priority, Runs};

use super::course::{Answers, BOUND, Board, Course, Forgets, Grounds, WORKERS, answer, forget, job};
use crate::harness::Subject;

const MINUTE: Duration = Duration::from_mins(1);

fn pool<R: Runs>(grounds: &Grounds<'_>) -> Pool<R> {
    let config = Config::new(WORKERS..=WORKERS).queue(BOUND).max_wait(MINUTE);
    Pool::of(config, Spawner::on_tokio(grounds.runtime.clone())).expect("the settings are valid")
}

/// Four priorities in turn, and a deadline.
#[inline]
pub(super) fn options(number: u64) -> JobOptions {
    let priority = match number % 4 {
        0 => Priority::Low,
        1 => Priority::Normal,
        2 => Priority::High,
        _ => Priority::Critical,
    };
    JobOptions::new().priority(priority).expires_in(MINUTE)
}

pub(super) fn tasks<C: Course>() -> Subject {
    forget::<C, _>(|grounds| Tasks { pool: pool(grounds), board: grounds.board, course: PhantomData::<C> })
}

struct Tasks<C> {
    pool: Pool,
    board: Board,
    course: PhantomData<C>,
}

impl<C> Clone for Tasks<C> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), board: self.board, course: PhantomData }
    }
}

impl<C: Course> Forgets for Tasks<C> {
    async fn send(&mut self, number: u64) {
        self.pool.with(options(number)).execute(job::<C>(self.board)).await.expect("there is room in time");
    }
}

pub(super) fn typed<C: Course>() -> Subject {
    forget::<C, _>(|grounds| Typed::<C> { pool: pool(grounds), board: grounds.board })
}

struct Typed<C: Course> {
    pool: Pool<Noted<C>>,
    board: Board,
}

struct Noted<C> {
    board: Board,
    course: PhantomData<C>,
}

impl<C: Course> Job for Noted<C> {
    type Output = ();
    type Error = Infallible;

    async fn run(&mut self, _attempt: &Attempt) -> Result<(), Infallible> {
        job::<C>(self.board).await;
        Ok(())
    }
}

impl<C: Course> Clone for Typed<C> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), board: self.board }
    }
}

impl<C: Course> Forgets for Typed<C> {
    async fn send(&mut self, number: u64) {
        let job = Noted { board: self.board, course: PhantomData };
        self.pool.with(options(number)).execute(job).await.expect("there is room in time");
    }
}

pub(super) fn results<C: Course>() -> Subject {
    answer::<C, _>(|grounds| Results { pool: pool(grounds), board: grounds.board, course: PhantomData::<C> })
}

struct Results<C> {
    pool: Pool,
    board: Board,
    course: PhantomData<C>,
}

impl<C> Clone for Results<C> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), board: self.board, course: PhantomData }
    }
}

impl<C: Course> Answers for Results<C> {
    type Answer = Answer;

    async fn ask(&mut self, number: u64) -> Answer {
        let board = self.board;
        let work = async move {
            job::<C>(board).await;
            Ok::<_, Infallible>(number)
        };
        Answer(self.pool.submit(work).await.expect("there is room in time"))
    }
}

struct Answer(JobHandle<u64, Infallible>);

impl Future for Answer {
    type Output = Option<u64>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        Pin::new(&mut self.0).poll(cx).map(Result::ok)
    }
}
