//! One id for each request, in its answer and in every line of the log that it caused.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// The header that carries the id, in both directions.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

const MAX_LENGTH: usize = 64;

/// Gives ids to requests that bring none.
#[derive(Debug)]
pub(crate) struct RequestIds {
    process: u32,
    next: AtomicU64,
}

impl RequestIds {
    /// Ids with a random beginning, so that those of two processes differ.
    pub(crate) fn new() -> Self {
        Self { process: fastrand::u32(..), next: AtomicU64::new(1) }
    }

    /// The caller's id where it is harmless to log and to send back, else a fresh one.
    pub(crate) fn of(&self, headers: &HeaderMap) -> HeaderValue {
        match headers.get(&HEADER) {
            Some(given) if is_harmless(given.as_bytes()) => given.clone(),
            _ => self.fresh(),
        }
    }

    fn fresh(&self) -> HeaderValue {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        HeaderValue::try_from(format!("{:08x}-{number:08x}", self.process)).expect("hexadecimal digits and a dash")
    }
}

fn is_harmless(id: &[u8]) -> bool {
    (1..=MAX_LENGTH).contains(&id.len()) && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(given: &'static [u8]) -> HeaderValue {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_bytes(given).expect("a header value"));
        RequestIds::new().of(&headers)
    }

    #[test]
    fn a_harmless_id_is_kept() {
        assert_eq!(answer(b"trace-7:a_b.c"), "trace-7:a_b.c");
    }

    #[test]
    fn any_other_id_is_replaced() {
        for given in [&b"two words"[..], b"\"quoted\"", b"", &[b'x'; 65], b"\xff"] {
            assert_ne!(answer(given).as_bytes(), given);
        }
    }
}
