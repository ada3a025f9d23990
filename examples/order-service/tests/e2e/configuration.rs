//! Configurations that cannot be used end the process with code 2 and one line.

use std::fs;

use tempfile::TempDir;

use crate::support::{ended_with_code_1, run_to_end, run_to_end_with};

#[test]
fn a_bad_file_ends_the_process_with_one_line() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("shop.toml");
    let path = path.to_str().expect("a UTF-8 path");
    for (text, key, value, valid) in [
        ("[server]\nport = 65536", "server.port", "65536", "from 0 to 65535"),
        ("[server]\nadmin_address = '0.0.0.0'", "server.admin_address", "0.0.0.0", "a loopback address"),
        ("profile = 'loud'", "profile", "loud", "demo or load"),
        ("profile = 3", "profile", "3", "demo or load"),
        ("[callers]\nrefresh = '0s'", "callers.refresh", "0s", "from 10ms to 1h"),
        ("callers = []", "callers", "[]", "a table"),
        ("[rate_limits]\nkeys = 0", "rate_limits.keys", "0", "from 1 to 1048576"),
        (
            "[rate_limits.user]\nquota = { limit = 0, period = '1m' }",
            "rate_limits.user.quota.limit",
            "0",
            "1 to 4294967295",
        ),
        (
            "[rate_limits.global]\nquota = { limit = 1, period = '9999 days' }",
            "rate_limits.global.quota.period",
            "863913600s",
            "366 days",
        ),
        (
            "[rate_limits.burst]\nquota = { limit = 1, period = '1m' }\nmode = 'loud'",
            "rate_limits.burst.mode",
            "loud",
            "enforce",
        ),
        ("[rate_limits.address]\ncolour = 'red'", "rate_limits.address.colour", "", "`quota`"),
        ("[rate_limits.teaching]\nquota = 1", "rate_limits.teaching", "", "`keys`"),
        ("[rate_limits.load]\nceiling = -1", "rate_limits.load.ceiling", "-1", "from 1 to 1000000"),
        ("[client_address]\ntrusted_proxies = ['10.0.0.1/8']", "trusted_proxies", "10.0.0.1/8", "such as 10.0.0.0/8"),
        ("[client_address]\ntrusted_proxies = ['0.0.0.0/0']", "client_address.trusted_proxies", "0.0.0.0/0", "hops"),
        ("[client_address]\nheader = 'x forwarded'", "header", "x forwarded", "the name of a header"),
        ("[client_address]\nhops = 2", "client_address.hops", "2", "together with trusted_proxies"),
        ("[client_address]\ntrust = []", "client_address.trust", "", "`trusted_proxies`"),
        ("[payment]\ntimeout = '6m'", "payment.timeout", "6m", "from 1ms to 5m"),
        ("[payment]\npatience = '0s'", "payment.patience", "0s", "from 1ms to 1m"),
        ("[database]\ntimeout = 'never'", "database.timeout", "never", "from 1ms to 5m"),
        ("[database.breaker]\nconsecutive_failures = 0", "database.breaker.consecutive_failures", "0", "1"),
        ("[database.breaker]\nname = 'payment'", "database.breaker.name", "payment", "database, or left out"),
        ("[payment.breaker]\nhalf_open = { probes = 0 }", "payment.breaker.half_open.probes", "0", "1"),
        ("[payment.provider]\nfailure_rate = 2.0", "payment.provider.failure_rate", "2", "from 0 to 1"),
        ("[payment.breaker]\nfailure_rate = nan", "payment.breaker.failure_rate", "NaN", "at most 1"),
        ("[payment.breaker]\nconsecutive_failures = 0", "payment.breaker.consecutive_failures", "0", "1"),
        ("[payment.breaker]\nwindow = { count = { size = 0 } }", "payment.breaker.window", "0", "1"),
        ("[payment.retry]\nmax_attempts = 0", "payment.retry.max_attempts", "0", "1 to 1000"),
        ("[payment.retry]\nname = 'inventory'", "payment.retry.name", "inventory", "payment, or left out"),
        ("[payment.retry]\ncolour = 'red'", "payment.retry.colour", "", "`max_attempts`"),
        (
            "[inventory.retry]\nbudget = { deposits = { ratio = -0.1 } }",
            "inventory.retry.budget.deposits.ratio",
            "-0.1",
            "0 to 1000",
        ),
        ("[inventory.retry]\nbudget = 'some'", "inventory.retry.budget", "some", "none"),
        ("[inventory]\nurl = 'ftp://x'", "inventory.url", "ftp://x", "a URL such as"),
        ("[inventory]\npatience = '2m'", "inventory.patience", "2m", "from 1ms to 1m"),
        ("[inventory.provider]\nfailure_rate = 2.0", "inventory.provider.failure_rate", "2", "from 0 to 1"),
        ("[server.deadline]\ndefault = '2m'", "server.deadline.default", "120s", "at most `max`"),
        ("[server.deadline]\nheader = 'no header'", "server.deadline.header", "no header", "a header's name"),
        ("[log]\nformat = 'xml'", "log.format", "xml", "text or json"),
        ("[server]\nprot = 1", "server.prot", "", "`port`"),
        ("[sever]\nport = 1", "sever", "", "`server`"),
        ("[server]\n\"two\\nlines\" = 1", "server.two\\nlines", "", "`port`"),
        ("payment = []", "payment", "[]", "a table"),
        (
            "[database]\nurl = 'postgres://shop:secret@db/a/b'",
            "database.url",
            "postgres://shop:***@db/a/b",
            "a URL such as",
        ),
        (
            "[database]\nurl = ['postgres://shop:secret@db/orders']",
            "database.url",
            "postgres://shop:***@db",
            "a URL such as",
        ),
        ("database = 'postgres://shop:secret@db/orders'", "database", "postgres://shop:***@db/orders", "a table"),
        ("[database]\nmax_connections = 0", "database.max_connections", "0", "from 1 to 1000"),
        ("[database]\nlock_timeout = '0s'", "database.lock_timeout", "0s", "from 10ms to 5m"),
    ] {
        refuses(path, text, [key, value, valid]);
    }
}

#[test]
fn a_bulkhead_or_a_gauge_that_cannot_be_ends_the_process_with_one_line() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("shop.toml");
    let path = path.to_str().expect("a UTF-8 path");
    for (text, key, value, valid) in [
        ("[bulkheads.database]\nlimit = 0", "bulkheads.database.limit", "0", "1 to 4294967295"),
        ("[bulkheads.payment]\nqueue = 10", "bulkheads.payment.limit", "missing", "given, unless"),
        ("[bulkheads.heavy]\nlimit = 5\nmax_wait = '400 days'", "bulkheads.heavy.max_wait", "34560000s", "366 days"),
        ("[bulkheads.inventory]\nlimit = 5\nname = 'payment'", "bulkheads.inventory.name", "payment", "inventory, or"),
        ("[bulkheads.orders]\nlimit = 5", "bulkheads.orders", "", "`database`"),
        ("[degradation]\nqueue_age = '2h'", "degradation.queue_age", "2h", "from 1ms to 1h"),
        ("[degradation.gauge]\ninterval = '0s'", "degradation.gauge.interval", "0ns", "1 ns to 366 days"),
        ("[degradation.gauge.levels]\ncritical = 1.5", "degradation.gauge.levels.critical", "1.5", "below 1"),
        ("bulkheads = 5", "bulkheads", "5", "a table"),
        ("[worker_pools]\npatience = '2m'", "worker_pools.patience", "2m", "from 0s to 1m"),
        (
            "[worker_pools.standard]\nworkers = { min = 5, max = 3 }",
            "worker_pools.standard.workers",
            "5..=3",
            "from the fewest to the most",
        ),
        (
            "[worker_pools.high-priority]\nworkers = { min = 2, max = 10 }\nqueue = 2000000000",
            "worker_pools.high-priority.queue",
            "2000000000",
            "0 to 1073741824",
        ),
        (
            "[worker_pools.standard]\nworkers = { min = 2, max = 10 }\nkeep_alive = '0s'",
            "worker_pools.standard.keep_alive",
            "0ns",
            "above zero",
        ),
        ("[worker_pools.standard]\nqueue = 10", "worker_pools.standard", "", "`workers`"),
        ("[worker_pools.low]\nqueue = 10", "worker_pools.low", "", "`standard`"),
    ] {
        refuses(path, text, [key, value, valid]);
    }
}

/// The process does not start with `text` in the file at `path`, and says so in one line.
fn refuses(path: &str, text: &str, [key, value, valid]: [&str; 3]) {
    fs::write(path, text).expect("the file can be written");
    let output = run_to_end(&["--config", path]);
    let complaint = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{text}: {complaint}");
    assert_eq!(complaint.lines().count(), 1, "{complaint}");
    for part in ["order-service: ", path, &format!("`{key}"), value, valid] {
        assert!(complaint.contains(part), "no {part} in {complaint}");
    }
    assert!(!complaint.contains("secret"), "{complaint}");
}

#[test]
fn a_file_that_is_not_there_or_not_toml_is_told() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("shop.toml");
    let path = path.to_str().expect("a UTF-8 path");
    let fails = |told: &str| {
        let output = run_to_end(&["--config", path]);
        let complaint = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!((output.status.code(), complaint.lines().count()), (Some(2), 1), "{complaint}");
        assert!(complaint.contains(path) && complaint.contains(told), "{complaint}");
    };
    fails("cannot be read");
    fs::write(path, "[server]\nport = = 1\n").expect("the file can be written");
    fails("line 2 is not TOML");
    fs::write(path, b"port = \"\xff\"").expect("the file can be written");
    fails("cannot be read");
}

#[test]
fn bad_arguments_end_the_process_with_code_2() {
    for arguments in [
        &["--port", "65536"][..],
        &["--port", "x"],
        &["--log", "xml"],
        &["--profile", "loud"],
        &["--prot", "1"],
        &["extra"],
    ] {
        let output = run_to_end(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let complaint = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(complaint.contains(arguments[arguments.len() - 1]) || complaint.contains(arguments[0]), "{complaint}");
    }
    assert_eq!(run_to_end(&["--help"]).status.code(), Some(0));
}

#[test]
fn a_database_url_that_cannot_be_used_is_told_without_its_password() {
    for (url, shown, valid) in [
        ("mysql://shop:secret@db/orders", "mysql://shop:***@db/orders", "a URL such as postgres://"),
        ("shop:secret@db", "shop:***@db", "a URL such as postgres://"),
        ("postgres://shop:secret@db:x/orders", "postgres://shop:***@db:x/orders", "a URL such as postgres://"),
        ("postgres://shop:secret\n@db:x/orders", "postgres://shop:***@db:x/orders", "a URL such as postgres://"),
        ("postgres://shop:secret@db/orders?color=red", "postgres://shop:***@db/orders?color=red", "application_name"),
        ("postgres://shop:secret@db/orders?sslmode=require", "sslmode=require", "disable, allow or prefer"),
        ("host=db password=secret", "host=db password=***", "a URL such as postgres://"),
    ] {
        let given = [
            ("DATABASE_URL", run_to_end_with(url, &[])),
            ("--database-url", run_to_end(&["--database-url", url])),
            // What is said last counts.
            ("--database-url", run_to_end_with("postgres://db/orders", &["--database-url", url])),
        ];
        for (name, output) in given {
            let complaint = String::from_utf8(output.stderr).expect("UTF-8");
            assert_eq!((output.status.code(), complaint.lines().count()), (Some(2), 1), "{url}: {complaint}");
            for part in [&format!("order-service: `{name}` is `"), shown, valid] {
                assert!(complaint.contains(part), "no {part} in {complaint}");
            }
            assert!(!complaint.contains("secret"), "{complaint}");
        }
    }
}

#[test]
fn an_empty_variable_names_no_database() {
    let output = run_to_end_with("", &["--port", "0", "--admin-port", "0", "--data", "/dev/null/data"]);
    ended_with_code_1(&output, "/dev/null/data cannot be used");
}
