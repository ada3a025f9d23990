use std::sync::Arc;

use seawall_core::sync::Mutex;
use seawall_core::sync::atomic::{AtomicU64, Ordering};

use super::member::Member;
use super::tenant::Tenant;
use crate::state::Worth;

/// A member that serves one key after another. The key that it serves is its tenant; each tenancy has a number.
///
/// Whoever found the key in the index knows the number of its tenancy, and asks after each use whether it has ended meanwhile.
/// That is enough to keep tenants apart, because a tenancy ends before its member begins anew: whoever has seen anything of
/// the next tenant's sees the end too.
pub(super) struct Slot<M, K> {
    member: M,
    word: AtomicU64,
    resident: Mutex<Option<Resident<K>>>,
}

/// Who lives in a slot.
pub(super) struct Resident<K> {
    pub(super) tenancy: u32,
    pub(super) tenant: Arc<Tenant<K>>,
}

impl<K> Clone for Resident<K> {
    fn clone(&self) -> Self {
        Self { tenancy: self.tenancy, tenant: self.tenant.clone() }
    }
}

/// ```text
/// 63        32 31    2      1        0
/// [ tenancy  ][ pins ][let][ used ]
/// ```
#[derive(Clone, Copy)]
struct Word(u64);

impl Word {
    /// A call has asked since the hand last passed.
    const USED: u64 = 1;
    const LET: u64 = 1 << 1;
    const PIN: u64 = 1 << 2;
    const PINS: u64 = ((1 << 30) - 1) << 2;
    const TENANCY_SHIFT: u32 = 32;

    const fn tenancy(self) -> u32 {
        (self.0 >> Self::TENANCY_SHIFT) as u32
    }

    const fn is_used(self) -> bool {
        self.0 & Self::USED != 0
    }

    const fn is_let(self) -> bool {
        self.0 & Self::LET != 0
    }

    const fn is_pinned(self) -> bool {
        self.0 & Self::PINS != 0
    }

    /// So many pins are never counted down again: which one would be the last is not known any more.
    const fn is_pinned_for_good(self) -> bool {
        self.0 & Self::PINS == Self::PINS
    }

    const fn next(self, is_let: bool) -> Self {
        let tenancy = self.tenancy().wrapping_add(1);
        Self(((tenancy as u64) << Self::TENANCY_SHIFT) | if is_let { Self::LET } else { 0 })
    }
}

impl<M, K> Slot<M, K> {
    pub(super) fn new(member: M) -> Self {
        Self { member, word: AtomicU64::new(0), resident: Mutex::new(None) }
    }

    #[inline(always)]
    pub(super) const fn member(&self) -> &M {
        &self.member
    }

    fn word(&self, order: Ordering) -> Word {
        Word(self.word.load(order))
    }

    /// Whether the tenancy of this number goes on.
    ///
    /// Asked after the member was: what the member read came from before its new beginning, or this load sees the end of the
    /// tenancy, which came before that.
    #[inline(always)]
    pub(super) fn serves(&self, tenancy: u32) -> bool {
        self.word(Ordering::Relaxed).tenancy() == tenancy
    }

    /// The same, noting the use. Used slots are written once in a round of the hand, not with each call.
    #[inline(always)]
    pub(super) fn serves_and_is_used(&self, tenancy: u32) -> bool {
        let word = self.word(Ordering::Relaxed);
        if word.tenancy() != tenancy {
            return false;
        }
        if !word.is_used() {
            self.word.fetch_or(Word::USED, Ordering::Relaxed);
        }
        true
    }

    /// Takes the mark of use away. Tells whether it was there.
    pub(super) fn pass_hand(&self) -> bool {
        self.word(Ordering::Relaxed).is_used() && Word(self.word.fetch_and(!Word::USED, Ordering::Relaxed)).is_used()
    }

    /// Whether it serves somebody.
    pub(super) fn is_let(&self) -> bool {
        self.word(Ordering::Relaxed).is_let()
    }

    /// Whether it could be given to somebody else as far as can be told without asking the member.
    pub(super) fn is_let_and_free(&self) -> bool {
        let word = self.word(Ordering::Relaxed);
        word.is_let() && !word.is_pinned()
    }

    /// Keeps the tenancy from ending, if it goes on. To be undone by [`unpin`](Self::unpin).
    pub(super) fn pin(&self, tenancy: u32) -> bool {
        self.change(|word| match word {
            word if word.tenancy() != tenancy => None,
            word if word.is_pinned_for_good() => Some(word),
            Word(bits) => Some(Word(bits + Word::PIN)),
        })
        .is_some()
    }

    pub(super) fn unpin(&self) {
        self.change(|word| if word.is_pinned_for_good() { None } else { Some(Word(word.0 - Word::PIN)) });
    }

    /// Changes the word until nobody comes between, or gives up where `next` does. Gives the new word.
    fn change(&self, next: impl Fn(Word) -> Option<Word>) -> Option<Word> {
        let mut old = self.word(Ordering::Relaxed);
        loop {
            let new = next(old)?;
            match self.word.compare_exchange_weak(old.0, new.0, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Some(new),
                Err(found) => old = Word(found),
            }
        }
    }

    /// Who lives here, if anybody.
    pub(super) fn resident(&self) -> Option<Resident<K>> {
        self.resident.lock().clone()
    }
}

impl<M: Member<K>, K> Slot<M, K> {
    /// Ends the tenancy and begins one for `to`, or for nobody, unless the slot is pinned or `may` does not agree to lose what
    /// would be lost. Gives who lived here, and the number of the new tenancy.
    pub(super) fn hand_over(
        &self,
        to: Option<&Arc<Tenant<K>>>,
        mut may: impl FnMut(Worth) -> bool,
    ) -> Option<(Option<Resident<K>>, u32)> {
        let mut began = None;
        self.member.hand_over(to, &mut |worth| {
            if may(worth) {
                // Under the member's lock, and before it begins anew.
                began = self.change(|word| (!word.is_pinned()).then(|| word.next(to.is_some())));
            }
            began.is_some()
        });
        let tenancy = began?.tenancy();
        let resident = to.map(|tenant| Resident { tenancy, tenant: tenant.clone() });
        Some((std::mem::replace(&mut *self.resident.lock(), resident), tenancy))
    }
}
