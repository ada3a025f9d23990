//! The layers of tower-resilience and `tower_governor` around the same services as ours.

use std::sync::Arc;

use http::{Request, Uri};
use seawall_rate_limit::{Algorithm, Config, Keyed, KeyedRateLimiter};
use tower::{Layer, Service};
use tower_governor::governor::GovernorConfigBuilder;
use tower_governor::key_extractor::KeyExtractor;
use tower_governor::{GovernorError, GovernorLayer};
use tower_resilience_ratelimiter::{RateLimiterLayer, WindowType};

use super::keyed::{MANY, walk};
use super::quotas::{self, BRIEFLY, FOREVER, LOGGED, PLENTY};
use crate::compare::service::{service, web_service};
use crate::harness::{Lane, Mismatch, Subject, Tally, drive_sync, poll_to_end, serve};

/// tower-resilience, a fixed window that is never full.
pub(super) fn resilience_fixed() -> Subject {
    let layer = RateLimiterLayer::builder()
        .window_type(WindowType::Fixed)
        .limit_for_period(PLENTY as usize)
        .refresh_period(FOREVER);
    let (layer, handle) = layer.build_with_handle().expect("the settings are valid");
    let service = layer.layer(service());
    Subject::new(move |_| serve(service.clone())).audited(move |driven: &Tally| {
        Mismatch::check("taken", driven.admitted, (handle.limit_for_period() - handle.available_permits()) as u64)
    })
}

/// tower-resilience, two counters, never full.
pub(super) fn resilience_counter() -> Subject {
    resilience(WindowType::SlidingCounter, PLENTY as usize, FOREVER)
}

/// tower-resilience, a log that is never full.
pub(super) fn resilience_log() -> Subject {
    resilience(WindowType::SlidingLog, LOGGED as usize, BRIEFLY)
}

fn resilience(window: WindowType, limit: usize, period: std::time::Duration) -> Subject {
    let layer = RateLimiterLayer::builder().window_type(window).limit_for_period(limit).refresh_period(period);
    let service = layer.build().expect("the settings are valid").layer(service());
    Subject::new(move |_| serve(service.clone()))
}

/// Our layer, a bucket for each of many paths.
pub(super) fn ours_by_path() -> Subject {
    let capacity = u32::try_from(2 * MANY).expect("a small number");
    let each = Config::new(quotas::bucket()).algorithm(Algorithm::Gcra).name("paths");
    let limiter = KeyedRateLimiter::<str>::new(Keyed::new(each).capacity(capacity)).expect("the settings are valid");
    let audited = limiter.clone();
    let layered = limiter.by(|request: &Request<()>| Some(request.uri().path())).layer().layer(web_service());
    by_path(layered).audited(move |driven| Mismatch::check("admitted", driven.admitted, audited.snapshot().admitted))
}

/// `tower_governor`, a bucket for each of many paths. Its keys are owned, so each call copies one.
pub(super) fn governor_by_path() -> Subject {
    let config = GovernorConfigBuilder::default()
        .period(quotas::INTERVAL)
        .burst_size(PLENTY)
        .key_extractor(Path)
        .finish()
        .expect("the settings are valid");
    let limiter = config.limiter().clone();
    by_path(GovernorLayer::new(config).layer(web_service()))
        .audited(move |_| Mismatch::check("keys known", true, limiter.len() <= MANY))
}

#[derive(Debug, Clone, Copy)]
struct Path;

impl KeyExtractor for Path {
    type Key = String;

    fn extract<T>(&self, request: &Request<T>) -> Result<String, GovernorError> {
        Ok(request.uri().path().to_owned())
    }
}

/// Lanes that ask for one path after the other.
fn by_path<S, Body>(service: S) -> Subject
where
    S: Service<Request<()>, Response = http::Response<Body>> + Clone + Send + Sync + 'static,
{
    let paths: Arc<[Uri]> = (0..MANY).map(|key| format!("/users/{key:06}/orders").parse().expect("a path")).collect();
    Subject::new(move |thread| -> Lane {
        let (mut service, paths, mut next) = (service.clone(), paths.clone(), walk(MANY, thread));
        drive_sync(move || {
            let mut request = Request::new(());
            *request.uri_mut() = paths[next()].clone();
            poll_to_end(std::future::poll_fn(|context| service.poll_ready(context))).is_ok()
                && poll_to_end(service.call(request)).is_ok_and(|response| response.status().is_success())
        })
    })
}
