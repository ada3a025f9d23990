use seawall_core::stripe::Tag;

use crate::event::State;
use crate::state::View;

/// What a call needs to know to be admitted or settled, in one word that is read far more often than written.
///
/// ```text
/// 63     40 39 38         8 7     5    4       3       2       1
/// [ tag   ][0][ generation ][state][judging][watched][timed][dated]
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gate(u64);

impl Gate {
    const GENERATION: u64 = 0x7fff_ffff << 8;
    const STATE_SHIFT: u32 = 5;
    /// Calls pass and are judged by the window.
    const JUDGING: u64 = 1 << 4;
    /// Successes must come through the lock.
    const WATCHED: u64 = 1 << 3;
    /// The durations of calls matter.
    const TIMED: u64 = 1 << 2;
    /// The time of a success matters.
    const DATED: u64 = 1 << 1;

    pub(crate) const fn new(view: &View, tag: Tag) -> Self {
        let mut word = tag.bits() | Self::generation_bits(view.generation) | ((view.state as u64) << Self::STATE_SHIFT);
        if matches!(view.state, State::Closed | State::MetricsOnly) {
            word |= Self::JUDGING;
        }
        if view.watched {
            word |= Self::WATCHED;
        }
        if view.timed {
            word |= Self::TIMED;
        }
        if view.dated {
            word |= Self::DATED;
        }
        Self(word)
    }

    /// A generation where the gate, and every token, keeps it. It wraps at 2^31.
    #[inline]
    pub(crate) const fn generation_bits(generation: u32) -> u64 {
        ((generation as u64) << 8) & Self::GENERATION
    }

    #[inline]
    pub(crate) const fn from_bits(word: u64) -> Self {
        Self(word)
    }

    #[inline]
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// The generation, in its place.
    #[inline]
    pub(crate) const fn generation(self) -> u64 {
        self.0 & Self::GENERATION
    }

    #[inline]
    pub(crate) const fn tag(self) -> Tag {
        Tag::of(self.0)
    }

    #[inline]
    pub(crate) const fn is_judging(self) -> bool {
        self.0 & Self::JUDGING != 0
    }

    #[inline]
    pub(crate) const fn is_watched(self) -> bool {
        self.0 & Self::WATCHED != 0
    }

    #[inline]
    pub(crate) const fn is_timed(self) -> bool {
        self.0 & Self::TIMED != 0
    }

    /// A success needs the time.
    #[inline]
    pub(crate) const fn asks_the_time(self) -> bool {
        self.0 & (Self::TIMED | Self::DATED) != 0
    }

    #[inline]
    pub(crate) const fn state(self) -> State {
        State::at((self.0 >> Self::STATE_SHIFT) & 7)
    }
}
