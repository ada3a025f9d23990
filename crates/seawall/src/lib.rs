#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "circuit-breaker")]
#[doc(inline)]
pub use seawall_circuit_breaker as circuit_breaker;
#[doc(inline)]
pub use seawall_core as core;
#[cfg(feature = "telemetry")]
#[doc(inline)]
pub use seawall_telemetry as telemetry;

#[cfg(feature = "circuit-breaker")]
pub mod _manual;
