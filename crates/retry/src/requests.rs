use seawall_core::Deadline;

use crate::retry::Attempt;

/// What a layer must know of the requests that it makes again.
///
/// A closure from `&Request` to `Option<Request>` copies them; [`Copied`] is the default for every request that is `Clone`.
pub trait Requests<Request> {
    /// A copy for another attempt; `None` if this request must not be made again, because making it twice is not the same
    /// as making it once.
    fn copy(&self, request: &Request) -> Option<Request>;

    /// When whoever sent the request stops waiting.
    fn deadline(&self, request: &Request) -> Option<Deadline> {
        let _ = request;
        None
    }

    /// This attempt is about to be made: its number and its deadline can be written into the request.
    fn prepare(&self, request: &mut Request, attempt: Attempt) {
        let _ = (request, attempt);
    }
}

impl<Request, F: Fn(&Request) -> Option<Request>> Requests<Request> for F {
    fn copy(&self, request: &Request) -> Option<Request> {
        self(request)
    }
}

/// Every request may be made again, and carries no deadline.
#[derive(Clone, Copy, Debug, Default)]
pub struct Copied;

impl<Request: Clone> Requests<Request> for Copied {
    fn copy(&self, request: &Request) -> Option<Request> {
        Some(request.clone())
    }
}
