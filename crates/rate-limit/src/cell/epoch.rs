use seawall_core::sync::atomic::{AtomicU32, Ordering};

/// Which receipts a cell takes back: what was granted before its state was replaced, forgotten or pulled back may not be given
/// back after it, for it is not in the state any more and would be taken out of what others have.
///
/// The epoch is read **before** the state that a call takes from, and moves on **before** that state is changed. So a receipt of the
/// present epoch is one of the present state, and a receipt that is older than it need be is only lost.
#[derive(Debug, Default)]
pub(crate) struct Epoch(AtomicU32);

impl Epoch {
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// To be written on receipts.
    #[inline(always)]
    pub(crate) fn read(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    /// Whether receipts of this epoch are taken back.
    #[inline]
    pub(crate) fn takes(&self, epoch: u32) -> bool {
        epoch & 1 == 0 && self.read() == epoch
    }

    /// Moves on, where nobody can take from the state before it has changed.
    pub(crate) fn advance(&self) {
        self.0.fetch_add(2, Ordering::AcqRel);
    }

    /// Moves on while `change` is made to a state from which others take meanwhile: no receipt of that time is ever taken back. One
    /// change at a time.
    pub(crate) fn during(&self, change: impl FnOnce()) {
        self.0.fetch_add(1, Ordering::AcqRel);
        change();
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}
