//! Bodies, read up to their bound.

use axum::body::{Body, HttpBody};
use http_body_util::BodyExt;

/// The largest body that is taken.
pub(crate) const MAX_BODY: usize = 1024 * 1024;

/// How much of a body that is too large is read all the same, and thrown away: a caller that is still sending when the
/// connection closes does not see the answer.
pub(super) const MAX_DRAINED: usize = 8 * 1024 * 1024;

/// Why there is no body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It has more than [`MAX_BODY`] bytes.
    TooLarge,
    /// The caller stopped in the middle.
    BrokenOff,
}

/// The whole of `body`.
pub(super) async fn read(mut body: Body) -> Result<Vec<u8>, Unread> {
    if body.size_hint().lower() > MAX_DRAINED as u64 {
        return Err(Unread::TooLarge);
    }
    let mut held = Vec::new();
    let mut seen = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_error| Unread::BrokenOff)?.into_data() else { continue };
        seen += data.len();
        if seen <= MAX_BODY {
            held.extend_from_slice(&data);
        } else if seen <= MAX_DRAINED {
            held = Vec::new();
        } else {
            break;
        }
    }
    if seen <= MAX_BODY { Ok(held) } else { Err(Unread::TooLarge) }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn length(body: usize) -> Result<usize, Unread> {
        read(Body::from(vec![b' '; body])).now_or_never().expect("nothing to wait for").map(|read| read.len())
    }

    #[test]
    fn a_body_is_taken_up_to_its_bound() {
        assert_eq!(length(0), Ok(0));
        assert_eq!(length(MAX_BODY), Ok(MAX_BODY));
        for more in [MAX_BODY + 1, MAX_DRAINED, MAX_DRAINED + 1] {
            assert_eq!(length(more), Err(Unread::TooLarge));
        }
    }
}
