//! `Send` and `Sync` follow the inner service.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tower_service::Service;

use super::{Door, Request};
use crate::service::{CallError, ControlledService};

/// The service that the checks put behind a policy `P`.
pub type Protected<D, P, T> = <D as Door<P>>::Service<T>;

/// The response of such a service.
pub type Response<D, P, T> = <Protected<D, P, T> as Service<Request>>::Future;

/// What a type may do between threads: `Threads::<T>::IS_SEND` and `Threads::<T>::IS_SYNC`.
///
/// The inherent constants hold for types that are; for all others the names mean those of [`Stays`], which must be in
/// scope. They are to be asked about a concrete type: a type parameter counts as what its bounds say.
#[derive(Debug)]
pub struct Threads<T>(PhantomData<T>);

impl<T: Send> Threads<T> {
    /// It may be sent to another thread.
    pub const IS_SEND: bool = true;
}

impl<T: Sync> Threads<T> {
    /// It may be seen from another thread.
    pub const IS_SYNC: bool = true;
}

/// The answers for types that stay on their thread.
pub trait Stays {
    /// It may not be sent.
    const IS_SEND: bool = false;
    /// It may not be shared.
    const IS_SYNC: bool = false;
}

impl<T> Stays for Threads<T> {}

/// An inner service that stays on its thread, and so do its responses.
#[derive(Clone, Debug)]
pub struct Local {
    inner: ControlledService,
    stays: PhantomData<Rc<()>>,
}

impl Service<Request> for Local {
    type Response = Request;
    type Error = CallError;
    type Future = Pin<Box<dyn Future<Output = Result<Request, CallError>>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), CallError>> {
        Service::<Request>::poll_ready(&mut self.inner, cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        Box::pin(self.inner.call(request))
    }
}
