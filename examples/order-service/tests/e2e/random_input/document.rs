//! What a listener's own document says that it can be asked.

use axum::http::{Method, StatusCode};
use serde_json::Value;

use crate::support::Client;

/// One operation.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) method: Method,
    /// With its parameters in braces.
    path: String,
    /// The names and the examples of the path's parameters.
    parameters: Vec<(String, String)>,
    /// The names of the query's.
    pub(super) query: Vec<String>,
    /// The example of the body, where there is one.
    pub(super) body: Option<Value>,
    /// How it may be answered.
    statuses: Vec<String>,
}

impl Operation {
    /// The path with each parameter as `fill` makes it of its example.
    pub(super) fn path(&self, mut fill: impl FnMut(&str) -> String) -> String {
        self.parameters
            .iter()
            .fold(self.path.clone(), |path, (name, example)| path.replace(&format!("{{{name}}}"), &fill(example)))
    }

    /// Whether it may be answered so.
    pub(super) fn describes(&self, status: StatusCode) -> bool {
        self.statuses.iter().any(|described| described == status.as_str())
    }

    /// Whether its body tells it what to change.
    pub(super) fn changes(&self) -> bool {
        self.body.is_some()
    }
}

/// Everything that `client`'s listener describes. What cannot be tried by its description alone fails the test.
pub(super) async fn operations(client: &Client) -> Vec<Operation> {
    let document = client.get("/openapi.json").await.json();
    let paths = document["paths"].as_object().expect("paths");
    let described = paths.iter().flat_map(|(path, operations)| {
        let operations = operations.as_object().expect("operations");
        operations.iter().map(move |(method, operation)| read(method, path, operation))
    });
    described.collect()
}

fn read(method: &str, path: &str, described: &Value) -> Operation {
    let parameters = described["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    let named = |place: &'static str| parameters.iter().filter(move |parameter| parameter["in"] == place);
    let name = |parameter: &Value| parameter["name"].as_str().expect("a name").to_owned();
    let in_path: Vec<_> = named("path")
        .map(|parameter| {
            let example = parameter["example"].as_str().unwrap_or_else(|| panic!("{path}: a parameter has no example"));
            (name(parameter), example.to_owned())
        })
        .collect();
    assert_eq!(path.matches('{').count(), in_path.len(), "{path} has parameters that are not described");
    let body = described.get("requestBody").map(|body| {
        let example = body["content"]["application/json"].get("example");
        example.unwrap_or_else(|| panic!("{method} {path}: the body has no example")).clone()
    });
    Operation {
        method: Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method"),
        path: path.to_owned(),
        parameters: in_path,
        query: named("query").map(name).collect(),
        body,
        statuses: described["responses"].as_object().expect("responses").keys().cloned().collect(),
    }
}
