//! Draws runs side by side: a column for each, a row for each question. Colours of middling lightness and no background, so
//! that it can be looked at on white and on black.

#[allow(dead_code, reason = "shared with the breaker's picture, which also fills areas")]
#[path = "../../../../circuit-breaker/examples/simulation/picture/panel.rs"]
mod panel;
#[allow(dead_code, reason = "shared with the breaker's picture, which also fills areas")]
#[path = "../../../../circuit-breaker/examples/simulation/picture/svg.rs"]
mod svg;

use std::time::Duration;

use crate::world::settings::Unloaded;
use crate::world::{Bin, Figures, Run, Scenario};
use panel::{Panel, Scale};
use svg::Svg;

/// One run, and what it shows.
pub(crate) struct Column {
    pub(crate) title: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: Run,
}

const LEFT: f64 = 196.0;
const TOP: f64 = 166.0;
const WIDTH: f64 = 222.0;
const GAP: f64 = 18.0;
const HEIGHT: f64 = 118.0;
const ROW: f64 = 142.0;
const BOTTOM: f64 = 44.0;

const STYLE: &str = "\
    text{font:13px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#7d8590}\
    .head{font-size:18px;font-weight:600}.title{font-size:15px;font-weight:600}.end{text-anchor:end}\
    .middle{text-anchor:middle}\
    path{fill:none;stroke-width:1.7;stroke-linejoin:round;stroke-linecap:round}\
    .grid{stroke:#7d8590;stroke-width:.6;opacity:.45}.axis{stroke:#7d8590;stroke-width:1}\
    .over{fill:#d29922;opacity:.13}.turn{stroke:#7d8590;stroke-width:.7;stroke-dasharray:2 3;opacity:.8}\
    .can{stroke:#8b949e;stroke-width:1.5;stroke-dasharray:5 4}.good{stroke:#2da44e}\
    .limit{stroke:#388bfd}.median{stroke:#388bfd}.tail{stroke:#db6d28}\
    .swatch{stroke-width:3}";

/// The rows, from above.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Row {
    Limit,
    Latency,
    Goodput,
}

impl Row {
    const ALL: [Self; 3] = [Self::Limit, Self::Latency, Self::Goodput];

    const fn title(self) -> &'static str {
        match self {
            Self::Limit => "Limit",
            Self::Latency => "Latency of admitted",
            Self::Goodput => "Answers a second",
        }
    }

    /// What the colours mean.
    const fn legend(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Limit => &[("limit", "at once"), ("can", "the service's knee")],
            Self::Latency => &[("tail", "99th percentile"), ("median", "median"), ("can", "twice unloaded p99")],
            Self::Goodput => &[("good", "in time"), ("can", "the most possible")],
        }
    }

    fn scale(self, scenario: &Scenario) -> Scale {
        match self {
            Self::Limit => Scale::Linear(f64::from(scenario.service.knee) * 3.0),
            Self::Latency => Scale::Logarithmic(0.025, 0.6),
            Self::Goodput => Scale::Linear(scenario.service.capacity() * 1.15),
        }
    }

    fn ticks(self, scenario: &Scenario) -> Vec<(f64, String)> {
        let numbers = |most: f64| [0.0, most / 2.0, most].map(|value| (value, format!("{value:.0}"))).to_vec();
        match self {
            Self::Limit => numbers(f64::from(scenario.service.knee) * 2.0),
            Self::Latency => [50.0, 100.0, 200.0, 500.0].map(|millis| (millis / 1e3, format!("{millis} ms"))).to_vec(),
            Self::Goodput => numbers(scenario.service.capacity()),
        }
    }

    fn panel(self, scenario: &Scenario, corner: (f64, f64)) -> Panel {
        Panel { corner, width: WIDTH, height: HEIGHT, time: scenario.length(), scale: self.scale(scenario) }
    }
}

/// The whole picture.
pub(crate) fn draw(scenario: &Scenario, unloaded: Unloaded, columns: &[Column]) -> String {
    let count = f64::from(u32::try_from(columns.len()).expect("a few columns"));
    let (width, height) = (LEFT + (WIDTH + GAP) * count, TOP + ROW * 3.0 + BOTTOM - (ROW - HEIGHT));
    let head = format!(
        "A service that answers {:.0} calls a second, {} at once, and callers that wait {} ms for each answer",
        scenario.service.capacity(),
        scenario.service.knee,
        scenario.patience.as_millis()
    );
    let mut svg = Svg::new(width, height, &head, STYLE);
    svg.text("head", (16.0, 30.0), &head);
    let mut corner = (LEFT, TOP);
    for column in columns {
        svg.text("title", (corner.0, 62.0), column.title);
        svg.text("", (corner.0, 80.0), column.about);
        corner.1 = TOP;
        for row in Row::ALL {
            let panel = row.panel(scenario, corner);
            backdrop(&mut svg, scenario, &panel, row);
            curves(&mut svg, scenario, column, &panel, row);
            marks(&mut svg, scenario, unloaded, &panel, row);
            corner.1 += ROW;
        }
        corner.0 += WIDTH + GAP;
    }
    margin(&mut svg, scenario);
    svg.finish()
}

/// Phases, grid and axis.
fn backdrop(svg: &mut Svg, scenario: &Scenario, panel: &Panel, row: Row) {
    for (begin, phase) in scenario.timetable() {
        let (left, right) = (panel.x(begin), panel.x(begin + phase.lasts));
        if phase.load > phase.capacity {
            svg.rectangle("over", (left, panel.corner.1), right - left, panel.height);
        }
        if row == Row::ALL[0] {
            svg.slanted("", (left.midpoint(right).min(left + 22.0), panel.corner.1 - 6.0), phase.name);
        }
    }
    let ticks: Vec<f64> = row.ticks(scenario).into_iter().map(|(value, _)| value).collect();
    panel.grid(svg, &ticks);
    svg.line("axis", &[vec![(panel.corner.0, panel.bottom()), (panel.right(), panel.bottom())]]);
    if row == Row::Goodput {
        for seconds in (0..).step_by(30).take_while(|seconds| Duration::from_secs(*seconds) <= scenario.length()) {
            let x = panel.x(Duration::from_secs(seconds));
            svg.line("axis", &[vec![(x, panel.bottom()), (x, panel.bottom() + 5.0)]]);
            let text = if seconds == 60 { "60 s".to_owned() } else { seconds.to_string() };
            svg.text("middle", (x, panel.bottom() + 20.0), &text);
        }
    }
}

/// What would be good, and where phases meet.
fn marks(svg: &mut Svg, scenario: &Scenario, unloaded: Unloaded, panel: &Panel, row: Row) {
    let knee = f64::from(scenario.service.knee);
    let mut line = Vec::new();
    for (begin, phase) in scenario.timetable() {
        let value = match row {
            Row::Limit => knee * phase.capacity,
            Row::Latency => unloaded.p99.as_secs_f64() * 2.0,
            Row::Goodput => scenario.service.capacity() * phase.load.min(phase.capacity),
        };
        line.extend([begin, begin + phase.lasts].map(|at| (panel.x(at), panel.y(value))));
    }
    let pieces: Vec<Vec<(f64, f64)>> = line.chunks(2).map(<[_]>::to_vec).collect();
    svg.line("can", &pieces);
    for (begin, _) in scenario.timetable().skip(1) {
        svg.line("turn", &[vec![(panel.x(begin), panel.corner.1), (panel.x(begin), panel.bottom())]]);
    }
}

/// What one run was like.
fn curves(svg: &mut Svg, scenario: &Scenario, column: &Column, panel: &Panel, row: Row) {
    /// So many of a run's bins are drawn as one.
    const TOGETHER: usize = 3;
    let every = Bin::LENGTH * 3;
    let bins = column.run.bins(Duration::ZERO, scenario.length());
    let values = |what: &dyn Fn(&Figures) -> Option<f64>| -> Vec<Option<f64>> {
        bins.chunks(TOGETHER).map(|bins| what(&Figures::of(bins))).collect()
    };
    match row {
        Row::Limit => {
            panel.line(svg, "limit", every, &values(&|figures| (figures.limit < 1e9).then_some(figures.limit)));
        }
        Row::Goodput => panel.line(svg, "good", every, &values(&|figures| Some(figures.goodput))),
        Row::Latency => {
            for (class, quantile) in [("tail", 0.99), ("median", 0.5)] {
                panel.line(svg, class, every, &values(&|figures| Some(figures.took(quantile)?.as_secs_f64())));
            }
        }
    }
}

/// What the rows and their colours mean, and their scales.
fn margin(svg: &mut Svg, scenario: &Scenario) {
    let mut y = TOP;
    for row in Row::ALL {
        svg.text("title", (16.0, y + 12.0), row.title());
        let mut line = y + 36.0;
        for (class, text) in row.legend() {
            svg.line(&format!("{class} swatch"), &[vec![(17.0, line - 4.0), (37.0, line - 4.0)]]);
            svg.text("", (45.0, line), text);
            line += 20.0;
        }
        let panel = row.panel(scenario, (LEFT, y));
        for (value, text) in row.ticks(scenario) {
            svg.text("end", (LEFT - 7.0, panel.y(value) + 4.5), &text);
        }
        y += ROW;
    }
}
