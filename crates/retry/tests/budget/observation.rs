//! What can be seen of a budget.

use std::collections::BTreeMap;

use seawall_core::observe::{Collect, Metric, Sink, Value};
use seawall_retry::{BudgetConfig, Deposits, InFlight, Tokens};

use super::budget;

/// Three calls, one of which runs; five asked, of whom one runs and one gave back.
fn eventful(config: impl Into<BudgetConfig>) -> seawall_retry::Budget {
    let (budget, _time) = budget(config);
    let calls: Vec<_> = (0..3).map(|_| budget.begin()).collect();
    budget.spend().expect("there is enough").cancel();
    drop(budget.spend().expect("there is enough"));
    std::mem::forget(budget.spend().expect("there is enough"));
    assert!(budget.spend().is_none());
    assert!(budget.spend().is_none());
    calls.into_iter().skip(1).for_each(std::mem::forget);
    budget
}

#[test]
fn a_snapshot_tells_what_was_asked_for_and_what_runs() {
    let deposits = Deposits::default().name("stock").ratio(0.75).per_second(0.0);
    let in_flight = InFlight::default().name("stock").share(0.0).floor(1);
    for (config, kind, balance) in
        [(BudgetConfig::from(deposits), "deposits", 0.25), (in_flight.into(), "in_flight", 0.0)]
    {
        let snapshot = eventful(config).snapshot();
        assert_eq!((snapshot.name.as_str(), snapshot.kind, snapshot.balance), ("stock", kind, balance));
        assert_eq!((snapshot.calls, snapshot.in_flight), (3, 2), "{kind}");
        assert_eq!((snapshot.spent, snapshot.given_back, snapshot.extra_in_flight), (3, 1, 1), "{kind}");
        assert_eq!((snapshot.denied, snapshot.can_spend), (2, false), "{kind}");
    }
}

#[test]
fn looking_changes_nothing() {
    let (budget, time) = budget(Deposits::default().ratio(1.0).per_second(0.0));
    drop(budget.begin());
    time.advance(super::SECOND * 60);
    assert_eq!(budget.snapshot().balance, 0.0, "it is that of now");
    assert!(!budget.can_spend());
    time.step_back(super::SECOND * 60);
    assert_eq!(budget.snapshot().balance, 1.0, "nobody used the later time");
}

#[derive(Default)]
struct Samples(BTreeMap<&'static str, (Value, String)>);

impl Sink for Samples {
    fn sample(&mut self, metric: &'static Metric, labels: &[(&'static str, &str)], value: Value) {
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.0.insert(metric.name, (value, labels.join(",")));
    }
}

#[test]
fn metrics_are_those_of_the_snapshot_under_the_name_of_the_instance() {
    let budget = eventful(Deposits::default().name("stock").ratio(0.75).per_second(0.0));
    let mut samples = Samples::default();
    budget.collect(&mut samples);
    let seen: Vec<_> = samples.0.iter().map(|(name, (value, _))| (*name, *value)).collect();
    assert_eq!(
        seen,
        [
            ("seawall_retry_budget_balance", Value::Float(0.25)),
            ("seawall_retry_budget_calls", Value::Integer(3)),
            ("seawall_retry_budget_denied", Value::Integer(2)),
            ("seawall_retry_budget_extra_in_flight", Value::Integer(1)),
            ("seawall_retry_budget_given_back", Value::Integer(1)),
            ("seawall_retry_budget_in_flight", Value::Integer(2)),
            ("seawall_retry_budget_spent", Value::Integer(3)),
        ]
    );
    assert!(samples.0.values().all(|(_, labels)| labels == "name=stock"));
}

#[test]
fn what_is_printed_says_what_it_is() {
    let (budget, _time) = budget(Tokens::default());
    assert_eq!(format!("{budget:?}"), r#"Budget(Tokens(Tokens { name: "retry_budget", max: 10, ratio: 0.1 }))"#);
    assert_eq!(format!("{:?}", budget.begin()), r#"Began { budget: "retry_budget" }"#);
    assert_eq!(format!("{:?}", budget.spend().expect("full")), r#"Extra { budget: "retry_budget" }"#);
}

#[cfg(feature = "serde")]
#[test]
fn a_snapshot_serialises() {
    let snapshot = eventful(InFlight::default().name("stock").share(0.0).floor(1)).snapshot();
    assert_eq!(
        serde_json::to_value(snapshot).expect("numbers and names"),
        serde_json::json!({
            "name": "stock", "kind": "in_flight", "balance": 0.0, "can_spend": false, "in_flight": 2,
            "extra_in_flight": 1, "calls": 3, "spent": 3, "given_back": 1, "denied": 2,
        })
    );
}
