//! Extra attempts as a share of all that run.

use seawall_retry::InFlight;

use super::{budget, spend_all};

#[test]
fn a_share_of_all_that_run_may_be_extra_ones() {
    // Of o original calls and share s: floor(o * s / (1 - s)) + 1.
    for (share, original, most) in [
        (0.2, 0, 1),
        (0.2, 3, 1),
        (0.2, 4, 2),
        (0.2, 100, 26),
        (0.1, 9, 2),
        (0.3, 7, 4),
        (0.5, 10, 11),
        (0.9, 10, 91),
        (0.0, 1_000, 1),
    ] {
        let (budget, _time) = budget(InFlight::default().share(share).floor(0));
        let most: u32 = most;
        let _running: Vec<_> = (0..original).map(|_| budget.begin()).collect();
        assert_eq!(budget.snapshot().balance, f64::from(most), "{share} beside {original}");
        assert_eq!(spend_all(&budget).len(), usize::try_from(most).expect("few"), "{share} beside {original}");
    }
}

#[test]
fn the_floor_is_there_in_any_case() {
    let (budget, _time) = budget(InFlight::default());
    let out = spend_all(&budget);
    assert_eq!(out.len(), 3);
    let _call = budget.begin();
    assert!(budget.spend().is_none(), "3 of 4 is more than a fifth");
}

#[test]
fn at_a_share_of_one_nothing_is_refused() {
    let (budget, _time) = budget(InFlight::default().share(1.0).floor(0));
    let out: Vec<_> = (0..1_000).map(|_| budget.spend().expect("all may")).collect();
    assert_eq!(budget.snapshot().extra_in_flight, 1_000);
    drop(out);
}

#[test]
fn what_ends_or_was_never_begun_makes_room_for_one() {
    let (budget, _time) = budget(InFlight::default().share(0.0).floor(2));
    let mut out = spend_all(&budget);
    assert_eq!(out.len(), 2);
    drop(out.pop());
    out.extend(budget.spend());
    assert_eq!(out.len(), 2);
    out.pop().expect("two are out").cancel();
    assert_eq!(spend_all(&budget).len(), 1);
}

#[test]
fn a_call_that_has_ended_makes_room_for_nothing() {
    let (budget, _time) = budget(InFlight::default().share(0.5).floor(0));
    let running: Vec<_> = (0..4).map(|_| budget.begin()).collect();
    assert_eq!(spend_all(&budget).len(), 5);
    drop(running);
    assert_eq!(spend_all(&budget).len(), 1);
}

#[test]
fn another_limit_holds_for_what_runs() {
    let (budget, _time) = budget(InFlight::default().share(0.0).floor(2));
    let out = spend_all(&budget);
    budget.reconfigure(InFlight::default().share(0.0).floor(3)).expect("valid");
    let third = budget.spend().expect("three may run now");
    budget.reconfigure(InFlight::default().share(0.0).floor(1)).expect("valid");
    drop(third);
    assert!(budget.spend().is_none(), "two run");
    drop(out);
    assert!(budget.spend().is_some());
}
