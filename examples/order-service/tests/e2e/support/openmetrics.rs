//! A reader of OpenMetrics text, strict where exporters go wrong.

use std::collections::{BTreeMap, BTreeSet};

/// What a scrape says.
#[derive(Debug, Default)]
pub(crate) struct Exposition {
    /// The type of each family.
    pub(crate) families: BTreeMap<String, String>,
    samples: BTreeMap<String, String>,
}

impl Exposition {
    /// Reads `text`; fails the test where it breaks the format's rules.
    pub(crate) fn parse(text: &str) -> Self {
        let body = text.strip_suffix("# EOF\n").expect("the text ends with # EOF");
        let mut exposition = Self::default();
        let mut described = BTreeSet::new();
        let mut current = String::new();
        for line in body.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let mut words = comment.splitn(3, ' ');
                let (keyword, name, rest) =
                    (words.next(), words.next().expect("a name"), words.next().unwrap_or_default());
                name.clone_into(&mut current);
                match keyword {
                    Some("TYPE") => {
                        assert!(["counter", "gauge", "histogram", "info"].contains(&rest), "{line}");
                        assert!(
                            exposition.families.insert(current.clone(), rest.to_owned()).is_none(),
                            "twice: {line}"
                        );
                    }
                    Some("HELP") => assert!(described.insert(current.clone()), "twice: {line}"),
                    Some("UNIT") => assert!(name.ends_with(&format!("_{rest}")), "{line}"),
                    _ => panic!("{line}"),
                }
            } else {
                exposition.add_sample(line, &current);
            }
        }
        assert!(exposition.families.keys().all(|family| described.contains(family)), "a family has no help");
        exposition
    }

    /// The whole number that is the value of the sample written as `series`, zero if there is none.
    pub(crate) fn count(&self, series: &str) -> u64 {
        let count = |text: &String| text.parse().unwrap_or_else(|_| panic!("{series} is {text}"));
        self.samples.get(series).map(count).unwrap_or_default()
    }

    /// Whether there is a sample that begins with `series`.
    pub(crate) fn has(&self, series: &str) -> bool {
        self.samples.keys().any(|sample| sample.starts_with(series))
    }

    fn add_sample(&mut self, line: &str, family: &str) {
        let (series, value) = line.rsplit_once(' ').expect("a series and a value");
        let name = series.split('{').next().expect("a name");
        let kind = self.families.get(family).unwrap_or_else(|| panic!("no TYPE before {line}"));
        let suffixes: &[&str] = match kind.as_str() {
            "counter" => &["_total"],
            "gauge" => &[""],
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => &["_info"],
        };
        let suffix = name.strip_prefix(family).unwrap_or_else(|| panic!("{line} is no sample of {family}"));
        assert!(suffixes.contains(&suffix), "{line} is no sample of a {kind}");
        if let Some((_, labels)) = series.split_once('{') {
            let labels = labels.strip_suffix('}').expect("labels end");
            for label in labels.split("\",") {
                let (key, value) = label.split_once("=\"").unwrap_or_else(|| panic!("{label} in {line}"));
                assert!(key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{line}");
                assert!(!value.trim_end_matches('"').contains('"'), "{line}");
            }
        }
        assert!(value.parse::<f64>().is_ok(), "no number in {line}");
        assert!(self.samples.insert(series.to_owned(), value.to_owned()).is_none(), "twice: {line}");
    }
}
