use std::convert::Infallible;
use std::sync::Arc;

use seawall_core::stripe;
use seawall_core::time::{Clock, Now};
use seawall_core::{Admits, Ask, ConfigError, Configure, Ending, Policy};

use super::config::Config;
use super::error::Throttled;
use super::handle::Throttle;
use super::settings::Settings;
use super::token::Token;

/// A throttle never lets a call wait, and its permits are not capacity.
impl Policy for Throttle {
    type Token = Token;
    type Place = Infallible;
    type Refusal = Throttled;

    #[inline(always)]
    fn clock(&self) -> Option<&Clock> {
        Some(self.clock())
    }

    #[inline(always)]
    fn settle(&self, token: Token, ending: Ending<'_>, now: &Now<'_>) {
        self.settle(token, &ending, now);
    }

    #[inline(always)]
    fn peek(&self, _now: &Now<'_>) -> Result<(), Throttled> {
        self.peek()
    }

    /// A draw that was won stands: to draw again for the same call would refuse it twice.
    #[inline(always)]
    fn renew(&self, token: &mut Token, now: &Now<'_>) -> Result<(), Throttled> {
        if token.is_reserved() {
            *token = self.admit(now, false)?;
        }
        Ok(())
    }
}

/// A throttle asks nothing of the call.
impl<Call: ?Sized> Admits<Call> for Throttle {
    #[inline(always)]
    fn try_admit(&self, ask: &Ask<'_, Call>) -> Result<Token, Throttled> {
        self.admit(ask.now, ask.is_reservation())
    }
}

impl Configure for Throttle {
    type Config = Config;

    fn build(config: Config, clock: Clock) -> Result<Self, ConfigError> {
        Ok(Self::from_settings(Arc::new(Settings::try_from(config)?), clock, stripe::seats()))
    }

    fn reconfigure(&self, config: Config) -> Result<(), ConfigError> {
        self.reconfigure(Arc::new(Settings::try_from(config)?))
    }
}
