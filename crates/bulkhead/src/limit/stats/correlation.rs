use std::collections::VecDeque;

/// Pearson's correlation of the latest pairs: 1 if one grows with the other, −1 if it falls, 0 if they have nothing to do with each
/// other.
///
/// It is 0 of fewer than two pairs, and where one of both hardly varies: by less than a hundredth of its mean.
///
/// ```
/// use seawall_bulkhead::limit::stats::CorrelationWindow;
///
/// let mut correlation = CorrelationWindow::new(3);
/// assert_eq!(correlation.add(1.0, 30.0), 0.0);
/// assert!(correlation.add(2.0, 20.0) < -0.999);
/// assert!(correlation.add(3.0, 10.0) < -0.999);
/// ```
#[derive(Clone, Debug)]
pub struct CorrelationWindow {
    pairs: VecDeque<(f64, f64)>,
    size: usize,
}

/// Less is noise.
const LEAST_VARIATION: f64 = 0.01;

impl CorrelationWindow {
    /// Of the latest `size` pairs, 2 to 1000; a number beyond is taken for the nearest.
    pub fn new(size: u32) -> Self {
        let size = size.clamp(2, 1_000) as usize;
        Self { pairs: VecDeque::with_capacity(size), size }
    }

    /// Takes a pair, in time linear in the size. Tells the correlation.
    pub fn add(&mut self, x: f64, y: f64) -> f64 {
        if x.is_finite() && y.is_finite() {
            if self.pairs.len() == self.size {
                self.pairs.pop_front();
            }
            self.pairs.push_back((x, y));
        }
        self.get()
    }

    /// The correlation.
    pub fn get(&self) -> f64 {
        let Some(x) = Moments::of(self.pairs.iter().map(|(x, _)| *x)) else { return 0.0 };
        let Some(y) = Moments::of(self.pairs.iter().map(|(_, y)| *y)) else { return 0.0 };
        let varies = |moments: &Moments| moments.variation().is_some_and(|cv| cv >= LEAST_VARIATION);
        if !varies(&x) || !varies(&y) {
            return 0.0;
        }
        let products =
            self.pairs.iter().map(|pair| (pair.0 - x.mean) / x.deviation * ((pair.1 - y.mean) / y.deviation));
        let correlation = products.sum::<f64>() / x.count;
        if correlation.is_finite() { correlation.clamp(-1.0, 1.0) } else { 0.0 }
    }

    /// How many pairs it has.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// By how much the second of the pairs varies, as a share of its mean.
    pub fn variation_of_second(&self) -> Option<f64> {
        Moments::of(self.pairs.iter().map(|(_, y)| *y))?.variation()
    }
}

/// The coefficient of variation of the latest values: their standard deviation as a share of their mean. Only positive ones count.
///
/// ```
/// use seawall_bulkhead::limit::stats::VariationWindow;
///
/// let mut variation = VariationWindow::new(3);
/// assert_eq!(variation.add(5.0), None, "one value does not vary");
/// variation.add(0.0);
/// assert!((variation.add(10.0).unwrap() - 1.0 / 3.0).abs() < 1e-12);
/// ```
#[derive(Clone, Debug)]
pub struct VariationWindow {
    values: VecDeque<f64>,
    size: usize,
}

impl VariationWindow {
    /// Of the latest `size` positive values, 2 to 1000; a number beyond is taken for the nearest.
    pub fn new(size: u32) -> Self {
        let size = size.clamp(2, 1_000) as usize;
        Self { values: VecDeque::with_capacity(size), size }
    }

    /// Takes a value, in time linear in the size. Tells how they vary.
    pub fn add(&mut self, value: f64) -> Option<f64> {
        if value.is_finite() && value > 0.0 {
            if self.values.len() == self.size {
                self.values.pop_front();
            }
            self.values.push_back(value);
        }
        self.get()
    }

    /// How they vary, once there are two.
    pub fn get(&self) -> Option<f64> {
        Moments::of(self.values.iter().copied())?.variation()
    }
}

struct Moments {
    count: f64,
    mean: f64,
    deviation: f64,
}

impl Moments {
    /// Of two values at least.
    #[expect(clippy::cast_precision_loss, reason = "at most a thousand values")]
    fn of(values: impl ExactSizeIterator<Item = f64> + Clone) -> Option<Self> {
        if values.len() < 2 {
            return None;
        }
        let count = values.len() as f64;
        let mean = values.clone().map(|value| value / count).sum::<f64>();
        let deviation = values.map(|value| (value - mean).powi(2) / count).sum::<f64>().sqrt();
        Some(Self { count, mean, deviation })
    }

    fn variation(&self) -> Option<f64> {
        let variation = self.deviation / self.mean.abs();
        variation.is_finite().then_some(variation)
    }
}
