/// The median of the latest values: of an even number, the greater of the two in the middle.
///
/// ```
/// use seawall_bulkhead::limit::stats::MovingMedian;
///
/// let mut median = MovingMedian::new(3);
/// assert_eq!([5.0, 2.0, 8.0, 1.0].map(|x| median.add(x)), [5.0, 5.0, 5.0, 2.0]);
/// ```
#[derive(Clone, Debug)]
pub struct MovingMedian {
    /// A ring.
    latest: Vec<f64>,
    next: usize,
    size: usize,
    sorted: Vec<f64>,
}

impl MovingMedian {
    /// Of the latest `size` values, 1 to 1000; a number beyond is taken for the nearest.
    pub fn new(size: u32) -> Self {
        let size = size.clamp(1, 1_000) as usize;
        Self { latest: Vec::with_capacity(size), next: 0, size, sorted: Vec::with_capacity(size) }
    }

    /// Takes one value, in time linear in the size. Tells the median.
    pub fn add(&mut self, value: f64) -> f64 {
        if value.is_finite() {
            if self.latest.len() < self.size {
                self.latest.push(value);
            } else {
                let oldest = std::mem::replace(&mut self.latest[self.next], value);
                self.next = (self.next + 1) % self.size;
                let place = self.sorted.partition_point(|kept| *kept < oldest);
                self.sorted.remove(place);
            }
            let place = self.sorted.partition_point(|kept| *kept < value);
            self.sorted.insert(place, value);
        }
        self.get().unwrap_or_default()
    }

    /// The median, once there is a value.
    pub fn get(&self) -> Option<f64> {
        self.sorted.get(self.sorted.len() / 2).copied()
    }
}
