//! Rate limits over HTTP: who the client is, and what it is told.
//!
//! - [`ClientAddress`] finds the client's address behind proxies that are trusted, and believes nobody else.
//! - [`AddressPrefix`] is the part of an address that tells clients apart: a key, as [`Parts`] are for keys of several parts.
//! - [`RateLimitHeaders`] tells callers how they stand with each [`Policy`], and [refuses](RateLimitHeaders::refuse) a call with
//!   a problem that names the policies it violates.
//! - [`ServiceLimit`], [`QuotaPolicy`] and [`LegacyLimit`] are what other servers tell.
//!
//! All of this is values and functions, of use with any limiter. For this crate's own, [`RateLimitHeaders`] ends the calls of a
//! layer [by telling how the caller stands](RateLimitHeaders::on_grants), and [answers](RateLimitHeaders::answer) refused ones.
//!
//! ```
//! use http::HeaderMap;
//! use seawall_rate_limit::http::{AddressPrefix, ClientAddress, ClientAddressConfig};
//!
//! let config = ClientAddressConfig::default().trusted_proxies(["10.0.0.0/8".parse()?]);
//! let client = ClientAddress::new(config)?;
//!
//! let mut headers = HeaderMap::new();
//! headers.append("x-forwarded-for", "6.6.6.6".parse()?); // the client's own word
//! headers.append("x-forwarded-for", "2001:db8:1:2::99".parse()?); // the proxy's
//! let address = client.of("10.0.0.1".parse()?, &headers);
//! assert_eq!(AddressPrefix::of(address).to_string(), "2001:db8:1:2::/64");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod address_header;
mod client_address;
mod fields;
#[cfg(feature = "serde")]
mod format;
mod hops;
mod network;
mod parts;
mod policy;
mod prefix;
mod reading;
mod refusal;
mod telling;

pub use address_header::AddressHeader;
pub use client_address::{ClientAddress, ClientAddressConfig};
pub use fields::{HeaderVersion, RateLimitHeaders};
pub use network::Network;
pub use parts::{Parts, PartsKey};
pub use policy::{Policy, PolicyState, QuotaUnit};
pub use prefix::{AddressPrefix, PrefixLengths};
pub use reading::{LegacyLimit, QuotaPolicy, ServiceLimit};
pub use refusal::{ProblemType, retry_after_seconds};
#[doc(hidden)]
pub use telling::Told;
pub use telling::{Telling, TellsGrants, TellsLimits};
