use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

/// Why a server could not be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum ServerError {
    /// The server's programs are not installed.
    Missing {
        /// The programs that must be in one folder.
        programs: &'static [&'static str],
        /// The folders that were searched.
        searched: Vec<PathBuf>,
        /// The command that installs them on Debian.
        install: &'static str,
    },
    /// PostgreSQL does not run as root, and there is no other user to run it.
    NoUser {
        /// The user that was looked for.
        user: &'static str,
        /// The command that makes the user on Debian.
        install: &'static str,
    },
    /// The server, or the program that prepares its data, ended when it should not.
    Failed {
        /// The program.
        server: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote.
        log: String,
    },
    /// The server runs and does not answer.
    Silent {
        /// The program.
        server: &'static str,
        /// Where it was asked.
        port: u16,
        /// What it wrote.
        log: String,
    },
    /// The system refused something.
    Io {
        /// What was being done.
        doing: String,
        /// The system's answer.
        source: io::Error,
    },
}

impl ServerError {
    pub(super) fn io(doing: impl Into<String>, source: io::Error) -> Self {
        Self::Io { doing: doing.into(), source }
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { programs, searched, install } => {
                let folders: Vec<_> = searched.iter().map(|folder| folder.display().to_string()).collect();
                write!(f, "{} not found in {}; install: {install}", programs.join(" and "), folders.join(":"))
            }
            Self::NoUser { user, install } => {
                write!(f, "PostgreSQL refuses to run as root and there is no user `{user}`; install: {install}")
            }
            Self::Failed { server, status, log } => write!(f, "{server} ended with {status}; it wrote:\n{log}"),
            Self::Silent { server, port, log } => {
                write!(f, "{server} does not answer on port {port} of 127.0.0.1; it wrote:\n{log}")
            }
            Self::Io { doing, source } => write!(f, "{doing}: {source}"),
        }
    }
}

impl Error for ServerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
