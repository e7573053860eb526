//! The program: hands its arguments to the command line, and the daemon to its verb `serve`.

use std::process::ExitCode;

fn main() -> ExitCode {
    orchestrator::cli::run(std::env::args_os(), |start| {
        Box::pin(async { Ok(orchestrator::serve::run(start).await?) })
    })
}
