use std::future::ready;

use super::{Fallback, Out};
use crate::verdict::Judge;

impl Fallback {
    /// Makes `call`, and if it fails gives the result of `other`, which has the error.
    ///
    /// # Errors
    /// That of `other`; the call's own where the fallback is [not in use](crate::FallbackConfig::enabled).
    ///
    /// # Cancel safety
    /// Dropping the future drops whichever of both is out.
    ///
    /// # Panics
    /// If `call` or `other` does: a panic is nothing to fall back from.
    pub fn run<T, E, H>(
        &self,
        call: impl Future<Output = Result<T, E>>,
        other: impl FnOnce(E) -> H,
    ) -> impl Future<Output = Result<T, E>>
    where
        H: Future<Output = Result<T, E>>,
    {
        self.run_if(call, |_| true, other)
    }

    /// The same for the errors that `takes` takes; others are the result.
    ///
    /// # Errors
    /// That of `other`, or one that it has not taken.
    pub async fn run_if<T, E, H>(
        &self,
        call: impl Future<Output = Result<T, E>>,
        takes: impl FnOnce(&E) -> bool,
        other: impl FnOnce(E) -> H,
    ) -> Result<T, E>
    where
        H: Future<Output = Result<T, E>>,
    {
        let mut out = Out::new(self);
        match call.await {
            Err(error) if self.is_enabled() && takes(&error) => {
                let answer = other(error).await;
                out.fell_back(answer.is_ok());
                answer
            }
            result => {
                out.ended(result.is_ok());
                result
            }
        }
    }

    /// The same for the results that `judge` wants another attempt for: [`again`](crate::Verdict::again) or
    /// [`refused`](crate::Verdict::refused). What is [final](crate::Verdict::is_final), such as a caller's mistake, is
    /// the result.
    ///
    /// # Errors
    /// That of `other`, or one that it has not taken.
    pub async fn run_judged<T, E, H>(
        &self,
        call: impl Future<Output = Result<T, E>>,
        judge: impl Judge<Result<T, E>>,
        other: impl FnOnce(Result<T, E>) -> H,
    ) -> Result<T, E>
    where
        H: Future<Output = Result<T, E>>,
    {
        let mut out = Out::new(self);
        let result = call.await;
        if self.is_enabled() && judge.judge(&result).wants_another() {
            let answer = other(result).await;
            out.fell_back(answer.is_ok());
            return answer;
        }
        out.ended(result.is_ok());
        result
    }

    /// Makes `call`, and if it fails gives `value`.
    ///
    /// # Errors
    /// The call's own, where the fallback is [not in use](crate::FallbackConfig::enabled).
    pub fn run_or<T, E>(
        &self,
        call: impl Future<Output = Result<T, E>>,
        value: T,
    ) -> impl Future<Output = Result<T, E>> {
        self.run_or_else(call, |_| value)
    }

    /// Makes `call`, and if it fails gives what `answer` makes of the error.
    ///
    /// # Errors
    /// The call's own, where the fallback is [not in use](crate::FallbackConfig::enabled).
    pub fn run_or_else<T, E>(
        &self,
        call: impl Future<Output = Result<T, E>>,
        answer: impl FnOnce(E) -> T,
    ) -> impl Future<Output = Result<T, E>> {
        self.run(call, |error| ready(Ok(answer(error))))
    }
}
