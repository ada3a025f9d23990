use std::time::Duration;

use crate::world::{Noise, Scenario, Shape};

/// Services of several sizes, more or less steady, whose throughput collapses later or sooner.
pub(crate) fn all() -> Vec<Shape> {
    let usual = Scenario::overload(5.0, Duration::ZERO).service;
    let noises = [Noise::LogNormal(0.1), Noise::LogNormal(0.25), Noise::HalfExponential];
    let mut shapes = Vec::new();
    for knee in [20, 50, 120] {
        shapes.extend(noises.map(|noise| Shape { knee, noise, ..usual }));
    }
    shapes.push(Shape { drag: 0.02, ..usual });
    shapes.push(Shape { drag: 0.2, ..usual });
    shapes.push(Shape { noise: Noise::Slow { share: 0.02, times: 8.0 }, ..usual });
    shapes.push(Shape { base: usual.base / 2, ..usual });
    shapes
}

/// Callers wait ten times as long as calls take, or twice as long as slow ones do.
pub(crate) fn patience(shape: &Shape) -> Duration {
    match shape.noise {
        Noise::Slow { times, .. } => shape.base.mul_f64(times * 2.0),
        _ => shape.base * 10,
    }
}
