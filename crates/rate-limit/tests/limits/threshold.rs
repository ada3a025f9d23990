//! A threshold that warms up, beside its formulas in plain tokens.

use proptest::prelude::*;
use seawall_core::time::Timestamp;
use seawall_rate_limit::limit::{WarmUpThreshold, WarmUpThresholdState};

/// What is documented, step by step.
struct Model {
    count: u128,
    factor: u128,
    warning: u128,
    most: u128,
    tokens: u128,
    /// The second in which tokens last came and went.
    synced: Option<u128>,
}

impl Model {
    fn new(count: u32, warm_up: u32, factor: u32) -> Self {
        let (count, warm_up, factor) = (u128::from(count), u128::from(warm_up), u128::from(factor));
        let warning = warm_up * count / (factor - 1);
        // The line above has a length.
        let most = warning + std::cmp::max(1, 2 * warm_up * count / (1 + factor));
        Self { count, factor, warning, most, tokens: most, synced: None }
    }

    fn passes(&mut self, second: u128, wanted: u128, before: u128) -> bool {
        let elapsed = self.synced.map_or(second + 1, |synced| second.saturating_sub(synced));
        if elapsed > 0 {
            if self.tokens <= self.warning || before < self.count / self.factor {
                self.tokens = self.most.min(self.tokens + elapsed * self.count);
            }
            self.tokens = self.tokens.saturating_sub(before);
            self.synced = Some(second);
        }
        if self.tokens <= self.warning {
            return wanted <= self.count;
        }
        let line = self.most - self.warning;
        wanted * ((self.tokens - self.warning) * (self.factor - 1) + line) <= self.count * line
    }
}

#[derive(Clone, Copy, Debug)]
struct Step {
    /// In tenths of a second; before zero the clock steps back.
    after: i64,
    /// How many pass, in thousandths of the count.
    before: u32,
    back: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let after = prop_oneof![6 => 0_i64..25, 1 => -30_i64..0, 1 => 0_i64..600];
    let before = prop_oneof![2 => Just(0_u32), 2 => 250_u32..600, 3 => 0_u32..1_500];
    let step = (after, before, any::<bool>()).prop_map(|(after, before, back)| Step { after, before, back });
    prop::collection::vec(step, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..crate::config() })]

    #[test]
    fn a_threshold_lets_pass_what_its_formulas_say(
        count in prop_oneof![1_u32..5, 1_u32..200],
        warm_up in 1_u32..20,
        factor in prop_oneof![4 => 2_u32..6, 1 => 2_u32..=100],
        steps in steps(),
    ) {
        let limit = WarmUpThreshold::new(count, warm_up, factor).expect("valid");
        let (mut state, mut model) = (WarmUpThresholdState::default(), Model::new(count, warm_up, factor));
        let mut tenths = 0_i64;
        for step in steps {
            tenths = tenths.saturating_add(step.after).max(0);
            let now = u64::try_from(tenths).expect("not negative");
            let before = if step.back { count / factor } else { count * step.before / 1_000 };
            // Every threshold there may be, so that the exact one is found.
            for cells in 1..=count + 1 {
                let passes = limit.passes(&mut state, Timestamp::from_nanos(now * 100_000_000), 1, cells - 1, before);
                let expected = model.passes(u128::from(now / 10), cells.into(), before.into());
                prop_assert_eq!(passes, expected, "{} of {}", cells, count);
            }
        }
    }
}

#[test]
fn the_largest_threshold_overflows_nowhere() {
    let limit = WarmUpThreshold::new(u32::MAX, u32::MAX, 2).expect("valid");
    let mut state = WarmUpThresholdState::default();
    let last = Timestamp::from_nanos(u64::MAX);
    for now in [Timestamp::ZERO, last] {
        assert!(limit.passes(&mut state, now, 1, u32::MAX / 2 - 1, u32::MAX), "half of the count when cold");
        assert!(!limit.passes(&mut state, now, u32::MAX, u32::MAX, u32::MAX));
    }
}
