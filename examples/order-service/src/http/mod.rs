//! What is common to all routes.

mod body;
mod client;
mod deadline;
mod edge;
mod json;
mod leftover;
mod object;
mod path;
mod peer;
mod problem;
mod request_id;
mod security_headers;
mod server;

pub(crate) use client::Client;
pub(crate) use deadline::Deadlines;
pub(crate) use edge::{Edge, answered, protect};
pub(crate) use json::{Json, Patience};
pub(crate) use object::Object;
pub(crate) use path::{id_in_path, named_in_path};
pub(crate) use peer::Peer;
pub(crate) use problem::{MEDIA_TYPE, Problem, Violation};
pub(crate) use server::{Connections, Listener};
