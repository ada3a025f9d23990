//! What is reported.

use std::fmt;

use serde::Serialize;

/// One line of the report: ours against one peer on one path.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The pattern: the name of its crate's folder.
    pub pattern: &'static str,
    /// The path, in words.
    pub path: &'static str,
    /// Threads that called at the same time.
    pub threads: usize,
    /// Median time of one of our calls.
    pub ours_ns: f64,
    /// The other side.
    pub peer: &'static str,
    /// Median time of one of its calls.
    pub peer_ns: f64,
    /// Ours / peer: lower is better.
    pub ratio: f64,
    /// The greatest ratio that meets the contract, where it has one.
    pub target: Option<f64>,
    /// Other processes left too little of the machine for figures that mean something.
    #[serde(skip)]
    pub doubtful: bool,
}

impl Row {
    /// Whether the contract's target is met.
    pub fn verdict(&self) -> Verdict {
        match self.target {
            None => Verdict::None,
            Some(_) if self.doubtful => Verdict::Doubtful,
            Some(target) if self.ratio <= target => Verdict::Met,
            Some(_) => Verdict::Missed,
        }
    }

    /// The row as one JSON object on one line.
    ///
    /// # Panics
    ///
    /// Never: the row has no map and no fallible field.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("numbers and strings serialise")
    }

    fn cells(&self) -> [String; 9] {
        [
            self.pattern.to_owned(),
            self.path.to_owned(),
            self.threads.to_string(),
            nanoseconds(self.ours_ns),
            self.peer.to_owned(),
            nanoseconds(self.peer_ns),
            ratio(self.ratio),
            self.target.map_or_else(|| "-".to_owned(), ratio),
            self.verdict().to_string(),
        ]
    }
}

/// How a row stands to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The contract has no target for it.
    None,
    /// At most the target.
    Met,
    /// Above the target.
    Missed,
    /// Measured on a machine that was too busy to tell.
    Doubtful,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "-",
            Self::Met => "met",
            Self::Missed => "missed",
            Self::Doubtful => "doubtful",
        })
    }
}

/// The rows as a table for people, with the words on the left and the figures on the right of their columns.
pub fn table(rows: &[Row]) -> String {
    let head =
        ["pattern", "path", "threads", "ours ns", "peer", "peer ns", "ratio", "target", "verdict"].map(str::to_owned);
    let words = [true, true, false, false, true, false, false, false, true];
    let lines: Vec<[String; 9]> = std::iter::once(head).chain(rows.iter().map(Row::cells)).collect();
    let widths: [usize; 9] =
        std::array::from_fn(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0));
    let mut text = String::new();
    for line in &lines {
        let padded: Vec<String> = line
            .iter()
            .zip(widths)
            .zip(words)
            .map(|((cell, width), word)| if word { format!("{cell:<width$}") } else { format!("{cell:>width$}") })
            .collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn nanoseconds(value: f64) -> String {
    format!("{value:.1}")
}

/// Two significant digits at least: targets go down to 0.002.
fn ratio(value: f64) -> String {
    if value < 0.1 { format!("{value:.4}") } else { format!("{value:.2}") }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn row(ratio: f64, target: Option<f64>) -> Row {
        Row {
            pattern: "circuit-breaker",
            path: "open refuse",
            threads: 2,
            ours_ns: 10.0,
            peer: "recloser",
            peer_ns: 10.0 / ratio,
            ratio,
            target,
            doubtful: false,
        }
    }

    #[test]
    fn a_target_is_met_up_to_itself() {
        assert_eq!(row(0.5, Some(0.5)).verdict(), Verdict::Met);
        assert_eq!(row(0.25, Some(0.5)).verdict(), Verdict::Met);
        assert_eq!(row(0.51, Some(0.5)).verdict(), Verdict::Missed);
        assert_eq!(row(9.0, None).verdict(), Verdict::None);
        let doubtful = |ratio, target| Row { doubtful: true, ..row(ratio, target) }.verdict();
        assert_eq!(doubtful(0.25, Some(0.5)), Verdict::Doubtful);
        assert_eq!(doubtful(0.51, Some(0.5)), Verdict::Doubtful);
        assert_eq!(doubtful(9.0, None), Verdict::None);
        assert_eq!(row(f64::NAN, Some(0.5)).verdict(), Verdict::Missed);
    }

    #[test]
    fn json_has_exactly_the_promised_keys() {
        let Value::Object(object) = serde_json::from_str(&row(0.5, None).json()).unwrap() else {
            panic!("a row is an object")
        };
        let mut keys: Vec<&str> = object.keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["ours_ns", "path", "pattern", "peer", "peer_ns", "ratio", "target", "threads"]);
        assert_eq!(object["target"], Value::Null);
        assert_eq!(object["threads"], 2);
        assert_eq!(object["peer_ns"], 20.0);
        assert!(!row(0.5, Some(0.4)).json().contains('\n'));
    }

    #[test]
    fn the_table_says_met_or_missed() {
        let text = table(&[row(0.5, Some(0.5)), row(0.0016, Some(0.001)), row(2.0, None)]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[1].ends_with("0.50    0.50  met"), "{}", lines[1]);
        assert!(lines[2].ends_with("0.0016  0.0010  missed"), "{}", lines[2]);
        assert!(lines[3].ends_with("2.00       -  -"), "{}", lines[3]);
    }
}
