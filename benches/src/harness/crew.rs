//! The threads that run the lanes.

use std::fs;
use std::hint;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::subject::{Subject, Tally};

/// Threads that live as long as the crew: a policy that assigns stripes by thread sees the same few threads in every round,
/// as it does under a service's workers.
#[derive(Debug)]
pub struct Crew {
    hands: Vec<Hand>,
}

impl Crew {
    /// Starts `size` threads.
    pub fn new(size: usize) -> Self {
        Self { hands: (0..size).map(Hand::hire).collect() }
    }

    /// Lets `threads` threads do `calls` calls each, from one start line.
    ///
    /// # Panics
    ///
    /// If the crew is smaller than `threads`, or if a lane panicked.
    pub fn run(&self, subject: &Arc<Subject>, threads: usize, calls: u64) -> Lap {
        assert!(threads <= self.hands.len(), "a crew of {} cannot run {threads} lanes", self.hands.len());
        let hands = &self.hands[..threads];
        let start = Arc::new(StartLine::new(threads));
        for hand in hands {
            hand.orders
                .send(Order { subject: Arc::clone(subject), start: Arc::clone(&start), calls })
                .expect("a hand leaves only when the crew is dropped");
        }
        hands.iter().map(|hand| hand.laps.recv().expect("the lane panicked")).reduce(Lap::beside).unwrap_or_default()
    }
}

/// How long the slowest lane took, and what became of all lanes' calls.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lap {
    /// From the start line to the last lane's end.
    pub wall: Duration,
    /// The longest that a lane was ready to run but had no processor, the time until it left the start line included.
    pub waited: Duration,
    /// Over all lanes.
    pub tally: Tally,
}

impl Lap {
    fn beside(mut self, other: Self) -> Self {
        self.wall = self.wall.max(other.wall);
        self.waited = self.waited.max(other.waited);
        self.tally += other.tally;
        self
    }

    /// Whether other processes, or lanes on the same processor, took more than a twentieth of the lap from a lane. Such a
    /// lap says little about the subject; with several lanes it may not even have let them meet.
    pub fn disturbed(&self) -> bool {
        self.waited * 20 > self.wall
    }

    /// Nanoseconds a call took in the slowest lane.
    pub fn ns_per_call(&self, calls_per_lane: u64) -> f64 {
        self.wall.as_secs_f64() * 1e9 / calls_per_lane as f64
    }
}

#[derive(Debug)]
struct Order {
    subject: Arc<Subject>,
    start: Arc<StartLine>,
    calls: u64,
}

#[derive(Debug)]
struct Hand {
    orders: Sender<Order>,
    laps: Receiver<Lap>,
    _thread: JoinHandle<()>,
}

impl Hand {
    fn hire(index: usize) -> Self {
        let (orders, inbox) = mpsc::channel::<Order>();
        let (outbox, laps) = mpsc::channel();
        let work = move || {
            for order in inbox {
                let arrival = Arrival(&order.start);
                let mut lane = order.subject.lane(index);
                drop(arrival);
                let released = order.start.wait();
                let delay = released.elapsed();
                let waited_before = waited_for_processor();
                let tally = lane(order.calls);
                let wall = released.elapsed();
                let waited = delay + waited_for_processor().saturating_sub(waited_before);
                if outbox.send(Lap { wall, waited, tally }).is_err() {
                    return;
                }
            }
        };
        let thread =
            thread::Builder::new().name(format!("lane-{index}")).spawn(work).expect("the system can start a thread");
        Self { orders, laps, _thread: thread }
    }
}

/// How long the current thread has been ready to run without a processor since it started, where the system tells. A
/// thread that sleeps, because the subject lets it, does not wait.
fn waited_for_processor() -> Duration {
    let schedule = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let waited = schedule.split_whitespace().nth(1).and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(waited.unwrap_or(0))
}

/// Lets go when everybody is there, which is when the time of all lanes begins: a lane that gets its processor later than
/// that is slow. Spins, so that all lanes start within nanoseconds of each other; yields now and then in case another
/// process holds the core that a lane needs to get here.
#[derive(Debug)]
struct StartLine {
    missing: AtomicUsize,
    released: OnceLock<Instant>,
}

impl StartLine {
    const SPINS_BEFORE_YIELD: u32 = 1_000;

    fn new(threads: usize) -> Self {
        Self { missing: AtomicUsize::new(threads), released: OnceLock::new() }
    }

    fn wait(&self) -> Instant {
        let mut spins = 0;
        loop {
            if let Some(released) = self.released.get() {
                return *released;
            }
            hint::spin_loop();
            spins += 1;
            if spins == Self::SPINS_BEFORE_YIELD {
                spins = 0;
                thread::yield_now();
            }
        }
    }
}

/// Announces its thread when dropped: a lane that panics while it is prepared does not leave the others waiting.
struct Arrival<'a>(&'a StartLine);

impl Drop for Arrival<'_> {
    fn drop(&mut self) {
        if self.0.missing.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.released.get_or_init(Instant::now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::AtomicU64;
    use std::thread::ThreadId;

    use super::*;

    #[test]
    fn every_lane_does_its_calls_on_a_thread_of_its_own() {
        let threads: Arc<Mutex<Vec<ThreadId>>> = Arc::default();
        let seen = Arc::clone(&threads);
        let subject = Arc::new(Subject::new(move |_| {
            let seen = Arc::clone(&seen);
            Box::new(move |calls| {
                seen.lock().unwrap().push(thread::current().id());
                Tally { admitted: calls, refused: 0 }
            })
        }));
        let crew = Crew::new(2);
        assert_eq!(crew.run(&subject, 2, 7).tally.admitted, 14);
        assert_eq!(crew.run(&subject, 2, 7).tally.admitted, 14);
        let mut ids = threads.lock().unwrap().clone();
        ids.sort_by_key(|id| format!("{id:?}"));
        ids.dedup();
        assert_eq!(ids.len(), 2, "the same two threads run both rounds");
    }

    #[test]
    fn lanes_start_only_when_all_are_there() {
        // Each lane waits for the other one inside of its timed region: this ends only if both run at the same time.
        let inside = Arc::new(AtomicU64::new(0));
        let subject = Arc::new(Subject::new(move |_| {
            let inside = Arc::clone(&inside);
            Box::new(move |calls| {
                inside.fetch_add(1, Ordering::SeqCst);
                while inside.load(Ordering::SeqCst) < 2 {
                    thread::yield_now();
                }
                Tally { admitted: calls, refused: 0 }
            })
        }));
        assert_eq!(Crew::new(2).run(&subject, 2, 1).tally.calls(), 2);
    }

    #[test]
    #[should_panic(expected = "the lane panicked")]
    fn a_lane_that_panics_ends_the_run() {
        let subject = Arc::new(Subject::new(|thread| {
            assert_eq!(thread, 0, "only the first lane can be prepared");
            Box::new(|_| Tally::default())
        }));
        Crew::new(2).run(&subject, 2, 1);
    }

    #[test]
    fn the_slowest_lane_is_what_counts() {
        let lap = |wall, waited| Lap {
            wall: Duration::from_millis(wall),
            waited: Duration::from_micros(waited),
            tally: Tally { admitted: 1_000, refused: 0 },
        };
        let all = lap(2, 0).beside(lap(3, 140)).beside(lap(1, 10));
        assert!((all.ns_per_call(1_000) - 3_000.0).abs() < 1e-6);
        assert_eq!(all.tally.admitted, 3_000);
        assert!(!all.disturbed());
        assert!(all.beside(lap(1, 160)).disturbed());
    }
}
