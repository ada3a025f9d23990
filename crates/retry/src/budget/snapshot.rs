use seawall_core::Name;

/// All that is known of a [`Budget`](crate::Budget) at one moment.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct BudgetSnapshot {
    /// Which budget.
    pub name: Name,
    /// Its kind: `deposits`, `in_flight` or `tokens`.
    pub kind: &'static str,
    /// Extra attempts that could begin now; one needs a whole one. Of the kind `tokens`: the tokens, of which there must be more
    /// than a half.
    pub balance: f64,
    /// Whether an extra attempt could begin now.
    pub can_spend: bool,
    /// Original calls that run.
    pub in_flight: u64,
    /// Extra attempts that run, or are paid for and wait.
    pub extra_in_flight: u64,
    /// Original calls that began since the budget was made: so many deposits.
    pub calls: u64,
    /// Extra attempts that were paid for, those too that were given back.
    pub spent: u64,
    /// Extra attempts that were paid for and never begun.
    pub given_back: u64,
    /// Extra attempts that were refused.
    pub denied: u64,
}
