/// How much a call matters. A higher one is served first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Priority {
    /// Work that can be left undone.
    Low,
    /// Work without a special standing.
    #[default]
    Normal,
    /// Work that somebody waits for.
    High,
    /// Work without which the service is down.
    Critical,
}

impl Priority {
    /// All of them, the lowest first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Normal, Self::High, Self::Critical];

    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();
}
