//! The layers that limit.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use seawall_rate_limit::http::RateLimitHeaders;
use seawall_rate_limit::{Layers, Rule};
use utoipa_axum::router::OpenApiRouter;

use super::RateLimits;
use crate::app::App;
use crate::caller::{Caller, Party};
use crate::openapi::{may_answer, operations};

/// The requests that cost the service more than others do.
pub(super) const EXPENSIVE: &[(Method, &str)] =
    &[(Method::POST, "/orders"), (Method::GET, "/statistics"), (Method::GET, "/demo/load-test")];

/// The requests from which the service learns: few who say the same again and again shall not decide for all.
pub(super) const LEARNING: &[(Method, &str)] = &[(Method::POST, "/suggestions/feedback")];

/// Limits how often callers may ask for `routes`, and describes how. Outside of it they are told apart.
pub(crate) fn limited(mut routes: OpenApiRouter<Arc<App>>, limits: &RateLimits) -> OpenApiRouter<Arc<App>> {
    for operation in routes.get_openapi_mut().paths.paths.values_mut().flat_map(operations) {
        let reason = "Too many requests: `violated-policies` names the limits, Retry-After says when to come back";
        may_answer(operation, "429", reason);
    }
    let headers = RateLimitHeaders::default();
    // Narrow ones first: a noisy caller is refused by its own limit, and does not touch what all share.
    let layers = Layers::of([
        Rule::by(&limits.expensive, party).when(|request| is_one_of(EXPENSIVE, request)),
        Rule::by(&limits.learning, party).when(|request| is_one_of(LEARNING, request)),
        Rule::by(&limits.address, |request| caller(request)?.address()),
        Rule::by(&limits.user, |request| caller(request)?.user()),
        Rule::by(&limits.tenant, |request| caller(request)?.tenant.as_deref()),
        Rule::all(&limits.global),
    ])
    .expect("the limits have different names and one clock");
    let layers =
        layers.layer().conclude(headers.on_grants()).on_refusal(move |refusal| headers.answer::<_, Body>(&refusal));
    // Outside of the others, since what they refuse is part of a burst as well.
    let bursts = limits.burst.by(party).layer().on_refusal(move |refusal| headers.answer::<_, Body>(&refusal));
    routes.route_layer(layers).route_layer(bursts)
}

fn caller(request: &Request) -> Option<&Caller> {
    request.extensions().get()
}

fn party(request: &Request) -> Option<&Party> {
    caller(request).map(|caller| &caller.party)
}

fn is_one_of(routes: &[(Method, &str)], request: &Request) -> bool {
    let route = request.extensions().get().map_or("", MatchedPath::as_str);
    routes.iter().any(|(method, path)| method == request.method() && *path == route)
}
