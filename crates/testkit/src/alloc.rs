//! How often a piece of code allocates, on the thread that runs it.
//!
//! A test binary installs the allocator once; every test of it may then count.
//!
//! ```
//! use seawall_testkit::alloc::{self, CountingAllocator};
//!
//! #[global_allocator]
//! static ALLOCATOR: CountingAllocator = CountingAllocator;
//!
//! let growth = alloc::count(|| Vec::<u64>::with_capacity(4));
//! assert_eq!((growth.count, growth.bytes), (1, 32));
//! alloc::assert_none("a sum", || 1 + 1);
//! ```
//!
//! Counts are per thread, so tests may run side by side and what a runtime's other threads do is not seen.
#![expect(unsafe_code, reason = "a `GlobalAlloc` cannot be written without it; the proof stands beside the impl")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::ops::Sub;

/// The system's allocator with a count per thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct CountingAllocator;

/// What was allocated: each growth of an allocation counts as one more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allocations {
    /// How many times memory was asked for.
    pub count: u64,
    /// How many bytes were asked for, all together.
    pub bytes: u64,
}

/// What `work` allocates on this thread. What it returns is dropped after counting.
///
/// # Panics
///
/// When [`CountingAllocator`] is not the program's allocator: a count of zero would prove nothing.
pub fn count<T>(work: impl FnOnce() -> T) -> Allocations {
    assert!(
        is_installed(),
        "nothing is counted: `#[global_allocator] static A: CountingAllocator = CountingAllocator;`"
    );
    let before = so_far();
    let result = work();
    let after = so_far();
    drop(result);
    after - before
}

/// Checks that `work` allocates nothing on this thread, after one warm-up call.
///
/// The first call may fill what is made once per thread or process (a thread's stripe, a clock's calibration); that is
/// not a cost per call.
#[track_caller]
pub fn assert_none<T>(what: &str, mut work: impl FnMut() -> T) {
    drop(work());
    let found = count(work);
    assert_eq!(found, Allocations::default(), "{what} must not allocate");
}

fn is_installed() -> bool {
    let before = so_far();
    drop(black_box(Box::new(0_u64)));
    so_far() != before
}

fn so_far() -> Allocations {
    ALLOCATIONS.with(Cell::get)
}

impl Sub for Allocations {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { count: self.count - earlier.count, bytes: self.bytes - earlier.bytes }
    }
}

thread_local! {
    // Constant and without a destructor: access neither allocates nor registers anything, so that the allocator may use it.
    static ALLOCATIONS: Cell<Allocations> = const { Cell::new(Allocations { count: 0, bytes: 0 }) };
}

fn note(bytes: usize) {
    let Allocations { count, bytes: sum } = so_far();
    ALLOCATIONS.set(Allocations { count: count.wrapping_add(1), bytes: sum.wrapping_add(bytes as u64) });
}

// SAFETY: every method hands its arguments unchanged to `System`, whose contract is therefore met by whoever meets ours,
// and returns what `System` returned. `note` neither allocates nor unwinds: it copies a constant-initialised
// thread-local cell, adds with wrapping, and writes it back.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promise about `layout` is the one that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: as in `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        note(new_size);
        // SAFETY: `memory` came from this allocator, hence from `System`, with this `layout`.
        unsafe { System.realloc(memory, layout, new_size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as in `realloc`.
        unsafe { System.dealloc(memory, layout) }
    }
}
