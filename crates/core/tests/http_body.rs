//! Calls that end with their response's body.
#![cfg(all(feature = "http", feature = "tower"))]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{HeaderMap, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use parking_lot::Mutex;
use proptest::prelude::*;
use seawall_core::http::{Held, Statuses, respond};
use seawall_core::time::{Clock, Now};
use seawall_core::tower::Layer;
use seawall_core::{Admits, Ask, Ending, Kind, Name, Outcome, Policy, Rejection, Report, Shared};
use tower_layer::Layer as _;
use tower_service::Service;

/// Writes down how each call ends.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<End>>>);

#[derive(Clone, Debug, PartialEq)]
enum End {
    Finished(Outcome, Option<String>, Option<Duration>),
    Abandoned,
    Panicked,
    Other,
}

const SUCCESS: End = End::Finished(Outcome::Success, None, None);

fn failure(text: &str) -> End {
    End::Finished(Outcome::Failure, Some(text.into()), None)
}

impl Diary {
    fn ends(&self) -> Vec<End> {
        self.0.lock().clone()
    }
}

impl Policy for Diary {
    type Token = ();
    type Place = Infallible;
    type Refusal = Rejection;

    fn clock(&self) -> Option<&Clock> {
        None
    }

    fn settle(&self, (): (), ending: Ending<'_>, _now: &Now<'_>) {
        self.0.lock().push(match ending {
            Ending::Finished(report) => {
                End::Finished(report.outcome(), report.error().map(ToString::to_string), report.hint())
            }
            Ending::Abandoned => End::Abandoned,
            Ending::Panicked => End::Panicked,
            _ => End::Other,
        });
    }
}

/// Refuses whoever asks for nothing.
impl Admits<u32> for Diary {
    fn try_admit(&self, ask: &Ask<'_, u32>) -> Result<(), Rejection> {
        static GREEDY: Kind = Kind::new("diary", "full").over_quota();
        let refusal = Rejection::new(&GREEDY, Name::from_static("mine")).after(Duration::from_millis(1_500));
        if *ask.call == 0 { Err(refusal) } else { Ok(()) }
    }
}

/// A body that does one thing at each poll.
#[derive(Clone, Debug, Default)]
struct Script {
    steps: VecDeque<Step>,
    /// What it tells of its end without being polled.
    tells: Tells,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Data(u8),
    Trailers,
    Wait,
    Fail,
    Panic,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Tells {
    #[default]
    Nothing,
    End,
    Size,
    /// By the response's header.
    Length,
}

impl Script {
    fn bytes(&self) -> u64 {
        let bytes = |step: &Step| if let Step::Data(bytes) = step { u64::from(*bytes) } else { 0 };
        self.steps.iter().map(bytes).sum()
    }
}

impl Body for Script {
    type Data = VecDeque<u8>;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<VecDeque<u8>>, &'static str>>> {
        Poll::Ready(match self.steps.pop_front() {
            Some(Step::Data(bytes)) => Some(Ok(Frame::data(vec![7; bytes.into()].into()))),
            Some(Step::Trailers) => Some(Ok(Frame::trailers(HeaderMap::new()))),
            Some(Step::Wait) => return Poll::Pending,
            Some(Step::Fail) => Some(Err("connection reset")),
            Some(Step::Panic) => panic!("as the script says"),
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.tells == Tells::End && self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        if self.tells == Tells::Size { SizeHint::with_exact(self.bytes()) } else { SizeHint::default() }
    }
}

/// Answers with what it was made of.
#[derive(Clone)]
struct Answers<T>(T);

impl<T: Clone> Service<u32> for Answers<T> {
    type Response = T;
    type Error = Infallible;
    type Future = Ready<Result<T, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: u32) -> Self::Future {
        ready(Ok(self.0.clone()))
    }
}

fn diary() -> (Shared<Diary>, Diary) {
    let diary = Diary::default();
    (Shared::from_policy(diary.clone()), diary)
}

fn poll<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// What the stack answers to request 1, which is admitted.
fn call<S: Service<u32, Error = Infallible>>(mut service: S) -> S::Response {
    assert!(matches!(service.poll_ready(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(()))));
    match poll(service.call(1)) {
        Poll::Ready(Ok(response)) => response,
        _ => panic!("it answers at once"),
    }
}

type Next<B> = Poll<Option<Result<Frame<<B as Body>::Data>, <B as Body>::Error>>>;

fn next<B: Body + Unpin>(body: &mut B) -> Next<B> {
    Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop()))
}

fn response(status: u16, script: &Script) -> Response<Script> {
    let mut response = Response::builder().status(status);
    if script.tells == Tells::Length {
        response = response.header("content-length", script.bytes());
    }
    response.body(script.clone()).expect("a response")
}

/// A call whose response has come, and where its end will be written down.
fn begun(status: u16, tells: Tells, steps: &[Step]) -> (Held<Script, Diary>, Diary) {
    let (handle, diary) = diary();
    let layer = handle.layer().statuses(Statuses::default()).until_body_end().on_rejection(respond_never);
    let script = Script { steps: steps.iter().copied().collect(), tells };
    (call(layer.layer(Answers(response(status, &script)))).into_body(), diary)
}

fn respond_never(rejection: Rejection) -> Response<Held<Script, Diary>> {
    panic!("{rejection}")
}

#[test]
fn without_it_a_call_ends_with_its_head() {
    let (handle, diary) = diary();
    let layer = handle.layer().statuses(Statuses::default()).on_rejection(|_| Response::new(Script::default()));
    let script = Script { steps: [Step::Fail].into(), tells: Tells::Nothing };
    let _response = call(layer.layer(Answers(response(200, &script))));
    assert_eq!(diary.ends(), [SUCCESS]);
}

#[test]
fn a_call_ends_with_the_end_of_its_body() {
    let (mut body, diary) = begun(200, Tells::Nothing, &[Step::Data(3), Step::Wait, Step::Data(0)]);
    for _ in 0..3 {
        let _ = next(&mut body);
        assert_eq!(diary.ends(), [], "there is more to come");
    }
    assert!(matches!(next(&mut body), Poll::Ready(None)) && !body.is_held());
    assert_eq!(diary.ends(), [SUCCESS]);
    let _ = next(&mut body);
    drop(body);
    assert_eq!(diary.ends(), [SUCCESS]);
}

#[test]
fn a_call_ends_with_the_last_frame_of_a_body_that_tells_so() {
    let (mut body, diary) = begun(200, Tells::End, &[Step::Data(3), Step::Data(2)]);
    let _ = next(&mut body);
    assert_eq!(diary.ends(), []);
    let _ = next(&mut body);
    assert_eq!(diary.ends(), [SUCCESS]);
}

#[test]
fn trailers_pass_through_and_end_the_call() {
    let (mut body, diary) = begun(200, Tells::Nothing, &[Step::Data(3), Step::Trailers]);
    let _ = next(&mut body);
    assert!(matches!(next(&mut body), Poll::Ready(Some(Ok(frame))) if frame.is_trailers()));
    assert_eq!(diary.ends(), [SUCCESS]);
}

#[test]
fn a_body_that_has_nothing_is_not_waited_for() {
    for (status, tells, steps) in [
        (200, Tells::End, &[][..]),
        (200, Tells::Size, &[]),
        (200, Tells::Length, &[]),
        (204, Tells::Nothing, &[Step::Fail]),
        (304, Tells::Nothing, &[Step::Fail]),
        (101, Tells::Nothing, &[Step::Fail]),
    ] {
        let (body, diary) = begun(status, tells, steps);
        assert!(!body.is_held() && diary.ends() == [SUCCESS], "{status} {tells:?}");
    }
}

#[test]
fn a_body_that_nobody_asked_for_leaves_the_word_to_its_head() {
    let (body, diary) = begun(200, Tells::Nothing, &[Step::Data(3)]);
    assert_eq!(diary.ends(), []);
    drop(body);
    assert_eq!(diary.ends(), [SUCCESS]);
}

#[test]
fn a_body_that_is_dropped_after_its_last_byte_is_whole() {
    for tells in [Tells::Size, Tells::Length] {
        let (mut body, diary) = begun(200, tells, &[Step::Data(3), Step::Data(2)]);
        let _ = (next(&mut body), next(&mut body));
        drop(body);
        assert_eq!(diary.ends(), [SUCCESS], "{tells:?}");
    }
}

#[test]
fn a_body_that_is_dropped_midway_is_an_abandoned_call() {
    for (tells, step) in [(Tells::Length, Step::Data(3)), (Tells::End, Step::Data(3)), (Tells::Nothing, Step::Wait)] {
        let (mut body, diary) = begun(200, tells, &[step, Step::Data(2)]);
        let _ = next(&mut body);
        drop(body);
        assert_eq!(diary.ends(), [End::Abandoned], "{tells:?}");
    }
}

#[test]
fn a_bodys_error_is_a_failure() {
    let (mut body, diary) = begun(200, Tells::Nothing, &[Step::Data(3), Step::Fail]);
    let _ = next(&mut body);
    assert!(matches!(next(&mut body), Poll::Ready(Some(Err("connection reset")))));
    assert_eq!(diary.ends(), [failure("connection reset")]);
}

#[test]
fn a_head_that_failed_stays_a_failure() {
    for steps in [[Step::Data(3), Step::Fail], [Step::Data(3), Step::Trailers], [Step::Wait, Step::Wait]] {
        let (mut body, diary) = begun(503, Tells::Nothing, &steps);
        let _ = next(&mut body);
        assert_eq!(diary.ends(), [], "its permit is held as long as its body is");
        let _ = next(&mut body);
        drop(body);
        assert_eq!(diary.ends(), [failure("503 Service Unavailable")], "{steps:?}");
    }
}

#[test]
fn a_panic_of_the_body_is_one_of_the_call() {
    let (mut body, diary) = begun(200, Tells::Nothing, &[Step::Wait, Step::Panic]);
    let _ = next(&mut body);
    catch_unwind(AssertUnwindSafe(|| next(&mut body))).expect_err("it panics");
    assert_eq!(diary.ends(), [End::Panicked]);
}

#[test]
fn a_panic_elsewhere_abandons_the_body() {
    let (mut body, diary) = begun(200, Tells::Nothing, &[Step::Wait]);
    let _ = next(&mut body);
    let caught = catch_unwind(AssertUnwindSafe(move || {
        let _body = body;
        panic!("its reader");
    }));
    caught.expect_err("it panics");
    assert_eq!(diary.ends(), [End::Abandoned]);
}

#[test]
fn an_error_in_place_of_a_response_ends_the_call_at_once() {
    let (handle, diary) = diary();
    let layer: Layer<_, _, _, _> = handle.layer().statuses(Statuses::default()).until_body_end().boxed();
    let mut service = layer.layer(Fails);
    assert!(service.poll_ready(&mut Context::from_waker(Waker::noop())).is_ready());
    assert!(matches!(poll(service.call(1)), Poll::Ready(Err(_))));
    assert_eq!(diary.ends(), [failure("no route")]);
}

struct Fails;

impl Service<u32> for Fails {
    type Response = Response<Script>;
    type Error = &'static str;
    type Future = Ready<Result<Response<Script>, &'static str>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _request: u32) -> Self::Future {
        ready(Err("no route"))
    }
}

#[test]
fn any_classifier_may_judge_the_head() {
    let (handle, diary) = diary();
    let layer = handle.layer().classify(judge).until_body_end().on_rejection(respond_never);
    let script = |tells| Script { steps: [Step::Data(1)].into(), tells };
    drop(call(layer.layer(Answers(response(200, &script(Tells::Length))))));
    drop(call(layer.layer(Answers(response(200, &script(Tells::Nothing))))));
    let failed = End::Finished(Outcome::Failure, Some("no length".into()), Some(Duration::from_secs(1)));
    assert_eq!(diary.ends(), [End::Finished(Outcome::Ignored, None, None), failed]);
}

fn judge(result: &Result<Response<Script>, Infallible>) -> Report<'_> {
    match result {
        Ok(response) if response.headers().contains_key("content-length") => Report::ignored(),
        _ => Report::failure().because(&"no length").retry_after(Duration::from_secs(1)),
    }
}

#[test]
fn a_refused_request_is_answered_with_a_body_of_the_same_type() {
    let (handle, diary) = diary();
    let inner = Answers(Response::new(Full::<VecDeque<u8>>::default()));
    let full = handle.layer().statuses(Statuses::default()).on_rejection(respond_text).layer(inner);
    let inner = Answers(Response::new(String::from("served")));
    let until_head = handle.layer().statuses(Statuses::default()).on_rejection(respond);
    let until_body_end = handle.layer().statuses(Statuses::default()).until_body_end().on_rejection(respond);
    let refused = |response: &Response<String>| {
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()["retry-after"], "2");
        assert!(response.body().contains("\"retry_after\":2"), "{}", response.body());
    };
    refused(&refusal_of(until_head.layer(inner.clone())));
    refused(&refusal_of(until_body_end.layer(inner)).map(|body| body.get_ref().clone()));
    assert_eq!(refusal_of(full).status(), 429);
    assert_eq!(diary.ends(), []);
}

fn respond_text(rejection: Rejection) -> Response<Full<VecDeque<u8>>> {
    respond::<String>(rejection).map(|text| Full::new(text.into_bytes().into()))
}

fn refusal_of<S: Service<u32, Error = Infallible>>(mut service: S) -> S::Response {
    assert!(service.poll_ready(&mut Context::from_waker(Waker::noop())).is_ready());
    match poll(service.call(0)) {
        Poll::Ready(Ok(response)) => response,
        _ => panic!("it answers at once"),
    }
}

#[test]
fn a_held_body_is_as_free_to_move_as_the_body() {
    fn moves<T: Send + Sync + Unpin + 'static>(_: &T) {}
    moves(&Held::<String, Diary>::free(String::new()));
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..4_u8).prop_map(Step::Data),
        2 => Just(Step::Wait),
        1 => Just(Step::Trailers),
        1 => Just(Step::Fail),
        1 => Just(Step::Panic),
    ];
    prop::collection::vec(step, 0..6)
}

/// How a call ends whose body is polled so often and then dropped, and after how many of these polls.
fn expected(status: u16, script: &Script, polls: usize) -> (End, Option<usize>) {
    let head = match status {
        503 => failure("503 Service Unavailable"),
        404 => End::Finished(Outcome::Ignored, None, None),
        _ => SUCCESS,
    };
    let knows_length = matches!(script.tells, Tells::Size | Tells::Length);
    if status == 204 || (knows_length && script.bytes() == 0) || (script.tells == Tells::End && script.steps.is_empty())
    {
        return (head, Some(0));
    }
    let mut read = 0;
    for poll in 1..=polls {
        let last = script.tells == Tells::End && poll == script.steps.len();
        match script.steps.get(poll - 1) {
            Some(Step::Fail) if status != 503 => return (failure("connection reset"), Some(poll)),
            Some(Step::Panic) => return (End::Panicked, Some(poll)),
            None | Some(Step::Trailers | Step::Fail) => return (head, Some(poll)),
            Some(Step::Data(_)) if last => return (head, Some(poll)),
            Some(Step::Data(bytes)) => read += u64::from(*bytes),
            Some(Step::Wait) => {}
        }
    }
    let whole = knows_length && read == script.bytes();
    (if polls == 0 || whole || status == 503 { head } else { End::Abandoned }, None)
}

proptest! {
    #[test]
    fn a_call_ends_once_and_frames_pass_unchanged(
        steps in steps(),
        tells in prop::sample::select(&[Tells::Nothing, Tells::End, Tells::Size, Tells::Length]),
        status in prop::sample::select(&[200_u16, 204, 404, 503]),
        polls in 0..8_usize,
    ) {
        let (handle, diary) = diary();
        let statuses = Statuses::default().ignored(404).expect("valid");
        let layer = handle.layer().statuses(statuses).until_body_end().on_rejection(respond_never);
        let mut script = Script { steps: steps.into(), tells };
        let (end, ended_at) = expected(status, &script, polls);
        let mut body = call(layer.layer(Answers(response(status, &script)))).into_body();
        for poll in 0..=polls {
            prop_assert_eq!(diary.ends().len(), usize::from(ended_at.is_some_and(|at| poll >= at)), "after {} polls", poll);
            prop_assert_eq!(body.is_end_stream(), script.is_end_stream());
            prop_assert_eq!(body.size_hint().exact(), script.size_hint().exact());
            if poll < polls {
                let through = catch_unwind(AssertUnwindSafe(|| format!("{:?}", next(&mut body))));
                let direct = catch_unwind(AssertUnwindSafe(|| format!("{:?}", next(&mut script))));
                prop_assert_eq!(through.ok(), direct.ok());
            }
        }
        drop(body);
        prop_assert_eq!(diary.ends(), [end]);
    }
}
