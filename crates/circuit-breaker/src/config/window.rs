use std::time::Duration;

/// The calls over which rates are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(from = "crate::format::Window", rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Window {
    /// The last `size` calls, exactly.
    Count {
        /// How many calls: 1 to 1 000 000. It takes three bits of memory a call.
        size: u32,
        /// How many of them there must be before a rate counts: 1 to `size`.
        minimum_calls: u32,
    },
    /// The calls of the last `length`, in `buckets` of equal length: between `length` less one bucket and `length`.
    Time {
        /// How long: at least one millisecond a bucket.
        #[cfg_attr(feature = "serde", serde(with = "humantime_serde"))]
        length: Duration,
        /// In how many steps old calls leave: 1 to 1 000.
        buckets: u32,
        /// How many calls there must be before a rate counts: at least 1.
        minimum_calls: u32,
    },
}

const fn default_minimum() -> u32 {
    20
}

impl Window {
    /// The last `size` calls. The minimum is 20 of them, or all if they are fewer.
    pub const fn count(size: u32) -> Self {
        let minimum_calls = if size < default_minimum() { size } else { default_minimum() };
        Self::Count { size, minimum_calls }
    }

    /// The calls of the last `length`, in 10 buckets, at least 20 of them.
    pub const fn time(length: Duration) -> Self {
        Self::Time { length, buckets: 10, minimum_calls: default_minimum() }
    }

    /// The same with another minimum.
    #[must_use]
    pub const fn minimum_calls(mut self, minimum: u32) -> Self {
        match &mut self {
            Self::Count { minimum_calls, .. } | Self::Time { minimum_calls, .. } => *minimum_calls = minimum,
        }
        self
    }

    /// Whether both hold the same calls, whatever their minimum.
    pub(crate) fn has_shape_of(self, other: Self) -> bool {
        self.minimum_calls(1) == other.minimum_calls(1)
    }

    /// The same with another number of buckets. Changes nothing for a count of calls.
    #[must_use]
    pub const fn buckets(mut self, number: u32) -> Self {
        if let Self::Time { buckets, .. } = &mut self {
            *buckets = number;
        }
        self
    }
}
