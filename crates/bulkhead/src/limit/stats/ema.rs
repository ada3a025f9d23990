/// An exponential moving average over numbers of values: their mean during the warm-up, then `a + (x − a) · 2 / (age + 1)` (Netflix'
/// `ExpAvgMeasurement`).
///
/// ```
/// use seawall_bulkhead::limit::stats::Ema;
///
/// let mut ema = Ema::new(3, 2);
/// assert_eq!([10.0, 20.0, 30.0, 40.0].map(|x| ema.add(x)), [10.0, 15.0, 22.5, 31.25]);
/// ```
#[derive(Clone, Debug)]
pub struct Ema {
    factor: f64,
    warm_up: u32,
    count: u32,
    sum: f64,
    value: f64,
}

impl Ema {
    /// One that goes back `age` values, and is the mean of the first `warm_up`. Both are at least 1.
    pub fn new(age: u32, warm_up: u32) -> Self {
        let factor = 2.0 / (f64::from(age.max(1)) + 1.0);
        Self { factor, warm_up: warm_up.max(1), count: 0, sum: 0.0, value: 0.0 }
    }

    /// One that goes back `age` values, at least 1, and begins at `value` without a warm-up.
    pub fn starting_at(age: u32, value: f64) -> Self {
        Self { count: 1, value, ..Self::new(age, 1) }
    }

    /// Takes one value. Tells the average.
    pub fn add(&mut self, value: f64) -> f64 {
        if !value.is_finite() {
            return self.value;
        }
        if self.count < self.warm_up {
            self.count += 1;
            self.sum += value;
            self.value = self.sum / f64::from(self.count);
        } else {
            self.value += (value - self.value) * self.factor;
        }
        self.value
    }

    /// The average, once there is a value.
    pub const fn get(&self) -> Option<f64> {
        if self.count == 0 { None } else { Some(self.value) }
    }

    /// Whether the warm-up is over.
    pub const fn is_warm(&self) -> bool {
        self.count >= self.warm_up
    }

    /// Multiplies the average by `factor`. During the warm-up the next value makes it the mean again.
    pub fn scale(&mut self, factor: f64) {
        self.value *= factor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_not_finite_changes_nothing() {
        let mut ema = Ema::new(5, 1);
        ema.add(8.0);
        assert!((ema.add(f64::NAN) - 8.0).abs() < 1e-12);
        assert!((ema.add(f64::INFINITY) - 8.0).abs() < 1e-12);
        assert_eq!(ema.get(), Some(8.0));
    }

    #[test]
    fn one_that_begins_somewhere_has_no_warm_up() {
        let mut ema = Ema::starting_at(5, 0.0);
        assert_eq!(ema.get(), Some(0.0));
        assert!((ema.add(90.0) - 30.0).abs() < 1e-12, "a third of the way");
        assert!(ema.is_warm());
    }

    #[test]
    fn scaling_lasts_once_it_is_warm() {
        let mut ema = Ema::new(1, 2);
        ema.add(10.0);
        ema.scale(0.5);
        assert_eq!(ema.get(), Some(5.0));
        assert!((ema.add(20.0) - 15.0).abs() < 1e-12, "the mean of both");
        ema.scale(0.5);
        assert_eq!(ema.get(), Some(7.5));
    }
}
