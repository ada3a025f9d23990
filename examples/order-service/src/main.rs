//! Starts the order service, and stops it when it is told to.

use std::process::ExitCode;

use clap::Parser;
use order_service::config::{Cli, Settings};
use order_service::{Service, Signals, logging};

/// The configuration cannot be used.
const MISCONFIGURED: u8 = 2;

fn main() -> ExitCode {
    let settings = match Cli::parse().settings() {
        Ok(settings) => settings,
        Err(fault) => {
            eprintln!("order-service: {fault}");
            return ExitCode::from(MISCONFIGURED);
        }
    };
    logging::start(&settings.log);
    match run(settings) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("order-service: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs until a signal asks for the end; a second one does not wait for it. Whether every request was finished.
#[tokio::main]
async fn run(settings: Settings) -> Result<bool, Box<dyn std::error::Error>> {
    let mut signals = Signals::take()?;
    let service = Service::start(settings).await?;
    let signal = signals.next().await;
    tracing::info!(signal, "told to stop");
    tokio::select! {
        finished = service.stop() => Ok(finished),
        signal = signals.next() => {
            tracing::warn!(signal, "told again: stopping at once");
            Ok(false)
        }
    }
}
