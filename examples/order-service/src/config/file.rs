//! The configuration file, and what is wrong with it in one line.

use std::fs;
use std::path::Path;

use super::Settings;
use super::rules::{InvalidConfig, valid};
use crate::database::redacted;

/// The keys that have keys below them.
const TABLES: [&str; 41] = [
    "server",
    "server.deadline",
    "client_address",
    "callers",
    "rate_limits",
    "rate_limits.load",
    "rate_limits.burst",
    "rate_limits.expensive",
    "rate_limits.learning",
    "rate_limits.address",
    "rate_limits.user",
    "rate_limits.tenant",
    "rate_limits.global",
    "bulkheads",
    "bulkheads.database",
    "bulkheads.inventory",
    "bulkheads.payment",
    "bulkheads.heavy",
    "worker_pools",
    "worker_pools.standard",
    "worker_pools.standard.workers",
    "worker_pools.high-priority",
    "worker_pools.high-priority.workers",
    "degradation",
    "degradation.gauge",
    "degradation.gauge.levels",
    "data",
    "database",
    "database.breaker",
    "log",
    "inventory",
    "inventory.breaker",
    "inventory.retry",
    "inventory.provider",
    "inventory.stock",
    "payment",
    "payment.breaker",
    "payment.retry",
    "payment.redrive",
    "payment.provider",
    "shutdown",
];

/// Reads the settings in the file at `path`; keys that it does not name keep their defaults.
///
/// # Errors
/// One line that names the file, and the key, its value and what would be valid.
pub(super) fn read(path: &Path) -> Result<Settings, String> {
    let in_file = |fault: String| printable(&format!("{}: {fault}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| in_file(format!("cannot be read: {error}")))?;
    let settings = parse(&text).map_err(in_file)?;
    settings.check().map_err(|invalid| in_file(invalid.to_string()))?;
    Ok(settings)
}

fn parse(text: &str) -> Result<Settings, String> {
    let deserializer = toml::Deserializer::parse(text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        format!("line {line} is not TOML: {}", one_line(error.message()))
    })?;
    check_tables(text)?;
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let key = error.path().to_string();
        let written = error.inner().span().and_then(|span| text.get(span)).map(one_line);
        explain(&key, &written.unwrap_or_default(), &one_line(error.inner().message()))
    })
}

/// Refuses an array where a table belongs: a struct would be read from it, value by value, without any key being named.
fn check_tables(text: &str) -> Result<(), String> {
    let root: toml::Table = toml::from_str(text).map_err(|error| one_line(error.message()))?;
    for key in TABLES {
        let mut parts = key.split('.');
        let first = parts.next().and_then(|part| root.get(part));
        let Some(found) = first.and_then(|first| parts.try_fold(first, toml::Value::get)) else { continue };
        if !found.is_table() {
            return Err(InvalidConfig::new(key, one_line(&found.to_string()), "a table").to_string());
        }
    }
    Ok(())
}

/// Says what is wrong with `key` in the words of its rule, or in those of the deserialiser where it has none.
fn explain(key: &str, written: &str, message: &str) -> String {
    if message.starts_with("unknown field") {
        let known = message.split_once("expected ").map_or("left out", |(_, known)| known);
        return format!("`{key}` is no key, must be {known}");
    }
    let fault = match (valid(key), message.split_once(", expected ")) {
        (Some(valid), _) => InvalidConfig::new(key, written, valid),
        (None, Some((_, expected))) => InvalidConfig::new(key, written, expected),
        (None, None) => return format!("`{key}` is `{}`: {}", redacted(written), redacted(message)),
    };
    fault.to_string()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// One line even where a key or a value has line breaks: what cannot be seen is written as its escape.
pub(super) fn printable(text: &str) -> String {
    text.chars().fold(String::new(), |mut line, letter| {
        if letter.is_control() {
            line.extend(letter.escape_default());
        } else {
            line.push(letter);
        }
        line
    })
}

#[cfg(test)]
mod tests {
    use super::super::RateLimits;
    use super::*;

    fn fault(text: &str) -> String {
        match parse(text) {
            Err(fault) => fault,
            Ok(settings) => settings.check().expect_err(text).to_string(),
        }
    }

    #[test]
    fn an_empty_file_is_the_default() {
        let settings = parse("").expect("a good file");
        assert_eq!((settings.server.port, settings.server.admin_port), (8080, 8081));
        settings.check().expect("good defaults");
    }

    #[test]
    fn the_example_is_the_default_written_out() {
        let mut example = parse(include_str!("../../order-service.example.toml")).expect("a good file");
        example.check().expect("good values");
        let default = Settings::default();
        let limits =
            |settings: &Settings| format!("{:?}", settings.rate_limits.configs(settings.profile).expect("good values"));
        assert_eq!(limits(&example), limits(&default));
        // What is not there is the profile's.
        let RateLimits { keys, load, .. } = example.rate_limits;
        example.rate_limits = RateLimits { keys, load, ..RateLimits::default() };
        assert_eq!(format!("{example:?}"), format!("{default:?}"));
    }

    #[test]
    fn a_fault_names_key_value_and_what_would_be_valid() {
        for (text, expected) in [
            ("[server]\nport = 70000", "`server.port` is `70000`, must be a whole number from 0 to 65535"),
            ("[server]\nport = 'x'", "`server.port` is `'x'`, must be a whole number from 0 to 65535"),
            ("[server]\naddress = 'here'", "`server.address` is `'here'`, must be an IP address, such as 0.0.0.0"),
            (
                "[server]\nadmin_address = '0.0.0.0'",
                "`server.admin_address` is `0.0.0.0`, must be a loopback address, such as 127.0.0.1",
            ),
            ("[payment]\ntimeout = '0s'", "`payment.timeout` is `0s`, must be a duration from 1ms to 5m"),
            ("[payment]\ntimeout = 'soon'", "`payment.timeout` is `'soon'`, must be a duration from 1ms to 5m"),
            ("[payment]\ntimeout = 5", "`payment.timeout` is `5`, must be a duration from 1ms to 5m"),
            ("[payment]\npatience = '2m'", "`payment.patience` is `2m`, must be a duration from 1ms to 1m"),
            ("[database]\ntimeout = '0s'", "`database.timeout` is `0s`, must be a duration from 1ms to 5m"),
            ("[database]\ntimeout = '6m'", "`database.timeout` is `6m`, must be a duration from 1ms to 5m"),
            (
                "[payment]\nurl = 'ftp://x'",
                "`payment.url` is `ftp://x`, must be a URL such as http://127.0.0.1:9000, without user or query",
            ),
            (
                "[payment.provider]\nfailure_rate = 1.5",
                "`payment.provider.failure_rate` is `1.5`, must be a number from 0 to 1",
            ),
            (
                "[payment.provider]\nfailure_rate = nan",
                "`payment.provider.failure_rate` is `NaN`, must be a number from 0 to 1",
            ),
            (
                "[payment]\nurl = 'http://127.0.0.1:99999'",
                "`payment.url` is `http://127.0.0.1:99999`, must be a URL such as http://127.0.0.1:9000, without user or query",
            ),
            ("[data]\nfolder = ''", "`data.folder` is ``, must be a path that is not empty"),
            ("server = 3", "`server` is `3`, must be a table"),
            ("payment = []", "`payment` is `[]`, must be a table"),
            ("profile = 'loud'", "`profile` is `'loud'`, must be demo or load"),
            ("[callers]\nrefresh = '2h'", "`callers.refresh` is `2h`, must be a duration from 10ms to 1h"),
            ("[rate_limits]\nkeys = 0", "`rate_limits.keys` is `0`, must be a whole number from 1 to 1048576"),
            ("rate_limits = 7", "`rate_limits` is `7`, must be a table"),
            (
                "[rate_limits.load]\nceiling = 0",
                "`rate_limits.load.ceiling` is `0`, must be a whole number from 1 to 1000000",
            ),
            (
                "[rate_limits.load]\ninterval = '2h'",
                "`rate_limits.load.interval` is `2h`, must be a duration from 10ms to 1h",
            ),
            ("[client_address]\nhops = 1", "`client_address.hops` is `1`, must be given together with trusted_proxies"),
            ("[[server]]\nport = 1", "`server` is `[{ port = 1 }]`, must be a table"),
            ("[payment]\nbreaker = ['x']", "`payment.breaker` is `[\"x\"]`, must be a table"),
            ("[log]\nformat = 'xml'", "`log.format` is `'xml'`, must be text or json"),
            (
                "[payment.redrive]\ninterval = '9s'",
                "`payment.redrive.max_backoff` is `5s`, must be a duration from `payment.redrive.interval` to 1h",
            ),
            ("[degradation]\nqueue_age = '0s'", "`degradation.queue_age` is `0s`, must be a duration from 1ms to 1h"),
            (
                "[degradation.gauge.levels]\nelevated = 0.99",
                "`degradation.gauge.levels.elevated` is `0.99`, must be above 0 and below `levels.critical`",
            ),
            ("[degradation.gauge]\nname = 'x'", "`degradation.gauge.name` is `x`, must be load, or left out"),
            ("[log]\nlevle = 'info'", "`log.levle` is no key, must be `format` or `level`"),
            (
                "sever = 1",
                "`sever` is no key, must be one of `profile`, `server`, `client_address`, `callers`, `rate_limits`, `bulkheads`, `worker_pools`, `degradation`, `data`, `database`, `log`, `inventory`, `payment`, `shutdown`",
            ),
            ("[server\n", "line 1 is not TOML: unclosed table, expected `]`"),
        ] {
            assert_eq!(fault(text), expected, "{text}");
        }
    }

    #[test]
    fn a_url_must_be_understood_whole() {
        for (url, good) in [
            ("http://127.0.0.1:9000", true),
            ("http://payments/v1/", true),
            ("http://[::1]:9000", true),
            ("http://:80", false),
            ("http://user:secret@payments", false),
            ("http://payments:0", false),
            ("http://payments:99999", false),
            ("http://payments/?a=b", false),
            ("payments:80", false),
        ] {
            let checked = parse(&format!("[payment]\nurl = '{url}'")).expect("a string").check();
            assert_eq!(checked.is_ok(), good, "{url}");
        }
    }

    #[test]
    fn each_rate_limit_has_its_say() {
        for limit in ["burst", "expensive", "learning", "address", "user", "tenant", "global"] {
            for (text, key) in [
                ("quota = { limit = 0, period = '1m' }", "quota.limit"),
                ("quota = { limit = 1, period = '400 days' }", "quota.period"),
                ("quota = { limit = 1, period = '1m', burst = 7 }", "quota.burst"),
                ("quota = { limit = 1, period = '1m' }\nadaptive = { floor = nan }", "adaptive.floor"),
                ("quota = { limit = 1, period = '1m' }\nburst = { requests = 0 }", "burst.requests"),
                ("quota = { limit = 1, period = '1m' }\nname = 'other'", "name"),
                ("quota = { limit = 1, period = '1m' }\ncolour = 'red'", "colour"),
                ("quota = { limit = 1, period = 'soon' }", "quota.period"),
            ] {
                let fault = fault(&format!("[rate_limits.{limit}]\n{text}"));
                assert!(fault.starts_with(&format!("`rate_limits.{limit}.{key}` is ")), "{fault}");
                assert!(!fault.contains('\n'), "{fault}");
            }
        }
        let fault = fault("[rate_limits.user]\nquota = { limit = 1, period = '1m' }\nscaling = 'sharded'");
        assert!(fault.starts_with("`rate_limits.user.scaling` is "), "{fault}");
    }

    #[test]
    fn each_bulkhead_has_its_say() {
        for bulkhead in ["database", "inventory", "payment", "heavy"] {
            for (text, key) in [
                ("limit = 0", "limit"),
                ("limit = -1", "limit"),
                ("queue = 5", "limit"),
                ("limit = 5\nadaptive = { aimd = {} }", "adaptive"),
                ("limit = 5\nqueue = -1", "queue"),
                ("limit = 5\nmax_wait = 'soon'", "max_wait"),
                ("limit = 5\nmax_wait = '400 days'", "max_wait"),
                ("limit = 5\norder = 'random'", "order"),
                ("limit = 5\ncodel = { target = '0s' }", "codel.target"),
                ("limit = 5\nname = 'other'", "name"),
                ("limit = 5\ncolour = 'red'", "colour"),
            ] {
                let fault = fault(&format!("[bulkheads.{bulkhead}]\n{text}"));
                assert!(fault.starts_with(&format!("`bulkheads.{bulkhead}.{key}` is ")), "{fault}");
                assert!(!fault.contains('\n'), "{fault}");
            }
        }
    }

    #[test]
    fn each_worker_pool_has_its_say() {
        for pool in ["standard", "high-priority"] {
            for (text, key) in [
                ("workers = { min = 5, max = 3 }", "workers"),
                ("workers = { min = 0, max = 0 }", "workers"),
                ("workers = { min = -1, max = 3 }", "workers.min"),
                ("workers = { min = 1 }", "workers"),
                ("workers = [3, 20]", "workers"),
                ("workers = { min = 1, max = 2 }\nqueue = 2000000000", "queue"),
                ("workers = { min = 1, max = 2 }\nqueue = -1", "queue"),
                ("workers = { min = 1, max = 2 }\nkeep_alive = '0s'", "keep_alive"),
                ("workers = { min = 1, max = 2 }\nmax_wait = '400 days'", "max_wait"),
                ("workers = { min = 1, max = 2 }\nfull = 'explode'", "full"),
                ("workers = { min = 1, max = 2 }\norder = { aging = '0s' }", "order.aging"),
                ("workers = { min = 1, max = 2 }\nname = 'other'", "name"),
                ("workers = { min = 1, max = 2 }\ncolour = 'red'", "colour"),
            ] {
                let fault = fault(&format!("[worker_pools.{pool}]\n{text}"));
                assert!(fault.starts_with(&format!("`worker_pools.{pool}.{key}` is ")), "{fault}");
                assert!(!fault.contains('\n'), "{fault}");
            }
        }
        let fault = fault("[worker_pools]\npatience = '2m'");
        assert_eq!(fault, "`worker_pools.patience` is `2m`, must be a duration from 0s to 1m");
    }

    #[test]
    fn each_breaker_has_its_say() {
        for section in ["database", "inventory", "payment"] {
            for (text, key) in [
                ("failure_rate = 1.5", "failure_rate"),
                ("consecutive_failures = 0", "consecutive_failures"),
                ("colour = 'red'", "colour"),
                ("name = 'other'", "name"),
            ] {
                let fault = fault(&format!("[{section}.breaker]\n{text}"));
                assert!(fault.starts_with(&format!("`{section}.breaker.{key}` is ")), "{fault}");
                assert!(!fault.contains('\n'), "{fault}");
            }
        }
    }
}
