//! Real servers for tests: private, on loopback, gone when the test is over.
//!
//! [`redis`] and [`postgres`] start the installed binaries on a free port with data in a temporary folder, wait until
//! they answer, and give a [`Server`] that a test may kill, pause and restart: what a dependency does to a service in
//! production. Both write durably, so what was acknowledged before [`Server::kill`] is there after
//! [`Server::restart`].
//!
//! ```no_run
//! let mut redis = seawall_testkit::server::redis()?;
//! let url = redis.url().to_owned();
//! redis.pause();   // connects, never answers
//! redis.resume();
//! redis.kill();    // refuses connections
//! redis.restart()?;
//! assert_eq!(redis.url(), url);
//! # Ok::<(), seawall_testkit::server::ServerError>(())
//! ```
//!
//! Tests with servers are marked `#[ignore = "needs redis-server: apt-get install redis-server"]` or
//! `#[ignore = "needs postgresql: apt-get install postgresql"]`, so that a plain `cargo test` passes without them.
//!
//! The servers accept anyone who can connect to this machine's loopback interface. They stay in the process group of
//! the tests, so that an interrupt from the terminal reaches them as well.

mod error;
mod postgres;
mod process;
mod program;
mod redis;

use std::fmt;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use seawall_core::time::Clock;
use tempfile::TempDir;

pub use error::ServerError;

use crate::random::Random;

/// Starts a private Redis server that syncs every write to its file before it answers.
pub fn redis() -> Result<Server, ServerError> {
    Server::start(Box::new(redis::Redis::find()?))
}

/// Starts a throw-away PostgreSQL cluster: superuser and database `postgres`, no password.
///
/// Where the test runs as root, which PostgreSQL refuses, the cluster runs as the user `postgres`.
pub fn postgres() -> Result<Server, ServerError> {
    Server::start(Box::new(postgres::Postgres::find()?))
}

/// A running server of a test's own. Dropping it stops the server and removes its data.
pub struct Server {
    recipe: Box<dyn Recipe>,
    port: u16,
    url: String,
    command: Command,
    child: Option<Child>,
    folder: TempDir,
}

/// How one kind of server is run.
trait Recipe: Send + Sync {
    fn name(&self) -> &'static str;
    /// What must be in the folder before the first start.
    fn prepare(&self, folder: &Path) -> Result<(), ServerError>;
    /// The server in the foreground, with its output in [`log_file`].
    fn command(&self, folder: &Path, port: u16) -> Command;
    /// Whether the process `pid`, and no other that may have the port, answers there.
    fn is_ready(&self, folder: &Path, port: u16, pid: u32) -> bool;
    fn url(&self, port: u16) -> String;
    /// The signal for an orderly and quick stop.
    fn stop_signal(&self) -> Signal;
    /// What a killed server leaves outside of its folder.
    fn clean_up(&self, folder: &Path);
}

/// How long a server may take to start or to stop, on a slow machine under load.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many ports are tried: another process may take a port that was free a moment ago.
const PORTS: usize = 5;

impl Server {
    fn start(recipe: Box<dyn Recipe>) -> Result<Self, ServerError> {
        let folder = tempfile::Builder::new()
            .prefix(&format!("seawall-{}-", recipe.name()))
            .tempdir()
            .map_err(|source| ServerError::io("making a temporary folder", source))?;
        recipe.prepare(folder.path())?;
        let (port, url, command) = (0, String::new(), Command::new(recipe.name()));
        let mut server = Self { recipe, port, url, command, child: None, folder };
        let mut last = None;
        for _ in 0..PORTS {
            server.settle_on(free_port()?)?;
            match server.launch() {
                Ok(()) => return Ok(server),
                Err(error @ ServerError::Failed { .. }) => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.expect("at least one port was tried"))
    }

    /// Where clients connect to.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The port on 127.0.0.1; the same after a restart.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether the server was started and neither stopped nor killed; a paused one is running.
    pub const fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// What the server wrote about itself.
    pub fn log(&self) -> String {
        std::fs::read_to_string(log_file(self.folder.path())).unwrap_or_default()
    }

    /// Kills the server and its worker processes (`SIGKILL`), as a crash would. Connections break, new ones are refused.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            process::kill_tree(&mut child);
        }
    }

    /// Stops the server and its worker processes in their tracks (`SIGSTOP`): connections stay and nobody answers.
    pub fn pause(&mut self) {
        if let Some(child) = &self.child {
            process::pause_tree(child);
        }
    }

    /// Lets a paused server go on (`SIGCONT`).
    pub fn resume(&mut self) {
        if let Some(child) = &self.child {
            process::resume_tree(child);
        }
    }

    /// Stops the server in good order; its data stay for [`restart`](Self::restart).
    pub fn stop(&mut self) {
        self.resume();
        if let Some(mut child) = self.child.take() {
            process::signal(&child, self.recipe.stop_signal());
            if !wait_until(PATIENCE, || matches!(child.try_wait(), Ok(Some(_)))) {
                process::kill_tree(&mut child);
            }
        }
    }

    /// Stops the server if it is running, and starts it again with the same port and data.
    pub fn restart(&mut self) -> Result<(), ServerError> {
        self.stop();
        self.launch()
    }

    fn settle_on(&mut self, port: u16) -> Result<(), ServerError> {
        let folder = self.folder.path();
        self.port = port;
        self.url = self.recipe.url(port);
        self.command = self.recipe.command(folder, port);
        let log =
            std::fs::File::create(log_file(folder)).map_err(|source| ServerError::io("making a log file", source))?;
        let output = log.try_clone().map_err(|source| ServerError::io("sharing the log file", source))?;
        self.command.current_dir(folder).stdin(Stdio::null()).stdout(output).stderr(log);
        Ok(())
    }

    fn launch(&mut self) -> Result<(), ServerError> {
        let name = self.recipe.name();
        let child = self.command.spawn().map_err(|source| ServerError::io(format!("starting {name}"), source))?;
        let pid = child.id();
        let child = self.child.insert(child);
        let (recipe, folder, port) = (&self.recipe, self.folder.path(), self.port);
        let mut exit = None;
        let answered = wait_until(PATIENCE, || {
            exit = child.try_wait().ok().flatten();
            exit.is_some() || recipe.is_ready(folder, port, pid)
        });
        if answered && exit.is_none() {
            return Ok(());
        }
        self.kill();
        let log = self.log();
        Err(match exit {
            Some(status) => ServerError::Failed { server: name, status, log },
            None => ServerError::Silent { server: name, port, log },
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        self.recipe.clean_up(self.folder.path());
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("url", &self.url).field("is_running", &self.is_running()).finish_non_exhaustive()
    }
}

fn log_file(folder: &Path) -> PathBuf {
    folder.join("server.log")
}

/// A loopback port that nobody listens on.
///
/// It lies below the ports that the system gives to outgoing connections. Among those, a client that keeps connecting to
/// a server that is down would some day be given the server's own port as its source, and talk to itself.
fn free_port() -> Result<u16, ServerError> {
    const BELOW_EPHEMERAL: std::ops::Range<u16> = 16_000..32_000;
    let mut random = Random::from_entropy();
    let mut last = None;
    for _ in 0..200 {
        let offset = random.below(BELOW_EPHEMERAL.len());
        let port = BELOW_EPHEMERAL.start + u16::try_from(offset).expect("below the length of a range of ports");
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) => last = Some(error),
        }
    }
    Err(ServerError::io("looking for a free port", last.expect("at least one port was tried")))
}

/// Asks for `condition` until it holds or `patience` is over; whether it holds.
///
/// A process of its own tells nobody when it is ready: this waits in real time.
#[expect(clippy::disallowed_methods, reason = "another process takes real time and cannot be awaited")]
fn wait_until(patience: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let clock = Clock::system();
    let end = clock.now() + patience;
    loop {
        if condition() {
            return true;
        }
        if clock.now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_can_be_bound_and_is_not_ephemeral() {
        let port = free_port().expect("some port is free");
        assert!((16_000..32_000).contains(&port));
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("it is free");
    }

    #[test]
    fn waiting_ends_with_the_condition_or_with_patience() {
        let mut asked = 0;
        assert!(wait_until(PATIENCE, || {
            asked += 1;
            asked == 3
        }));
        assert_eq!(asked, 3);
        assert!(!wait_until(Duration::ZERO, || false));
    }
}
