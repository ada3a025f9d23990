use std::time::Duration;

use super::svg::{Point, Svg};

/// A part of the picture with axes of its own.
#[derive(Clone, Copy)]
pub(super) struct Panel {
    pub(super) corner: Point,
    pub(super) width: f64,
    pub(super) height: f64,
    /// The time at its right edge.
    pub(super) time: Duration,
    pub(super) scale: Scale,
}

/// What the height means.
#[derive(Clone, Copy)]
pub(super) enum Scale {
    /// From zero to this.
    Linear(f64),
    /// From the first to the second, each factor equally high.
    Logarithmic(f64, f64),
}

impl Scale {
    /// From 0 at the bottom to 1 at the top.
    fn part(self, value: f64) -> f64 {
        let part = match self {
            Self::Linear(top) => value / top,
            Self::Logarithmic(bottom, top) => (value / bottom).ln() / (top / bottom).ln(),
        };
        part.clamp(0.0, 1.0)
    }
}

impl Panel {
    pub(super) fn x(&self, at: Duration) -> f64 {
        self.corner.0 + self.width * at.as_secs_f64() / self.time.as_secs_f64()
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        self.corner.1 + self.height * (1.0 - self.scale.part(value))
    }

    pub(super) fn bottom(&self) -> f64 {
        self.corner.1 + self.height
    }

    pub(super) fn right(&self) -> f64 {
        self.corner.0 + self.width
    }

    /// A line across, at each of these values.
    pub(super) fn grid(&self, svg: &mut Svg, values: &[f64]) {
        for value in values {
            let y = self.y(*value);
            svg.line("grid", &[vec![(self.corner.0, y), (self.right(), y)]]);
        }
    }

    /// Values at equal distances in time; where there is none the line has a gap.
    pub(super) fn line(&self, svg: &mut Svg, class: &str, every: Duration, values: &[Option<f64>]) {
        let mut pieces: Vec<Vec<Point>> = vec![Vec::new()];
        for (at, value) in Self::times(every).zip(values) {
            match (value, pieces.last_mut()) {
                (Some(value), Some(piece)) => piece.push((self.x(at + every / 2), self.y(*value))),
                _ => pieces.push(Vec::new()),
            }
        }
        pieces.retain(|piece| !piece.is_empty());
        svg.line(class, &pieces);
    }

    /// Fills what is below the values, each of which holds until the next.
    pub(super) fn area(&self, svg: &mut Svg, class: &str, every: Duration, values: &[f64]) {
        let steps = Self::times(every).zip(values);
        let points: Vec<Point> =
            steps.flat_map(|(at, value)| [at, at + every].map(|x| (self.x(x), self.y(*value)))).collect();
        svg.area(class, &points, self.bottom());
    }

    fn times(every: Duration) -> impl Iterator<Item = Duration> {
        (0_u32..).map(move |place| every * place)
    }
}
