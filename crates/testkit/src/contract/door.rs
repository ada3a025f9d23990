use std::time::Duration;

use seawall_core::tower::{self, BoxError, Boxed, Convert, Respond};
use seawall_core::{Admits, Classified, Conclude, ErrIsFailure, Policy, Rejection, Shared};
use tower_layer::Layer;
use tower_service::Service;

use super::Request;

/// One of the adapter's modes: how a service is put behind a policy.
pub trait Door<P: Policy> {
    /// Which one it is.
    const MODE: Mode;

    /// The service behind the policy.
    type Service<T: Inner<Error: From<Rejection>>>: Service<Request, Response = Request, Error = T::Error> + Clone;
    /// The same with boxed errors.
    type Boxed<T: Inner<Error: Into<BoxError>>>: Service<Request, Response = Request, Error = BoxError> + Clone;
    /// The same with a response where a call is refused.
    type Responding<T: Inner>: Service<Request, Response = Request, Error = T::Error> + Clone;
    /// The same with an end of the calls' own.
    type Concluding<T: Inner<Error: From<Rejection>>, C: Ends<P, T::Error>>: Service<Request, Response = Request, Error = T::Error>
        + Clone;

    /// Puts `inner` behind `policy`.
    fn protect<T: Inner<Error: From<Rejection>>>(policy: &Shared<P>, inner: T) -> Self::Service<T>;

    /// The same with boxed errors.
    fn boxed<T: Inner<Error: Into<BoxError>>>(policy: &Shared<P>, inner: T) -> Self::Boxed<T>;

    /// The same with `respond`'s response where a call is refused.
    fn responding<T: Inner>(policy: &Shared<P>, inner: T, respond: fn(Rejection) -> Request) -> Self::Responding<T>;

    /// The same with `conclude` to end the calls.
    fn concluding<T: Inner<Error: From<Rejection>>, C: Ends<P, T::Error>>(
        policy: &Shared<P>,
        inner: T,
        conclude: C,
    ) -> Self::Concluding<T, C>;
}

/// What the checks put behind a policy: any service that answers with a request.
pub trait Inner: Service<Request, Response = Request> + Clone {}

impl<T: Service<Request, Response = Request> + Clone> Inner for T {}

/// What may end the calls of a check.
pub trait Ends<P: Policy, E>: Conclude<Shared<P>, Result<Request, E>, Output = Result<Request, E>> + Clone {}

impl<P: Policy, E, C> Ends<P, E> for C where
    C: Conclude<Shared<P>, Result<Request, E>, Output = Result<Request, E>> + Clone
{
}

/// When the policy is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In `call`; what would be refused is ready at once.
    Shed,
    /// In the response future, which waits for admission and for the inner service.
    Wait,
    /// In `poll_ready`, which reserves.
    Backpressure,
}

/// The default: decides in `call`.
#[derive(Clone, Copy, Debug)]
pub struct Shed;

/// `.wait(…)`: decides in the response future, within [`Wait::MAX`].
#[derive(Clone, Copy, Debug)]
pub struct Wait;

/// `.backpressure()`: decides in `poll_ready`.
#[derive(Clone, Copy, Debug)]
pub struct Backpressure;

impl Wait {
    /// How long a response waits at most.
    pub const MAX: Duration = Duration::from_secs(60);
}

macro_rules! door {
    ($door:ident, $asks:path, |$policy:ident| $layer:expr) => {
        impl<P: $asks + Admits<Request>> Door<P> for $door {
            const MODE: Mode = Mode::$door;

            type Service<T: Inner<Error: From<Rejection>>> =
                tower::Service<T, P, tower::$door, Classified<ErrIsFailure>, Convert>;
            type Boxed<T: Inner<Error: Into<BoxError>>> =
                tower::Service<T, P, tower::$door, Classified<ErrIsFailure>, Boxed>;
            type Responding<T: Inner> =
                tower::Service<T, P, tower::$door, Classified<ErrIsFailure>, Respond<fn(Rejection) -> Request>>;
            type Concluding<T: Inner<Error: From<Rejection>>, C: Ends<P, T::Error>> =
                tower::Service<T, P, tower::$door, C, Convert>;

            fn protect<T: Inner<Error: From<Rejection>>>($policy: &Shared<P>, inner: T) -> Self::Service<T> {
                $layer.layer(inner)
            }

            fn boxed<T: Inner<Error: Into<BoxError>>>($policy: &Shared<P>, inner: T) -> Self::Boxed<T> {
                $layer.boxed().layer(inner)
            }

            fn responding<T: Inner>(
                $policy: &Shared<P>,
                inner: T,
                respond: fn(Rejection) -> Request,
            ) -> Self::Responding<T> {
                $layer.on_rejection(respond).layer(inner)
            }

            fn concluding<T: Inner<Error: From<Rejection>>, C: Ends<P, T::Error>>(
                $policy: &Shared<P>,
                inner: T,
                conclude: C,
            ) -> Self::Concluding<T, C> {
                $layer.conclude(conclude).layer(inner)
            }
        }
    };
}

door!(Shed, Policy, |policy| policy.layer());
door!(Wait, Policy, |policy| policy.layer().wait(Self::MAX));
door!(Backpressure, Admits, |policy| policy.layer().backpressure());
