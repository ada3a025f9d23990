use std::fmt;
use std::task::{Context, Poll};

use seawall_core::time::{Clock, Now, Timestamp};
use seawall_core::{Admits, Ask, Claim, ConfigError, Ending, Entry, Place, Policy, Shared, Turn};

use crate::breaker::{Breaker, CircuitBreaker, Left};
use crate::error::Open;
use crate::event::State;
use crate::token::Token;
use crate::watch::give;

/// The same circuit for callers that would rather wait than be refused while its probes are out: what [`Patient::over`]
/// makes.
///
/// While the circuit is half-open and all probes are taken, a call waits in line. When a probe comes back without deciding,
/// the first in line becomes the next probe; when the circuit closes all may start, and when it opens all are refused. An
/// open circuit, and a stage of a recovery, refuse at once.
///
/// A call waits at most as long as its caller says (`admit_within`, `.layer().wait(..)`), and never longer than the circuit
/// takes to decide: [`HalfOpen::max`](crate::HalfOpen::max).
///
/// # Fairness
/// First come, first served.
///
/// # Cancel safety
/// A caller that goes away leaves the line, and its turn goes to the next.
///
/// ```
/// use seawall_circuit_breaker::{CircuitBreaker, Config, Patient};
/// use std::time::Duration;
///
/// # async fn charge() -> Result<u32, std::io::Error> { Ok(7) }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let breaker = CircuitBreaker::new(Config::classic().name("payment"))?;
/// let payments = Patient::over(breaker.clone(), 100)?;
/// let permit = payments.admit_within(Duration::from_millis(200)).await?;
/// # permit.success();
/// # Ok(())
/// # }
/// ```
pub struct Patient {
    breaker: CircuitBreaker,
}

impl Patient {
    /// Lets at most `most` calls wait for this circuit; further ones are refused as they would be without. All that are made
    /// over one circuit share one line, whose length is the last one given.
    ///
    /// # Errors
    /// If `most` is zero.
    pub fn over(breaker: CircuitBreaker, most: usize) -> Result<Shared<Self>, ConfigError> {
        if most == 0 {
            return Err(ConfigError::new("most", most, "at least 1 call that may wait"));
        }
        breaker.watch().calls.set_bound(most);
        Ok(Shared::from_policy(Self { breaker }))
    }

    /// The circuit.
    pub const fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }

    fn circuit(&self) -> &Breaker {
        &self.breaker
    }

    /// How many calls wait.
    pub fn waiting(&self) -> usize {
        self.breaker.watch().calls.waiting()
    }

    /// Admits or refuses if that can be told now; gives a place if all probes are out. Whoever has a turn is before those
    /// who wait, and nobody else is.
    fn look<Call: ?Sized>(&self, ask: &Ask<'_, Call>, has_turn: bool) -> Result<Entry<Token, Place>, Open> {
        let (breaker, line) = (self.circuit(), &self.circuit().watch().calls);
        let late = ask.deadline.is_some_and(|deadline| ask.now.get() >= deadline);
        loop {
            if has_turn || !breaker.is_half_open() || line.waiting() == 0 {
                match breaker.admit_counting(ask.now, ask.is_reservation(), false) {
                    Ok(token) => return Ok(Entry::Admitted(token)),
                    Err(open) if late || open.state() != State::HalfOpen => return Err(self.refused(open, ask)),
                    Err(open) => match breaker.half_open_with(ask.now) {
                        // It was decided since, so the next look tells how.
                        None => continue,
                        Some(Left::Share) => return Err(self.refused(open, ask)),
                        Some(Left::Probes(_)) => {}
                    },
                }
            }
            match line.enter(Claim::new(), ask.now) {
                // A turn that nobody was there to take.
                Turn::Now => {}
                Turn::Full | Turn::TooLate(_) | Turn::Never => {
                    return breaker.admit(ask.now, ask.is_reservation()).map(Entry::Admitted);
                }
                Turn::Later(place) => {
                    // Whoever changes the circuit from here on sees the place; what changed before is looked at once more.
                    give(line, self.turns(ask.now));
                    return Ok(Entry::Queued(place));
                }
            }
        }
    }

    /// How many of those who wait have something to look for.
    fn turns(&self, now: &Now<'_>) -> u64 {
        match self.circuit().half_open_with(now) {
            Some(Left::Probes(left)) => left,
            Some(Left::Share) | None => u64::MAX,
        }
    }

    fn refused<Call: ?Sized>(&self, open: Open, ask: &Ask<'_, Call>) -> Open {
        // A reservation is refused again when its call comes, and counted then.
        if !ask.is_reservation() {
            self.circuit().count_refusal();
        }
        open
    }
}

/// A call that waits: a place in line, until it is used up.
pub struct Waiting(Option<Place>);

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").finish_non_exhaustive()
    }
}

impl Policy for Patient {
    type Token = Token;
    type Place = Waiting;
    type Refusal = Open;

    const WAITS: bool = true;

    fn clock(&self) -> Option<&Clock> {
        Some(self.circuit().clock())
    }

    #[inline(always)]
    fn settle(&self, token: Token, ending: Ending<'_>, now: &Now<'_>) {
        self.circuit().settle(token, ending, now);
    }

    fn peek(&self, now: &Now<'_>) -> Result<(), Open> {
        match self.circuit().peek(now) {
            // It can wait.
            Err(open) if open.state() == State::HalfOpen => Ok(()),
            looked => looked,
        }
    }

    fn renew(&self, token: &mut Token, now: &Now<'_>) -> Result<(), Open> {
        self.circuit().renew(token, now)
    }

    /// When time alone changes the circuit.
    fn wake_at(&self, _place: &Waiting) -> Option<Timestamp> {
        Some(self.breaker.next_change()).filter(|at| *at != Timestamp::NEVER)
    }

    fn leave(&self, place: Waiting) {
        if let Some(place) = place.0 {
            self.breaker.watch().calls.leave(place, &Now::new(Policy::clock(self)));
        }
    }
}

impl<Call: ?Sized> Admits<Call> for Patient {
    #[inline(always)]
    fn try_admit(&self, ask: &Ask<'_, Call>) -> Result<Token, Open> {
        self.circuit().admit(ask.now, ask.is_reservation())
    }

    fn enter(&self, ask: &Ask<'_, Call>) -> Result<Entry<Token, Waiting>, Open> {
        Ok(match self.look(ask, false)? {
            Entry::Admitted(token) => Entry::Admitted(token),
            Entry::Queued(place) => Entry::Queued(Waiting(Some(place))),
        })
    }

    fn poll_place(&self, ask: &Ask<'_, Call>, place: &mut Waiting, cx: &mut Context<'_>) -> Poll<Result<Token, Open>> {
        let line = &self.breaker.watch().calls;
        // Time may have decided.
        self.circuit().half_open_with(ask.now);
        while let Some(waiting) = &place.0 {
            let late = ask.deadline.is_some_and(|deadline| ask.now.get() >= deadline);
            if line.poll(waiting, cx).is_pending() && !late {
                return Poll::Pending;
            }
            if late {
                self.leave(Waiting(place.0.take()));
            } else {
                place.0 = None;
            }
            match self.look(ask, true)? {
                Entry::Admitted(token) => {
                    place.0 = None;
                    return Poll::Ready(Ok(token));
                }
                Entry::Queued(again) => place.0 = Some(again),
            }
        }
        Poll::Ready(self.circuit().admit(ask.now, ask.is_reservation()))
    }
}

impl fmt::Debug for Patient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patient").field("breaker", &self.breaker).field("waiting", &self.waiting()).finish()
    }
}
