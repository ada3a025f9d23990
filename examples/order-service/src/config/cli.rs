//! The command line.

use std::path::PathBuf;

use clap::Parser;

use super::{LogFormat, Settings, file};

/// The order service: a coffee shop's back office that stays up.
#[derive(Clone, Debug, Default, Parser)]
#[command(version)]
pub struct Cli {
    /// The configuration file; without it the defaults hold
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The public listener's port [default: 8080]; 0 takes a free one
    #[arg(long)]
    pub port: Option<u16>,
    /// The admin listener's port [default: 8081]; 0 takes a free one
    #[arg(long)]
    pub admin_port: Option<u16>,
    /// The folder of the database [default: data]
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// How lines of the log are written [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub log: Option<LogFormat>,
}

impl Cli {
    /// The settings that the command line asks for: those of the file, or the defaults, with what it says itself.
    ///
    /// # Errors
    /// One line on what is wrong with the file.
    pub fn settings(self) -> Result<Settings, String> {
        let mut settings = match &self.config {
            Some(path) => file::read(path)?,
            None => Settings::default(),
        };
        if let Some(port) = self.port {
            settings.server.port = port;
        }
        if let Some(port) = self.admin_port {
            settings.server.admin_port = port;
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
