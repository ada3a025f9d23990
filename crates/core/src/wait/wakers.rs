use std::task::Waker;

/// Those to wake when the lock is released: a few at a time, without an allocation.
#[derive(Debug, Default)]
pub struct Wakers {
    list: [Option<Waker>; Self::MOST],
    len: usize,
}

impl Wakers {
    const MOST: usize = 8;

    /// Whether no more can be taken: wake them, and come again.
    pub const fn is_full(&self) -> bool {
        self.len == Self::MOST
    }

    /// Adds one.
    ///
    /// # Panics
    /// Never while [`is_full`](Self::is_full) is asked before.
    pub fn push(&mut self, waker: Option<Waker>) {
        if waker.is_some() {
            self.list[self.len] = waker;
            self.len += 1;
        }
    }

    /// Wakes them all. Not under a lock: a waker is the executor's code.
    pub fn wake(self) {
        self.list.into_iter().flatten().for_each(Waker::wake);
    }
}
