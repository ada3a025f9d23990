//! Shares of one limit: what each partition gets, who waits and who is refused, and with what words.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use seawall_bulkhead::partitions::{Claims, Config, Event, Overrun, Partitions, Reason, Snapshot};
use seawall_bulkhead::{Claim, CoDel, PartitionedBulkhead, Priority};
use seawall_core::observe::{Collect, Metric, Sink, Value};
use seawall_core::time::{Clock, ManualTime, Now};
use seawall_core::{Permit, Policy, Rejection};
use seawall_testkit::alloc::{CountingAllocator, assert_none};
use seawall_testkit::cancel::{CancelAtEveryPoll, cancel_at_every_poll};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Ten permits: three of batch, seven of live.
fn config() -> Config {
    Config::new(10).name("search").partition("batch", 0.3).partition("live", 0.7)
}

fn made(config: Config) -> (PartitionedBulkhead, ManualTime) {
    let (clock, time) = Clock::manual();
    (PartitionedBulkhead::with_clock(config, clock).expect("valid"), time)
}

fn take<'a>(bulkhead: &'a PartitionedBulkhead, name: &'static str, count: usize) -> Vec<Permit<&'a Partitions>> {
    (0..count).map(|_| bulkhead.with(name).try_admit().expect("free")).collect()
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn part(snapshot: &Snapshot, name: &str) -> seawall_bulkhead::partitions::PartitionSnapshot {
    snapshot.partitions.iter().find(|part| part.name.as_str() == name).expect("a partition").clone()
}

#[test]
fn what_one_leaves_idle_others_may_borrow_but_never_more_than_the_limit() {
    let (bulkhead, _) = made(config());
    let _batch = take(&bulkhead, "batch", 10);
    let full = bulkhead.with("live").try_admit().expect_err("all ten are in use");
    assert_eq!((full.reason(), full.limit(), full.in_flight(), full.share()), (Reason::Full, 10, 10, 7));
    assert_eq!((full.partition().map(|name| name.to_string()), full.partition_in_flight()), (Some("live".into()), 0));
    let now = bulkhead.snapshot();
    assert_eq!((part(&now, "batch").borrowed, part(&now, "batch").borrowing, part(&now, "live").refused), (7, 7, 1));
    assert_eq!(
        full.to_string(),
        "the bulkhead `search` is full: 10 of 10 in use, 0 queued; `live` has 0, its share is 7, 0 queued"
    );
    let boxed: Box<dyn std::error::Error> = full.into();
    assert_eq!(Rejection::find(&*boxed).map(Rejection::reason), Some("full"));
}

#[test]
fn an_overrun_gives_a_partition_its_share_at_once() {
    let (bulkhead, _) = made(config().overrun(Overrun::Allowed));
    let _batch = take(&bulkhead, "batch", 10);
    let _live = take(&bulkhead, "live", 7);
    assert_eq!(bulkhead.in_flight(), 17);
    assert!(bulkhead.with("live").try_admit().is_err(), "it has its share");
    assert!(bulkhead.with("batch").try_admit().is_err());
}

#[test]
fn what_was_borrowed_goes_back_to_whom_it_was_borrowed_from() {
    let (bulkhead, _) = made(config().queue(8));
    let mut batch = take(&bulkhead, "batch", 10);
    // The borrower's next call came first.
    let mut again = Box::pin(bulkhead.with("batch").admit());
    assert!(poll(&mut again).is_pending());
    let mut live = Box::pin(bulkhead.with("live").admit());
    assert!(poll(&mut live).is_pending());
    drop(batch.pop());
    assert!(poll(&mut again).is_pending());
    let Poll::Ready(Ok(_live)) = poll(&mut live) else { panic!("live is below its share") };
    drop(batch.pop());
    assert!(poll(&mut again).is_ready(), "nobody else waits");
}

#[test]
fn a_full_queue_makes_room_for_a_call_within_its_share() {
    let (bulkhead, _) = made(config().queue(2));
    let mut batch = take(&bulkhead, "batch", 10);
    let mut waiting: Vec<_> = (0..2).map(|_| Box::pin(bulkhead.with("batch").admit())).collect();
    assert!(waiting.iter_mut().all(|call| poll(call).is_pending()));
    let mut live = Box::pin(bulkhead.with("live").admit());
    assert!(poll(&mut live).is_pending(), "it waits");
    assert!(poll(&mut waiting[0]).is_pending(), "the older borrower stays");
    let Poll::Ready(Err(full)) = poll(&mut waiting[1]) else { panic!("the newest borrower gave its place up") };
    assert_eq!(full.reason(), Reason::Displaced);
    let mut more = Box::pin(bulkhead.with("batch").admit());
    let Poll::Ready(Err(full)) = poll(&mut more) else { panic!("a borrower displaces nobody") };
    assert_eq!((full.reason(), full.queued()), (Reason::Full, 2));
    drop(batch.pop());
    assert!(matches!(poll(&mut live), Poll::Ready(Ok(_))));
}

#[test]
fn names_that_pass_by_take_nothing_from_the_limit() {
    let (bulkhead, _) = made(config().bypass("admin"));
    let _all = take(&bulkhead, "live", 10);
    let admin = take(&bulkhead, "admin", 100);
    let now = bulkhead.snapshot();
    assert_eq!((now.in_flight, part(&now, "admin").in_flight, part(&now, "admin").share), (10, 100, 0));
    drop(admin);
    assert_eq!(part(&bulkhead.snapshot(), "admin").in_flight, 0);
    assert!(bulkhead.peek(&Now::new(None)).is_ok(), "somebody can still be admitted");
}

#[test]
fn a_name_that_nobody_knows_is_refused_or_one_of_the_default() {
    let (strict, _) = made(config());
    let unknown = strict.with("nightly").try_admit().expect_err("no such partition");
    assert_eq!((unknown.reason(), unknown.is_never(), unknown.partition()), (Reason::UnknownPartition, true, None));
    assert_eq!(unknown.to_string(), "the bulkhead `search` has no such partition");
    assert_eq!((strict.snapshot().unknown, strict.partition("nightly")), (1, None));
    let (lenient, _) = made(config().default_partition("batch"));
    let _permit = lenient.with("nightly").try_admit().expect("as batch");
    assert_eq!(part(&lenient.snapshot(), "batch").in_flight, 1);
}

#[test]
fn a_call_finds_its_partition_by_its_key_and_is_none_of_its_concern_without_one() {
    struct Request(Option<String>);
    let (bulkhead, _) = made(config());
    let by_class = bulkhead.by(|request: &Request| request.0.as_deref());
    let (batch, none) = (Request(Some("batch".into())), Request(None));
    let _permits = [by_class.with(&batch).try_admit().expect("free"), by_class.with(&none).try_admit().expect("free")];
    assert_eq!((bulkhead.in_flight(), part(&bulkhead.snapshot(), "batch").in_flight), (1, 1));
}

#[test]
fn a_call_takes_as_many_permits_as_it_claims_and_nobody_takes_them_before_it() {
    let (bulkhead, _) = made(config().queue(4));
    let claims = Claims::by(&bulkhead, |call: &(&'static str, Claim)| *call);
    let mut held: Vec<_> = (0..7).map(|_| bulkhead.with("live").try_admit().expect("free")).collect();
    let (five, one) = (("batch", Claim::new().permits(5)), ("live", Claim::new()));
    let mut large = Box::pin(claims.with(&five).admit());
    assert!(poll(&mut large).is_pending());
    assert!(claims.with(&one).try_admit().is_err(), "three are free, and kept for the one who waits");
    held.truncate(5);
    let Poll::Ready(Ok(large)) = poll(&mut large) else { panic!("five are free") };
    assert_eq!(bulkhead.in_flight(), 10);
    drop(large);
    assert_eq!(bulkhead.in_flight(), 5);
    let never = claims.with(&("live", Claim::new().permits(11))).try_admit().expect_err("eleven of ten");
    assert_eq!((never.reason(), never.is_never(), never.permits()), (Reason::TooLarge, true, 11));
}

#[test]
fn one_who_gives_up_a_large_claim_lets_the_next_pass() {
    let (bulkhead, time) = made(config().queue(4));
    let _held = take(&bulkhead, "live", 7);
    let five = ("batch", Claim::new().permits(5));
    let mut large = Box::pin(bulkhead.with(&five).admit_within(Duration::from_millis(50)));
    let mut small = Box::pin(bulkhead.with("live").admit());
    assert!(poll(&mut large).is_pending() && poll(&mut small).is_pending());
    time.advance(Duration::from_millis(50));
    assert!(matches!(poll(&mut large), Poll::Ready(Err(full)) if full.reason() == Reason::TimedOut));
    assert!(poll(&mut small).is_ready(), "three are free");
}

#[test]
fn within_a_partition_a_higher_priority_is_served_first() {
    let (bulkhead, _) = made(config().queue(4));
    let mut held = take(&bulkhead, "live", 10);
    let (low, high) = (("live", Claim::new().priority(Priority::Low)), ("live", Claim::new().priority(Priority::High)));
    let mut low = Box::pin(bulkhead.with(&low).admit());
    let mut high = Box::pin(bulkhead.with(&high).admit());
    assert!(poll(&mut low).is_pending() && poll(&mut high).is_pending());
    drop(held.pop());
    assert!(poll(&mut low).is_pending() && poll(&mut high).is_ready());
}

#[test]
fn a_call_waits_as_long_as_it_may_and_then_leaves() {
    let (bulkhead, time) = made(config().queue(4).max_wait(Duration::from_millis(200)));
    let _held = take(&bulkhead, "live", 10);
    let mut call = Box::pin(bulkhead.with("batch").admit());
    let mut soon = Box::pin(bulkhead.with("batch").admit_within(Duration::from_millis(50)));
    assert!(poll(&mut call).is_pending() && poll(&mut soon).is_pending());
    time.advance(Duration::from_millis(50));
    let Poll::Ready(Err(full)) = poll(&mut soon) else { panic!("its own deadline") };
    assert_eq!((full.reason(), bulkhead.queued()), (Reason::TimedOut, 1));
    time.advance(Duration::from_millis(149));
    assert!(poll(&mut call).is_pending());
    time.advance(Duration::from_millis(1));
    assert!(matches!(poll(&mut call), Poll::Ready(Err(full)) if full.reason() == Reason::TimedOut));
    assert_eq!((bulkhead.queued(), part(&bulkhead.snapshot(), "batch").refused), (0, 2));
}

#[test]
fn a_turn_that_is_known_to_come_too_late_is_refused_at_once() {
    let (bulkhead, time) = made(config().queue(4).max_wait(Duration::from_secs(60)));
    let mut held = take(&bulkhead, "live", 10);
    for _ in 0..10 {
        let mut call = Box::pin(bulkhead.with("batch").admit());
        assert!(poll(&mut call).is_pending());
        time.advance(Duration::from_millis(100));
        drop(held.pop());
        let Poll::Ready(Ok(permit)) = poll(&mut call) else { panic!("its turn") };
        drop(permit);
        held.extend(take(&bulkhead, "live", 1));
    }
    let mut soon = Box::pin(bulkhead.with("batch").admit_within(Duration::from_millis(50)));
    let Poll::Ready(Err(full)) = poll(&mut soon) else { panic!("turns take 100 ms") };
    assert_eq!((full.reason(), full.retry_after()), (Reason::TooLate, Some(Duration::from_millis(100))));
    let mut later = Box::pin(bulkhead.with("batch").admit_within(Duration::from_millis(150)));
    assert!(poll(&mut later).is_pending());
}

#[test]
fn calls_that_waited_too_long_in_a_standing_queue_are_dropped() {
    let (target, interval) = (Duration::from_millis(5), Duration::from_millis(100));
    let (bulkhead, time) = made(config().queue(4).codel(CoDel::new(target, interval)));
    let mut held = take(&bulkhead, "live", 10);
    let mut calls: Vec<_> = (0..2).map(|_| Box::pin(bulkhead.with("batch").admit())).collect();
    assert!(calls.iter_mut().all(|call| poll(call).is_pending()));
    time.advance(interval);
    drop(held.pop());
    assert!(matches!(poll(&mut calls[0]), Poll::Ready(Err(full)) if full.reason() == Reason::Overdue));
    assert!(matches!(poll(&mut calls[1]), Poll::Ready(Ok(_))), "the last one is always served");
}

#[test]
fn a_lower_limit_waits_for_holders_and_refuses_who_wants_more_than_it() {
    let (bulkhead, _) = made(config().queue(4));
    let mut held = take(&bulkhead, "live", 10);
    let (one, eight) = (("batch", Claim::new()), ("batch", Claim::new().permits(8).priority(Priority::Low)));
    let mut one = Box::pin(bulkhead.with(&one).admit());
    let mut eight = Box::pin(bulkhead.with(&eight).admit());
    assert!(poll(&mut one).is_pending() && poll(&mut eight).is_pending());
    bulkhead.resize(5).expect("two partitions");
    let shares: Vec<_> = bulkhead.snapshot().partitions.iter().map(|part| part.share).collect();
    assert_eq!(shares, [2, 4], "rounded up");
    assert!(matches!(poll(&mut eight), Poll::Ready(Err(full)) if full.reason() == Reason::TooLarge));
    held.truncate(5);
    assert!(poll(&mut one).is_pending(), "what came back was withdrawn");
    held.truncate(4);
    let Poll::Ready(Ok(_one)) = poll(&mut one) else { panic!("four of five are in use") };
    let mut two = Box::pin(bulkhead.with("batch").admit());
    assert!(poll(&mut two).is_pending());
    bulkhead.resize(6).expect("two partitions");
    assert!(poll(&mut two).is_ready(), "more permits wake those who wait");
    let error = bulkhead.resize(1).expect_err("two partitions");
    assert_eq!(error.to_string(), "`limit` is 1, must be 2 to 4294967295, one permit for each partition at least");
    assert_eq!(bulkhead.limit(), 6);
}

#[test]
fn partitions_come_and_go_while_calls_are_out() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    let (bulkhead, _) = made(config().queue(4));
    let batch = bulkhead.partition("batch").expect("configured");
    let mut out = take(&bulkhead, "batch", 10);
    let mut waiting = Box::pin(bulkhead.with(&batch).admit());
    assert!(poll(&mut waiting).is_pending());
    let next = Config::new(10).name("search").partition("live", 0.5).partition("nightly", 0.5).queue(4);
    let next = next.observer(move |event: &Event| tell.lock().expect("no panic").push(*event));
    bulkhead.reconfigure(next.clone()).expect("valid");
    let name = bulkhead.name();
    let named = |partition: &str| partition.parse().expect("short");
    assert_eq!(
        *told.lock().expect("no panic"),
        [
            Event::PartitionAdded { name, partition: named("nightly") },
            Event::PartitionRemoved { name, partition: named("batch") },
            Event::Reconfigured { name, from: 10, to: 10 },
        ]
    );
    let now = bulkhead.snapshot();
    assert_eq!((part(&now, "batch").closing, part(&now, "batch").in_flight, now.in_flight), (true, 10, 10));
    assert!(bulkhead.with(&batch).try_admit().is_err_and(|full| full.reason() == Reason::UnknownPartition));
    let mut live = Box::pin(bulkhead.with("live").admit());
    assert!(poll(&mut live).is_pending());
    drop(out.pop());
    assert!(poll(&mut waiting).is_pending() && poll(&mut live).is_ready(), "what is removed is served last");
    out.clear();
    let Poll::Ready(Ok(last)) = poll(&mut waiting) else { panic!("it is served in the end") };
    assert_eq!(bulkhead.snapshot().partitions.len(), 3);
    drop(last);
    assert_eq!(bulkhead.snapshot().partitions.len(), 2, "it is gone with its last call");
    // Another partition has its room now; the old handle does not open it.
    bulkhead.reconfigure(next.partition("late", 0.000_000_5)).expect("within the tolerance");
    assert!(bulkhead.with("late").try_admit().is_ok());
    assert!(bulkhead.with(&batch).try_admit().is_err());
    // Of the same name, it is known again.
    let error = bulkhead.reconfigure(config().name("other")).expect_err("another name");
    assert_eq!(error.field(), "name");
}

#[test]
fn a_call_dropped_at_any_poll_leaves_nothing_behind() {
    let (bulkhead, _) = made(config().queue(4));
    cancel_at_every_poll(|| bulkhead.with("live").admit(), |_| assert_eq!(bulkhead.in_flight(), 0));
    let held = Mutex::new(take(&bulkhead, "batch", 10));
    let polls = CancelAtEveryPoll::new().between(|_| drop(held.lock().expect("no panic").pop())).only_when_woken().run(
        || {
            let mut held = held.lock().expect("no panic");
            while bulkhead.in_flight() < 10 {
                held.push(bulkhead.with("batch").try_admit().expect("free"));
            }
            bulkhead.with("live").admit()
        },
        |_| {
            let held = held.lock().expect("no panic").len();
            assert_eq!((bulkhead.in_flight() as usize, bulkhead.queued()), (held, 0));
        },
    );
    assert_eq!(polls, 2);
}

#[test]
fn a_call_does_not_allocate_admitted_or_refused() {
    let (bulkhead, _) = made(config());
    let batch = bulkhead.partition("batch").expect("configured");
    assert_none("by name", || (0..100).for_each(|_| drop(bulkhead.with("live").try_admit().expect("free"))));
    assert_none("by partition", || (0..100).for_each(|_| drop(bulkhead.with(&batch).try_admit().expect("free"))));
    let _held = take(&bulkhead, "live", 10);
    assert_none("refused", || (0..100).for_each(|_| assert!(bulkhead.with("batch").try_admit().is_err())));
    assert_none("unknown", || (0..100).for_each(|_| assert!(bulkhead.with("nobody").try_admit().is_err())));
    assert_none("refused in a future", || {
        let call = pin!(bulkhead.with("batch").admit());
        assert!(call.poll(&mut Context::from_waker(Waker::noop())).is_ready());
    });
}

#[test]
fn peek_refuses_only_what_nobody_gets() {
    let (bulkhead, _) = made(config());
    let now = Now::new(None);
    let mut held = take(&bulkhead, "batch", 10);
    assert!(bulkhead.peek(&now).is_err());
    held.pop();
    assert!(bulkhead.peek(&now).is_ok());
    let (lenient, _) = made(config().overrun(Overrun::Allowed));
    let _batch = take(&lenient, "batch", 10);
    assert!(lenient.peek(&now).is_ok(), "live has a share");
    let _live = take(&lenient, "live", 7);
    assert!(lenient.peek(&now).is_err());
}

#[test]
fn what_cannot_be_is_refused_by_field_value_and_range() {
    let empty = || Config::new(10);
    let cases: [(Config, &str); 14] = [
        (empty(), "`partitions` is 0 names, must be 1 to 64, those of `bypass` included"),
        (config().with_limit(0), "`limit` is 0, must be 2 to 4294967295, one permit for each partition at least"),
        (config().with_limit(1), "`limit` is 1, must be 2 to 4294967295, one permit for each partition at least"),
        (
            empty().partition("a", 0.5).partition("b", 0.4),
            "`partitions` is 0.9 in all, must be shares that add up to 1",
        ),
        (
            empty().partition("a", 0.6).partition("b", 0.6),
            "`partitions` is 1.2 in all, must be shares that add up to 1",
        ),
        (empty().partition("a", 1.0).partition("b", 0.0), "`partitions[1].share` is 0, must be above 0, at most 1"),
        (empty().partition("a", -0.5), "`partitions[0].share` is -0.5, must be above 0, at most 1"),
        (empty().partition("a", f64::NAN), "`partitions[0].share` is NaN, must be above 0, at most 1"),
        (
            empty().partition("a", 0.5).partition("a", 0.5),
            "`partitions[1].name` is \"a\" again, must be a name of its own",
        ),
        (empty().partition("", 1.0), "`partitions[0].name` is \"\", must be 1 to 31 bytes of printable text"),
        (config().bypass("live"), "`bypass[0]` is \"live\" again, must be a name of its own"),
        (config().default_partition("x"), "`default` is \"x\", must be the name of a partition"),
        (config().max_wait(Duration::MAX), &format!("`max_wait` is {:?}, must be at most 366 days", Duration::MAX)),
        (config().aging(Duration::ZERO), "`aging` is 0ns, must be 1 ns to 366 days"),
    ];
    let (bulkhead, _) = made(config().name("bulkhead"));
    let before = bulkhead.snapshot();
    for (config, said) in cases {
        let error = PartitionedBulkhead::new(config.clone()).expect_err(said);
        assert_eq!(error.to_string(), said);
        assert!(bulkhead.reconfigure(config).is_err());
    }
    assert_eq!(bulkhead.snapshot(), before, "nothing has changed");
    assert!(PartitionedBulkhead::new(empty().partition("a", 0.333_333_4).partition("b", 0.666_666_6)).is_ok());
    let many =
        |count: u32| (0..count).fold(Config::new(100), |all, at| all.partition(at.to_string(), 1.0 / f64::from(count)));
    assert!(PartitionedBulkhead::new(many(64)).is_ok() && PartitionedBulkhead::new(many(65)).is_err());
}

#[test]
fn metrics_tell_each_partition_by_name() {
    struct Samples(Vec<(String, Value)>);
    impl Sink for Samples {
        fn sample(&mut self, metric: &'static Metric, labels: &[(&'static str, &str)], value: Value) {
            let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            self.0.push((format!("{} {}", metric.name, labels.join(",")), value));
        }
    }
    let (bulkhead, _) = made(config());
    let _held = take(&bulkhead, "batch", 10);
    let _refused = bulkhead.with("live").try_admit();
    let mut samples = Samples(Vec::new());
    bulkhead.collect(&mut samples);
    for (sample, value) in [
        ("seawall_partitions_limit name=search", 10),
        ("seawall_partitions_in_flight name=search,partition=batch", 10),
        ("seawall_partitions_borrowed name=search,partition=batch", 7),
        ("seawall_partitions_share name=search,partition=live", 7),
        ("seawall_partitions_calls name=search,partition=batch,outcome=admitted", 10),
        ("seawall_partitions_calls name=search,partition=live,outcome=full", 1),
    ] {
        assert!(samples.0.contains(&(sample.into(), Value::Integer(value))), "{sample} in {:?}", samples.0);
    }
}

#[cfg(feature = "serde")]
#[test]
fn a_configuration_is_read_from_toml_and_a_snapshot_written_to_json() {
    let text = r#"
        name = "search"
        limit = 10
        partitions = [{ name = "live", share = 0.7 }, { name = "batch", share = 0.3 }]
        bypass = ["admin"]
        default = "batch"
        overrun = "allowed"
        queue = 20
        max_wait = "250ms"
    "#;
    let config: Config = toml::from_str(text).expect("readable");
    let bulkhead = PartitionedBulkhead::new(config.clone()).expect("valid");
    let written = serde_json::to_value(bulkhead.snapshot()).expect("writable");
    assert_eq!((&written["partitions"][0]["share"], &written["queue"]), (&7.into(), &20.into()));
    let again: Config = serde_json::from_value(serde_json::to_value(&config).expect("writable")).expect("readable");
    assert_eq!(format!("{config:?}"), format!("{again:?}"));
    let error = toml::from_str::<Config>("limit = 10\npartition = []").expect_err("misspelt");
    assert!(error.to_string().contains("partition"), "{error}");
}
