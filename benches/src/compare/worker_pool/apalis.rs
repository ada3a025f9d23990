//! A worker of apalis on its memory backend.
//!
//! The backend has no bound, and a worker that meets a bounded channel waits for room instead of taking what is there: the
//! producer holds back by the number of jobs that have run. It sends past the backend's own sink, which panics when two threads
//! meet in it, and gives each job an id as the sink does.

use std::sync::Arc;

use apalis_core::backend::memory::{MemorySink, MemoryStorage, MemoryStorageError};
use apalis_core::task::Task;
use apalis_core::task::task_id::{RandomId, TaskId};
use apalis_core::worker::builder::WorkerBuilder;
use futures_channel::mpsc::{self, UnboundedSender};
use futures_util::lock::Mutex;
use futures_util::{SinkExt, StreamExt};
use tokio::task::yield_now;

use super::course::{BOUND, Board, Forgets, Noop, forget, job};
use crate::harness::Subject;

/// How often the producer looks how many jobs have run.
const BATCH: u64 = 128;

pub(super) fn memory() -> Subject {
    forget::<Noop, _>(|grounds| {
        let (sender, receiver) = mpsc::unbounded::<Task<Note>>();
        let sink = Box::new(sender.clone().sink_map_err(MemoryStorageError::from));
        let sink = MemorySink::new(Arc::new(Mutex::new(sink)));
        let storage = MemoryStorage::new_with(sink, receiver.boxed());
        let worker = WorkerBuilder::new("worker").backend(storage).build(run);
        grounds.runtime.spawn(async move { worker.run().await });
        Side { sender, board: grounds.board, before: 0 }
    })
}

struct Note(Board);

async fn run(note: Note) {
    job::<Noop>(note.0).await;
}

#[derive(Clone)]
struct Side {
    sender: UnboundedSender<Task<Note>>,
    board: Board,
    /// How many jobs had run when the round began.
    before: u64,
}

impl Forgets for Side {
    async fn send(&mut self, number: u64) {
        if number == 0 {
            self.before = self.board.noted();
        } else if number.is_multiple_of(BATCH) {
            while self.before + number + BATCH > self.board.noted() + BOUND as u64 {
                yield_now().await;
            }
        }
        let task = Task::new(Note(self.board)).into_builder();
        let task = task.task_id(TaskId::from_string(RandomId::default())).build();
        assert!(self.sender.unbounded_send(task).is_ok());
    }
}
