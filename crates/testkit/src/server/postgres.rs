use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::{Uid, User};

use super::program::{find_folder, path_folders};
use super::{Recipe, ServerError};

const USER: &str = "postgres";
const INSTALL: &str = "apt-get install postgresql";

pub(super) struct Postgres {
    binaries: PathBuf,
    /// Whom the server runs as, where the test itself is root.
    user: Option<User>,
}

impl Postgres {
    pub(super) fn find() -> Result<Self, ServerError> {
        let mut folders = path_folders();
        folders.extend(debian_folders(Path::new("/usr/lib/postgresql")));
        let binaries = find_folder(&["postgres", "initdb"], folders, INSTALL)?;
        let user = if Uid::effective().is_root() { Some(unprivileged_user()?) } else { None };
        Ok(Self { binaries, user })
    }

    fn program(&self, name: &str, folder: &Path) -> Command {
        let mut command = Command::new(self.binaries.join(name));
        command.current_dir(folder).env("LC_ALL", "C").env("TZ", "UTC");
        if let Some(user) = &self.user {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }
}

impl Recipe for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn prepare(&self, folder: &Path) -> Result<(), ServerError> {
        if let Some(user) = &self.user {
            chown(folder, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
                .map_err(|source| ServerError::io(format!("giving the data folder to `{USER}`"), source))?;
        }
        let output = self
            .program("initdb", folder)
            .arg("--pgdata")
            .arg(data(folder))
            // The new cluster itself need not survive a power failure; what the server writes later is synced.
            .args(["--username", USER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"])
            .output()
            .map_err(|source| ServerError::io("starting initdb", source))?;
        if output.status.success() {
            return Ok(());
        }
        let log = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        Err(ServerError::Failed { server: "initdb", status: output.status, log })
    }

    fn command(&self, folder: &Path, port: u16) -> Command {
        let mut command = self.program("postgres", folder);
        command.arg("-D").arg(data(folder)).args(["-p", &port.to_string(), "-h", "127.0.0.1", "-c", "fsync=on"]);
        command.arg("-k").arg(folder);
        // Shared memory as files in the data folder, which go with it even if the server is killed.
        command.args(["-c", "dynamic_shared_memory_type=mmap"]);
        command
    }

    fn is_ready(&self, folder: &Path, port: u16, pid: u32) -> bool {
        lock_file(folder).first() == Some(&pid.to_string()) && lets_in(port).unwrap_or(false)
    }

    fn url(&self, port: u16) -> String {
        format!("postgres://{USER}@127.0.0.1:{port}/postgres")
    }

    fn stop_signal(&self) -> Signal {
        // The "fast" shutdown: clients are disconnected, what was committed is written.
        Signal::SIGINT
    }

    fn clean_up(&self, folder: &Path) {
        // A killed server leaves the System V segment by which it guards its data; an orderly stop removes it together
        // with the lock file. Its seventh line has the segment's key and number.
        let segment = lock_file(folder).get(6).and_then(|line| line.split_whitespace().nth(1).map(str::to_owned));
        if let Some(number) = segment {
            // A segment that stays is 56 bytes until the next boot: not worth failing a test over.
            let _removed = Command::new("ipcrm").args(["-m", &number]).output();
        }
    }
}

fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// The lines of the file that a running server holds, the process's number first; empty when there is none.
fn lock_file(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(data(folder).join("postmaster.pid")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Whether the server lets a client in. While it starts or recovers it answers with an error.
fn lets_in(port: u16) -> std::io::Result<bool> {
    const PROTOCOL_3_0: u32 = 3 << 16;
    const TERMINATE: &[u8] = b"X\0\0\0\x04";
    const AUTHENTICATION: u8 = b'R';

    let parameters = format!("user\0{USER}\0database\0postgres\0\0");
    let length = u32::try_from(4 + 4 + parameters.len()).expect("a short message");
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(&[&length.to_be_bytes()[..], &PROTOCOL_3_0.to_be_bytes(), parameters.as_bytes()].concat())?;
    let mut first = [0];
    stream.read_exact(&mut first)?;
    if first[0] == AUTHENTICATION {
        stream.write_all(TERMINATE)?;
    }
    Ok(first[0] == AUTHENTICATION)
}

/// Debian keeps the server's programs out of `PATH`, one folder for each major version: the newest first.
fn debian_folders(root: &Path) -> Vec<PathBuf> {
    let versions = std::fs::read_dir(root).into_iter().flatten().flatten();
    let mut versions: Vec<u32> = versions.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    let mut folders: Vec<_> = versions.iter().map(|version| root.join(version.to_string()).join("bin")).collect();
    if folders.is_empty() {
        // Named in the error, so that the reader learns where else the programs may be.
        folders.push(root.join("*/bin"));
    }
    folders
}

fn unprivileged_user() -> Result<User, ServerError> {
    let found = User::from_name(USER).map_err(|errno| ServerError::io(format!("looking up `{USER}`"), errno.into()))?;
    found.ok_or(ServerError::NoUser { user: USER, install: INSTALL })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_debian_version_comes_first() {
        let root = tempfile::tempdir().expect("a temporary folder");
        for version in ["9", "17", "15", "common"] {
            std::fs::create_dir(root.path().join(version)).expect("a folder in a temporary folder");
        }
        let expected = ["17/bin", "15/bin", "9/bin"].map(|version| root.path().join(version));
        assert_eq!(debian_folders(root.path()), expected);
    }

    #[test]
    fn without_any_version_the_error_names_where_they_would_be() {
        assert_eq!(debian_folders(Path::new("/nowhere")), [PathBuf::from("/nowhere/*/bin")]);
    }
}
