use crate::dead::{Buried, DeadLetter};
use crate::pool::Pool;
use crate::refused::Refused;
use crate::task::Runs;

/// Jobs that failed for the last time: kept, up to the configured number, with the reason and the history of their attempts.
impl<R: Runs> Pool<R> {
    /// Those that are kept, the earliest first.
    ///
    /// ```
    /// use seawall_core::spawn::Spawner;
    /// use seawall_worker_pool::{Config, Pool, repeat};
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicBool, Ordering};
    ///
    /// # smol::block_on(async {
    /// let pool = Pool::new(Config::new(1..=1), Spawner::threads())?;
    /// let is_up = Arc::new(AtomicBool::new(false));
    /// let job = {
    ///     let is_up = is_up.clone();
    ///     repeat(move |_| {
    ///         let result = if is_up.load(Ordering::SeqCst) { Ok(()) } else { Err("the mail server is down") };
    ///         async move { result }
    ///     })
    /// };
    /// assert!(pool.submit(job).await?.await.is_err());
    ///
    /// let letters = pool.dead_letters();
    /// assert_eq!(letters[0].history[0].error, "the mail server is down");
    /// is_up.store(true, Ordering::SeqCst);
    /// assert!(pool.redrive(letters[0].job)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.engine().state.lock().dead.letters().cloned().collect()
    }

    /// Submits a dead job again, as a new job with all its attempts before it: its priority, timeout and retries are as before,
    /// its deadline is gone, and its handle has been answered. Tells whether it was there and can be run again.
    ///
    /// # Errors
    /// If the pool did not take it; it stays a dead letter then.
    pub fn redrive(&self, job: u64) -> Result<bool, Refused> {
        let raised = self.engine().state.lock().dead.raise(job);
        let Some(buried) = raised else { return Ok(false) };
        self.offer_again(buried).map(|()| true)
    }

    /// Submits all dead jobs again that can be, the earliest first. Tells how many.
    ///
    /// # Errors
    /// If the pool did not take one: that one and those after it stay dead letters.
    pub fn redrive_all(&self) -> Result<usize, Refused> {
        let jobs: Vec<u64> =
            self.dead_letters().iter().filter(|letter| letter.is_repeatable).map(|letter| letter.job).collect();
        let mut redriven = 0;
        for job in jobs {
            redriven += usize::from(self.redrive(job)?);
        }
        Ok(redriven)
    }

    /// Forgets a dead letter. Tells whether it was there.
    pub fn forget_dead_letter(&self, job: u64) -> bool {
        let forgotten = self.engine().state.lock().dead.forget(job);
        forgotten.is_some()
    }

    fn offer_again(&self, buried: Buried<R::Unit>) -> Result<(), Refused> {
        let Buried { order, letter, job } = buried;
        let Some((unit, mut terms)) = job else { return Ok(()) };
        let before = terms.begin_anew();
        match crate::submit::offer(self.engine(), unit, terms, self.engine().now(), false) {
            Ok(_) => Ok(()),
            Err(turned) => {
                let mut terms = turned.terms;
                terms.restore(before);
                let back = Buried { order, letter, job: Some((turned.unit, terms)) };
                let gone = {
                    let mut state = self.engine().state.lock();
                    let most = state.config.dead_letters;
                    state.dead.put_back(back, most)
                };
                drop(gone);
                Err(self.engine().refuse(turned.reason))
            }
        }
    }
}
