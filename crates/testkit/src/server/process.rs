use std::path::Path;
use std::process::Child;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use super::{PATIENCE, wait_until};

/// Kills `child` and its children, and waits until all are gone.
///
/// The parent is stopped first, so that it neither starts another child nor reacts to the death of one.
pub(super) fn kill_tree(child: &mut Child) {
    signal(child, Signal::SIGSTOP);
    let children = children(child);
    send_all(&children, Signal::SIGKILL);
    signal(child, Signal::SIGKILL);
    let _status = child.wait();
    wait_until(PATIENCE, || children.iter().all(|&pid| is_gone(pid)));
}

/// Stops `child` and its children: the parent first, after which no further child is started.
pub(super) fn pause_tree(child: &Child) {
    signal(child, Signal::SIGSTOP);
    send_all(&children(child), Signal::SIGSTOP);
}

/// Lets `child` and its children go on: the children first, so that the parent finds them running.
pub(super) fn resume_tree(child: &Child) {
    send_all(&children(child), Signal::SIGCONT);
    signal(child, Signal::SIGCONT);
}

/// Sends `signal` to `child` alone.
pub(super) fn signal(child: &Child, signal: Signal) {
    send(pid_of(child), signal);
}

fn send_all(pids: &[Pid], signal: Signal) {
    for &pid in pids {
        send(pid, signal);
    }
}

fn send(pid: Pid, signal: Signal) {
    // The only failure that can happen to a process of our own is that it has ended, which is as good.
    let _ended = signal::kill(pid, signal);
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("a process number is a positive `pid_t`"))
}

/// The processes whose parent is `child`. PostgreSQL's and Redis's workers are one level deep, and each of PostgreSQL's
/// leads a session of its own, so that no signal to a group would reach them.
fn children(child: &Child) -> Vec<Pid> {
    let parent = pid_of(child);
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Pid::from_raw));
    numbers.filter(|&pid| stat(pid).is_some_and(|stat| stat.parent == parent)).collect()
}

fn is_gone(pid: Pid) -> bool {
    stat(pid).is_none_or(|stat| matches!(stat.state, 'Z' | 'X'))
}

struct Stat {
    state: char,
    parent: Pid,
}

fn stat(pid: Pid) -> Option<Stat> {
    parse_stat(&std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?)
}

fn parse_stat(text: &str) -> Option<Stat> {
    // The program's name stands in parentheses and may itself contain any character.
    let (_, after_name) = text.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some(Stat { state, parent: Pid::from_raw(fields.next()?.parse().ok()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_confuse() {
        let stat = parse_stat("17 (a) b) S 5 17 17 0 -1").expect("a well-formed line");
        assert_eq!((stat.state, stat.parent), ('S', Pid::from_raw(5)));
        assert!(parse_stat("").is_none());
    }
}
