use seawall_core::stripe::Tag;

use crate::event::State;
use crate::state::View;

/// What a call needs to know to be admitted or settled, in one word that is read far more often than written.
///
/// ```text
/// 63        32 31       8 7      5   4      3        2      0
/// [generation][  tag     ][ state ][watched][timed][ unused ]
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gate(u64);

impl Gate {
    const WATCHED: u64 = 1 << 4;
    const TIMED: u64 = 1 << 3;

    pub(crate) const fn new(view: &View, tag: Tag) -> Self {
        let mut word = ((view.generation as u64) << 32) | ((tag.bits() as u64) << 8) | ((view.state as u64) << 5);
        if view.watched {
            word |= Self::WATCHED;
        }
        if view.timed {
            word |= Self::TIMED;
        }
        Self(word)
    }

    #[inline]
    pub(crate) const fn from_bits(word: u64) -> Self {
        Self(word)
    }

    #[inline]
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    #[inline]
    pub(crate) const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "a tag keeps only its own bits")]
    pub(crate) const fn tag(self) -> Tag {
        Tag::from_bits((self.0 >> 8) as u32)
    }

    /// Successes must come through the lock.
    #[inline]
    pub(crate) const fn is_watched(self) -> bool {
        self.0 & Self::WATCHED != 0
    }

    /// The durations of calls matter.
    #[inline]
    pub(crate) const fn is_timed(self) -> bool {
        self.0 & Self::TIMED != 0
    }

    #[inline]
    pub(crate) const fn state(self) -> State {
        State::ALL[((self.0 >> 5) & 7) as usize % State::ALL.len()]
    }

    /// Calls pass and are counted without the lock.
    #[inline]
    pub(crate) const fn is_judging(self) -> bool {
        let state = (self.0 >> 5) & 7;
        state == State::Closed as u64 || state == State::MetricsOnly as u64
    }
}
