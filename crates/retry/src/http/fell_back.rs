use ::http::Response;
use seawall_core::Name;

/// A response's extension that says: it is not the service's own, but that of a fallback.
///
/// ```
/// # #[cfg(feature = "tower")]
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use http::{Request, Response};
/// use seawall_core::http::Statuses;
/// use seawall_retry::http::{FellBack, MarkFellBack};
/// use seawall_retry::{Fallback, FallbackConfig};
/// use std::convert::Infallible;
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// let fallback = Fallback::new(FallbackConfig::default().name("stock"))?;
/// let service = ServiceBuilder::new()
///     .layer(
///         fallback
///             .layer()
///             .judge(Statuses::default())
///             .by(|_failed: &Result<Response<&str>, Infallible>| Response::new("unknown"))
///             .mark(MarkFellBack::default().header("x-fallback")?),
///     )
///     .service(service_fn(|_: Request<()>| async {
///         Response::builder().status(503).body("busy").map_err(|_| unreachable!("it is valid"))
///     }));
///
/// let response = service.oneshot(Request::new(())).await?;
/// assert_eq!(response.body(), &"unknown");
/// assert_eq!(FellBack::of(&response).unwrap().name().as_str(), "stock");
/// assert_eq!(response.headers()["x-fallback"], "stock");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FellBack(Name);

impl FellBack {
    /// The mark of `response`, if it is a fallback's.
    pub fn of<B>(response: &Response<B>) -> Option<Self> {
        response.extensions().get().copied()
    }

    /// Whose response it is.
    pub const fn name(self) -> Name {
        self.0
    }
}

#[cfg(feature = "tower")]
pub use marking::MarkFellBack;

#[cfg(feature = "tower")]
mod marking {
    use ::http::{HeaderName, HeaderValue, Response};
    use seawall_core::{ConfigError, Name};

    use super::FellBack;
    use crate::fallback::Mark;
    use crate::http::header::header_name;

    /// Marks a fallback's responses with the extension [`FellBack`], and with its name in a header if one is set.
    #[derive(Clone, Debug, Default)]
    pub struct MarkFellBack {
        header: Option<HeaderName>,
    }

    impl MarkFellBack {
        /// Writes the fallback's name into the header `name` too.
        ///
        /// # Errors
        /// If it cannot be a header's name.
        pub fn header(mut self, name: &str) -> Result<Self, ConfigError> {
            self.header = Some(header_name("header", name)?);
            Ok(self)
        }
    }

    impl<B> Mark<Response<B>> for MarkFellBack {
        fn mark(&self, response: &mut Response<B>, name: Name) {
            response.extensions_mut().insert(FellBack(name));
            if let Some(header) = &self.header {
                let value = HeaderValue::from_bytes(name.as_str().as_bytes()).expect("a name is printable");
                response.headers_mut().insert(header.clone(), value);
            }
        }
    }
}
