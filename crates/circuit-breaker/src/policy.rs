use std::convert::Infallible;
use std::sync::Arc;

use seawall_core::stripe;
use seawall_core::time::{Clock, Now};
use seawall_core::{Admits, Ask, ConfigError, Configure, Ending, Policy};

use crate::breaker::Breaker;
use crate::config::Config;
use crate::error::Open;
use crate::settings::Settings;
use crate::token::Token;

/// A breaker never lets a call wait, and its permits are not capacity.
impl Policy for Breaker {
    type Token = Token;
    type Place = Infallible;
    type Refusal = Open;

    #[inline(always)]
    fn clock(&self) -> Option<&Clock> {
        Some(self.clock())
    }

    #[inline(always)]
    fn settle(&self, token: Token, ending: Ending<'_>, now: &Now<'_>) {
        self.settle(token, ending, now);
    }

    #[inline(always)]
    fn peek(&self, now: &Now<'_>) -> Result<(), Open> {
        self.peek(now)
    }

    #[inline(always)]
    fn renew(&self, token: &mut Token, now: &Now<'_>) -> Result<(), Open> {
        self.renew(token, now)
    }
}

/// A breaker asks nothing of the call.
impl<Call: ?Sized> Admits<Call> for Breaker {
    #[inline(always)]
    fn try_admit(&self, ask: &Ask<'_, Call>) -> Result<Token, Open> {
        self.admit(ask.now, ask.is_reservation())
    }
}

impl Configure for Breaker {
    type Config = Config;

    fn build(config: Config, clock: Clock) -> Result<Self, ConfigError> {
        Ok(Self::from_settings(Arc::new(Settings::try_from(config)?), clock, stripe::seats()))
    }

    fn reconfigure(&self, config: Config) -> Result<(), ConfigError> {
        self.reconfigure(Arc::new(Settings::try_from(config)?))
    }
}
