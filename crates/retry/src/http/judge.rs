use std::error::Error;

use ::http::Response;
use seawall_core::Rejection;
use seawall_core::http::Statuses;

use crate::verdict::{Judge, Verdict};

/// A status that is a failure asks for another attempt, no sooner than its `Retry-After` says. So does every error; one
/// that is a [`Rejection`], or was caused by one, was [refused](Verdict::refused).
impl<B, E: Error + 'static> Judge<Result<Response<B>, E>> for Statuses {
    fn judge(&self, result: &Result<Response<B>, E>) -> Verdict {
        match result {
            Ok(response) => Self::judge(self, response).into(),
            Err(error) => of_error(error),
        }
    }
}

/// [`Statuses`] as a judge where errors are boxed, as they are in most tower stacks.
#[derive(Clone, Copy, Debug, Default)]
pub struct BoxedStatuses(pub Statuses);

impl<B> Judge<Result<Response<B>, Box<dyn Error + Send + Sync>>> for BoxedStatuses {
    fn judge(&self, result: &Result<Response<B>, Box<dyn Error + Send + Sync>>) -> Verdict {
        match result {
            Ok(response) => self.0.judge(response).into(),
            Err(error) => of_error(&**error),
        }
    }
}

fn of_error(error: &(dyn Error + 'static)) -> Verdict {
    Rejection::find(error).map_or(Verdict::again(), Verdict::of_rejection)
}
