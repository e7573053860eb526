//! The reasons for which a verb fails, and their exit codes.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use orchestrator_network::NetworkError;

use super::DaemonError;
use orchestrator_client::ClientError;
use orchestrator_runtime::causes::with_causes;
use orchestrator_secrets::SecretsError;
use orchestrator_settings::Faults;
use orchestrator_store::{BackupError, StoreError};
use orchestrator_verbs::printable::printable;

/// The end of `--help`; `docs/cli.md` has the same table.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   failed; also when a name or the beginning of an ID matches several things
  2   wrong usage
  3   not found
  4   the daemon does not answer
  5   no server gave the client a lease in time
  6   another daemon has taken the database over
  7   not done in the time that was given
  64  the settings, a template or a service are wrong
`exec` in one instance ends with the exit code of its command.";

/// The reason why a verb failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Verb(#[from] orchestrator_verbs::Failure),
    #[error("{0}")]
    Settings(#[from] Faults),
    #[error("{what}")]
    Given { what: String },
    #[error("{missing} of what the settings name is not there yet; the daemon waits for it")]
    Missing { missing: usize },
    #[error("{wrong} of what is there would keep clients from their service; the table says what to do")]
    Wrong { wrong: usize },
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error("the routes of mark {mark} are kept: {reason}")]
    RoutesKept { mark: u32, reason: &'static str },
    #[error("nothing was removed: {reason}")]
    TeardownRefused { reason: String },
    #[error("{left} things are still there; the table says why")]
    TeardownIncomplete { left: usize },
    #[error(transparent)]
    Daemon(DaemonError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error("the executable cannot be used as an engine")]
    Plugin(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("{failed} tests failed; the executable does not do as docs/exec.md says")]
    NotConforming { failed: usize },
    #[error("there is no database yet; the daemon makes it, and the key file, at its first start")]
    NoDatabaseYet,
    #[error("there is no certificate {serial:?} in force; `orchestrator secrets` lists those there are")]
    NoCertificate { serial: String },
    #[error("the secret {name:?} stays: {why}")]
    SecretStays { name: String, why: String },
    #[error("the key file opens the secrets; --force discards all of them nevertheless")]
    SecretsOpen,
    #[error("cannot {doing} {}", .path.display())]
    File {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("a backup is not for a terminal; name a file, or pipe it on")]
    Terminal,
    #[error("cannot print")]
    Print(#[source] io::Error),
    #[error("cannot start")]
    Runtime(#[source] io::Error),
}

impl Failure {
    /// Prints the reason, and returns the exit code.
    pub(super) fn report(self) -> ExitCode {
        ExitCode::from(self.tell())
    }

    /// Says what there is to say, and returns the exit code.
    pub(super) fn tell(&self) -> u8 {
        match self {
            // The reader of the output has closed it: `orchestrator ls | head -1`.
            Self::Print(error) if error.kind() == io::ErrorKind::BrokenPipe => return 0,
            Self::Verb(failure) if failure.is_no_reader() => return 0,
            // The command has said what it had to say.
            Self::Verb(failure) if failure.is_said() => return failure.code(),
            Self::Settings(faults) => faults.iter().for_each(|fault| eprintln!("{fault}")),
            Self::Verb(failure) => {
                let faults = failure.faults().iter();
                faults.for_each(|fault| eprintln!("{}", printable(fault)));
                self.say();
            }
            _ => self.say(),
        }
        self.code()
    }

    /// Prints the reason to standard error. Text of the daemon may contain words of clients, so it is made printable.
    pub(super) fn say(&self) {
        eprintln!("orchestrator: {}", printable(&with_causes(self)));
    }

    /// The exit code.
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Verb(failure) => failure.code(),
            Self::NoCertificate { .. } => 3,
            Self::Client(ClientError::TimedOut { .. }) => 5,
            Self::Daemon(fault) if fault.downcast_ref().is_some_and(StoreError::is_deposed) => 6,
            Self::Settings(_) => 64,
            _ => 1,
        }
    }
}

/// The exit code when the command line's parser refuses a line, or answers it itself (`--help`).
pub(super) fn usage(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    }
}
