//! The pool through its public door: on manual time with an executor that does what a test says, and on the runtimes that
//! people use.

mod cancel;
mod desk;
mod faults;
mod newest;
mod panics;
mod policies;
mod room;
mod runtimes;
mod size;
mod spawners;
mod time;
