//! How ranges and limits are written in a file: by name.

/// `{ min = 3, max = 20 }`.
pub(super) mod workers {
    use std::ops::RangeInclusive;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields, expecting = "the fewest and the most, as `{ min = 3, max = 20 }`")]
    struct Workers {
        min: usize,
        max: usize,
    }

    pub(in super::super) fn serialize<S>(range: &RangeInclusive<usize>, serializer: S) -> Result<S::Ok, S::Error>
    where
        S: Serializer,
    {
        Workers { min: *range.start(), max: *range.end() }.serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D>(deserializer: D) -> Result<RangeInclusive<usize>, D::Error>
    where
        D: Deserializer<'de>,
    {
        Workers::deserialize(deserializer).map(|Workers { min, max }| min..=max)
    }
}

/// `{ low = 100 }`: the other priorities have none.
pub(super) mod depth_limits {
    use seawall_core::Priority;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    type Limits = [Option<usize>; Priority::COUNT];

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct ByName {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        low: Option<usize>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        normal: Option<usize>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        high: Option<usize>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        critical: Option<usize>,
    }

    pub(in super::super) fn serialize<S: Serializer>(limits: &Limits, serializer: S) -> Result<S::Ok, S::Error> {
        let [low, normal, high, critical] = *limits;
        ByName { low, normal, high, critical }.serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Limits, D::Error> {
        ByName::deserialize(deserializer).map(|by| [by.low, by.normal, by.high, by.critical])
    }
}
