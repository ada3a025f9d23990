//! Ids in paths.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;

use super::problem::{Problem, Violation};
use crate::orders::{ID_RULE, is_id};

/// The path's one parameter, if it is an id.
pub(crate) fn id_in_path(path: Result<Path<String>, PathRejection>) -> Result<String, Problem> {
    match path {
        Ok(Path(id)) if is_id(&id) => Ok(id),
        Ok(Path(other)) => Err(Problem::invalid_parameters(vec![Violation::new("id", ID_RULE).value(&other)])),
        Err(_not_utf8) => Err(Problem::invalid_parameters(vec![Violation::new("id", ID_RULE)])),
    }
}
