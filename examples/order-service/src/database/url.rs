use std::fmt;

use serde::Deserialize;
use sqlx::postgres::PgConnectOptions;
use url::Url;

/// What is shown in a secret's place.
const SECRET: &str = "***";

/// Where a PostgreSQL database is, and who the service is there. Shows itself without its password.
///
/// ```
/// use order_service::config::DatabaseUrl;
///
/// let url = DatabaseUrl::from("postgres://shop:secret@localhost/orders");
/// assert_eq!(url.to_string(), "postgres://shop:***@localhost/orders");
/// ```
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// What such a URL is, for people.
    pub(crate) const RULE: &str =
        "a URL such as postgres://user:password@localhost:5432/orders, or left out for SQLite in `data.folder`";

    /// Parameters with a meaning here. Others would be passed over, and a misspelt one would be missed.
    const PARAMETERS: [&str; 5] = ["application_name", "host", "options", "port", "sslmode"];

    /// How to connect; or what the URL would have to be.
    pub(crate) fn options(&self) -> Result<PgConnectOptions, String> {
        let general = || Self::RULE.to_owned();
        let url: Url = self.0.parse().map_err(|_not_a_url| general())?;
        if !matches!(url.scheme(), "postgres" | "postgresql") || url.cannot_be_a_base() || url.fragment().is_some() {
            return Err(general());
        }
        for (name, value) in url.query_pairs() {
            match &*name {
                "sslmode" if !["disable", "allow", "prefer"].contains(&&*value) => {
                    return Err(
                        "a URL whose `sslmode` is disable, allow or prefer: this build speaks no TLS".to_owned()
                    );
                }
                name if !Self::PARAMETERS.contains(&name) => {
                    let known = Self::PARAMETERS.join(", ");
                    return Err(format!("a URL whose parameters are among {known}"));
                }
                _ => {}
            }
        }
        let names_a_host = url.host_str().is_some_and(|host| !host.is_empty())
            || url.query_pairs().any(|(name, value)| name == "host" && !value.is_empty());
        // What follows the last `@` is the host: a slash, `?` or `#` in a password that is not percent-encoded ends up here.
        let database = url.path().trim_start_matches('/');
        if !names_a_host || url.port() == Some(0) || database.contains(['/', '@']) {
            return Err(general());
        }
        let options: PgConnectOptions = self.0.parse().map_err(|_not_understood: sqlx::Error| general())?;
        Ok(if options.get_application_name().is_none() {
            options.application_name(env!("CARGO_PKG_NAME"))
        } else {
            options
        })
    }
}

impl From<&str> for DatabaseUrl {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redacted(&self.0))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `text` without the password that a URL in it may have, be the URL well-formed or not. What may or may not be part of
/// the password goes with it.
pub(crate) fn redacted(text: &str) -> String {
    let mut shown = text.to_owned();
    if let Some(end) = shown.rfind('@') {
        let user = match shown.find("://") {
            Some(scheme) if !shown[..scheme].contains(':') => scheme + "://".len(),
            _ => 0,
        };
        if let Some(colon) = shown.get(user..end).and_then(|user_info| user_info.find(':')) {
            shown.replace_range(user + colon + 1..end, SECRET);
        }
    }
    // Given as a parameter, or in the way of connection strings with `key=value`.
    let lower = shown.to_ascii_lowercase();
    for key in ["password", "passwd", "pwd"] {
        if let Some(start) = lower.find(key) {
            let after = start + key.len();
            if let Some(equals) =
                lower[after..].find('=').filter(|equals| lower[after..after + equals].trim().is_empty())
            {
                shown.truncate(after + equals + 1);
                shown.push_str(SECRET);
                break;
            }
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn good_urls_say_where_to_connect() {
        for (url, host, port, database) in [
            ("postgres://shop:secret@db.example:6543/orders", "db.example", 6543, Some("orders")),
            ("postgresql://shop@127.0.0.1:5432/orders?sslmode=disable", "127.0.0.1", 5432, Some("orders")),
            ("postgres://shop:p%40ss%2Fword@db:5432/orders", "db", 5432, Some("orders")),
            ("postgres://shop@db:5432/orders?options=-c%20search_path%3Dshop", "db", 5432, Some("orders")),
        ] {
            let options = DatabaseUrl::from(url).options().expect(url);
            let found = (options.get_host(), options.get_port(), options.get_database());
            assert_eq!(found, (host, port, database), "{url}");
            assert_eq!(options.get_application_name(), Some("order-service"), "{url}");
        }
        let socket = DatabaseUrl::from("postgres:///orders?host=/var/run/postgresql").options().expect("a socket");
        assert_eq!(socket.get_socket().map(|path| path.display().to_string()).as_deref(), Some("/var/run/postgresql"));
        let named = DatabaseUrl::from("postgres://db/orders?application_name=till-7").options().expect("a name");
        assert_eq!(named.get_application_name(), Some("till-7"));
    }

    #[test]
    fn bad_urls_are_told_apart_from_good_ones() {
        for url in [
            "",
            "orders",
            "localhost:5432/orders",
            "mysql://shop@localhost/orders",
            "sqlite://orders.sqlite",
            "http://localhost:5432",
            "postgres:orders",
            "postgres://",
            "postgres:///orders",
            "postgres://shop@/orders",
            "postgres://shop@db:0/orders",
            "postgres://shop@db:65536/orders",
            "postgres://shop@db:port/orders",
            "postgres://shop@db/orders#today",
            "postgres://shop@db/orders/today",
            "postgres://shop:12/34@db/orders",
            "host=db user=shop password=secret",
        ] {
            assert_eq!(DatabaseUrl::from(url).options().expect_err(url), DatabaseUrl::RULE, "{url}");
        }
        for (url, told) in [
            ("postgres://db/orders?sslmode=require", "this build speaks no TLS"),
            ("postgres://db/orders?sslmode=none", "disable, allow or prefer"),
            ("postgres://db/orders?colour=red", "among application_name, host, options, port, sslmode"),
            ("postgres://db/orders?password=secret", "among application_name, host, options, port, sslmode"),
        ] {
            let error = DatabaseUrl::from(url).options().expect_err(url);
            assert!(error.contains(told), "{url}: {error}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        for (text, shown) in [
            ("postgres://shop:secret@db/orders", "postgres://shop:***@db/orders"),
            ("postgres://shop@db/orders", "postgres://shop@db/orders"),
            ("postgres://:secret@db", "postgres://:***@db"),
            ("postgres://shop:se@cr:et@db/orders", "postgres://shop:***@db/orders"),
            ("postgres://shop:se/cr?et#x@db/orders", "postgres://shop:***@db/orders"),
            ("postgres://shop:a://b@db/orders", "postgres://shop:***@db/orders"),
            ("shop:secret@db/orders", "shop:***@db/orders"),
            ("shop:a://b@db/orders", "shop:***@db/orders"),
            ("postgres:shop:secret@db", "postgres:***@db"),
            ("[\"postgres://shop:secret@db/orders\"]", "[\"postgres://shop:***@db/orders\"]"),
            ("postgres://db/orders?password=secret&sslmode=disable", "postgres://db/orders?password=***"),
            ("host=db PASSWORD = 'secret' user=shop", "host=db PASSWORD =***"),
            ("host=db pwd=secret", "host=db pwd=***"),
            ("127.0.0.1:9000", "127.0.0.1:9000"),
            ("user@host:22", "user@host:22"),
        ] {
            assert_eq!(redacted(text), shown, "{text}");
            assert_eq!(format!("{:?}", DatabaseUrl::from(text)), shown, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_password_is_ever_shown(password in "[ -~é]{3,20}", user in "[a-z]{0,5}", rest in "[a-z]{1,5}(:[0-9]{1,4})?(/[a-z]{0,4})?") {
            let shown = redacted(&format!("postgres://{user}:{password}@{rest}"));
            prop_assert_eq!(shown, format!("postgres://{user}:***@{rest}"));
        }
    }
}
