//! No call and no extra attempt allocates.

use seawall_core::Outcome;
use seawall_retry::{BudgetConfig, Deposits, InFlight, Tokens};
use seawall_testkit::alloc::assert_none;

use super::{SECOND, budget, calls};

#[test]
fn nothing_that_a_call_does_allocates() {
    let kinds: [BudgetConfig; 3] =
        [Deposits::default().ratio(1.0).into(), InFlight::default().into(), Tokens::default().into()];
    for config in kinds {
        let kind = config.kind();
        let (budget, time) = budget(config);
        assert_none(&format!("{kind}: calls"), || calls(&budget, 100));
        assert_none(&format!("{kind}: calls of several buckets"), || {
            for _ in 0..20 {
                time.advance(SECOND);
                calls(&budget, 10);
            }
        });
        assert_none(&format!("{kind}: extra attempts"), || {
            for _ in 0..100 {
                let call = budget.begin();
                drop(call.spend().expect("one for each call"));
                call.spend().into_iter().for_each(seawall_retry::Extra::cancel);
            }
        });
        let out: Vec<_> = (0..10_000).map_while(|_| budget.spend()).collect();
        if kind != "tokens" {
            assert_none(&format!("{kind}: refusals"), || assert!(budget.spend().is_none()));
        }
        drop(out);
        assert_none(&format!("{kind}: results"), || {
            for _ in 0..10 {
                budget.record(Outcome::Failure);
                budget.record(Outcome::Success);
            }
        });
        assert_none(&format!("{kind}: looks"), || (budget.snapshot(), budget.can_spend()));
        assert_none(&format!("{kind}: a clone"), || budget.clone());
    }
}
