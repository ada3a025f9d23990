#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "bulkhead")]
#[doc(inline)]
pub use seawall_bulkhead as bulkhead;
#[cfg(feature = "circuit-breaker")]
#[doc(inline)]
pub use seawall_circuit_breaker as circuit_breaker;
#[doc(inline)]
pub use seawall_core as core;
#[cfg(feature = "rate-limit")]
#[doc(inline)]
pub use seawall_rate_limit as rate_limit;
#[cfg(feature = "retry")]
#[doc(inline)]
pub use seawall_retry as retry;
#[cfg(feature = "telemetry")]
#[doc(inline)]
pub use seawall_telemetry as telemetry;
#[cfg(feature = "worker-pool")]
#[doc(inline)]
pub use seawall_worker_pool as worker_pool;

#[cfg(all(
    feature = "bulkhead",
    feature = "circuit-breaker",
    feature = "rate-limit",
    feature = "retry",
    feature = "worker-pool"
))]
pub mod _manual;
