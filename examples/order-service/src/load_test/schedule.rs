//! When which request begins: known before the first one does.

use std::time::Duration;

use seawall_core::time::Timestamp;

use super::parameters::Parameters;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    Products,
    Suggestions,
    ReadOrders,
    Statistics,
    PlaceOrder,
}

/// One round after another makes the whole load: 40 % products, 30 % suggestions, 20 % orders read, 5 % statistics, 5 % orders
/// written, each kind spread over the round.
const ROUND: [Errand; 20] = {
    use Errand::{PlaceOrder as W, Products as P, ReadOrders as O, Statistics as T, Suggestions as S};
    [W, P, S, P, O, P, S, P, S, P, O, T, P, S, P, O, S, P, O, S]
};

/// The requests of a load test, each with the moment at which it is to begin: at equal distances, whatever becomes of others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    start: Timestamp,
    parameters: Parameters,
}

/// One request of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    /// Which one it is, from 0 on.
    pub(super) number: u64,
    pub(super) errand: Errand,
    /// When it is to begin.
    pub(super) at: Timestamp,
}

impl Schedule {
    /// The schedule that begins at `start`.
    pub(super) fn new(parameters: Parameters, start: Timestamp) -> Self {
        Self { start, parameters }
    }

    pub(super) fn parameters(&self) -> Parameters {
        self.parameters
    }

    pub(super) fn start(&self) -> Timestamp {
        self.start
    }

    /// When it is over: as long after the last request as that is after the one before it.
    pub(super) fn end(&self) -> Timestamp {
        self.start + Duration::from_secs(self.parameters.seconds.into())
    }

    /// All requests, in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Planned> + use<> {
        let Self { start, parameters: Parameters { rps, seconds } } = *self;
        let (rps, seconds) = (u64::from(rps), u64::from(seconds));
        (0..rps * seconds).map(move |number| {
            // At most 60 000 requests, so this is far from overflow.
            let after = Duration::from_nanos(number * 1_000_000_000 / rps);
            let errand = ROUND[usize::try_from(number % 20).unwrap_or_default()];
            Planned { number, errand, at: start + after }
        })
    }
}

impl Errand {
    pub(super) const ALL: [Self; 5] =
        [Self::Products, Self::Suggestions, Self::ReadOrders, Self::Statistics, Self::PlaceOrder];

    /// The route, as the rest of the service calls it.
    pub(super) fn route(self) -> &'static str {
        match self {
            Self::Products => "GET /products",
            Self::Suggestions => "GET /suggestions",
            Self::ReadOrders => "GET /orders",
            Self::Statistics => "GET /statistics",
            Self::PlaceOrder => "POST /orders",
        }
    }

    /// Which part of all requests are such.
    pub(super) fn share(self) -> f64 {
        let number: u32 = ROUND.iter().map(|errand| u32::from(*errand == self)).sum();
        f64::from(number) / 20.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(rps: u32, seconds: u32) -> Schedule {
        Schedule::new(Parameters { rps, seconds }, Timestamp::from_nanos(7))
    }

    #[test]
    fn requests_begin_at_equal_distances_and_end_in_time() {
        for (rps, seconds) in [(1, 1), (3, 2), (50, 5), (1_999, 30), (2_000, 30)] {
            let schedule = schedule(rps, seconds);
            let all: Vec<_> = schedule.iter().collect();
            assert_eq!(all.len(), (rps * seconds) as usize);
            assert_eq!((all[0].number, all[0].at), (0, schedule.start()));
            let distance = Duration::from_secs(1) / rps;
            for pair in all.windows(2) {
                let between = pair[1].at.saturating_duration_since(pair[0].at);
                assert!(between.abs_diff(distance) <= Duration::from_nanos(1), "{between:?} of {distance:?}");
            }
            let left = schedule.end().saturating_duration_since(all[all.len() - 1].at);
            assert!(left.abs_diff(distance) <= Duration::from_nanos(1), "{left:?}");
        }
    }

    #[test]
    fn each_kind_has_its_share() {
        let shares = Errand::ALL.map(Errand::share);
        assert!(shares.iter().zip([0.4, 0.3, 0.2, 0.05, 0.05]).all(|(share, wanted)| (share - wanted).abs() < 1e-9));
        for errand in Errand::ALL {
            let number = schedule(100, 1).iter().filter(|planned| planned.errand == errand).count();
            assert_eq!(number, [40, 30, 20, 5, 5][errand as usize], "{errand:?}");
        }
    }
}
