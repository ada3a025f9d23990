/// What of a token bucket's cells can be given back so that nothing is minted, in whatever unit the bucket counts.
///
/// Think of the kept cells as served first. What was granted at once is then served for at most the time since, and what is not
/// yet served can go, whatever else was given back.
///
/// Turns are different: they were told, and do not move. Giving back what is ahead of a turn moves the cells that pay for it
/// towards the past; moved to before the turn itself, they would be served by then, and others would find the bucket empty that
/// should not. One who gives back all but what was built upon it moves those behind it by less than a burst, which is safe once.
/// So while turns are to come it is done once: where no more than a single cell can be built upon it, for two may be one and
/// what was left of another that was given back.
pub(super) struct Refund {
    pub(super) paid: u64,
    /// What was refilled since it could be used.
    pub(super) elapsed: u64,
    /// By how much the bucket's debt has grown beyond it; nothing if it has become less by refunds.
    pub(super) built_upon: Option<u64>,
    /// Where less than this was built upon it, the rest of it can go while turns are to come.
    pub(super) built_below: u64,
    pub(super) turn: Turn,
}

/// Whether turns are concerned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It was granted at once, and nobody's turn is to come.
    None,
    /// Its own turn, or another's, is to come.
    ToCome,
    /// It waited for a turn that has come: it is as good as used.
    Over,
}

impl Refund {
    pub(super) const fn safe(&self) -> u64 {
        let unserved = self.paid.saturating_sub(self.elapsed);
        match (self.turn, self.built_upon) {
            (Turn::None, _) => unserved,
            (Turn::ToCome, Some(built_upon)) if built_upon < self.built_below => {
                let unbuilt = self.paid.saturating_sub(built_upon);
                if unbuilt < unserved { unbuilt } else { unserved }
            }
            _ => 0,
        }
    }
}
