//! How a path is driven, timed, checked and reported.
//!
//! ```text
//! Contest  a path of a pattern: ours, its rivals, their targets
//!   Subject  one side, built once per contest: hands out a Lane per thread, audits its books at the end
//!   Crew     the threads that run the lanes from one start line
//!   measure  calibrates, warms up, runs the rounds in turn, and makes Rows of the medians
//! ```

mod contest;
mod crew;
mod drive;
mod figures;
mod measure;
mod physical;
mod row;
mod subject;

pub use contest::{Contender, Contest, Expected, Rival};
pub use crew::{Crew, Lap};
pub use drive::{drive_sync, poll_to_end, serve};
pub use figures::{median, ratio_of_medians};
pub use measure::{Effort, measure};
pub use physical::{atomic_add, tsc_read, two_tsc_reads_and_atomic_add, two_tsc_reads_and_striped_add};
pub use row::{Row, Verdict, table};
pub use subject::{Lane, Mismatch, Subject, Tally};
