use seawall_core::ConfigError;
use seawall_core::time::Timestamp;

/// Sentinel's warm-up: how many calls a second may pass, by how many have passed of late.
///
/// Not a [`Limit`](super::Limit) of its own: whoever uses it counts the calls that pass and tells it. With `count` calls a second
/// when warm, `warm_up` seconds and the cold factor `f`:
///
/// ```text
/// warning = warm_up * count / (f - 1)        most = warning + 2 * warm_up * count / (1 + f)
/// allowed = count                                                        below the warning line
/// allowed = count * (most - warning) / ((tokens - warning) * (f - 1) + (most - warning))      above
/// ```
///
/// Once a second as many tokens leave as calls passed in the second before, and `count` come in if they are at the warning line
/// or below it, or if fewer than `count / f` calls passed. Sentinel itself never refills exactly at the line. All in integers.
///
/// ```
/// use seawall_rate_limit::limit::{WarmUpThreshold, WarmUpThresholdState};
/// use seawall_core::time::Timestamp;
///
/// let limit = WarmUpThreshold::new(10, 10, 3)?;
/// let mut cold = WarmUpThresholdState::default();
/// // 3.4 a second when cold.
/// assert!(!limit.passes(&mut cold, Timestamp::ZERO, 1, 3, 1));
/// assert!(limit.passes(&mut cold, Timestamp::ZERO, 1, 2, 1));
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WarmUpThreshold {
    count: u32,
    factor: u32,
    warning: u64,
    most: u64,
}

/// What a [`WarmUpThreshold`] remembers. The default is cold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WarmUpThresholdState {
    /// How many tokens fewer there are than the most.
    spent: u64,
    /// The second at which tokens last came and went, and one.
    synced: u64,
}

impl WarmUpThreshold {
    /// `count` calls a second after `warm_up` seconds, `cold_factor` times fewer when cold (3 in Sentinel).
    ///
    /// # Errors
    /// If the count or the seconds are zero, or the factor is not 2 to 100.
    pub fn new(count: u32, warm_up: u32, cold_factor: u32) -> Result<Self, ConfigError> {
        if count == 0 {
            return Err(ConfigError::new("count", count, format!("1 to {}", u32::MAX)));
        }
        if warm_up == 0 {
            return Err(ConfigError::new("warm_up", warm_up, format!("1 to {} seconds", u32::MAX)));
        }
        if !(2..=100).contains(&cold_factor) {
            return Err(ConfigError::new("cold_factor", cold_factor, "2 to 100"));
        }
        let (product, factor) = (u128::from(count) * u128::from(warm_up), u128::from(cold_factor));
        let warning = product / (factor - 1);
        // At least one above the line, so that there is one.
        let above = (2 * product / (1 + factor)).max(1);
        let tokens = |tokens: u128| u64::try_from(tokens).unwrap_or(u64::MAX);
        Ok(Self { count, factor: cold_factor, warning: tokens(warning), most: tokens(warning.saturating_add(above)) })
    }

    /// Whether `cells` may pass now, if `passed` have passed in this second and `passed_before` in the one before.
    pub fn passes(
        &self,
        state: &mut WarmUpThresholdState,
        now: Timestamp,
        cells: u32,
        passed: u32,
        passed_before: u32,
    ) -> bool {
        self.sync(state, now, passed_before);
        let wanted = u128::from(passed) + u128::from(cells);
        let above = (self.most - state.spent).saturating_sub(self.warning);
        let line = u128::from(self.most - self.warning);
        let dearer = u128::from(above) * u128::from(self.factor - 1);
        wanted * (dearer + line) <= u128::from(self.count) * line
    }

    fn sync(&self, state: &mut WarmUpThresholdState, now: Timestamp, passed_before: u32) {
        let second = now.as_nanos() / 1_000_000_000 + 1;
        let passed = second.saturating_sub(state.synced);
        if passed == 0 {
            return;
        }
        let tokens = self.most - state.spent;
        let idle = u64::from(passed_before) < u64::from(self.count / self.factor);
        if tokens <= self.warning || idle {
            state.spent = state.spent.saturating_sub(passed.saturating_mul(u64::from(self.count)));
        }
        state.spent = state.spent.saturating_add(u64::from(passed_before)).min(self.most);
        state.synced = second;
    }
}
