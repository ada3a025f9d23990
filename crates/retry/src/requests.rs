use seawall_core::Deadline;

use crate::retry::Attempt;

/// Where requests carry the deadline of whoever sent them.
///
/// A pair of closures reads and writes a field of the request; [`Undated`] is for requests that carry none. With
/// feature `http` there is `http::InExtensions`.
///
/// ```
/// use seawall_core::Deadline;
/// use seawall_core::time::Timestamp;
/// use seawall_retry::Deadlines;
///
/// struct Order {
///     answer_by: Option<Deadline>,
/// }
///
/// let deadlines = (
///     |order: &Order| order.answer_by,
///     |order: &mut Order, deadline: Deadline| order.answer_by = Some(deadline),
/// );
/// let mut order = Order { answer_by: None };
/// assert_eq!(deadlines.deadline(&order), None);
/// deadlines.set_deadline(&mut order, Deadline::at(Timestamp::from_nanos(7)));
/// assert_eq!(deadlines.deadline(&order), order.answer_by);
/// ```
pub trait Deadlines<Request> {
    /// When whoever sent the request stops waiting.
    fn deadline(&self, request: &Request) -> Option<Deadline>;

    /// The request's call will be dropped at `deadline`: whoever is inside may know. It is never later than what
    /// [`deadline`](Self::deadline) told.
    fn set_deadline(&self, request: &mut Request, deadline: Deadline);
}

impl<Request, Read, Write> Deadlines<Request> for (Read, Write)
where
    Read: Fn(&Request) -> Option<Deadline>,
    Write: Fn(&mut Request, Deadline),
{
    fn deadline(&self, request: &Request) -> Option<Deadline> {
        (self.0)(request)
    }

    fn set_deadline(&self, request: &mut Request, deadline: Deadline) {
        (self.1)(request, deadline);
    }
}

/// Requests carry no deadline.
#[derive(Clone, Copy, Debug, Default)]
pub struct Undated;

impl<Request> Deadlines<Request> for Undated {
    fn deadline(&self, _request: &Request) -> Option<Deadline> {
        None
    }

    fn set_deadline(&self, _request: &mut Request, _deadline: Deadline) {}
}

/// What a layer must know of the requests that it makes again.
///
/// A closure from `&Request` to `Option<Request>` copies requests that carry no deadline; [`Copied`] is the default for
/// every request that is `Clone`. With feature `http` there is `http::Idempotent`.
pub trait Requests<Request>: Deadlines<Request> {
    /// A copy for another attempt; `None` if this request must not be made again, because making it twice is not the
    /// same as making it once.
    fn copy(&self, request: &Request) -> Option<Request>;

    /// This attempt is about to be made: its number can be written into the request. By itself it sets the attempt's
    /// deadline.
    fn prepare(&self, request: &mut Request, attempt: Attempt) {
        if let Some(deadline) = attempt.deadline {
            self.set_deadline(request, deadline);
        }
    }
}

impl<Request, F: Fn(&Request) -> Option<Request>> Requests<Request> for F {
    fn copy(&self, request: &Request) -> Option<Request> {
        self(request)
    }
}

impl<Request, F: Fn(&Request) -> Option<Request>> Deadlines<Request> for F {
    fn deadline(&self, request: &Request) -> Option<Deadline> {
        Undated.deadline(request)
    }

    fn set_deadline(&self, request: &mut Request, deadline: Deadline) {
        Undated.set_deadline(request, deadline);
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

impl<Request> Deadlines<Request> for Copied {
    fn deadline(&self, request: &Request) -> Option<Deadline> {
        Undated.deadline(request)
    }

    fn set_deadline(&self, request: &mut Request, deadline: Deadline) {
        Undated.set_deadline(request, deadline);
    }
}
