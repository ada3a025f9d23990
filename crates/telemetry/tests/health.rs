//! What a health report says, and how it is written.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use seawall_telemetry::health::{CONTENT_TYPE, Check, Criticality, Report, Status};
use serde_json::{Value, json};

fn check(status: Status, criticality: Criticality) -> Check {
    Check::new("component", "state", status).criticality(criticality)
}

fn written(value: impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("health values serialise")
}

#[test]
fn status_code_follows_status() {
    for (text, codes) in [("pass", 200..400), ("warn", 200..400), ("fail", 400..600)] {
        let status: Status = text.parse().expect("a name from the draft");
        assert!(codes.contains(&status.http_status()), "{text}");
        assert_eq!(status.as_str(), text);
        let report = Report::new().check(check(status, Criticality::Critical));
        assert_eq!(report.http_status(), status.http_status());
    }
    assert_eq!(CONTENT_TYPE, "application/health+json");
}

#[test]
fn aliases_are_read_in_any_case_and_never_written() {
    for (alias, status) in [
        ("ok", Status::Pass),
        ("Up", Status::Pass),
        ("WARN", Status::Warn),
        ("error", Status::Fail),
        ("DOWN", Status::Fail),
    ] {
        assert_eq!(alias.parse(), Ok(status));
        let read: Status = serde_json::from_value(json!(alias)).expect("an alias");
        assert_eq!(written(read), json!(status.as_str()));
    }
}

#[test]
fn unknown_status_is_named_with_what_would_be_valid() {
    let error = "sick".parse::<Status>().expect_err("no such status");
    let text = error.to_string();
    assert!(text.contains("\"sick\""), "{text}");
    assert!(text.contains("pass, warn or fail"), "{text}");
    assert!("".parse::<Status>().is_err());
    assert!(serde_json::from_value::<Status>(json!(3)).is_err());
}

#[test]
fn criticality_decides_what_a_check_means() {
    use Criticality::{Critical, Degrading, Informative};
    use Status::{Fail, Pass, Warn};
    for (criticality, when_warn, when_fail) in
        [(Critical, Warn, Fail), (Degrading, Warn, Warn), (Informative, Pass, Pass)]
    {
        assert_eq!(check(Pass, criticality).contribution(), Pass);
        assert_eq!(check(Warn, criticality).contribution(), when_warn);
        assert_eq!(check(Fail, criticality).contribution(), when_fail);
    }
}

#[test]
fn worst_contribution_is_the_report_in_any_order() {
    assert_eq!(Report::new().status(), Status::Pass);

    let checks = [
        Check::new("a", "", Status::Pass),
        Check::new("b", "", Status::Fail).criticality(Criticality::Informative),
        Check::new("c", "", Status::Fail).criticality(Criticality::Degrading),
        Check::new("d", "", Status::Warn),
    ];
    for turn in 0..checks.len() {
        let mut report = Report::new();
        report.extend(checks.iter().cycle().skip(turn).take(4).cloned());
        assert_eq!(report.status(), Status::Warn);
        let failed = report.check(Check::new("e", "", Status::Fail));
        assert_eq!(failed.status(), Status::Fail);
    }
}

#[test]
fn report_is_written_in_the_shape_of_the_draft() {
    let at = UNIX_EPOCH + Duration::from_millis(1_516_239_408_250);
    let report = Report::new()
        .service("order-service")
        .version("1")
        .release("0.1.0")
        .description("takes orders")
        .note("draining")
        .check(
            Check::new("payment", "state", Status::Warn)
                .criticality(Criticality::Degrading)
                .component_id("primary")
                .component_type("component")
                .observed("half_open", "")
                .affects("/orders")
                .time(at)
                .output("two of three probes to go"),
        )
        .check(Check::new("database", "connections", Status::Pass).observed(7, "connections"))
        .check(Check::new("uptime", "", Status::Pass).observed(0.5, "s"));

    assert_eq!(
        written(&report),
        json!({
            "status": "warn",
            "serviceId": "order-service",
            "version": "1",
            "releaseId": "0.1.0",
            "description": "takes orders",
            "notes": ["draining"],
            "checks": {
                "database:connections": [
                    { "status": "pass", "criticality": "critical", "observedValue": 7, "observedUnit": "connections" },
                ],
                "payment:state": [{
                    "status": "warn",
                    "criticality": "degrading",
                    "componentId": "primary",
                    "componentType": "component",
                    "observedValue": "half_open",
                    "time": "2018-01-18T01:36:48.250Z",
                    "affectedEndpoints": ["/orders"],
                    "output": "two of three probes to go",
                }],
                "uptime": [
                    { "status": "pass", "criticality": "critical", "observedValue": 0.5, "observedUnit": "s" },
                ],
            },
        })
    );
}

#[test]
fn an_empty_report_is_its_status_alone() {
    assert_eq!(written(Report::new()), json!({ "status": "pass" }));
}

#[test]
fn several_instances_stand_in_one_list_in_order() {
    let report = Report::new()
        .check(Check::new("db", "state", Status::Pass).component_id("one"))
        .check(Check::new("db", "state", Status::Fail).component_id("two"));
    let body = written(&report);
    let ids: Vec<_> = body["checks"]["db:state"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|check| check["componentId"].as_str())
        .collect();
    assert_eq!(ids, [Some("one"), Some("two")]);
    assert_eq!(report.checks().count(), 2);
}

#[test]
fn a_passing_check_blames_nothing() {
    let check = Check::new("db", "state", Status::Pass).affects("/orders").output("connection refused");
    let body = written(&check);
    assert_eq!(body.get("affectedEndpoints"), None);
    assert_eq!(body.get("output"), None);
}

#[test]
fn values_that_json_or_rfc_3339_cannot_write_are_left_out() {
    let check = || Check::new("db", "responseTime", Status::Pass);
    for nowhere in [f64::NAN, f64::INFINITY] {
        assert_eq!(written(check().observed(nowhere, "ms"))["observedValue"], Value::Null);
    }
    let year_10000 = UNIX_EPOCH + Duration::from_secs(253_402_300_800);
    let before_1970: SystemTime = UNIX_EPOCH - Duration::from_secs(1);
    for unwritable in [year_10000, before_1970] {
        assert_eq!(written(check().time(unwritable)).get("time"), None);
    }
    let last = year_10000 - Duration::from_millis(1);
    assert_eq!(written(check().time(last))["time"], "9999-12-31T23:59:59.999Z");
}
