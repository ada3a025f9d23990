use std::fmt;

/// How loaded a service is. A higher load is the greater level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Level {
    /// Everything is done.
    #[default]
    Normal,
    /// What can be left undone is left undone.
    Elevated,
    /// Only what matters most is done.
    Critical,
}

impl Level {
    /// All of them, the lowest first.
    pub const ALL: [Self; 3] = [Self::Normal, Self::Elevated, Self::Critical];

    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The level in `snake_case`, as in metrics, events and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Elevated => "elevated",
            Self::Critical => "critical",
        }
    }

    /// The next lower one; the lowest itself.
    pub const fn below(self) -> Self {
        match self {
            Self::Normal | Self::Elevated => Self::Normal,
            Self::Critical => Self::Elevated,
        }
    }

    /// The level at this place of [`ALL`](Self::ALL).
    #[inline]
    pub(crate) const fn at(place: u8) -> Self {
        match place {
            0 => Self::Normal,
            1 => Self::Elevated,
            _ => Self::Critical,
        }
    }

    /// In how many steps down this level is left for one below `bound`: 0 if it lies below it already.
    pub(crate) const fn steps_below(self, bound: Self) -> u32 {
        (self as u32 + 1).saturating_sub(bound as u32)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
