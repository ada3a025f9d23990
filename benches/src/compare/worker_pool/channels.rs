//! Workers behind a bounded channel: futures in boxes or values of one type, with and without a oneshot for the result.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;

use super::course::{Answers, BOUND, Board, Course, Forgets, Grounds, WORKERS, answer, forget, job};
use crate::harness::Subject;

pub(super) type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A job of one type.
pub(super) struct Note(pub(super) Board);

/// What a worker takes from a channel.
pub(super) trait Runs<C>: Send + 'static {
    fn run(self) -> impl Future<Output = ()> + Send;
}

impl<C: Course> Runs<C> for Boxed {
    fn run(self) -> impl Future<Output = ()> + Send {
        self
    }
}

impl<C: Course> Runs<C> for Note {
    fn run(self) -> impl Future<Output = ()> + Send {
        job::<C>(self.0)
    }
}

fn asynchronous_workers<C: Course, T: Runs<C>>(grounds: &Grounds<'_>) -> async_channel::Sender<T> {
    let (sender, receiver) = async_channel::bounded::<T>(BOUND);
    for _ in 0..WORKERS {
        let receiver = receiver.clone();
        grounds.runtime.spawn(async move {
            while let Ok(job) = receiver.recv().await {
                job.run().await;
            }
        });
    }
    sender
}

fn flume_workers<C: Course, T: Runs<C>>(grounds: &Grounds<'_>) -> flume::Sender<T> {
    let (sender, receiver) = flume::bounded::<T>(BOUND);
    for _ in 0..WORKERS {
        let receiver = receiver.clone();
        grounds.runtime.spawn(async move {
            while let Ok(job) = receiver.recv_async().await {
                job.run().await;
            }
        });
    }
    sender
}

/// A side that sends to such a channel.
struct Channel<C, S> {
    sender: S,
    board: Board,
    course: PhantomData<C>,
}

impl<C, S> Channel<C, S> {
    fn new(sender: S, grounds: &Grounds<'_>) -> Self {
        Self { sender, board: grounds.board, course: PhantomData }
    }
}

impl<C, S: Clone> Clone for Channel<C, S> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), board: self.board, course: PhantomData }
    }
}

pub(super) fn asynchronous<C: Course>() -> Subject {
    forget::<C, _>(|grounds| Channel::<C, _>::new(asynchronous_workers::<C, Boxed>(grounds), grounds))
}

impl<C: Course> Forgets for Channel<C, async_channel::Sender<Boxed>> {
    async fn send(&mut self, _: u64) {
        assert!(self.sender.send(Box::pin(job::<C>(self.board))).await.is_ok());
    }
}

pub(super) fn asynchronous_typed<C: Course>() -> Subject {
    forget::<C, _>(|grounds| Channel::<C, _>::new(asynchronous_workers::<C, Note>(grounds), grounds))
}

impl<C: Course> Forgets for Channel<C, async_channel::Sender<Note>> {
    async fn send(&mut self, _: u64) {
        assert!(self.sender.send(Note(self.board)).await.is_ok());
    }
}

pub(super) fn flume<C: Course>() -> Subject {
    forget::<C, _>(|grounds| Channel::<C, _>::new(flume_workers::<C, Boxed>(grounds), grounds))
}

impl<C: Course> Forgets for Channel<C, flume::Sender<Boxed>> {
    async fn send(&mut self, _: u64) {
        assert!(self.sender.send_async(Box::pin(job::<C>(self.board))).await.is_ok());
    }
}

pub(super) fn flume_typed<C: Course>() -> Subject {
    forget::<C, _>(|grounds| Channel::<C, _>::new(flume_workers::<C, Note>(grounds), grounds))
}

impl<C: Course> Forgets for Channel<C, flume::Sender<Note>> {
    async fn send(&mut self, _: u64) {
        assert!(self.sender.send_async(Note(self.board)).await.is_ok());
    }
}

/// What waits for a job's number.
pub(super) struct Awaited(oneshot::Receiver<u64>);

impl Future for Awaited {
    type Output = Option<u64>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        Poll::Ready(ready!(Pin::new(&mut self.0).poll(cx)).ok())
    }
}

fn answering<C: Course>(board: Board, number: u64) -> (Boxed, Awaited) {
    let (sender, receiver) = oneshot::channel();
    let work = async move {
        job::<C>(board).await;
        // Whoever asked may have gone.
        let _ = sender.send(number);
    };
    (Box::pin(work), Awaited(receiver))
}

pub(super) fn asynchronous_results<C: Course>() -> Subject {
    answer::<C, _>(|grounds| Channel::<C, _>::new(asynchronous_workers::<C, Boxed>(grounds), grounds))
}

impl<C: Course> Answers for Channel<C, async_channel::Sender<Boxed>> {
    type Answer = Awaited;

    async fn ask(&mut self, number: u64) -> Awaited {
        let (work, awaited) = answering::<C>(self.board, number);
        assert!(self.sender.send(work).await.is_ok());
        awaited
    }
}

pub(super) fn flume_results<C: Course>() -> Subject {
    answer::<C, _>(|grounds| Channel::<C, _>::new(flume_workers::<C, Boxed>(grounds), grounds))
}

impl<C: Course> Answers for Channel<C, flume::Sender<Boxed>> {
    type Answer = Awaited;

    async fn ask(&mut self, number: u64) -> Awaited {
        let (work, awaited) = answering::<C>(self.board, number);
        assert!(self.sender.send_async(work).await.is_ok());
        awaited
    }
}
