//! Calibration, warm-up and rounds.

use std::sync::Arc;
use std::time::Duration;

use super::contest::{Contender, Contest, Expected, Rival};
use super::crew::{Crew, Lap};
use super::figures::{median, ratio_of_medians};
use super::row::Row;
use super::subject::{Mismatch, Subject, Tally};

/// How much is driven.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Rounds that count, for each side.
    pub rounds: usize,
    /// What one round of one side should take.
    pub round: Duration,
}

impl Default for Effort {
    /// Many short rounds rather than few long ones: a disturbance then spoils few of them, and the medians pass it over.
    fn default() -> Self {
        Self { rounds: 101, round: Duration::from_millis(5) }
    }
}

/// Measures a contest with the given number of threads: one row per rival.
///
/// All sides are built first and take turns, round by round, each second round in reverse order, so that what the machine
/// does meanwhile (frequency, neighbours) touches all of them alike. Nothing is reported unless every call ended as expected
/// and every side's own books agree with what was driven.
pub fn measure(contest: &Contest, threads: usize, crew: &Crew, effort: Effort) -> Result<Vec<Row>, Mismatch> {
    let warm = |contender| Side::warm(contender, crew, threads, effort.round);
    let mut ours = warm(contest.ours);
    let mut rivals: Vec<(&Rival, Side)> = contest.rivals.iter().map(|rival| (rival, warm(rival.contender))).collect();

    for round in 0..effort.rounds {
        let mut turns: Vec<&mut Side> =
            std::iter::once(&mut ours).chain(rivals.iter_mut().map(|(_, side)| side)).collect();
        if round % 2 == 1 {
            turns.reverse();
        }
        for side in turns {
            side.round(crew, threads);
        }
    }

    ours.audit(contest.expected)?;
    let mut rows = Vec::new();
    for (rival, side) in &rivals {
        side.audit(contest.expected)?;
        rows.extend(row(contest, threads, &ours, rival, side));
    }
    Ok(rows)
}

/// With fewer undisturbed rounds than this, all rounds count and the figure is doubtful.
const LEAST: usize = 9;

/// `None` without rounds.
fn row(contest: &Contest, threads: usize, ours: &Side, rival: &Rival, side: &Side) -> Option<Row> {
    Some(Row {
        pattern: contest.pattern,
        path: contest.path,
        threads,
        ours_ns: median(ours.rounds())?,
        peer: rival.contender.name,
        peer_ns: median(side.rounds())?,
        ratio: ratio_of_medians(ours.rounds(), side.rounds())?,
        target: rival.target(threads),
        doubtful: ours.is_doubtful() || side.is_doubtful(),
    })
}

/// How often a disturbed round is tried. More would only keep a busy machine busy.
const TRIES: usize = 3;

struct Side {
    name: &'static str,
    subject: Arc<Subject>,
    calls_per_lane: u64,
    calls: u64,
    driven: Tally,
    /// Nanoseconds a call took, in each round.
    all: Vec<f64>,
    /// The same without the rounds that were disturbed.
    quiet: Vec<f64>,
}

impl Side {
    /// Builds the subject and finds how many calls fill a round, which warms it up: caches, branch predictors, and windows
    /// that must be full before they do their whole work.
    fn warm(contender: Contender, crew: &Crew, threads: usize, round: Duration) -> Self {
        let mut side = Self {
            name: contender.name,
            subject: Arc::new((contender.build)()),
            calls_per_lane: 64,
            calls: 0,
            driven: Tally::default(),
            all: Vec::new(),
            quiet: Vec::new(),
        };
        loop {
            let wall = side.lap(crew, threads).wall;
            if wall * 2 >= round {
                side.calls_per_lane = scaled(side.calls_per_lane, wall, round);
                break;
            }
            // Grow by 16 at most: the first laps are cold and would overshoot.
            side.calls_per_lane = scaled(side.calls_per_lane, wall, round).min(side.calls_per_lane * 16);
        }
        side.lap(crew, threads);
        side
    }

    /// A disturbed lap is done again a few times.
    fn round(&mut self, crew: &Crew, threads: usize) {
        let mut lap = self.lap(crew, threads);
        for _ in 1..TRIES {
            if !lap.disturbed() {
                break;
            }
            lap = self.lap(crew, threads);
        }
        let ns = lap.ns_per_call(self.calls_per_lane);
        self.all.push(ns);
        if !lap.disturbed() {
            self.quiet.push(ns);
        }
    }

    /// The rounds that count.
    fn rounds(&self) -> &[f64] {
        if self.is_doubtful() { &self.all } else { &self.quiet }
    }

    fn is_doubtful(&self) -> bool {
        self.quiet.len() < LEAST
    }

    fn lap(&mut self, crew: &Crew, threads: usize) -> Lap {
        let lap = crew.run(&self.subject, threads, self.calls_per_lane);
        self.calls += self.calls_per_lane * threads as u64;
        self.driven += lap.tally;
        lap
    }

    fn audit(&self, expected: Expected) -> Result<(), Mismatch> {
        expected
            .check(self.calls, &self.driven)
            .and_then(|()| self.subject.audit(&self.driven))
            .map_err(|mismatch| mismatch.of(self.name))
    }
}

/// The number of calls that would have taken `round`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive number of calls far below 2^53"
)]
fn scaled(calls: u64, wall: Duration, round: Duration) -> u64 {
    let factor = round.as_secs_f64() / wall.as_secs_f64().max(1e-9);
    ((calls as f64 * factor) as u64).max(1)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::super::drive::drive_sync;
    use super::*;

    const BRIEF: Effort = Effort { rounds: 9, round: Duration::from_micros(200) };

    fn add() -> Subject {
        super::super::atomic_add()
    }

    fn refuse() -> Subject {
        Subject::new(|_| drive_sync(|| false))
    }

    fn miscounting() -> Subject {
        let books = Arc::new(AtomicU64::new(1));
        let count = Arc::clone(&books);
        Subject::new(move |_| {
            let count = Arc::clone(&count);
            drive_sync(move || {
                count.fetch_add(1, Ordering::Relaxed);
                true
            })
        })
        .audited(move |driven| Mismatch::check("recorded", driven.admitted, books.load(Ordering::Relaxed)))
    }

    #[test]
    fn each_rival_makes_a_row() {
        let contest = Contest::new("pattern", "path", Expected::AllAdmitted, add)
            .at_most(0.9, 0.8, "first", add)
            .against("second", add);
        let rows = measure(&contest, 2, &Crew::new(2), BRIEF).unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].peer, rows[0].target), ("first", Some(0.8)));
        assert_eq!((rows[1].peer, rows[1].target), ("second", None));
        for row in rows {
            assert_eq!(row.threads, 2);
            assert!(row.ours_ns > 0.0 && row.peer_ns > 0.0);
            assert!((row.ratio - row.ours_ns / row.peer_ns).abs() < 1e-12);
        }
    }

    #[test]
    fn a_side_that_refuses_where_all_are_admitted_spoils_the_contest() {
        let contest = Contest::new("pattern", "path", Expected::AllAdmitted, add).against("refusing peer", refuse);
        let mismatch = measure(&contest, 1, &Crew::new(1), BRIEF).unwrap_err();
        assert!(mismatch.to_string().starts_with("refusing peer: admitted calls: expected"), "{mismatch}");
    }

    #[test]
    fn books_that_disagree_spoil_the_contest() {
        let contest = Contest::new("pattern", "path", Expected::AllAdmitted, miscounting).against("first", add);
        let mismatch = measure(&contest, 2, &Crew::new(2), BRIEF).unwrap_err();
        assert!(mismatch.to_string().starts_with("ours: recorded: expected"), "{mismatch}");
    }

    #[test]
    fn disturbed_rounds_count_only_where_too_few_are_left() {
        let mut side = Side::warm(Contender { name: "side", build: add }, &Crew::new(1), 1, BRIEF.round);
        side.all = [[1.0; LEAST], [9.0; LEAST]].concat();
        side.quiet = vec![1.0; LEAST];
        assert_eq!(side.rounds().len(), LEAST);
        side.quiet.pop();
        assert_eq!(side.rounds().len(), 2 * LEAST);
    }

    #[test]
    fn calls_scale_with_the_time_wanted() {
        let ms = Duration::from_millis;
        assert_eq!(scaled(1_000, ms(2), ms(20)), 10_000);
        assert_eq!(scaled(1_000, ms(40), ms(20)), 500);
        assert_eq!(scaled(1, ms(4_000), ms(20)), 1);
    }
}
