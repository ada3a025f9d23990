use seawall_core::sync::atomic::{AtomicU64, Ordering};

/// Which tenancy of a slot goes on, whether it was used lately, and whether somebody holds it: one word.
///
/// Whoever found a key in the index knows the number of its tenancy, and asks after each use of the member whether it has ended
/// meanwhile. That is enough to keep tenants apart, because a tenancy ends before the member begins anew: whoever has seen
/// anything of the next tenant's sees the end too.
///
/// ```text
/// 63        32 31    2      1        0
/// [ number   ][ pins ][let][ used ]
/// ```
#[derive(Debug)]
pub(super) struct Tenancy(AtomicU64);

#[derive(Clone, Copy)]
struct Word(u64);

impl Word {
    /// A call has asked since the hand last passed.
    const USED: u64 = 1;
    const LET: u64 = 1 << 1;
    const PIN: u64 = 1 << 2;
    const PINS: u64 = ((1 << 30) - 1) << 2;

    const fn number(self) -> u32 {
        (self.0 >> u32::BITS) as u32
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
        let number = self.number().wrapping_add(1) as u64;
        Self((number << u32::BITS) | if is_let { Self::LET } else { 0 })
    }
}

impl Tenancy {
    /// One of nobody.
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    #[inline(always)]
    fn word(&self) -> Word {
        // What orders this load is said where it matters.
        Word(self.0.load(Ordering::Relaxed))
    }

    /// Whether the tenancy of this number goes on.
    ///
    /// Asked after the member was. Then either what the member read came from before its new beginning, or this load comes
    /// after that, and sees what was written before it: the end of the tenancy.
    #[inline(always)]
    pub(super) fn is(&self, number: u32) -> bool {
        self.word().number() == number
    }

    /// The same, noting the use. Who is used all the time is written once in a round of the hand, not with each call.
    #[inline(always)]
    pub(super) fn is_and_is_used(&self, number: u32) -> bool {
        let word = self.word();
        if word.number() != number {
            return false;
        }
        if !word.is_used() {
            self.0.fetch_or(Word::USED, Ordering::Relaxed);
        }
        true
    }

    /// Takes the mark of use away. Tells whether it was there.
    pub(super) fn pass_hand(&self) -> bool {
        self.word().is_used() && Word(self.0.fetch_and(!Word::USED, Ordering::Relaxed)).is_used()
    }

    /// Whether somebody lives here.
    pub(super) fn is_let(&self) -> bool {
        self.word().is_let()
    }

    /// Whether somebody lives here whom nobody holds.
    pub(super) fn is_let_and_free(&self) -> bool {
        let word = self.word();
        word.is_let() && !word.is_pinned()
    }

    /// Keeps the tenancy of this number from ending, if it goes on. To be undone by [`unpin`](Self::unpin).
    pub(super) fn pin(&self, number: u32) -> bool {
        let pinned = self.change(|word| match word {
            word if word.number() != number => None,
            word if word.is_pinned_for_good() => Some(word),
            Word(bits) => Some(Word(bits + Word::PIN)),
        });
        pinned.is_some()
    }

    pub(super) fn unpin(&self) {
        self.change(|word| if word.is_pinned_for_good() { None } else { Some(Word(word.0 - Word::PIN)) });
    }

    /// Ends this tenancy and begins the next one, unless somebody holds it. Gives the number of the new one.
    pub(super) fn end(&self, is_let: bool) -> Option<u32> {
        self.change(|word| (!word.is_pinned()).then(|| word.next(is_let))).map(Word::number)
    }

    /// Changes the word until nobody comes between, or gives up where `next` does. Gives the new word.
    fn change(&self, next: impl Fn(Word) -> Option<Word>) -> Option<Word> {
        let mut old = self.word();
        loop {
            let new = next(old)?;
            match self.0.compare_exchange_weak(old.0, new.0, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return Some(new),
                Err(found) => old = Word(found),
            }
        }
    }
}

#[cfg(all(test, not(seawall_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_tenancy_ends_when_nobody_holds_it() {
        let tenancy = Tenancy::new();
        assert!(!tenancy.is_let());
        let first = tenancy.end(true).expect("nobody holds it");
        assert!(tenancy.is(first) && tenancy.is_let_and_free());
        assert!(tenancy.pin(first) && tenancy.pin(first));
        assert!(!tenancy.is_let_and_free() && tenancy.is_let());
        assert_eq!(tenancy.end(true), None);
        tenancy.unpin();
        assert_eq!(tenancy.end(false), None, "one still holds it");
        tenancy.unpin();
        let second = tenancy.end(false).expect("nobody holds it");
        assert!(!tenancy.is(first) && tenancy.is(second) && !tenancy.is_let());
        assert!(!tenancy.pin(first), "it is over");
    }

    #[test]
    fn use_is_noted_for_the_tenancy_that_goes_on() {
        let tenancy = Tenancy::new();
        let first = tenancy.end(true).expect("free");
        assert!(!tenancy.pass_hand());
        assert!(tenancy.is_and_is_used(first) && tenancy.is_and_is_used(first));
        assert!(tenancy.pass_hand() && !tenancy.pass_hand());
        let second = tenancy.end(true).expect("free");
        assert!(!tenancy.is_and_is_used(first) && !tenancy.pass_hand());
        assert!(tenancy.is_and_is_used(second) && tenancy.pin(second));
        let third = tenancy.end(true);
        assert_eq!(third, None);
        assert!(tenancy.pass_hand(), "holding it takes no mark away");
    }

    #[test]
    fn numbers_wrap_and_pins_that_were_lost_hold_for_ever() {
        let last = Tenancy(AtomicU64::new(!Word::PINS));
        assert_eq!(last.end(true), Some(0));
        let full = Tenancy(AtomicU64::new(Word::PINS - Word::PIN));
        assert!(full.pin(0) && full.pin(0));
        (0..3).for_each(|_| full.unpin());
        assert_eq!(full.end(true), None, "how many hold it is not known any more");
        assert!(full.is(0));
    }
}
