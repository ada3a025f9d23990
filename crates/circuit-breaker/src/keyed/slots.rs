use std::sync::OnceLock;

use super::slot::Slot;

/// Slots by their number, made when they are first needed and never moved: whoever knows a number reaches its slot without a
/// lock.
///
/// Each row is twice as long as the one before, so that there is no largest number to be known beforehand.
pub(super) struct Slots<M, T> {
    rows: [Row<M, T>; ROWS],
}

type Row<M, T> = OnceLock<Box<[OnceLock<Box<Slot<M, T>>>]>>;

const FIRST_ROW: u32 = 64;
const ROWS: usize = 19;
/// How many slots there can be.
pub(super) const MOST: u32 = 1 << 24;

const _: () = assert!(FIRST_ROW as u64 * ((1 << ROWS) - 1) >= MOST as u64, "the rows hold every number");

/// The row of a slot, how long that is, and the slot's place in it.
#[inline(always)]
const fn place(number: u32) -> (usize, usize, usize) {
    let shifted = number + FIRST_ROW;
    let row = shifted.ilog2() - FIRST_ROW.ilog2();
    let length = FIRST_ROW << row;
    (row as usize, length as usize, (shifted - length) as usize)
}

impl<M, T> Slots<M, T> {
    pub(super) fn new() -> Self {
        Self { rows: std::array::from_fn(|_| OnceLock::new()) }
    }

    /// The slot of this number, if it was made.
    #[inline(always)]
    pub(super) fn get(&self, number: u32) -> Option<&Slot<M, T>> {
        let (row, _, place) = place(number);
        let slot = self.rows.get(row)?.get()?.get(place)?.get()?;
        Some(slot)
    }

    /// The same, made by `member` if it was not.
    pub(super) fn get_or_make(&self, number: u32, member: impl FnOnce() -> M) -> &Slot<M, T> {
        let (row, length, place) = place(number);
        let row = self.rows[row].get_or_init(|| (0..length).map(|_| OnceLock::new()).collect());
        row[place].get_or_init(|| Box::new(Slot::new(member())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fill_one_row_after_the_other() {
        let mut next = (0, 0);
        for number in 0..100_000 {
            let (row, length, at) = place(number);
            assert_eq!((row, at), next, "slot {number}");
            next = if at + 1 == length { (row + 1, 0) } else { (row, at + 1) };
        }
        assert!(place(MOST - 1).0 < ROWS);
    }

    #[test]
    fn a_slot_stays_where_it_was_made() {
        let slots = Slots::<u32, ()>::new();
        assert!(slots.get(0).is_none() && slots.get(MOST - 1).is_none());
        for number in [0, 63, 64, 191, 192, 5_000] {
            assert_eq!(slots.get_or_make(number, || number).member(), &number);
        }
        let first: *const _ = slots.get_or_make(64, || 0);
        assert!(std::ptr::eq(first, slots.get_or_make(64, || 1)));
        assert_eq!(slots.get(5_000).map(Slot::member), Some(&5_000));
        assert!(slots.get(5_001).is_none());
    }
}
