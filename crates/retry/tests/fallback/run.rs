use std::cell::Cell;
use std::future::ready;

use seawall_retry::Verdict;
use seawall_testkit::cancel::cancel_at_every_poll;
use seawall_testkit::drive::poll;
use seawall_testkit::exec::yield_now;

use crate::{counted, fallback};

#[tokio::test]
async fn a_call_that_is_good_is_its_own_answer() {
    let fallback = fallback();
    let not_asked = |_: &str| -> std::future::Ready<Result<u32, &str>> { panic!("nothing failed") };
    assert_eq!(fallback.run(async { Ok(7) }, not_asked).await, Ok(7));
    assert_eq!(fallback.run_or(async { Ok::<_, ()>(7) }, 0).await, Ok(7));
    assert_eq!(counted(&fallback), [2, 0, 0, 0, 0]);
}

#[tokio::test]
async fn a_call_that_failed_is_answered_by_a_value_a_function_or_another_call() {
    let fallback = fallback();
    let down = || async { Err::<String, _>("down") };
    assert_eq!(fallback.run_or(down(), "a value".into()).await.as_deref(), Ok("a value"));
    assert_eq!(fallback.run_or_else(down(), |error| format!("was {error}")).await.as_deref(), Ok("was down"));
    let other = |error| async move {
        yield_now().await;
        Ok(format!("another's, for {error}"))
    };
    assert_eq!(fallback.run(down(), other).await.as_deref(), Ok("another's, for down"));
    assert_eq!(counted(&fallback), [0, 3, 0, 0, 0]);
}

#[tokio::test]
async fn a_function_that_has_no_answer_says_which_error_it_is() {
    let fallback = fallback();
    let both = |first| ready(Err::<u32, _>(format!("{first}, and the replica too")));
    let result = fallback.run(async { Err("down".to_owned()) }, both).await;
    assert_eq!(result, Err("down, and the replica too".to_owned()));
    assert_eq!(counted(&fallback), [0, 0, 1, 0, 0]);
}

#[tokio::test]
async fn an_error_that_is_not_to_be_taken_is_the_result() {
    let fallback = fallback();
    let only_down = |error: &&str| *error == "down";
    let result = fallback.run_if(async { Err("bad input") }, only_down, |_| ready(Ok(7))).await;
    assert_eq!(result, Err("bad input"));
    assert_eq!(fallback.run_if(async { Err("down") }, only_down, |_| ready(Ok(7))).await, Ok(7));
    assert_eq!(counted(&fallback), [0, 1, 0, 1, 0]);
}

#[tokio::test]
async fn a_judge_takes_results_that_want_another_attempt() {
    let fallback = fallback();
    let judge = |result: &Result<u32, &str>| match result {
        Ok(0) => Verdict::again(),
        Ok(_) => Verdict::good(),
        Err("open") => Verdict::refused(),
        Err(_) => Verdict::is_final(),
    };
    let nine = |_taken| ready(Ok(9));
    for (result, answer) in [(Ok(0), Ok(9)), (Ok(1), Ok(1)), (Err("open"), Ok(9)), (Err("no such"), Err("no such"))] {
        assert_eq!(fallback.run_judged(ready(result), judge, nine).await, answer);
    }
    let same = |taken| ready(taken);
    assert_eq!(fallback.run_judged(ready(Err("open")), judge, same).await, Err("open"), "it has the whole result");
    assert_eq!(counted(&fallback), [1, 2, 1, 1, 0]);
}

#[test]
fn a_call_that_is_dropped_at_any_poll_drops_what_is_out_and_counts_as_abandoned() {
    struct Alive<'a>(&'a Cell<i32>);

    impl Drop for Alive<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
        }
    }

    async fn part(alive: &Cell<i32>, result: Result<u32, ()>) -> Result<u32, ()> {
        alive.set(alive.get() + 1);
        let _alive = Alive(alive);
        yield_now().await;
        yield_now().await;
        result
    }

    let (fallback, alive) = (fallback(), Cell::new(0));
    let mut expected = [0; 5];
    let polls = cancel_at_every_poll(
        || fallback.run(part(&alive, Err(())), |()| part(&alive, Ok(7))),
        |polls| {
            assert_eq!(alive.get(), 0, "after {polls} polls");
            match polls {
                0 => {}
                5 => expected[1] += 1,
                _ => expected[4] += 1,
            }
            assert_eq!(counted(&fallback), expected, "after {polls} polls");
        },
    );
    assert_eq!((polls, expected), (5, [0, 1, 0, 0, 4]));
}

#[test]
fn a_panic_is_nothing_to_fall_back_from() {
    let fallback = fallback();
    let panics = |call: bool| {
        let first = async move { if call { panic!("as told") } else { Err::<u32, _>(()) } };
        let mut run = Box::pin(fallback.run(first, |()| async { panic!("as told") }));
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| poll(run.as_mut()).is_ready())).is_err()
    };
    assert!(panics(true) && panics(false));
    assert_eq!(counted(&fallback), [0, 0, 0, 0, 2]);
}

#[test]
fn it_serves_every_runtime_alike() {
    async fn falls_back() {
        let fallback = fallback();
        let answer = fallback.run(async { Err("down") }, |_| async {
            yield_now().await;
            Ok(7)
        });
        assert_eq!(answer.await, Ok(7));
    }

    smol::block_on(smol::spawn(falls_back()));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async { tokio::spawn(falls_back()).await.expect("no panic") });
}
