//! The command line.

use std::env;
use std::path::PathBuf;

use clap::Parser;

use super::rules::check_database_url;
use super::{DatabaseUrl, LogFormat, Profile, Settings, file};

/// The variable of the environment that names the database, as it does for many a program.
const VARIABLE: &str = "DATABASE_URL";

/// The order service: a coffee shop's back office that stays up.
#[derive(Clone, Debug, Default, Parser)]
#[command(version)]
pub struct Cli {
    /// The configuration file; without it the defaults hold
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What the service is set up for [default: demo]
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<Profile>,
    /// The public listener's port [default: 8080]; 0 takes a free one
    #[arg(long)]
    pub port: Option<u16>,
    /// The admin listener's port [default: 8081]; 0 takes a free one
    #[arg(long)]
    pub admin_port: Option<u16>,
    /// PostgreSQL, as in `postgres://user:password@localhost:5432/orders`; without it SQLite keeps everything in the data
    /// folder. Others may see a command line: a password is safer in the environment, as `DATABASE_URL`
    #[arg(long, value_name = "URL")]
    pub database_url: Option<String>,
    /// The folder of the database [default: data]
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// How lines of the log are written [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub log: Option<LogFormat>,
}

impl Cli {
    /// The settings that the command line asks for: those of the file, or the defaults, with what it says itself. Where the
    /// database is may be in the environment as well: that overrides the file, and the command line overrides that.
    ///
    /// # Errors
    /// One line on what is wrong with the file, or with the URL.
    pub fn settings(self) -> Result<Settings, String> {
        let mut settings = match &self.config {
            Some(path) => file::read(path)?,
            None => Settings::default(),
        };
        if let Some(profile) = self.profile {
            settings.profile = profile;
        }
        if let Some(port) = self.port {
            settings.server.port = port;
        }
        if let Some(port) = self.admin_port {
            settings.server.admin_port = port;
        }
        let url = match self.database_url {
            Some(url) => Some(("--database-url", url)),
            None => from_environment()?.map(|url| (VARIABLE, url)),
        };
        if let Some((name, url)) = url {
            let url = DatabaseUrl::from(&*url);
            check_database_url(name, &url).map_err(|invalid| file::printable(&invalid.to_string()))?;
            settings.database.url = Some(url);
        }
        if let Some(folder) = self.data {
            settings.data.folder = folder;
        }
        if let Some(format) = self.log {
            settings.log.format = format;
        }
        Ok(settings)
    }
}

/// An empty variable is none, as for a shell's `DATABASE_URL= order-service`.
fn from_environment() -> Result<Option<String>, String> {
    match env::var(VARIABLE) {
        Ok(url) => Ok(Some(url).filter(|url| !url.is_empty())),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(format!("`{VARIABLE}` is not UTF-8, must be {}", DatabaseUrl::RULE)),
    }
}
