use seawall_core::Name;

/// Marks an answer that is not the service's own.
///
/// A closure from `&mut Response` marks; with feature `http` there is `http::MarkFellBack`.
pub trait Mark<Response> {
    /// `response` is that of the fallback `name`.
    fn mark(&self, response: &mut Response, name: Name);
}

/// Leaves every answer as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unmarked;

impl<Response> Mark<Response> for Unmarked {
    fn mark(&self, _response: &mut Response, _name: Name) {}
}

impl<Response, F: Fn(&mut Response)> Mark<Response> for F {
    fn mark(&self, response: &mut Response, _name: Name) {
        self(response);
    }
}
