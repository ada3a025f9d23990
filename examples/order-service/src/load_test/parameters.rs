//! How much load, for how long.

use serde::Serialize;
use utoipa::ToSchema;

use crate::http::{Problem, Violation};

const MAX_RPS: u32 = 2_000;
const MAX_SECONDS: u32 = 30;

/// No good query has more than one pair for each parameter; the rest of a bad one is not looked at.
const MAX_PAIRS: usize = 16;

/// What a load test is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Parameters {
    /// How many requests begin in each second.
    #[schema(minimum = 1, maximum = 2000)]
    pub(super) rps: u32,
    /// For how long.
    #[schema(minimum = 1, maximum = 30)]
    pub(super) seconds: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { rps: 50, seconds: 5 }
    }
}

impl Parameters {
    /// Reads `rps` and `seconds` from a query.
    pub(super) fn parse(query: Option<&str>) -> Result<Self, Problem> {
        let mut parsed = Self::default();
        let mut seen = Vec::new();
        let mut faults = Vec::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()).take(MAX_PAIRS) {
            let fault =
                if seen.contains(&name) { Some("is given twice".to_owned()) } else { parsed.set(&name, &value).err() };
            faults.extend(fault.map(|detail| Violation::new(&*name, detail).value(&value)));
            seen.push(name);
        }
        if faults.is_empty() { Ok(parsed) } else { Err(Problem::invalid_parameters(faults)) }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let (field, most) = match name {
            "rps" => (&mut self.rps, MAX_RPS),
            "seconds" => (&mut self.seconds, MAX_SECONDS),
            _ => return Err("is no parameter of this route, which has `rps` and `seconds`".to_owned()),
        };
        let given = value.parse().ok().filter(|given| (1..=most).contains(given));
        *field = given.ok_or_else(|| format!("must be a whole number from 1 to {most}"))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_is_as_usual() {
        for (query, rps, seconds) in [
            (None, 50, 5),
            (Some(""), 50, 5),
            (Some("rps=1"), 1, 5),
            (Some("seconds=30"), 50, 30),
            (Some("rps=2000&seconds=1"), 2_000, 1),
        ] {
            assert_eq!(Parameters::parse(query).expect("a good query"), Parameters { rps, seconds }, "{query:?}");
        }
    }

    #[test]
    fn a_bad_parameter_is_named_with_its_value_and_what_is_valid() {
        let bad = ["0", "-1", "NaN", "inf", "1.5", "1e3", "fifty", "", "0x10", "99999999999999999999", " 5"];
        let rps = bad.iter().copied().chain(["2001"]).map(|value| ("rps", value, "from 1 to 2000"));
        let seconds = bad.iter().copied().chain(["31"]).map(|value| ("seconds", value, "from 1 to 30"));
        for (name, value, valid) in rps.chain(seconds).chain([("users", "5", "`rps` and `seconds`")]) {
            let query: String = form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
            let problem = Parameters::parse(Some(&query)).expect_err(&query);
            let problem = serde_json::to_value(&problem).expect("a serialisable problem");
            let fault = &problem["errors"][0];
            assert_eq!(
                (&problem["status"], &fault["field"], &fault["value"]),
                (&400.into(), &name.into(), &value.into())
            );
            assert!(fault["detail"].as_str().is_some_and(|detail| detail.contains(valid)), "{fault}");
        }
        assert!(Parameters::parse(Some("rps=5&rps=5")).is_err(), "which of them would hold?");
    }
}
