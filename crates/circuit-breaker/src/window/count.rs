use super::Mark;
use crate::figures::Figures;

/// The last `size` calls, exactly: a ring with three bits for each call.
#[derive(Debug)]
pub(crate) struct CountWindow {
    words: Box<[Word]>,
    size: usize,
    /// Where the next call goes.
    next: usize,
    /// How many calls there are, at most `size`.
    len: usize,
    marked: Marked,
}

/// Sixty-four calls. A success that was not slow has no bit set.
#[derive(Clone, Copy, Debug, Default)]
struct Word {
    failed: u64,
    slow: u64,
    abandoned: u64,
}

/// How many calls of the window have which bits set.
#[derive(Clone, Copy, Debug, Default)]
struct Marked {
    failed: u64,
    slow: u64,
    slow_failed: u64,
    abandoned: u64,
}

impl CountWindow {
    pub(crate) fn new(size: u32) -> Self {
        let size = size as usize;
        Self {
            words: vec![Word::default(); size.div_ceil(64)].into(),
            size,
            next: 0,
            len: 0,
            marked: Marked::default(),
        }
    }

    pub(crate) fn succeed(&mut self, n: u64) {
        let n = usize::try_from(n).unwrap_or(usize::MAX);
        if n >= self.size {
            self.words.fill(Word::default());
            self.marked = Marked::default();
            self.len = self.size;
        } else {
            self.move_on(n);
        }
    }

    pub(crate) fn mark(&mut self, mark: Mark) {
        let at = self.next;
        self.move_on(1);
        let (word, bit) = (&mut self.words[at / 64], 1 << (at % 64));
        if mark.failed {
            word.failed |= bit;
            self.marked.failed += 1;
        }
        if mark.slow {
            word.slow |= bit;
            self.marked.slow += 1;
        }
        if mark.failed && mark.slow {
            self.marked.slow_failed += 1;
        }
        if mark.abandoned {
            word.abandoned |= bit;
            self.marked.abandoned += 1;
        }
    }

    /// The next `n` places, fewer than all, hold successes.
    fn move_on(&mut self, n: usize) {
        let mut left = n;
        while left > 0 {
            let (word, offset) = (self.next / 64, self.next % 64);
            let run = left.min(64 - offset).min(self.size - self.next);
            self.unmark(word, (u64::MAX >> (64 - run)) << offset);
            self.next = (self.next + run) % self.size;
            left -= run;
        }
        self.len = (self.len + n).min(self.size);
    }

    fn unmark(&mut self, word: usize, mask: u64) {
        let word = &mut self.words[word];
        let ones = |bits: u64| u64::from((bits & mask).count_ones());
        self.marked.failed -= ones(word.failed);
        self.marked.slow -= ones(word.slow);
        self.marked.slow_failed -= ones(word.slow & word.failed);
        self.marked.abandoned -= ones(word.abandoned);
        word.failed &= !mask;
        word.slow &= !mask;
        word.abandoned &= !mask;
    }

    pub(crate) fn figures(&self) -> Figures {
        Figures {
            calls: self.len as u64 - self.marked.abandoned,
            failed: self.marked.failed,
            slow: self.marked.slow,
            slow_failed: self.marked.slow_failed,
            abandoned: self.marked.abandoned,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.words.fill(Word::default());
        (self.next, self.len, self.marked) = (0, 0, Marked::default());
    }

    /// Takes over these figures: all of them if they fit, otherwise the same share of each kind.
    pub(crate) fn fill_with(&mut self, figures: &Figures) {
        let size = self.size as u64;
        let all = figures.calls + figures.abandoned;
        figures.each_kind(|number, mark| {
            let number = if all > size { scaled(number, size, all) } else { number };
            match mark {
                Some(mark) => (0..number).for_each(|_| self.mark(mark)),
                None => self.succeed(number),
            }
        });
    }

    /// Gives all calls, oldest first, to `other`, which keeps the newest that fit.
    pub(crate) fn replay_into(&self, other: &mut Self) {
        for back in (1..=self.len).rev() {
            let at = (self.next + self.size - back) % self.size;
            let (word, bit) = (&self.words[at / 64], 1 << (at % 64));
            let mark = Mark {
                failed: word.failed & bit != 0,
                slow: word.slow & bit != 0,
                abandoned: word.abandoned & bit != 0,
            };
            if mark == Mark::default() {
                other.succeed(1);
            } else {
                other.mark(mark);
            }
        }
    }
}

fn scaled(number: u64, numerator: u64, denominator: u64) -> u64 {
    let scaled = u128::from(number) * u128::from(numerator) / u128::from(denominator);
    u64::try_from(scaled).unwrap_or(u64::MAX)
}
