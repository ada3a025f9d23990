use proptest::prelude::*;

/// What is done to one state, in order.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    /// The clock at the beginning.
    pub(crate) start: u64,
    /// The longest wait that anybody accepts.
    pub(crate) longest_wait: u64,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Take so many cells, waiting so long at most.
    Take {
        cells: u32,
        max_wait: u64,
    },
    /// Give back one of those that were taken and not given back.
    GiveBack(prop::sample::Index),
    Forward(u64),
    Back(u64),
}

/// How long things take with a quota.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub(crate) limit: u32,
    pub(crate) burst: u32,
    pub(crate) period: u64,
}

/// Small quotas: their boundaries are hit often.
pub(crate) fn scale() -> impl Strategy<Value = Scale> {
    let limit = 1..=6_u32;
    let period = prop_oneof![Just(1_000), Just(1_200), Just(2_520), 1_000..3_000_u64];
    (limit, 1..=6_u32, period).prop_map(|(limit, burst, period)| Scale { limit, burst, period })
}

/// Spans about the intervals and periods of a quota, and a nanosecond beside them.
pub(crate) fn span(scale: Scale) -> impl Strategy<Value = u64> {
    let interval = scale.period.div_ceil(u64::from(scale.limit));
    let near = |span: u64, times: std::ops::Range<u64>| {
        (times, -1..=1_i64).prop_map(move |(n, off)| (n * span).saturating_add_signed(off))
    };
    prop_oneof![
        3 => near(interval, 0..8),
        2 => near(scale.period, 1..4),
        1 => near(scale.period / 8, 0..20),
        3 => 0..scale.period,
        1 => 0..40_u64,
    ]
}

/// What a schedule may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kinds {
    pub(crate) waits: bool,
    pub(crate) refunds: bool,
    pub(crate) back: bool,
}

impl Kinds {
    pub(crate) const ALL: Self = Self { waits: true, refunds: true, back: true };
    pub(crate) const FORWARD: Self = Self { back: false, ..Self::ALL };
}

pub(crate) fn schedule(scale: Scale, most_cells: u32, kinds: Kinds) -> impl Strategy<Value = Schedule> {
    let longest_wait =
        if kinds.waits { prop_oneof![1 => Just(0), 3 => 0..3 * scale.period].boxed() } else { Just(0).boxed() };
    (longest_wait, prop_oneof![1 => Just(0), 4 => 0..20 * scale.period]).prop_flat_map(move |(longest_wait, start)| {
        let cells = prop_oneof![4 => Just(1), 3 => 0..=most_cells + 1];
        let max_wait = prop_oneof![2 => Just(0), 1 => 0..=longest_wait, 1 => Just(longest_wait)];
        let step = prop_oneof![
            8 => (cells, max_wait).prop_map(|(cells, max_wait)| Step::Take { cells, max_wait }),
            if kinds.refunds { 3 } else { 0 } => any::<prop::sample::Index>().prop_map(Step::GiveBack),
            5 => span(scale).prop_map(Step::Forward),
            u32::from(kinds.back) => prop_oneof![4 => span(scale), 1 => Just(30 * scale.period)].prop_map(Step::Back),
        ];
        prop::collection::vec(step, 1..40).prop_map(move |steps| Schedule { start, longest_wait, steps })
    })
}
