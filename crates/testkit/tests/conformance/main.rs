//! The facts that other systems' test suites state about these patterns, run through the crates' public interfaces.
//!
//! Every `*.json` of a folder belongs to the pattern whose name it bears. The folder is this package's `vectors/`, or the one
//! that the environment variable `SEAWALL_VECTORS` names; with `SEAWALL_VECTORS_VERBOSE=1` every vector that did not pass is
//! told with the step, what was expected and what came. `vectors/unsupported.toml` lists what is deliberately not offered.

mod adaptive_limit;
mod bulkhead;
mod case;
mod circuit_breaker;
mod folder;
mod hedge;
mod miss;
mod rate_limit;
mod rate_limit_http;
mod retry;
mod unsupported;
mod vector;
mod worker_pool;

use std::process::ExitCode;

use crate::miss::Miss;
use crate::vector::Vector;

/// Runs one vector of a pattern. Nothing missed: it passed.
type Suite = fn(&Vector) -> Vec<Miss>;

/// The pattern of a file.
fn suite(file: &str) -> Option<Suite> {
    match file {
        "adaptive-limit.json" => Some(adaptive_limit::run),
        "bulkhead.json" => Some(bulkhead::run),
        "circuit-breaker.json" => Some(circuit_breaker::run),
        "hedge.json" => Some(hedge::run),
        "rate-limit.json" => Some(rate_limit::run),
        "rate-limit-http.json" => Some(rate_limit_http::run),
        "retry.json" => Some(retry::run),
        "worker-pool.json" => Some(worker_pool::run),
        _ => None,
    }
}

fn main() -> ExitCode {
    match folder::run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
