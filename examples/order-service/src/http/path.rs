//! Ids and names in paths.

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

/// The one that the path's one parameter names: `kind` says what it is one of, `names` which there are.
pub(crate) fn named_in_path<'a, T: ?Sized>(
    path: Result<Path<String>, PathRejection>,
    kind: &str,
    names: impl Fn() -> Vec<&'a str>,
    find: impl FnOnce(&str) -> Option<&'a T>,
) -> Result<&'a T, Problem> {
    let names = || names().join(", ");
    let Ok(Path(name)) = path else {
        let fault = Violation::new("name", format!("must be one of {}", names()));
        return Err(Problem::invalid_parameters(vec![fault]));
    };
    find(&name).ok_or_else(|| {
        let fault = Violation::new("name", format!("must be one of {}", names())).value(&name);
        Problem::not_found(format!("there is no such {kind}; there are {}", names())).violations(vec![fault])
    })
}
