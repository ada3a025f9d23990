//! What is switched off first.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use seawall_bulkhead::load::{Feature, FeatureSwitch, Level, LoadGauge, SwitchedOff};
use seawall_core::ConfigError;
use utoipa_axum::router::OpenApiRouter;

use super::Degradation;
use crate::app::App;
use crate::http::Problem;
use crate::openapi::{may_answer, operations};

/// The switches of what can be left undone.
#[derive(Debug)]
pub(super) struct Features {
    suggestions: FeatureSwitch,
    statistics: FeatureSwitch,
    browsing: FeatureSwitch,
}

impl Features {
    pub(super) fn of(gauge: &LoadGauge) -> Result<Self, ConfigError> {
        let feature = |name, until| gauge.feature(Feature::new(name).until(until));
        Ok(Self {
            suggestions: feature("suggestions", Level::Elevated)?,
            statistics: feature("statistics", Level::Elevated)?,
            browsing: feature("browsing", Level::Critical)?,
        })
    }

    /// The switch of what `route` belongs to; none for orders, which are always taken.
    fn of_route(&self, route: &str) -> Option<&FeatureSwitch> {
        let first = route.split('/').nth(1).unwrap_or_default();
        match first {
            "orders" => None,
            "suggestions" => Some(&self.suggestions),
            "statistics" => Some(&self.statistics),
            _ => Some(&self.browsing),
        }
    }
}

/// Refuses what of `routes` is switched off, and describes how. Whoever is refused so has used up nothing.
pub(crate) fn degradable(mut routes: OpenApiRouter<Arc<App>>, degradation: &Degradation) -> OpenApiRouter<Arc<App>> {
    let features = &degradation.features;
    for (route, path) in &mut routes.get_openapi_mut().paths.paths {
        if let Some(switch) = features.of_route(route) {
            let reason =
                format!("Switched off from the {} load level on, with all of {}", switch.until(), switch.name());
            operations(path).for_each(|operation| may_answer(operation, "503", &reason));
        }
    }
    routes.route_layer(from_fn_with_state(features.clone(), pass))
}

async fn pass(State(features): State<Arc<Features>>, request: Request, next: Next) -> Response {
    let switch = features.of_route(request.extensions().get().map_or("", MatchedPath::as_str));
    match switch.map(FeatureSwitch::try_admit) {
        Some(Err(off)) => switched_off(&off).into_response(),
        _ => next.run(request).await,
    }
}

fn switched_off(off: &SwitchedOff) -> Problem {
    let (name, level) = (off.name(), off.level());
    let detail = format!("the feature {name} is switched off: the load is {level}; orders are still taken");
    Problem::switched_off(detail).refused_by(&(*off).into())
}
