use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project::pin_project;
use seawall_core::Shared;

use super::{Catch, FallbackLayer, Mark, Out, Substitute};

/// The response of a service that is stood in for.
#[pin_project]
#[must_use = "futures do nothing unless polled"]
pub struct FallbackFuture<S, Req, C, U, M>
where
    S: tower_service::Service<Req>,
    C: Catch<S::Response, S::Error>,
    U: Substitute<Req, S::Response, C::Caught>,
{
    out: Out<Shared<FallbackLayer<C, U, M>>>,
    /// What the substitute will need, while the call is out.
    kept: Option<U::Kept>,
    /// What the call gave, while the substitute is out: the caller's if that has no answer.
    own: Option<Result<S::Response, S::Error>>,
    #[pin]
    state: State<S::Future, U::Future>,
}

#[pin_project(project = Project)]
enum State<Call, Answer> {
    Calling(#[pin] Call),
    Answering(#[pin] Answer),
}

const ENDED: &str = "a future is not polled after its end";

impl<S, Req, C, U, M> FallbackFuture<S, Req, C, U, M>
where
    S: tower_service::Service<Req>,
    C: Catch<S::Response, S::Error>,
    U: Substitute<Req, S::Response, C::Caught>,
{
    pub(super) const fn new(out: Out<Shared<FallbackLayer<C, U, M>>>, kept: U::Kept, call: S::Future) -> Self {
        Self { out, kept: Some(kept), own: None, state: State::Calling(call) }
    }
}

impl<S, Req, C, U, M> Future for FallbackFuture<S, Req, C, U, M>
where
    S: tower_service::Service<Req>,
    C: Catch<S::Response, S::Error>,
    U: Substitute<Req, S::Response, C::Caught>,
    M: Mark<S::Response>,
{
    type Output = Result<S::Response, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.state.as_mut().project() {
                Project::Calling(call) => {
                    let own = ready!(call.poll(cx));
                    let FallbackLayer { fallback, catch, substitute, .. } = &*this.out.fallback;
                    let caught = if fallback.is_enabled() { catch.catch(&own) } else { None };
                    let Some(caught) = caught else {
                        this.out.ended(own.is_ok());
                        return Poll::Ready(own);
                    };
                    let answer = substitute.answer(this.kept.take().expect(ENDED), caught);
                    *this.own = Some(own);
                    this.state.set(State::Answering(answer));
                }
                Project::Answering(answer) => {
                    let answer = ready!(answer.poll(cx));
                    let own = this.own.take().expect(ENDED);
                    this.out.fell_back(answer.is_some());
                    return Poll::Ready(match answer {
                        Some(mut response) => {
                            let FallbackLayer { fallback, mark, .. } = &*this.out.fallback;
                            mark.mark(&mut response, fallback.name());
                            Ok(response)
                        }
                        None => own,
                    });
                }
            }
        }
    }
}

impl<S, Req, C, U, M> fmt::Debug for FallbackFuture<S, Req, C, U, M>
where
    S: tower_service::Service<Req>,
    C: Catch<S::Response, S::Error>,
    U: Substitute<Req, S::Response, C::Caught>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FallbackFuture").field("fallback", &self.out.fallback.fallback).finish_non_exhaustive()
    }
}
