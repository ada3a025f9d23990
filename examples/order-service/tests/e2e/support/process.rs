//! The real program, where the process itself matters.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;
use serde_json::Value;

use super::{Client, Storage};

const PROGRAM: &str = env!("CARGO_BIN_EXE_order-service");

/// A running order service. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    port: u16,
    pub(crate) public: Client,
    pub(crate) admin: Client,
    log: Arc<Mutex<Vec<String>>>,
}

impl Process {
    /// Starts one on free ports that keeps its orders in `storage`, with quotas out of the way, and waits until it listens.
    pub(crate) fn start(storage: &Storage, arguments: &[&str]) -> Self {
        Self::start_as_told(storage, &[&["--profile", "load"], arguments].concat())
    }

    /// The same, with the profile that the arguments say.
    pub(crate) fn start_as_told(storage: &Storage, arguments: &[&str]) -> Self {
        let mut program = program();
        storage.pass_to(&mut program);
        let mut child = program
            .args(["--port", "0", "--admin-port", "0", "--log", "json"])
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut log = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let listening = log
            .by_ref()
            .map(|line| line.expect("the log is UTF-8"))
            .find(|line| line.contains("\"listening\""))
            .expect("the service listens");
        // The pipe is read to its end, or a full one would stop the service.
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = lines.clone();
        thread::spawn(move || log.map_while(Result::ok).for_each(|line| kept.lock().push(line)));
        let listening: Value = serde_json::from_str(&listening).expect("the log is JSON");
        let [public, admin]: [SocketAddr; 2] = ["public", "admin"]
            .map(|name| listening[name].as_str().and_then(|text| text.parse().ok()).expect("an address"));
        Self { child, port: public.port(), public: Client::new(public), admin: Client::new(admin), log: lines }
    }

    /// The public listener's port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What it has logged since it listens.
    pub(crate) fn logged(&self) -> Vec<String> {
        self.log.lock().clone()
    }

    /// SIGKILL: nothing is finished, nothing is flushed.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the process can be killed");
        self.child.wait().expect("the process ends");
    }

    /// SIGTERM: the polite way.
    pub(crate) fn terminate(&self) {
        let sent = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status();
        assert!(sent.expect("a shell runs").success(), "the signal cannot be sent");
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the process can be waited for")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails for a process that has ended, as it should have.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the program, which is expected to end by itself.
pub(crate) fn run_to_end(arguments: &[&str]) -> Output {
    output(program().args(arguments))
}

/// The same, in an environment that names a database.
pub(crate) fn run_to_end_with(database_url: &str, arguments: &[&str]) -> Output {
    output(program().env("DATABASE_URL", database_url).args(arguments))
}

/// The same, with its orders in `storage`.
pub(crate) fn run_to_end_on(storage: &Storage, arguments: &[&str]) -> Output {
    let mut program = program();
    storage.pass_to(&mut program);
    output(program.args(arguments))
}

/// It ended with code 1 and one line, which tells.
pub(crate) fn ended_with_code_1(output: &Output, told: &str) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let complaint = str::from_utf8(&output.stderr).expect("UTF-8");
    let lines: Vec<_> = complaint.lines().collect();
    assert!(matches!(lines[..], [line] if line.starts_with("order-service: ") && line.contains(told)), "{complaint}");
}

/// The program, in an environment that names no database.
fn program() -> Command {
    let mut program = Command::new(PROGRAM);
    program.env_remove("DATABASE_URL");
    program
}

fn output(program: &mut Command) -> Output {
    program.stdin(Stdio::null()).output().expect("the program runs")
}
