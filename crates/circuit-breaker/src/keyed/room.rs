use std::sync::Arc;
use std::time::Duration;

use seawall_core::stripe;
use seawall_core::time::{Clock, Timestamp};

use super::member::Member;
use super::slot::Resident;
use super::slots::Slots;
use super::tenant::Tenant;
use crate::state::Worth;

/// How many keys there may be, and which may be forgotten.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) capacity: u32,
    /// How long nobody must have called a broken one.
    pub(super) retire_open_after: Option<Duration>,
}

/// Who comes and who goes: what is read and written under the store's lock.
///
/// A newcomer who finds the store full takes the slot of one who can be forgotten. A hand goes round the slots and takes their
/// mark of use away; whose mark is gone when it comes again was not used for a whole round.
pub(super) struct Room<C> {
    settings: Arc<C>,
    limits: Limits,
    /// How many slots were made: those with lower numbers.
    made: u32,
    /// Slots that were made and serve nobody.
    free: Vec<u32>,
    /// The slot at which the search for one who can be forgotten goes on.
    hand: u32,
    evicted: u64,
    /// When it was last told that nobody can be forgotten.
    told_full: Option<Timestamp>,
}

/// Who goes first: the order is that of the variants.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Idle,
    IdleWithCounts,
    LongBroken,
    Used,
    UsedWithCounts,
}

/// How many slots are looked at for one newcomer: more would make a table of open circuits slow for every new key.
const LOOKS: u32 = 64;
/// The most that the lanes of all members take.
const MOST_LANES_BYTES: usize = 64 << 20;
const LANE_BYTES: usize = 128;
const TELL_FULL_EVERY: Duration = Duration::from_secs(60);

impl<C> Room<C> {
    pub(super) const fn new(settings: Arc<C>, limits: Limits) -> Self {
        Self { settings, limits, made: 0, free: Vec::new(), hand: 0, evicted: 0, told_full: None }
    }

    /// How many keys have a member.
    pub(super) fn len(&self) -> usize {
        self.made as usize - self.free.len()
    }

    pub(super) const fn capacity(&self) -> u32 {
        self.limits.capacity
    }

    pub(super) const fn made(&self) -> u32 {
        self.made
    }

    pub(super) const fn evicted(&self) -> u64 {
        self.evicted
    }

    pub(super) fn settings(&self) -> Arc<C> {
        self.settings.clone()
    }

    pub(super) fn reconfigure(&mut self, settings: Arc<C>, limits: Limits) {
        self.settings = settings;
        self.limits = limits;
    }

    /// The slot of this number serves nobody any more.
    pub(super) fn take_back(&mut self, number: u32) {
        self.free.push(number);
    }

    /// Whether it is time to tell that nobody can be forgotten.
    pub(super) fn tells_that_it_is_full(&mut self, now: Timestamp) -> bool {
        let told_lately = self.told_full.is_some_and(|told| now < told + TELL_FULL_EVERY);
        if !told_lately {
            self.told_full = Some(now);
        }
        !told_lately
    }

    fn has_room(&self) -> bool {
        self.len() < self.limits.capacity as usize
    }

    /// Finds a slot for `tenant`, and `forget`s whoever had to go: the slot's number and that of the new tenancy. `None` if
    /// there is no room, and nobody who could be forgotten.
    pub(super) fn let_to<M, K>(
        &mut self,
        tenant: &Arc<Tenant<K, M::Event>>,
        slots: &Slots<M, Tenant<K, M::Event>>,
        clock: &Clock,
        forget: impl Fn(u32, &Resident<Tenant<K, M::Event>>),
    ) -> Option<(u32, u32)>
    where
        M: Member<K, Settings = C>,
    {
        let now = clock.now();
        // After the capacity has shrunk, each newcomer makes two go until it is kept.
        if self.len() > self.limits.capacity as usize
            && let Some((number, _)) = self.evict(None, slots, now, &forget)
        {
            self.take_back(number);
        }
        if !self.has_room() {
            return self.evict(Some(tenant), slots, now, &forget);
        }
        let number = self.free.pop().unwrap_or_else(|| {
            self.made += 1;
            self.made - 1
        });
        let slot = slots.get_or_make(number, || M::new(self.settings(), clock.clone(), self.lanes()));
        let (_, tenancy) = slot.hand_over(Some(tenant), |_| true)?;
        Some((number, tenancy))
    }

    /// Many keys share the processor's threads, so that with many of them lanes would be mostly air.
    fn lanes(&self) -> usize {
        (MOST_LANES_BYTES / LANE_BYTES / self.limits.capacity as usize).min(stripe::seats())
    }

    /// Ends the tenancy of one who can be forgotten, and begins one for `to`.
    fn evict<M: Member<K>, K>(
        &mut self,
        to: Option<&Arc<Tenant<K, M::Event>>>,
        slots: &Slots<M, Tenant<K, M::Event>>,
        now: Timestamp,
        forget: impl Fn(u32, &Resident<Tenant<K, M::Event>>),
    ) -> Option<(u32, u32)> {
        let mut best = None;
        let mut found = None;
        for _ in 0..LOOKS.min(self.made) {
            let number = self.hand;
            self.hand = (self.hand + 1) % self.made;
            let Some(slot) = slots.get(number).filter(|slot| slot.tenancy().is_let_and_free()) else { continue };
            if self.limits.retire_open_after.is_none() && slot.member().is_needed() {
                continue;
            }
            let used = slot.tenancy().pass_hand();
            let mut rank = None;
            let handed_over = slot.hand_over(to, |worth| {
                rank = self.rank(worth, used, now);
                rank == Some(Rank::Idle)
            });
            if let Some(handed_over) = handed_over {
                found = Some((number, handed_over));
                break;
            }
            if let Some(rank) = rank
                && best.is_none_or(|(best, ..): (Rank, u32, _)| rank < best)
            {
                best = Some((rank, number, slot));
            }
        }
        let (number, (gone, tenancy)) = found.or_else(|| {
            let (rank, number, slot) = best?;
            let used = matches!(rank, Rank::Used | Rank::UsedWithCounts);
            // It may have become worth more since it was looked at.
            let handed_over = slot.hand_over(to, |worth| self.rank(worth, used, now).is_some_and(|now| now <= rank));
            Some((number, handed_over?))
        })?;
        self.evicted += 1;
        if let Some(gone) = gone {
            forget(number, &gone);
        }
        Some((number, tenancy))
    }

    /// In which order a member goes; `None` if it stays.
    fn rank(&self, worth: Worth, used: bool, now: Timestamp) -> Option<Rank> {
        match (worth, used) {
            (Worth::Nothing, false) => Some(Rank::Idle),
            (Worth::Counts, false) => Some(Rank::IdleWithCounts),
            (Worth::Nothing, true) => Some(Rank::Used),
            (Worth::Counts, true) => Some(Rank::UsedWithCounts),
            (Worth::Broken { until }, false) => {
                let after = self.limits.retire_open_after?;
                (now >= until + after).then_some(Rank::LongBroken)
            }
            (Worth::Broken { .. }, true) | (Worth::Held, _) => None,
        }
    }
}
