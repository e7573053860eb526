//! The program: hands its arguments to the command line, and the daemon to its verb `serve`.

use std::process::ExitCode;

use orchestrator::serve::{self, ServeError};

fn main() -> ExitCode {
    orchestrator::cli::run(std::env::args_os(), |start| {
        Box::pin(async {
            match serve::run(start).await {
                // The command line knows the store's faults, and one of them has an exit code of its own.
                Err(ServeError::Store(fault)) => Err(fault.into()),
                outcome => Ok(outcome?),
            }
        })
    })
}
