//! [`Pool::layer`]: a service whose requests run on the pool's workers.
//!
//! | mode | `poll_ready` | the response's future |
//! |---|---|---|
//! | [`layer`](Pool::layer), the default | the inner service's; if the pool would refuse every call, ready at once without polling the inner service | the job was submitted in `call`, or refused |
//! | [`wait`](PoolLayer::wait) | ready | waits for room; the job waits for its own clone of the inner service |
//!
//! A request is a job like any other: it waits in the pool's queue under its priority, is not begun after its deadline, and
//! counts in the pool's figures. The inner service's errors are the caller's, and a job that gave one has completed.
//!
//! # Errors
//! A refusal, and the end of a job that gave no result, become a [`Rejection`] of the pool:
//!
//! | reason | what happened | was the inner service called |
//! |---|---|---|
//! | those of [`Reason`](crate::Reason) | the request was not taken | no |
//! | `expired` | its deadline passed | perhaps: then the call was dropped |
//! | `call_timed_out` | the call took longer than its timeout | yes, and dropped |
//! | `cancelled` | a drain cut the call off | yes, and dropped |
//! | `dropped` | it gave way to another in a full queue, or the pool was drained before it began | no |
//! | `worker_lost` | the runtime of the workers shut down | perhaps |
//!
//! # Panics
//! A panic of the inner service becomes the caller's, with the same payload, as if it had run in place. The worker lives on.
//!
//! # Cancel safety
//! Dropping the response at any time cancels the job: one that waits will not run, one that runs is dropped at its next await.
//!
//! # Complexity
//! A call costs the box of its job and the place of its result, [`wait`](PoolLayer::wait) one box more.

mod future;
mod service;

use std::fmt;
use std::time::Duration;

use seawall_core::Rejection;
use seawall_core::tower::{Boxed, Convert, Respond};

use crate::options::JobOptions;
use crate::pool::Pool;

pub use future::ResponseFuture;
pub use service::PoolService;

/// Runs the requests of services on a pool: what [`Pool::layer`] gives.
///
/// All services that it makes, and their clones, share the pool and keep it open.
#[derive(Clone)]
pub struct PoolLayer<O = Plain, M = Shed, R = Convert> {
    pool: Pool,
    options: O,
    mode: M,
    refuse: R,
}

impl Pool {
    /// A tower layer that runs each request of a service on this pool. See [`tower`](crate::tower).
    ///
    /// ```
    /// use seawall_core::spawn::Spawner;
    /// use seawall_core::{Deadline, Priority};
    /// use seawall_worker_pool::{Config, JobOptions, Pool};
    /// use tower::{ServiceBuilder, ServiceExt, service_fn};
    ///
    /// struct Render {
    ///     page: u32,
    ///     is_paid_for: bool,
    ///     answer_by: Option<Deadline>,
    /// }
    ///
    /// let options = |request: &Render| {
    ///     let priority = if request.is_paid_for { Priority::High } else { Priority::Normal };
    ///     let options = JobOptions::new().priority(priority);
    ///     match request.answer_by {
    ///         Some(deadline) => options.deadline(deadline.time()),
    ///         None => options,
    ///     }
    /// };
    /// # smol::block_on(async {
    /// let pool = Pool::new(Config::new(2..=8).queue(64).name("render"), Spawner::threads())?;
    /// let render = service_fn(|request: Render| async move { Ok::<_, std::io::Error>(request.page * 2) });
    /// let service = ServiceBuilder::new().layer(pool.layer().options(options).boxed()).service(render);
    /// let request = Render { page: 21, is_paid_for: true, answer_by: None };
    /// assert_eq!(service.oneshot(request).await?, 42);
    /// # Ok::<(), tower::BoxError>(())
    /// # }).unwrap();
    /// ```
    pub fn layer(&self) -> PoolLayer {
        PoolLayer { pool: self.clone(), options: Plain, mode: Shed, refuse: Convert }
    }
}

impl<O, R> PoolLayer<O, Shed, R> {
    /// Lets each request wait for room inside its own future, at most `max_wait`, if it is the pool's
    /// [full policy](crate::FullPolicy) to wait. The inner service's readiness is then waited for on the worker.
    pub fn wait(self, max_wait: Duration) -> PoolLayer<O, Wait, R> {
        PoolLayer { pool: self.pool, options: self.options, mode: Wait { max: max_wait }, refuse: self.refuse }
    }
}

impl<O, M, R> PoolLayer<O, M, R> {
    /// Lets `options` tell the priority, timeout and deadline of each request: a closure of `&Request`, or [`JobOptions`] for all.
    /// Retries do not apply: a request is called once.
    pub fn options<P>(self, options: P) -> PoolLayer<P, M, R> {
        PoolLayer { pool: self.pool, options, mode: self.mode, refuse: self.refuse }
    }

    /// Makes the service's error a boxed one, whatever the inner one's is.
    pub fn boxed(self) -> PoolLayer<O, M, Boxed> {
        self.refusing(Boxed)
    }

    /// Answers a refused request with `respond`'s response instead of an error. With feature `http` there is a ready-made one,
    /// `seawall_core::http::respond`.
    pub fn on_rejection<Res, F: Fn(Rejection) -> Res>(self, respond: F) -> PoolLayer<O, M, Respond<F>> {
        self.refusing(Respond::with(respond))
    }

    fn refusing<Q>(self, refuse: Q) -> PoolLayer<O, M, Q> {
        PoolLayer { pool: self.pool, options: self.options, mode: self.mode, refuse }
    }
}

impl<S, O, M, R> tower_layer::Layer<S> for PoolLayer<O, M, R>
where
    O: Clone,
    M: Clone,
    R: Clone,
{
    type Service = PoolService<S, O, M, R>;

    fn layer(&self, inner: S) -> Self::Service {
        PoolService::new(inner, self.clone())
    }
}

impl<O, M: fmt::Debug, R> fmt::Debug for PoolLayer<O, M, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolLayer").field("pool", &self.pool).field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// Refuses at once when there is no room.
#[derive(Clone, Copy, Debug)]
pub struct Shed;

/// Waits for room inside the response's future.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    max: Duration,
}

/// What is said of the job of each request: a closure from `&Request` to [`JobOptions`], or the same options for all.
pub trait Options<Request> {
    /// The options of this one.
    fn options(&self, request: &Request) -> JobOptions;
}

/// All requests are as the pool is configured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl<Request> Options<Request> for Plain {
    fn options(&self, _request: &Request) -> JobOptions {
        JobOptions::new()
    }
}

impl<Request> Options<Request> for JobOptions {
    fn options(&self, _request: &Request) -> JobOptions {
        *self
    }
}

impl<Request, F: Fn(&Request) -> JobOptions> Options<Request> for F {
    fn options(&self, request: &Request) -> JobOptions {
        self(request)
    }
}
