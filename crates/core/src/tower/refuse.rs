use std::error::Error;
use std::fmt;

use crate::Rejection;

/// A boxed error, as tower's own middleware gives it.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// What becomes of a refused request.
#[diagnostic::on_unimplemented(
    note = "the service's error must be made of a `Rejection`: implement `From<Rejection>` for it, or use `.boxed()` or `.on_rejection(..)` on the layer"
)]
pub trait Refuse<Response, Inner> {
    /// The service's error.
    type Error;

    /// The answer to a refused request.
    ///
    /// # Errors
    /// If refusals are errors.
    fn refuse(&self, rejection: Rejection) -> Result<Response, Self::Error>;

    /// An error of the inner service.
    fn error(&self, inner: Inner) -> Self::Error;
}

/// A refusal becomes an error of the inner service's type.
#[derive(Clone, Copy, Debug)]
pub struct Convert;

impl<Response, Inner: From<Rejection>> Refuse<Response, Inner> for Convert {
    type Error = Inner;

    #[inline]
    fn refuse(&self, rejection: Rejection) -> Result<Response, Inner> {
        Err(rejection.into())
    }

    #[inline]
    fn error(&self, inner: Inner) -> Inner {
        inner
    }
}

/// Refusals and the inner service's errors are boxed.
#[derive(Clone, Copy, Debug)]
pub struct Boxed;

impl<Response, Inner: Into<BoxError>> Refuse<Response, Inner> for Boxed {
    type Error = BoxError;

    fn refuse(&self, rejection: Rejection) -> Result<Response, BoxError> {
        Err(rejection.into())
    }

    fn error(&self, inner: Inner) -> BoxError {
        inner.into()
    }
}

/// A refusal is answered with a response.
#[derive(Clone, Copy)]
pub struct Respond<F>(pub(super) F);

impl<F> Respond<F> {
    /// Answers with what `respond` makes of the rejection.
    pub const fn with(respond: F) -> Self {
        Self(respond)
    }
}

impl<Response, Inner, F: Fn(Rejection) -> Response> Refuse<Response, Inner> for Respond<F> {
    type Error = Inner;

    fn refuse(&self, rejection: Rejection) -> Result<Response, Inner> {
        Ok((self.0)(rejection))
    }

    fn error(&self, inner: Inner) -> Inner {
        inner
    }
}

impl<F> fmt::Debug for Respond<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Respond")
    }
}
