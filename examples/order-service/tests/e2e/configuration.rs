//! Configurations that cannot be used end the process with code 2 and one line.

use std::fs;

use tempfile::TempDir;

use crate::support::run_to_end;

#[test]
fn a_bad_file_ends_the_process_with_one_line() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("shop.toml");
    let path = path.to_str().expect("a UTF-8 path");
    for (text, key, value, valid) in [
        ("[server]\nport = 65536", "server.port", "65536", "from 0 to 65535"),
        ("[server]\nadmin_address = '0.0.0.0'", "server.admin_address", "0.0.0.0", "a loopback address"),
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
        ("[log]\nformat = 'xml'", "log.format", "xml", "text or json"),
        ("[server]\nprot = 1", "server.prot", "", "`port`"),
        ("[sever]\nport = 1", "sever", "", "`server`"),
        ("[server]\n\"two\\nlines\" = 1", "server.two\\nlines", "", "`port`"),
        ("payment = []", "payment", "[]", "a table"),
    ] {
        fs::write(path, text).expect("the file can be written");
        let output = run_to_end(&["--config", path]);
        let complaint = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(2), "{text}: {complaint}");
        assert_eq!(complaint.lines().count(), 1, "{complaint}");
        for part in ["order-service: ", path, &format!("`{key}"), value, valid] {
            assert!(complaint.contains(part), "no {part} in {complaint}");
        }
    }
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
    for arguments in [&["--port", "65536"][..], &["--port", "x"], &["--log", "xml"], &["--prot", "1"], &["extra"]] {
        let output = run_to_end(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let complaint = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(complaint.contains(arguments[arguments.len() - 1]) || complaint.contains(arguments[0]), "{complaint}");
    }
    assert_eq!(run_to_end(&["--help"]).status.code(), Some(0));
}
