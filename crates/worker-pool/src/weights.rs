use seawall_core::{ConfigError, Priority};

/// How many of the turns each priority gets, in proportion, while jobs of all of them wait. A priority of which none waits leaves
/// its turns to the others.
///
/// ```
/// use seawall_core::Priority;
/// use seawall_worker_pool::Weights;
///
/// let weights = Weights::new(5, 20, 100, 200)?;
/// assert_eq!(weights.normalised(), Weights::new(1, 4, 20, 40)?);
/// assert_eq!(weights.get(Priority::High), 100);
/// let error = Weights::new(1, 0, 1, 1).unwrap_err();
/// assert_eq!(error.to_string(), "`weights.normal` is 0, must be 1 to 4294967295");
/// # Ok::<(), seawall_core::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Table", into = "Table"))]
pub struct Weights {
    /// In order of priority, the lowest first; each is at least 1.
    each: [u32; Priority::COUNT],
}

impl Weights {
    /// These weights, each at least 1: a priority without a turn would starve.
    ///
    /// # Errors
    /// If one is 0; the error names it.
    pub fn new(low: u32, normal: u32, high: u32, critical: u32) -> Result<Self, ConfigError> {
        let named = [("low", low), ("normal", normal), ("high", high), ("critical", critical)];
        match named.iter().find(|(_, weight)| *weight == 0) {
            Some((name, _)) => Err(ConfigError::new(format!("weights.{name}"), 0, format!("1 to {}", u32::MAX))),
            None => Ok(Self { each: [low, normal, high, critical] }),
        }
    }

    /// The same proportions in the smallest whole numbers: each divided by the greatest divisor of all.
    #[must_use]
    pub fn normalised(self) -> Self {
        let divisor = self.each.into_iter().fold(0, greatest_common_divisor);
        Self { each: self.each.map(|weight| weight / divisor) }
    }

    /// The weight of `priority`.
    pub const fn get(&self, priority: Priority) -> u32 {
        self.each[priority as usize]
    }
}

const fn greatest_common_divisor(mut one: u32, mut other: u32) -> u32 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one
}

/// How weights are written in a file: by the names of the priorities.
#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    low: u32,
    normal: u32,
    high: u32,
    critical: u32,
}

#[cfg(feature = "serde")]
impl TryFrom<Table> for Weights {
    type Error = ConfigError;

    fn try_from(Table { low, normal, high, critical }: Table) -> Result<Self, ConfigError> {
        Self::new(low, normal, high, critical)
    }
}

#[cfg(feature = "serde")]
impl From<Weights> for Table {
    fn from(Weights { each: [low, normal, high, critical] }: Weights) -> Self {
        Self { low, normal, high, critical }
    }
}

/// Whose turn it is: smooth weighted round robin, which spreads a class's turns over the round instead of giving them in a row.
/// Source: I. Sysoev's upstream balancing in nginx 1.3.1.
///
/// At each turn every class that is present is credited its weight, and the one with the most credit pays for all of them. A class
/// that is absent has no credit and no debt: it cannot save turns up while nothing of it waits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turns {
    credits: [i64; Priority::COUNT],
}

impl Turns {
    /// The class whose turn it is, the lowest priority being 0, or `None` if none is present. Of two with the same credit it is
    /// the higher priority's.
    pub(crate) fn next(&mut self, weights: &Weights, present: [bool; Priority::COUNT]) -> Option<usize> {
        let mut paid = 0;
        let mut chosen: Option<usize> = None;
        for class in (0..Priority::COUNT).rev() {
            if !present[class] {
                self.credits[class] = 0;
                continue;
            }
            let weight = i64::from(weights.each[class]);
            self.credits[class] += weight;
            paid += weight;
            if chosen.is_none_or(|chosen| self.credits[class] > self.credits[chosen]) {
                chosen = Some(class);
            }
        }
        if let Some(chosen) = chosen {
            self.credits[chosen] -= paid;
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [bool; 4] = [true; 4];

    fn weights([low, normal, high, critical]: [u32; 4]) -> Weights {
        Weights::new(low, normal, high, critical).expect("valid")
    }

    fn sequence(weights: Weights, present: [bool; 4], turns: usize) -> Vec<usize> {
        let mut state = Turns::default();
        (0..turns).map(|_| state.next(&weights, present).expect("somebody is present")).collect()
    }

    fn count(turns: &[usize], class: usize) -> usize {
        turns.iter().filter(|turn| **turn == class).count()
    }

    #[test]
    fn weights_are_normalised_by_their_divisor() {
        for (given, normalised) in [([5, 20, 100, 100], [1, 4, 20, 20]), ([1, 5, 5, 5], [1, 5, 5, 5]), ([7; 4], [1; 4])]
        {
            assert_eq!(weights(given).normalised(), weights(normalised));
        }
    }

    #[test]
    fn a_weight_of_nothing_is_named() {
        for (class, name) in ["low", "normal", "high", "critical"].into_iter().enumerate() {
            let mut each = [1; 4];
            each[class] = 0;
            let error = Weights::new(each[0], each[1], each[2], each[3]).expect_err("starves");
            assert_eq!(error.field(), format!("weights.{name}"));
        }
    }

    #[test]
    fn turns_are_smooth() {
        // 5 : 1 : 1, the worked example of nginx's change.
        let turns = sequence(weights([1, 1, 1, 5]), [true, true, false, true], 7);
        assert_eq!(turns, [3, 3, 1, 3, 0, 3, 3]);
    }

    #[test]
    fn shares_are_exact_in_each_round() {
        // critical 6 : normal 3 : low 1, and none of high.
        let turns = sequence(weights([1, 3, 1, 6]), [true, true, false, true], 100);
        for round in turns.chunks(10) {
            assert_eq!([0, 1, 2, 3].map(|class| count(round, class)), [1, 3, 0, 6]);
        }
    }

    #[test]
    fn who_was_absent_has_saved_nothing() {
        let weights = weights([1, 1, 1, 10]);
        let mut turns = Turns::default();
        for _ in 0..1_000 {
            assert_eq!(turns.next(&weights, [true, false, false, false]), Some(0));
        }
        assert_eq!(turns.next(&weights, [false; 4]), None);
        let pair = [true, false, false, true];
        let fresh = sequence(weights, pair, 11);
        for waited in 1..11 {
            for _ in 0..waited {
                turns.next(&weights, pair);
            }
            turns.next(&weights, [false; 4]);
            let again: Vec<_> = (0..11).map(|_| turns.next(&weights, pair).expect("two")).collect();
            assert_eq!(again, fresh, "after {waited} turns");
        }
        turns.next(&weights, [false; 4]);
        let after: Vec<_> = (0..11).map(|_| turns.next(&weights, [true, false, false, true]).expect("two")).collect();
        assert_eq!([count(&after, 0), count(&after, 3)], [1, 10]);
    }

    proptest! {
        #[test]
        fn each_gets_its_share_of_a_round_and_no_window_has_more(each in prop::array::uniform4(1_u32..12)) {
            let total = each.iter().sum::<u32>() as usize;
            let turns = sequence(weights(each), ALL, 3 * total);
            for class in 0..4 {
                let weight = each[class] as usize;
                prop_assert_eq!(count(&turns[..total], class), weight);
                for length in 1..=total {
                    let fair = (length * weight).div_ceil(total);
                    for window in turns.windows(length) {
                        prop_assert!(count(window, class) <= fair + 1, "{} in {:?} of {:?}", class, window, each);
                    }
                }
            }
        }

        #[test]
        fn nobody_starves_whoever_else_comes_and_goes(
            each in prop::array::uniform4(1_u32..100),
            others in prop::collection::vec(prop::array::uniform4(any::<bool>()), 2_000),
            class in 0_usize..4,
        ) {
            let (weights, total) = (weights(each), each.iter().sum::<u32>());
            let patience = 2 * total.div_ceil(each[class]) + 8;
            let (mut state, mut waited) = (Turns::default(), 0);
            for mut present in others {
                present[class] = true;
                let turn = state.next(&weights, present).expect("one at least");
                prop_assert!(present[turn]);
                waited = if turn == class { 0 } else { waited + 1 };
                prop_assert!(waited <= patience, "{} turns", waited);
                prop_assert!(state.credits.iter().all(|credit| credit.unsigned_abs() <= 4 * u64::from(total)));
            }
        }
    }
}
