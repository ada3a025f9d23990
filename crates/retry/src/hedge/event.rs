use seawall_core::Name;

/// A call is made once more beside the attempts that are out, or could not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HedgeEvent {
    /// A further attempt was begun.
    Hedged {
        /// Whose calls these are.
        name: Name,
        /// 1 for the first further attempt.
        hedge: u32,
    },
    /// A further attempt was due, and the budget had nothing left.
    OutOfBudget {
        /// Whose calls these are.
        name: Name,
    },
}

impl HedgeEvent {
    /// Logs the event at DEBUG: target `seawall::hedge`.
    pub(crate) fn trace(&self) {
        match self {
            Self::Hedged { name, hedge } => {
                tracing::debug!(target: "seawall::hedge", name = name.as_str(), hedge, "call is hedged");
            }
            Self::OutOfBudget { name } => {
                tracing::debug!(target: "seawall::hedge", name = name.as_str(), "no budget for a hedge");
            }
        }
    }
}
