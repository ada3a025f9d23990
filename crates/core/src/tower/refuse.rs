use std::error::Error;
use std::fmt;

use crate::Rejection;

/// A boxed error, as tower's own middleware gives it.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// What becomes of a refused request. `Refusal` is the policy's own refusal, or the [`Rejection`] that every one becomes.
#[diagnostic::on_unimplemented(
    note = "the service's error must be made of a `Rejection`: implement `From<Rejection>` for it, or use `.boxed()` or `.on_rejection(..)` on the layer"
)]
pub trait Refuse<Response, Inner, Refusal = Rejection> {
    /// The service's error.
    type Error;

    /// The answer to a refused request.
    ///
    /// # Errors
    /// If refusals are errors.
    fn refuse(&self, refusal: Refusal) -> Result<Response, Self::Error>;

    /// An error of the inner service.
    fn error(&self, inner: Inner) -> Self::Error;
}

/// A refusal becomes an error of the inner service's type.
#[derive(Clone, Copy, Debug)]
pub struct Convert;

impl<Response, Inner, Refusal> Refuse<Response, Inner, Refusal> for Convert
where
    Inner: From<Rejection>,
    Refusal: Into<Rejection>,
{
    type Error = Inner;

    #[inline]
    fn refuse(&self, refusal: Refusal) -> Result<Response, Inner> {
        Err(refusal.into().into())
    }

    #[inline]
    fn error(&self, inner: Inner) -> Inner {
        inner
    }
}

/// Refusals and the inner service's errors are boxed.
#[derive(Clone, Copy, Debug)]
pub struct Boxed;

impl<Response, Inner, Refusal> Refuse<Response, Inner, Refusal> for Boxed
where
    Inner: Into<BoxError>,
    Refusal: Into<Rejection>,
{
    type Error = BoxError;

    fn refuse(&self, refusal: Refusal) -> Result<Response, BoxError> {
        Err(refusal.into().into())
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

impl<Response, Inner, Refusal, F> Refuse<Response, Inner, Refusal> for Respond<F>
where
    F: Fn(Rejection) -> Response,
    Refusal: Into<Rejection>,
{
    type Error = Inner;

    fn refuse(&self, refusal: Refusal) -> Result<Response, Inner> {
        Ok((self.0)(refusal.into()))
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

/// A refusal becomes a response, made of the policy's own refusal.
#[derive(Clone, Copy)]
pub struct RespondTo<F>(pub(super) F);

impl<Response, Inner, Refusal, F: Fn(Refusal) -> Response> Refuse<Response, Inner, Refusal> for RespondTo<F> {
    type Error = Inner;

    fn refuse(&self, refusal: Refusal) -> Result<Response, Inner> {
        Ok((self.0)(refusal))
    }

    fn error(&self, inner: Inner) -> Inner {
        inner
    }
}

impl<F> fmt::Debug for RespondTo<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RespondTo")
    }
}
