//! The rate limiter against governor, `tower_governor`, tower-resilience and better-bucket.
//!
//! All sides have the same quotas, [`quotas`]: a bucket of a hundred million cells a second that never runs out, a window that is
//! never full, and one cell in an hour that is taken. Targets are those of the limiter's contract. Our limiters count what they
//! admit and refuse, which no peer does.
//!
//! better-bucket is the strongest of the smaller peers: one word as ours and governor's, sums that are rounded so that nothing is
//! minted, and a wait that it tells. ratelimit and ratelock keep tokens and time in two words that change one after the other.

mod bucket_peers;
mod keyed;
mod ours;
mod quotas;
mod several;
mod tower_layers;

use crate::harness::Expected::{self, AllAdmitted, AllRefused};
use crate::harness::{Contest, Subject};

fn contest(path: &'static str, expected: Expected, ours: fn() -> Subject) -> Contest {
    Contest::new("rate-limit", path, expected, ours)
}

pub(super) fn contests() -> Vec<Contest> {
    [one_key(), keys(), layers()].into_iter().flatten().collect()
}

fn one_key() -> Vec<Contest> {
    use bucket_peers::{
        better_bucket_accepts, better_bucket_refuses, governor_accepts, governor_refuses, governor_refuses_and_tells,
    };
    vec![
        contest("one key, accept", AllAdmitted, ours::accept)
            .at_most(1.5, 1.0, "governor", governor_accepts)
            .against("better-bucket", better_bucket_accepts),
        // Neither counts.
        contest("one key, accept, bare cell", AllAdmitted, ours::accept_bare).at_most(
            1.05,
            1.0,
            "governor",
            governor_accepts,
        ),
        contest("one key, accept, sharded", AllAdmitted, ours::accept_sharded).at_most(
            1.5,
            0.3,
            "governor",
            governor_accepts,
        ),
        contest("one key, refuse", AllRefused, ours::refuse)
            .at_most(1.05, 1.05, "governor", governor_refuses)
            .against("better-bucket", better_bucket_refuses),
        contest("one key, refuse, bare cell", AllRefused, ours::refuse_bare).at_most(
            1.05,
            1.05,
            "governor",
            governor_refuses,
        ),
        contest("one key, refuse and tell when", AllRefused, ours::refuse_and_tell)
            .against("governor", governor_refuses_and_tells),
        // No peer has a sliding window without a layer: a bucket stands in.
        contest("one key, accept, sliding window", AllAdmitted, ours::accept_window)
            .against("governor", governor_accepts),
        contest("one key, refuse, sliding window", AllRefused, ours::refuse_window)
            .against("governor", governor_refuses),
        contest("three limits, accept", AllAdmitted, several::ours)
            .against("governor, three checks", several::governor),
    ]
}

fn keys() -> Vec<Contest> {
    let [ours, governor] = keyed::ONE_OF_MANY;
    let [ours_of_more, governor_of_more] = keyed::ONE_OF_MORE;
    vec![
        contest("one of 10 000 keys, number", AllAdmitted, ours).at_most(0.85, 0.6, "governor", governor),
        contest("one of 10 000 keys, name", AllAdmitted, keyed::ours_by_name).at_most(
            0.85,
            0.6,
            "governor",
            keyed::governor_by_name,
        ),
        contest("one of 10 000 keys, refuse", AllRefused, keyed::ours_refuse)
            .against("governor", keyed::governor_refuses),
        contest("one of 1 000 000 keys, number", AllAdmitted, ours_of_more).at_most(
            0.5,
            0.5,
            "governor",
            governor_of_more,
        ),
    ]
}

/// All layers protect the same service and are driven by the same loop, readiness first. tower-resilience's run inside a
/// current-thread tokio runtime for each thread, whose clock they read.
fn layers() -> Vec<Contest> {
    use tower_layers::{resilience_counter, resilience_fixed, resilience_log};
    vec![
        contest("tower accept, sliding window", AllAdmitted, ours::layer_window)
            .at_most(0.2, 0.2, "tower-resilience, two counters", resilience_counter)
            .at_most(0.2, 0.25, "tower-resilience, fixed", resilience_fixed),
        contest("tower accept, bucket", AllAdmitted, ours::layer_bucket).at_most(
            0.2,
            0.25,
            "tower-resilience, fixed",
            resilience_fixed,
        ),
        contest("tower accept, fixed window", AllAdmitted, ours::layer_fixed)
            .against("tower-resilience, fixed", resilience_fixed),
        contest("tower accept, two counters", AllAdmitted, ours::layer_counter)
            .against("tower-resilience, two counters", resilience_counter),
        contest("tower accept, log", AllAdmitted, ours::layer_log).against("tower-resilience, log", resilience_log),
        contest("tower accept, one of 10 000 keys", AllAdmitted, tower_layers::ours_by_path)
            .against("tower_governor", tower_layers::governor_by_path),
    ]
}
