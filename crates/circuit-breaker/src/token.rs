use std::num::NonZeroU64;

use seawall_core::time::Timestamp;

use crate::state::Grant;

/// What an admitted call carries: the generation in which it was admitted, what was granted, and when it started.
///
/// Two whole words, because reading a word that was written in parts stalls the processor.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    /// The generation where the gate has it, and the kind below.
    word: NonZeroU64,
    started: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// To be judged with the window.
    Counted = 1,
    /// One of the half-open circuit's.
    Probe,
    /// Not to be judged.
    Uncounted,
    /// A reservation that took nothing: it becomes one of the others when the call starts.
    Reserved,
}

impl From<Grant> for Kind {
    fn from(grant: Grant) -> Self {
        match grant {
            Grant::Counted => Self::Counted,
            Grant::Probe => Self::Probe,
            Grant::Uncounted => Self::Uncounted,
        }
    }
}

impl Token {
    /// A token of a gate's generation, as it has it.
    #[inline]
    pub(crate) const fn new(generation: u64, kind: Kind, started: Timestamp) -> Self {
        Self { word: Self::word(generation, kind), started }
    }

    #[inline]
    pub(crate) const fn from_parts(word: NonZeroU64, started: u64) -> Self {
        Self { word, started: Timestamp::from_nanos(started) }
    }

    #[inline]
    pub(crate) const fn into_parts(self) -> (NonZeroU64, u64) {
        (self.word, self.started.as_nanos())
    }

    #[inline]
    const fn word(generation: u64, kind: Kind) -> NonZeroU64 {
        // A kind is never zero, so neither is the word.
        NonZeroU64::MIN.saturating_add((generation | kind as u64) - 1)
    }

    /// The generation, where a gate has it.
    #[inline]
    pub(crate) const fn generation(self) -> u64 {
        self.word.get() & !0xff
    }

    #[inline]
    pub(crate) const fn kind(self) -> Kind {
        match self.word.get() & 0xff {
            1 => Kind::Counted,
            2 => Kind::Probe,
            3 => Kind::Uncounted,
            _ => Kind::Reserved,
        }
    }

    /// Whether its call is to be judged with the window of `generation`.
    #[inline]
    pub(crate) const fn is_counted_in(self, generation: u64) -> bool {
        self.word.get() == Self::word(generation, Kind::Counted).get()
    }

    #[inline]
    pub(crate) const fn started(self) -> Timestamp {
        self.started
    }

    pub(crate) const fn restart(&mut self, now: Timestamp) {
        self.started = now;
    }
}
