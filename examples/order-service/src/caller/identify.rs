//! The layer that tells callers apart.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tracing::Span;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityRequirement, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;

use super::keyring::NotRead;
use super::{Caller, Keyring, Member};
use crate::app::App;
use crate::http::{Client, Problem, Violation};
use crate::openapi::{may_answer, operations};

const HEADER: HeaderName = HeaderName::from_static("x-api-key");

/// As it is written for people.
const NAME: &str = "X-Api-Key";

/// Tells the callers of `routes` apart, and describes how.
pub(crate) fn told_apart(mut routes: OpenApiRouter<Arc<App>>, keyring: &Arc<Keyring>) -> OpenApiRouter<Arc<App>> {
    let document = routes.get_openapi_mut();
    let key = ApiKeyValue::with_description(NAME, "Stands for a user of a tenant. Without it a caller is its address.");
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("api_key", SecurityScheme::ApiKey(ApiKey::Header(key)));
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        operation.security = Some(vec![SecurityRequirement::default(), SecurityRequirement::new("api_key", [""; 0])]);
        may_answer(operation, "400", &format!("The header {NAME} is given more than once"));
        may_answer(operation, "401", "The key is unknown");
        may_answer(operation, "503", "Nobody can say yet whose the key is");
    }
    routes.route_layer(from_fn_with_state(keyring.clone(), identify))
}

/// Refuses those whose key tells nobody who they are. Until here they are strangers, who have their limits too: else keys could
/// be guessed at any rate.
pub(crate) fn known(routes: OpenApiRouter<Arc<App>>) -> OpenApiRouter<Arc<App>> {
    routes.route_layer(from_fn(refuse))
}

/// Why a key tells nobody who the caller is.
#[derive(Clone, Debug)]
struct Unidentified(Problem);

async fn identify(State(keyring): State<Arc<Keyring>>, mut request: Request, next: Next) -> Response {
    let member = member(&keyring, request.headers());
    // Nobody further in needs it, so nobody can tell it on.
    request.headers_mut().remove(HEADER);
    let member = member.unwrap_or_else(|problem| {
        request.extensions_mut().insert(Unidentified(problem));
        None
    });
    let Client(address) = *request.extensions().get().expect("each request has its client's address");
    let caller = Caller::new(member, address);
    if let (Some(user), Some(tenant)) = (caller.user(), &caller.tenant) {
        Span::current().record("user", user).record("tenant", &**tenant);
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

async fn refuse(mut request: Request, next: Next) -> Response {
    match request.extensions_mut().remove() {
        Some(Unidentified(problem)) => problem.into_response(),
        None => next.run(request).await,
    }
}

/// Whom the key stands for, where one is given.
fn member(keyring: &Keyring, headers: &HeaderMap) -> Result<Option<Member>, Problem> {
    let mut given = headers.get_all(HEADER).iter();
    let Some(key) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(Problem::invalid_parameters(vec![Violation::new(NAME, "must be given once, or not at all")]));
    }
    match keyring.find(key.as_bytes()) {
        Ok(Some(member)) => Ok(Some(member)),
        Ok(None) => Err(Problem::unknown_caller(format!("the header {NAME} has no key that is known here"))),
        Err(NotRead) => Err(Problem::unavailable("the keys cannot be read yet, so nobody can say whose this one is")),
    }
}
