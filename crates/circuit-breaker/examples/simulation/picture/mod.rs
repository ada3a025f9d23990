//! Draws runs side by side: a column for each, a row for each question. Colours of middling lightness and no
//! background, so that it can be looked at on white and on black.

mod panel;
mod svg;

use std::time::Duration;

use crate::world::{Bin, Run, Scenario};
use panel::{Panel, Scale};
use svg::Svg;

/// One run, and what it shows.
pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) guarded: bool,
    pub(crate) run: Run,
}

const LEFT: f64 = 212.0;
const TOP: f64 = 150.0;
const WIDTH: f64 = 236.0;
const GAP: f64 = 22.0;
const HEIGHT: f64 = 118.0;
const ROW: f64 = 142.0;
const BOTTOM: f64 = 44.0;

const STYLE: &str = "\
    text{font:13px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#7d8590}\
    .head{font-size:18px;font-weight:600}.title{font-size:15px;font-weight:600}.end{text-anchor:end}\
    .middle{text-anchor:middle}\
    path{fill:none;stroke-width:1.7;stroke-linejoin:round;stroke-linecap:round}\
    .grid{stroke:#7d8590;stroke-width:.6;opacity:.45}.axis{stroke:#7d8590;stroke-width:1}\
    .fault{fill:#d29922;opacity:.13}.turn{stroke:#7d8590;stroke-width:.7;stroke-dasharray:2 3;opacity:.8}\
    .wanted{stroke:#8b949e;stroke-width:1.5;stroke-dasharray:5 4}.made{stroke:#388bfd}.good{stroke:#2da44e}\
    .median{stroke:#388bfd}.tail{stroke:#db6d28}\
    .closed{fill:#8b949e;opacity:.28}.trying{fill:#e3b341}.open{fill:#cf4a43}\
    .swatch{stroke-width:3}";

/// The rows, from above.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Row {
    Load,
    Goodput,
    Latency,
    Circuits,
}

impl Row {
    const ALL: [Self; 4] = [Self::Load, Self::Goodput, Self::Latency, Self::Circuits];

    const fn title(self) -> &'static str {
        match self {
            Self::Load => "Calls a second",
            Self::Goodput => "Answers a second",
            Self::Latency => "Latency",
            Self::Circuits => "Circuits",
        }
    }

    /// What the colours mean, and whether each is a line.
    const fn legend(self) -> &'static [(&'static str, &'static str, bool)] {
        match self {
            Self::Load => &[("wanted", "wanted", true), ("made", "reach the dependency", true)],
            Self::Goodput => &[("wanted", "wanted", true), ("good", "in time", true)],
            Self::Latency => &[("tail", "99th percentile", true), ("median", "median", true)],
            Self::Circuits => &[("closed", "closed", false), ("trying", "half-open", false), ("open", "open", false)],
        }
    }

    fn scale(self, scenario: &Scenario) -> Scale {
        match self {
            Self::Load | Self::Goodput => Scale::Linear(scenario.load() * 1.25),
            Self::Latency => Scale::Logarithmic(0.01, 1.3),
            Self::Circuits => Scale::Linear(scenario.load() * scenario.every.as_secs_f64()),
        }
    }

    fn ticks(self, scenario: &Scenario) -> Vec<(f64, String)> {
        let load = scenario.load();
        let clients = load * scenario.every.as_secs_f64();
        let numbers = |values: [f64; 3]| values.map(|value| (value, format!("{value:.0}"))).to_vec();
        match self {
            Self::Load | Self::Goodput => numbers([0.0, load / 2.0, load]),
            Self::Latency => vec![(0.01, "10 ms".into()), (0.1, "100 ms".into()), (1.0, "1 s".into())],
            Self::Circuits => numbers([0.0, clients / 2.0, clients]),
        }
    }
}

/// The whole picture.
pub(crate) fn draw(scenario: &Scenario, columns: &[Column]) -> String {
    let count = f64::from(u32::try_from(columns.len()).expect("a few columns"));
    let (width, height) = (LEFT + (WIDTH + GAP) * count, TOP + ROW * 4.0 + BOTTOM - (ROW - HEIGHT));
    let head = format!(
        "{} clients call one dependency, {:.0} times a second in all, and wait a second for each answer",
        scenario.clients,
        scenario.load()
    );
    let mut svg = Svg::new(width, height, &head, STYLE);
    svg.text("head", (16.0, 30.0), &head);
    let mut corner = (LEFT, TOP);
    for column in columns {
        svg.text("title", (corner.0, 62.0), column.title);
        svg.text("", (corner.0, 80.0), column.about);
        corner.1 = TOP;
        for row in Row::ALL {
            let panel =
                Panel { corner, width: WIDTH, height: HEIGHT, time: scenario.length(), scale: row.scale(scenario) };
            backdrop(&mut svg, scenario, &panel, row);
            curves(&mut svg, scenario, column, &panel, row);
            turns(&mut svg, scenario, &panel);
            corner.1 += ROW;
        }
        corner.0 += WIDTH + GAP;
    }
    margin(&mut svg, scenario);
    svg.finish()
}

/// Phases, grid and axis.
fn backdrop(svg: &mut Svg, scenario: &Scenario, panel: &Panel, row: Row) {
    let first = row == Row::ALL[0];
    for (begin, phase) in scenario.timetable() {
        let (left, right) = (panel.x(begin), panel.x(begin + phase.lasts));
        if !phase.is_well() {
            svg.rectangle("fault", (left, panel.corner.1), right - left, panel.height);
        }
        if first {
            svg.slanted("", (left.midpoint(right).min(left + 22.0), panel.corner.1 - 6.0), phase.name);
        }
    }
    let ticks: Vec<f64> = row.ticks(scenario).into_iter().map(|(value, _)| value).collect();
    panel.grid(svg, &ticks);
    svg.line("axis", &[vec![(panel.corner.0, panel.bottom()), (panel.right(), panel.bottom())]]);
    if row == Row::Circuits {
        for minutes in (0..).step_by(2).take_while(|minutes| Duration::from_secs(minutes * 60) <= scenario.length()) {
            let x = panel.x(Duration::from_secs(minutes * 60));
            svg.line("axis", &[vec![(x, panel.bottom()), (x, panel.bottom() + 5.0)]]);
            let text = if minutes == 2 { "2 min".to_owned() } else { minutes.to_string() };
            svg.text("middle", (x, panel.bottom() + 20.0), &text);
        }
    }
}

/// Where phases meet, in front of the curves.
fn turns(svg: &mut Svg, scenario: &Scenario, panel: &Panel) {
    for (begin, _) in scenario.timetable().skip(1) {
        svg.line("turn", &[vec![(panel.x(begin), panel.corner.1), (panel.x(begin), panel.bottom())]]);
    }
}

/// What one run was like.
fn curves(svg: &mut Svg, scenario: &Scenario, column: &Column, panel: &Panel, row: Row) {
    /// So many of a run's stretches are drawn as one.
    const TOGETHER: usize = 2;
    let every = Bin::LENGTH * 2;
    let bins = &column.run.bins;
    let rate = |what: fn(&Bin) -> u32| -> Vec<Option<f64>> {
        let sums = bins.chunks(TOGETHER).map(|bins| bins.iter().map(what).sum::<u32>());
        sums.map(|sum| Some(f64::from(sum) / every.as_secs_f64())).collect()
    };
    let wanted = || vec![vec![(panel.corner.0, panel.y(scenario.load())), (panel.right(), panel.y(scenario.load()))]];
    match row {
        Row::Load => {
            panel.line(svg, "made", every, &rate(|bin| bin.admitted));
            svg.line("wanted", &wanted());
        }
        Row::Goodput => {
            panel.line(svg, "good", every, &rate(|bin| bin.good));
            svg.line("wanted", &wanted());
        }
        Row::Latency => {
            for (class, quantile) in [("tail", 0.99), ("median", 0.5)] {
                let took = |bins: &[Bin]| bins.iter().filter_map(|bin| bin.took(quantile)).max();
                let values: Vec<Option<f64>> =
                    bins.chunks(TOGETHER).map(|bins| took(bins).map(|took| took.as_secs_f64())).collect();
                panel.line(svg, class, every, &values);
            }
        }
        Row::Circuits if column.guarded => {
            let stacked = |places: usize| -> Vec<f64> {
                bins.chunks(TOGETHER).map(|bins| f64::from(bins[0].states[places..].iter().sum::<u32>())).collect()
            };
            svg.rectangle("closed", panel.corner, panel.width, panel.height);
            panel.area(svg, "trying", every, &stacked(1));
            panel.area(svg, "open", every, &stacked(2));
        }
        Row::Circuits => svg.text("middle", (panel.corner.0 + WIDTH / 2.0, panel.corner.1 + HEIGHT / 2.0), "none"),
    }
}

/// What the rows and their colours mean, and their scales.
fn margin(svg: &mut Svg, scenario: &Scenario) {
    let mut y = TOP;
    for row in Row::ALL {
        svg.text("title", (16.0, y + 12.0), row.title());
        let mut line = y + 36.0;
        for (class, text, is_line) in row.legend() {
            if *is_line {
                svg.line(&format!("{class} swatch"), &[vec![(17.0, line - 4.0), (37.0, line - 4.0)]]);
            } else {
                svg.rectangle(class, (17.0, line - 11.0), 20.0, 12.0);
            }
            svg.text("", (45.0, line), text);
            line += 20.0;
        }
        let panel = Panel {
            corner: (LEFT, y),
            width: WIDTH,
            height: HEIGHT,
            time: scenario.length(),
            scale: row.scale(scenario),
        };
        for (value, text) in row.ticks(scenario) {
            svg.text("end", (LEFT - 7.0, panel.y(value) + 4.5), &text);
        }
        y += ROW;
    }
}
