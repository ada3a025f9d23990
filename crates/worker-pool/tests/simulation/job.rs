use std::collections::VecDeque;
use std::fmt;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use parking_lot::Mutex;
use seawall_core::Priority;
use seawall_core::time::{Clock, ManualTime, Sleep, Timestamp};
use seawall_worker_pool::{Attempt, JobError, JobOptions, Reason};

/// What a job does, drawn beforehand, and what was seen of it.
pub(crate) struct Record {
    pub(crate) id: u64,
    pub(crate) pool: usize,
    pub(crate) plan: Plan,
    seen: Mutex<Seen>,
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) form: Form,
    pub(crate) priority: Priority,
    pub(crate) options: JobOptions,
    /// How often it may be tried, if the job itself says so.
    pub(crate) attempts: Option<u32>,
    pub(crate) door: Door,
    pub(crate) after: After,
    /// What each attempt does; the last is repeated.
    pub(crate) tries: Vec<Try>,
    /// Whether the future panics when it is dropped after it began.
    pub(crate) drop_panics: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Future,
    Repeat,
    Blocking,
    RepeatBlocking,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    TrySubmit,
    TryExecute,
    Submit,
    SubmitWithin(Duration),
    Execute,
    ExecuteWithin(Duration),
    Run,
}

/// What becomes of the handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    Keep,
    KeepAndCancelOnDrop,
    Await,
    Detach,
    Drop,
}

#[derive(Clone, Debug)]
pub(crate) struct Try {
    pub(crate) steps: Vec<Step>,
    pub(crate) end: End,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Yield,
    Sleep(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Succeed,
    Fail,
    Panic,
    /// As `Fail` if it was told to stop, otherwise as `Succeed`.
    Ask,
}

/// The error of an attempt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    job: u64,
    attempt: u32,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "attempt {} of job {} failed", self.attempt, self.job)
    }
}

/// What a job panics with.
pub(crate) struct Boom(u64);

pub(crate) type Outcome = Result<u64, JobError<Failure>>;

/// How a job ended, as its handle told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Told {
    Completed,
    Failed,
    Panicked,
    TimedOut,
    Cancelled,
    Expired,
    Dropped,
    Lost,
}

/// Whether the pool took it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Admission {
    #[default]
    Unknown,
    Taken,
    Refused(Reason),
    /// Whoever submitted it was dropped before that was known.
    Abandoned,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) admission: Admission,
    /// Its place among all that were taken.
    pub(crate) turn: u64,
    pub(crate) started: u32,
    pub(crate) running: u32,
    pub(crate) succeeded: u32,
    pub(crate) failed: u32,
    pub(crate) panicked: u32,
    pub(crate) cut: u32,
    /// Parts of it that have not been dropped.
    pub(crate) alive: u32,
    pub(crate) told: Option<Told>,
    /// After how many starts it was cancelled, with success.
    pub(crate) cancelled: Option<u32>,
    /// When the attempt that runs is to be cut off.
    pub(crate) until: Option<Timestamp>,
    /// A drain gave it back.
    pub(crate) moved: bool,
    /// What must not be.
    pub(crate) wrong: Option<&'static str>,
}

impl Record {
    pub(crate) fn new(id: u64, pool: usize, plan: Plan) -> Arc<Self> {
        Arc::new(Self { id, pool, plan, seen: Mutex::default() })
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().clone()
    }

    pub(crate) fn note<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        change(&mut self.seen.lock())
    }

    pub(crate) fn admit(&self, admission: Admission) {
        self.note(|seen| {
            assert_eq!(seen.admission, Admission::Unknown, "job {} was admitted twice", self.id);
            seen.admission = admission;
        });
    }

    /// Keeps what the handle told, which must fit what happened.
    pub(crate) fn resolve(&self, outcome: Outcome) {
        let told = match outcome {
            Ok(value) => {
                assert_eq!(value, self.id, "the result of another job");
                Told::Completed
            }
            Err(JobError::Failed(failure)) => {
                assert_eq!(
                    failure,
                    Failure { job: self.id, attempt: self.seen().started },
                    "not the last attempt's error"
                );
                Told::Failed
            }
            Err(JobError::Panicked(panic)) => {
                let payload = panic.into_payload().downcast::<Boom>().expect("the payload of the job");
                assert_eq!(payload.0, self.id, "the panic of another job");
                Told::Panicked
            }
            Err(JobError::TimedOut) => Told::TimedOut,
            Err(JobError::Cancelled) => Told::Cancelled,
            Err(JobError::Expired) => Told::Expired,
            Err(JobError::Dropped) => Told::Dropped,
            Err(JobError::Lost) => Told::Lost,
            Err(error) => panic!("unknown: {error}"),
        };
        self.note(|seen| {
            assert_eq!(seen.told, None, "job {} was answered twice", self.id);
            seen.told = Some(told);
        });
    }

    /// An attempt begins; gives its number.
    fn start(&self) -> u32 {
        self.note(|seen| {
            let late = u32::from(matches!(self.plan.form, Form::Blocking | Form::RepeatBlocking));
            let wrong = [
                (matches!(seen.admission, Admission::Refused(_)), "runs though it was refused"),
                (seen.running > 0, "runs twice at once"),
                (seen.succeeded > 0, "runs again after its success"),
                // Blocking work may be on its way to its thread.
                (seen.cancelled.is_some_and(|starts| seen.started >= starts + late), "starts after it was cancelled"),
                (seen.told.is_some(), "starts after its end"),
            ];
            // A panic here would be one of the job's.
            seen.wrong = seen.wrong.or(wrong.into_iter().find_map(|(is_so, what)| is_so.then_some(what)));
            seen.started += 1;
            seen.running += 1;
            seen.started
        })
    }

    fn try_of(&self, attempt: u32) -> &Try {
        let tries = &self.plan.tries;
        &tries[(attempt as usize - 1).min(tries.len() - 1)]
    }

    fn finish(&self, end: End, attempt: u32) -> Result<u64, Failure> {
        self.note(|seen| {
            seen.running -= 1;
            match end {
                End::Succeed | End::Ask => seen.succeeded += 1,
                End::Fail => seen.failed += 1,
                End::Panic => seen.panicked += 1,
            }
        });
        match end {
            End::Succeed | End::Ask => Ok(self.id),
            End::Fail => Err(Failure { job: self.id, attempt }),
            End::Panic => resume_unwind(Box::new(Boom(self.id))),
        }
    }

    /// The work of a blocking job.
    pub(crate) fn block(&self, attempt: &Attempt, time: &ManualTime) -> Result<u64, Failure> {
        let number = self.start();
        let Try { steps, end } = self.try_of(number);
        for step in steps {
            if let Step::Sleep(span) = step {
                time.advance(*span);
            }
        }
        let end = if *end == End::Ask && attempt.is_stopped() { End::Fail } else { *end };
        self.finish(end, number)
    }
}

/// Something of a job that lives as long as the job does.
pub(crate) struct Part(Arc<Record>);

impl Part {
    pub(crate) fn new(record: &Arc<Record>) -> Self {
        record.note(|seen| seen.alive += 1);
        Self(record.clone())
    }

    pub(crate) fn record(&self) -> &Arc<Record> {
        &self.0
    }
}

impl Clone for Part {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.0.note(|seen| seen.alive -= 1);
    }
}

/// Is told that an attempt begins.
type Listener = Box<dyn Fn(&Record) + Send>;

/// One attempt of a job that is a future.
pub(crate) struct Body {
    part: Part,
    clock: Clock,
    attempt: u32,
    steps: VecDeque<Step>,
    timer: Option<Pin<Box<Sleep>>>,
    is_over: bool,
    until: Option<Timestamp>,
    told: Option<Listener>,
    last: Option<Box<dyn FnOnce() + Send>>,
}

impl Body {
    pub(crate) fn new(part: Part, clock: Clock) -> Self {
        Self {
            part,
            clock,
            attempt: 0,
            steps: VecDeque::new(),
            timer: None,
            is_over: false,
            until: None,
            told: None,
            last: None,
        }
    }

    /// When it is to be cut off.
    pub(crate) fn until(mut self, until: Option<Timestamp>) -> Self {
        self.until = until;
        self
    }

    /// Is called when the attempt begins.
    pub(crate) fn on_start(mut self, told: impl Fn(&Record) + Send + 'static) -> Self {
        self.told = Some(Box::new(told));
        self
    }

    /// Is called before the attempt ends by itself.
    pub(crate) fn at_last(mut self, last: Option<Box<dyn FnOnce() + Send>>) -> Self {
        self.last = last;
        self
    }
}

impl Future for Body {
    type Output = Result<u64, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let record = this.part.record().clone();
        if this.attempt == 0 {
            this.attempt = record.start();
            record.note(|seen| seen.until = this.until);
            if let Some(told) = this.told.take() {
                told(&record);
            }
            this.steps = record.try_of(this.attempt).steps.iter().copied().collect();
        }
        loop {
            if let Some(timer) = &mut this.timer {
                ready!(timer.as_mut().poll(cx));
                this.timer = None;
            }
            match this.steps.pop_front() {
                Some(Step::Yield) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Step::Sleep(span)) => this.timer = Some(Box::pin(this.clock.sleep(span))),
                None => break,
            }
        }
        if let Some(last) = this.last.take() {
            last();
        }
        this.is_over = true;
        Poll::Ready(record.finish(record.try_of(this.attempt).end, this.attempt))
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if self.attempt == 0 {
            return;
        }
        let record = self.part.record();
        let panics = record.plan.drop_panics && !std::thread::panicking();
        record.note(|seen| {
            if !self.is_over {
                seen.running -= 1;
                seen.cut += 1;
            } else if panics {
                // It is the attempt's end, whatever the body gave.
                seen.panicked += 1;
                seen.succeeded = 0;
            }
        });
        if panics {
            resume_unwind(Box::new(Boom(record.id)));
        }
    }
}
