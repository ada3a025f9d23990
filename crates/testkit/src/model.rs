//! Models under loom, explored with a floor: a model that shrank proves less, and says so.
//!
//! Only under `--cfg seawall_loom`. `LOOM_MAX_PREEMPTIONS` may ask for more than the two preemptions of an execution.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use seawall_core::stripe::model::sit;

/// In which order the threads of a model are made: loom looks for other interleavings where one thread's access meets
/// another's last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As the model says.
    AsWritten,
    /// The last first.
    Reversed,
}

/// Explores `body`, and fails if fewer than `floor` executions were explored. The thread that runs it has no seat of its own.
pub fn explore(name: &str, floor: usize, body: impl Fn() + Sync + Send + 'static) {
    finish(name, floor, executions(body));
}

/// The same with the threads made in both orders; the floor is that of both together.
pub fn explore_orders(name: &str, floor: usize, body: impl Fn(Order) + Copy + Sync + Send + 'static) {
    let explored = [Order::AsWritten, Order::Reversed].map(|order| executions(move || body(order)));
    finish(name, floor, explored.iter().sum());
}

fn executions(body: impl Fn() + Sync + Send + 'static) -> usize {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = model.preemption_bound.or(Some(2));
    // Whoever serves many makes many steps.
    model.max_branches = 10_000;
    let explored = Arc::new(AtomicUsize::new(0));
    let counted = explored.clone();
    model.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        sit(None);
        body();
    });
    explored.load(Ordering::Relaxed)
}

fn finish(name: &str, floor: usize, explored: usize) {
    println!("{name}: {explored} executions explored");
    assert!(explored >= floor, "{name}: only {explored} executions, the floor is {floor}");
}
