use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::program::{find_folder, path_folders};
use super::{Recipe, ServerError};

pub(super) struct Redis {
    binaries: PathBuf,
}

impl Redis {
    pub(super) fn find() -> Result<Self, ServerError> {
        let binaries = find_folder(&["redis-server"], path_folders(), "apt-get install redis-server")?;
        Ok(Self { binaries })
    }
}

impl Recipe for Redis {
    fn name(&self) -> &'static str {
        "redis-server"
    }

    fn prepare(&self, _folder: &Path) -> Result<(), ServerError> {
        Ok(())
    }

    fn command(&self, folder: &Path, port: u16) -> Command {
        let mut command = Command::new(self.binaries.join("redis-server"));
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--daemonize", "no"]);
        command.arg("--dir").arg(folder);
        // An acknowledged write survives a kill; no background snapshots that would disturb a measurement.
        command.args(["--appendonly", "yes", "--appendfsync", "always", "--save", ""]);
        command
    }

    fn is_ready(&self, _folder: &Path, port: u16, pid: u32) -> bool {
        process_at(port).is_ok_and(|found| found == Some(pid))
    }

    fn url(&self, port: u16) -> String {
        format!("redis://127.0.0.1:{port}/")
    }

    fn stop_signal(&self) -> Signal {
        Signal::SIGTERM
    }

    fn clean_up(&self, _folder: &Path) {}
}

/// Which process the server on `port` says it is, once it has loaded its data.
fn process_at(port: u16) -> std::io::Result<Option<u32>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n*1\r\n$4\r\nQUIT\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let pid = || answer.lines().find_map(|line| line.strip_prefix("process_id:")?.trim().parse().ok());
    Ok(answer.strip_prefix("+PONG\r\n").and_then(|_| pid()))
}
