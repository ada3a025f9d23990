use std::cmp::Ordering;
use std::task::Waker;
use std::time::Duration;

use seawall_core::time::Timestamp;
use seawall_core::wait::{Discipline, Found, Waiter, Wakers};
use seawall_core::{Claim, Name, Place, Priority, Unserved};

use super::Overrun;
use super::asks::Key;
use super::room::{Kind, Room};

/// Who holds what of one limit, and who waits: pure, without a clock and without a lock.
///
/// # Who is served next
/// Whoever holds the least of its share: the partition whose `in_flight / share` is the smallest, and of equals the one whose
/// call came first. A partition below its share is so always before one at or beyond its share. Within a partition the
/// [`Discipline`] decides.
pub(crate) struct State {
    pub(crate) limit: u32,
    pub(crate) overrun: Overrun,
    /// The most who may wait.
    pub(crate) bound: usize,
    pub(crate) discipline: Discipline,
    rooms: Vec<Room>,
    /// Rooms by name, sorted: those that are not vacant.
    names: Vec<(Name, usize)>,
    fallback: Option<usize>,
    /// Permits that are out, but for those that pass by the limit.
    in_flight: u64,
    waiting: usize,
    /// When the last of those who ever waited came.
    last: Timestamp,
    /// Whether somebody may wait for more than the limit since it was lowered.
    lowered: bool,
}

/// What a call gets.
#[derive(Debug)]
pub(crate) enum Turn {
    Now,
    Later(Place),
    Full,
    TooLate(Duration),
    Never,
}

/// A partition as it is to be.
pub(crate) struct Part {
    pub(crate) name: Name,
    /// `None`: its calls pass by the limit.
    pub(crate) fraction: Option<f64>,
}

/// What became of the partitions when others were configured.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) added: Vec<Name>,
    pub(crate) removed: Vec<Name>,
}

impl State {
    pub(crate) fn new(limit: u32, overrun: Overrun, bound: usize, discipline: Discipline) -> Self {
        Self {
            limit,
            overrun,
            bound,
            discipline,
            rooms: Vec::new(),
            names: Vec::new(),
            fallback: None,
            in_flight: 0,
            waiting: 0,
            last: Timestamp::NEVER,
            lowered: false,
        }
    }

    /// Makes these the partitions. Those of the same name stay what they are; others are taken by no further call, and are
    /// gone when their calls have ended and nobody waits in them.
    pub(crate) fn divide(&mut self, parts: &[Part], fallback: Option<Name>) -> Changes {
        let mut changes = Changes::default();
        for room in &mut self.rooms {
            if room.is_open() && parts.iter().all(|part| part.name != room.name) {
                changes.removed.push(room.name);
                room.kind = Kind::Closing;
            }
        }
        for part in parts {
            let at = self.rooms.iter().position(|room| room.kind != Kind::Vacant && room.name == part.name);
            let at = at.unwrap_or_else(|| self.vacancy());
            let room = &mut self.rooms[at];
            if !room.is_open() {
                changes.added.push(part.name);
            }
            if room.kind == Kind::Vacant {
                room.begin(part.name);
            }
            room.kind = part.fraction.map_or(Kind::Bypass, |fraction| Kind::Shares { fraction });
        }
        self.rooms.iter_mut().for_each(Room::vacate_if_empty);
        self.names =
            (0..self.rooms.len()).filter(|at| self.rooms[*at].is_open()).map(|at| (self.rooms[at].name, at)).collect();
        self.names.sort_unstable_by(|a, b| a.0.as_str().cmp(b.0.as_str()));
        self.fallback = fallback.and_then(|name| self.named(name.as_str()));
        self.in_flight = self.rooms.iter().filter(|room| room.kind != Kind::Bypass).map(|room| room.in_flight).sum();
        self.share_out();
        changes
    }

    fn vacancy(&mut self) -> usize {
        self.rooms.iter().position(|room| room.kind == Kind::Vacant).unwrap_or_else(|| {
            self.rooms.push(Room::vacant());
            self.rooms.len() - 1
        })
    }

    fn share_out(&mut self) {
        let limit = self.limit;
        self.rooms.iter_mut().for_each(|room| room.share_of(limit));
    }

    pub(crate) fn resize(&mut self, limit: u32) {
        self.lowered |= limit < self.limit;
        self.limit = limit;
        self.share_out();
    }

    /// The partition of this name or found before, or the one for those that are unknown.
    pub(crate) fn find(&self, key: &Key<'_>) -> Option<usize> {
        let known = match key {
            Key::Name(name) => self.named(name),
            Key::Found(partition) => {
                let is_same = |room: &&Room| room.is_open() && room.tenancy == partition.tenancy;
                self.rooms.get(partition.at).filter(is_same).map(|_| partition.at)
            }
        };
        known.or(self.fallback)
    }

    pub(crate) fn named(&self, name: &str) -> Option<usize> {
        let at = self.names.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok()?;
        Some(self.names[at].1)
    }

    pub(crate) fn room(&self, at: usize) -> &Room {
        &self.rooms[at]
    }

    pub(crate) fn room_mut(&mut self, at: usize) -> &mut Room {
        &mut self.rooms[at]
    }

    /// Those whose name a call can have, and those whose last calls have not ended.
    pub(crate) fn rooms(&self) -> impl Iterator<Item = &Room> {
        self.rooms.iter().filter(|room| room.kind != Kind::Vacant)
    }

    pub(crate) const fn in_flight(&self) -> u64 {
        self.in_flight
    }

    pub(crate) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// Takes so many permits if they are free for this partition and nobody is before it.
    pub(crate) fn try_take(&mut self, at: usize, permits: u32) -> bool {
        let passes = self.passes(at, permits);
        if passes {
            self.take(at, permits);
        }
        passes
    }

    /// Whether one that comes now would be served at once, if it stood in the line.
    fn passes(&self, at: usize, permits: u32) -> bool {
        let room = &self.rooms[at];
        if room.kind == Kind::Bypass {
            return true;
        }
        if room.line.waiting() > 0 || permits > self.limit {
            return false;
        }
        if self.fits_its_share(room, permits) {
            return true;
        }
        let is_before = |other: &Room| other.line.waiting() == 0 || room.fill(other).is_lt();
        self.fits_the_limit(permits) && (self.waiting == 0 || self.rooms.iter().all(is_before))
    }

    fn fits_the_limit(&self, permits: u32) -> bool {
        self.in_flight + u64::from(permits) <= u64::from(self.limit)
    }

    /// Whether the permits are its own, whatever the others have.
    fn fits_its_share(&self, room: &Room, permits: u32) -> bool {
        self.overrun == Overrun::Allowed && room.in_flight + u64::from(permits) <= u64::from(room.share)
    }

    /// Whether a call for one permit would be refused, whichever partition it is of.
    pub(crate) fn is_shut(&self) -> bool {
        (0..self.rooms.len()).filter(|at| self.rooms[*at].is_open()).all(|at| !self.passes(at, 1))
    }

    fn take(&mut self, at: usize, permits: u32) {
        let room = &mut self.rooms[at];
        // What is about to be had is borrowed as far as it lies beyond the share.
        room.in_flight += u64::from(permits);
        if room.kind != Kind::Bypass {
            self.in_flight += u64::from(permits);
            if room.in_flight > u64::from(room.share) {
                room.counts.borrowed += 1;
            }
        }
    }

    /// Takes what is asked for, or a place in the line; tells whom to wake because it gave its place up.
    pub(crate) fn enter(&mut self, at: usize, claim: Claim, now: Timestamp) -> (Turn, Option<Waker>) {
        let permits = claim.wanted();
        if self.try_take(at, permits) {
            return (Turn::Now, None);
        }
        if permits > self.limit {
            return (Turn::Never, None);
        }
        let class = claim.get_priority() as usize;
        let room = &self.rooms[at];
        if let (Some(deadline), Some(wait)) =
            (claim.deadline(), room.expected_wait(&self.discipline, class, permits, now))
            && now + wait > deadline
        {
            return (Turn::TooLate(wait), None);
        }
        let mut displaced = None;
        if self.waiting >= self.bound {
            let Some((of, slot)) = self.displaced_by(at, class, permits) else { return (Turn::Full, None) };
            displaced = self.rooms[of].line.refuse(slot, Unserved::Displaced);
            self.waiting -= 1;
        }
        let since = self.date(now);
        let room = &mut self.rooms[at];
        if room.line.waiting() == 0 {
            room.pace.line_forms(now);
        }
        room.places += 1;
        self.waiting += 1;
        (Turn::Later(room.line.push(Waiter { class, permits, since })), displaced)
    }

    /// When one who comes now is said to have come: of two who come at the same time, in two partitions, the later one is a
    /// nanosecond later. A clock that has gone back is followed.
    fn date(&mut self, now: Timestamp) -> Timestamp {
        const SAME: Duration = Duration::from_millis(1);
        let is_same = now <= self.last && self.last.saturating_duration_since(now) < SAME;
        self.last = if is_same { self.last + Duration::from_nanos(1) } else { now };
        self.last
    }

    /// Who gives way when the line is full: one of a lower priority of the same partition; and to a call within its
    /// partition's share, the newest of the partition that is the furthest beyond its own, those who wait counted.
    fn displaced_by(&self, at: usize, class: usize, permits: u32) -> Option<(usize, usize)> {
        if self.bound == 0 {
            return None;
        }
        let room = &self.rooms[at];
        if room.wanted() + u64::from(permits) <= u64::from(room.share) {
            let candidates = self.rooms.iter().enumerate().filter_map(|(of, other)| {
                let is_beyond = of != at && other.wanted() > u64::from(other.share);
                let slot = Discipline::displaced(&other.line, Priority::COUNT).filter(|_| is_beyond)?;
                Some((of, slot))
            });
            let fullest = candidates.max_by(|a, b| {
                let ((of_a, slot_a), (of_b, slot_b)) = (*a, *b);
                let (a, b) = (&self.rooms[of_a], &self.rooms[of_b]);
                ratio(a.wanted(), a.share, b.wanted(), b.share).then(a.line.since(slot_a).cmp(&b.line.since(slot_b)))
            });
            if fullest.is_some() {
                return fullest;
            }
        }
        Discipline::displaced(&room.line, class).map(|slot| (at, slot))
    }

    /// Gives so many permits back. Whoever waits is [served](Self::serve) after it.
    pub(crate) fn release(&mut self, at: usize, permits: u32) {
        let room = &mut self.rooms[at];
        room.in_flight = room.in_flight.saturating_sub(permits.into());
        if room.kind != Kind::Bypass {
            self.in_flight = self.in_flight.saturating_sub(permits.into());
        }
        room.vacate_if_empty();
    }

    /// Looks after a place, which is left when its time is over. `waker` is whom to wake, unless it is over; then whom not
    /// to wake any more.
    pub(crate) fn look(&mut self, at: usize, place: &Place, is_over: bool, waker: &mut Option<Waker>) -> Found {
        let room = &mut self.rooms[at];
        let found = if is_over {
            let (found, known) = room.line.remove(place);
            *waker = known;
            found
        } else {
            room.line.look(place, waker)
        };
        match found {
            Found::Gone => return found,
            Found::Waiting if !is_over => return found,
            Found::Waiting => self.waiting -= 1,
            Found::Granted { .. } | Found::Unserved(_) => {}
        }
        room.places -= 1;
        room.vacate_if_empty();
        found
    }

    /// Leaves the line; a turn that had come is given back.
    pub(crate) fn leave(&mut self, at: usize, place: &Place) -> Option<Waker> {
        let room = &mut self.rooms[at];
        let (found, waker) = room.line.remove(place);
        match found {
            Found::Gone => return waker,
            Found::Waiting => self.waiting -= 1,
            Found::Granted { .. } | Found::Unserved(_) => {}
        }
        room.places -= 1;
        match found {
            Found::Granted { permits } => self.release(at, permits),
            _ => room.vacate_if_empty(),
        }
        waker
    }

    /// Whether there may be somebody to [serve](Self::serve).
    pub(crate) const fn has_to_serve(&self) -> bool {
        self.waiting > 0
    }

    /// Grants what is free to those whose turn it is, and tells those who will not be served, until nothing is left to do or
    /// `woken` is full.
    pub(crate) fn serve(&mut self, now: Timestamp, woken: &mut Wakers) {
        while self.waiting > 0 && !woken.is_full() {
            if let Some((at, slot)) = self.too_large() {
                woken.push(self.rooms[at].line.refuse(slot, Unserved::Never));
                self.waiting -= 1;
                continue;
            }
            let Some((at, slot)) = self.next(now) else { return };
            if let Some(late) = self.discipline.late(&self.rooms[at].line, now) {
                woken.push(self.rooms[at].line.refuse(late, Unserved::Late));
                self.waiting -= 1;
                continue;
            }
            let permits = self.rooms[at].permits(slot);
            self.take(at, permits);
            self.waiting -= 1;
            let room = &mut self.rooms[at];
            room.pace.turn(permits, now);
            woken.push(room.line.grant(slot));
        }
    }

    /// Somebody who waits for more than there will be.
    fn too_large(&mut self) -> Option<(usize, usize)> {
        if !self.lowered {
            return None;
        }
        let limit = self.limit;
        let beyond = |at: usize, room: &Room| {
            let slot = (0..Priority::COUNT).find_map(|class| room.line.first_beyond(class, limit))?;
            Some((at, slot))
        };
        let found = self.rooms.iter().enumerate().find_map(|(at, room)| beyond(at, room));
        self.lowered = found.is_some();
        found
    }

    /// Whose turn it is, if what it asks for is free. While it is not, only calls that take from their own share pass.
    fn next(&self, now: Timestamp) -> Option<(usize, usize)> {
        let (mut first, mut own): (Option<Head>, Option<Head>) = (None, None);
        for (at, room) in self.rooms.iter().enumerate() {
            let Some(slot) = self.discipline.next(&room.line, now) else { continue };
            let head = Head { at, slot, since: room.line.since(slot) };
            let before = |other: &Head| self.order(&head, other).is_lt();
            if room.kind == Kind::Bypass {
                return Some((at, slot));
            }
            if self.fits_its_share(room, room.permits(slot)) && own.as_ref().is_none_or(before) {
                own = Some(head);
            }
            if first.as_ref().is_none_or(before) {
                first = Some(head);
            }
        }
        first
            .filter(|head| self.fits_the_limit(self.rooms[head.at].permits(head.slot)))
            .or(own)
            .map(|head| (head.at, head.slot))
    }

    fn order(&self, a: &Head, b: &Head) -> Ordering {
        self.rooms[a.at].fill(&self.rooms[b.at]).then(a.since.cmp(&b.since))
    }
}

/// The next of one partition.
#[derive(Clone, Copy)]
struct Head {
    at: usize,
    slot: usize,
    since: Timestamp,
}

/// Compares `a / of_a` with `b / of_b`; of nothing is the most.
pub(super) fn ratio(a: u64, of_a: u32, b: u64, of_b: u32) -> Ordering {
    match (of_a, of_b) {
        (0, 0) => Ordering::Equal,
        (0, _) => Ordering::Greater,
        (_, 0) => Ordering::Less,
        _ => (u128::from(a) * u128::from(of_b)).cmp(&(u128::from(b) * u128::from(of_a))),
    }
}
