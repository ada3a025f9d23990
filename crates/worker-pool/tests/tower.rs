//! The layer in stacks of tower's own middleware, on a tokio runtime.
#![cfg(all(feature = "tower", feature = "tokio", not(seawall_loom)))]

#[cfg(feature = "http")]
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[cfg(feature = "http")]
use seawall_core::Deadline;
use seawall_core::spawn::Spawner;
#[cfg(feature = "http")]
use seawall_core::time::Clock;
use seawall_core::{Priority, Rejection};
use seawall_worker_pool::{Config, JobOptions, Pool};
use tokio::sync::Notify;
use tower::buffer::Buffer;
use tower::limit::ConcurrencyLimit;
use tower::load_shed::LoadShed;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, service_fn};

fn pool(config: Config) -> Pool {
    Pool::new(config, Spawner::tokio().expect("a runtime")).expect("a valid configuration")
}

/// Tells how many of its calls ran at once.
#[derive(Clone, Default)]
struct Peak {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Peak {
    async fn call(self, request: u32) -> Result<u32, BoxError> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        Ok(request)
    }

    fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

async fn call_all<S>(service: S, requests: u32) -> Vec<u32>
where
    S: Service<u32, Response = u32, Error = BoxError, Future: Send> + Clone + Send + 'static,
{
    let calls: Vec<_> = (0..requests).map(|request| tokio::spawn(service.clone().oneshot(request))).collect();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.expect("no panic").expect("no refusal"));
    }
    answers
}

#[tokio::test]
async fn no_more_requests_run_at_once_than_there_are_workers() {
    let pool = pool(Config::new(1..=3).queue(64));
    let peak = Peak::default();
    let inner = {
        let peak = peak.clone();
        service_fn(move |request| peak.clone().call(request))
    };
    let service = ServiceBuilder::new().layer(pool.layer().boxed()).service(inner);
    assert_eq!(call_all(service, 40).await, (0..40).collect::<Vec<_>>());
    assert!((1..=3).contains(&peak.most()), "{}", peak.most());
    assert_eq!(pool.snapshot().completed, 40);
}

/// `ConcurrencyLimit` and `Buffer` panic when they are called without the place that their readiness took.
#[tokio::test]
async fn it_works_over_a_concurrency_limit_and_over_a_buffer() {
    let pool = pool(Config::new(4..=4).queue(64));
    let peak = Peak::default();
    let inner = {
        let peak = peak.clone();
        service_fn(move |request| peak.clone().call(request))
    };
    let limited = ConcurrencyLimit::new(inner.clone(), 2);
    let shed = ServiceBuilder::new().layer(pool.layer().boxed()).service(limited.clone());
    let wait = ServiceBuilder::new().layer(pool.layer().wait(Duration::from_secs(60)).boxed()).service(limited);
    assert_eq!(call_all(shed, 12).await.len() + call_all(wait, 12).await.len(), 24);
    assert!(peak.most() <= 2, "{}", peak.most());

    let buffered = Buffer::new(inner, 4);
    let shed = ServiceBuilder::new().layer(pool.layer().boxed()).service(buffered.clone());
    let wait = ServiceBuilder::new().layer(pool.layer().wait(Duration::from_secs(60)).boxed()).service(buffered);
    assert_eq!(call_all(shed, 12).await.len() + call_all(wait, 12).await.len(), 24);
    assert_eq!(pool.snapshot().completed, 48);
}

/// For a buffer an error of `poll_ready` would be the end.
#[tokio::test]
async fn a_buffer_around_it_survives_every_refusal() {
    let pool = pool(Config::new(1..=1));
    let inner = service_fn(|request: u32| async move { Ok::<_, BoxError>(request) });
    let mut buffer = Buffer::new(ServiceBuilder::new().layer(pool.layer().boxed()).service(inner), 2);
    assert_eq!(buffer.ready().await.expect("open").call(1).await.expect("open"), 1);
    pool.close();
    for request in 0..5 {
        let error = buffer.ready().await.expect("ready").call(request).await.expect_err("closed");
        assert_eq!(Rejection::find(&*error).map(Rejection::reason), Some("stopped"), "{error}");
    }
}

#[tokio::test]
async fn under_load_shed_a_refusal_stays_the_pools_own() {
    let pool = pool(Config::new(1..=1).queue(0));
    let gate = Arc::new(Notify::new());
    let inner = {
        let gate = gate.clone();
        service_fn(move |request: u32| {
            let gate = gate.clone();
            async move {
                gate.notified().await;
                Ok::<_, BoxError>(request)
            }
        })
    };
    let service = LoadShed::new(ServiceBuilder::new().layer(pool.layer().boxed()).service(inner));
    let mut first = service.clone();
    let held = first.ready().await.expect("free").call(1);
    let error = service.oneshot(2).await.expect_err("the worker is busy");
    assert_eq!(Rejection::find(&*error).map(Rejection::reason), Some("full"), "{error}");
    gate.notify_one();
    assert_eq!(held.await.expect("it was held"), 1);
}

/// A service whose error is its own and can be made of a rejection, but neither displayed nor boxed.
#[tokio::test]
async fn the_inner_services_error_need_not_be_one_that_can_be_displayed() {
    #[derive(Debug, PartialEq)]
    enum Fault {
        Own,
        Refused(Rejection),
    }

    impl From<Rejection> for Fault {
        fn from(rejection: Rejection) -> Self {
            Self::Refused(rejection)
        }
    }

    let pool = pool(Config::new(1..=1));
    let inner = service_fn(|(): ()| async { Err::<(), _>(Fault::Own) });
    let service = ServiceBuilder::new().layer(pool.layer()).service(inner);
    assert_eq!(service.clone().oneshot(()).await, Err(Fault::Own));
    pool.close();
    let Err(Fault::Refused(rejection)) = service.oneshot(()).await else { panic!("closed") };
    assert_eq!(rejection.name().as_str(), "worker-pool");
}

#[tokio::test]
async fn the_same_options_may_hold_for_all_requests() {
    let pool = pool(Config::new(1..=1).depth_limit(Priority::Low, 0));
    let gate = Arc::new(Notify::new());
    let held = pool.try_submit({
        let gate = gate.clone();
        async move { gate.notified().await }
    });
    let inner = service_fn(|request: u32| async move { Ok::<_, Rejection>(request) });
    let low = pool.layer().options(JobOptions::new().priority(Priority::Low));
    let low = ServiceBuilder::new().layer(low).service(inner);
    assert_eq!(low.oneshot(1).await.expect_err("no room").reason(), "depth_limit");
    let normal = ServiceBuilder::new().layer(pool.layer()).service(inner);
    let queued = tokio::spawn(normal.oneshot(2));
    gate.notify_one();
    assert_eq!(queued.await.expect("no panic"), Ok(2));
    held.expect("taken").await.expect("it ends");
}

#[cfg(feature = "http")]
#[tokio::test]
async fn over_http_the_deadline_of_the_request_is_honoured_and_a_refusal_is_a_problem() {
    use http::{Request, Response, StatusCode};

    let (clock, time) = Clock::manual();
    let spawner = Spawner::tokio().expect("a runtime");
    let pool = Pool::with_clock(Config::new(1..=1).name("render"), spawner, clock.clone()).expect("valid");
    let options = |request: &Request<String>| match request.extensions().get::<Deadline>() {
        Some(deadline) => JobOptions::new().deadline(deadline.time()),
        None => JobOptions::new(),
    };
    let inner =
        service_fn(|request: Request<String>| async move { Ok::<_, Infallible>(Response::new(request.into_body())) });
    let layer = pool.layer().options(options).on_rejection(seawall_core::http::respond::<String>);
    let service = ServiceBuilder::new().layer(layer).service(inner);

    let mut request = Request::new("page".to_owned());
    request.extensions_mut().insert(Deadline::after(&clock, Duration::from_secs(1)));
    let Ok(response) = service.clone().oneshot(request.clone()).await;
    assert_eq!((response.status(), response.body().as_str()), (StatusCode::OK, "page"));

    time.advance(Duration::from_secs(1));
    let Ok(response) = service.clone().oneshot(request).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.body().contains(r#""reason":"expired""#), "{}", response.body());

    pool.close();
    let Ok(response) = service.oneshot(Request::new(String::new())).await;
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert!(response.body().contains(r#""name":"render""#), "{}", response.body());
}

/// With every service gone the pool takes no more, but what was taken is worked off.
#[tokio::test]
async fn the_last_service_closes_the_pool_and_its_responses_still_come() {
    let inner = service_fn(|request: u32| async move { Ok::<_, Rejection>(request) });
    let mut service = ServiceBuilder::new().layer(pool(Config::new(1..=1)).layer()).service(inner);
    let response = service.ready().await.expect("open").call(3);
    drop(service);
    assert_eq!(response.await, Ok(3));
}
