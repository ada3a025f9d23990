use crate::verdict::Judge;

/// Which results a fallback takes, and what of them its substitute sees.
///
/// [`AnyError`] is the default; a closure from `&Error` to `bool` takes the errors that it is true for; [`Judged`]
/// takes what a [`Judge`] wants another attempt for.
pub trait Catch<Response, Error> {
    /// What the substitute sees: the error, or the whole result.
    type Caught;

    /// What the substitute sees of `result`, if it is taken.
    fn catch<'a>(&self, result: &'a Result<Response, Error>) -> Option<&'a Self::Caught>;
}

/// Takes every error.
#[derive(Clone, Copy, Debug, Default)]
pub struct AnyError;

impl<Response, Error> Catch<Response, Error> for AnyError {
    type Caught = Error;

    fn catch<'a>(&self, result: &'a Result<Response, Error>) -> Option<&'a Error> {
        result.as_ref().err()
    }
}

impl<Response, Error, F: Fn(&Error) -> bool> Catch<Response, Error> for F {
    type Caught = Error;

    fn catch<'a>(&self, result: &'a Result<Response, Error>) -> Option<&'a Error> {
        result.as_ref().err().filter(|error| self(error))
    }
}

/// Takes the results that the [`Judge`] wants another attempt for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Judged<J>(pub J);

impl<Response, Error, J: Judge<Result<Response, Error>>> Catch<Response, Error> for Judged<J> {
    type Caught = Result<Response, Error>;

    fn catch<'a>(&self, result: &'a Result<Response, Error>) -> Option<&'a Self::Caught> {
        self.0.judge(result).wants_another().then_some(result)
    }
}
