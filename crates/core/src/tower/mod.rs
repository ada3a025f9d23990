//! The tower adapter, written once for every policy: [`Layer`], [`Service`] and their named futures.
//!
//! The mode is one rule about when the policy is asked:
//!
//! | mode | `poll_ready` | `call` | for |
//! |---|---|---|---|
//! | [`Shed`], the default | looks without taking; if every call would be refused, ready at once without polling the inner service | decides; a refusal is the response's error | every policy; inside `Buffer` |
//! | [`Wait`] | ready | waits for its turn and for the inner service inside the future, on its own clone | queues; policies over keys that wait |
//! | [`Backpressure`] | waits for its turn and keeps it; then the inner service's | uses what it kept | policies that ask nothing of the call; under `Balance`, `LoadShed` |
//!
//! In every mode the layer holds the policy's handle, so all services that it makes, and their clones, share one state; a
//! clone starts without reservation; a refusal is never an error of `poll_ready`, which would be final and kill a `Buffer`;
//! the inner service is called only after its own `poll_ready` was ready on that same instance; and dropping anything at any
//! time, or a panic anywhere, gives back what was taken. Nothing is boxed and nothing is allocated per call.
//!
//! # Errors
//! The service's error is the inner one's, if a [`Rejection`](crate::Rejection) converts into it. [`Layer::boxed`] is for
//! stacks on boxed errors, and [`Layer::on_rejection`] answers with a response, for services that cannot fail.

mod future;
mod layer;
mod mode;
mod refuse;
mod service;
mod waiting;

pub use future::ResponseFuture;
pub use layer::Layer;
pub use mode::{Backpressure, Mode, Shed, Wait};
pub use refuse::{BoxError, Boxed, Convert, Refuse, Respond, RespondTo};
pub use service::Service;
pub use waiting::WaitFuture;
