//! `orchestrator secrets`: lists and removes secrets, and replaces keys. It never shows a value.
//!
//! It works on the database and the key file directly, whether or not the daemon runs. Whoever may read the key file
//! may use it, and no key passes through the API. A running daemon finds new keys by itself.

mod list;
mod remove;
mod rotate;
mod users;

use clap::Subcommand;
use orchestrator_secrets::{KeyFile, Room, SecretsError, find_key};
use orchestrator_settings::Settings;
use orchestrator_store::SealedRows;
use orchestrator_verbs::choose::Consent;

use super::check::SettingsFile;
use super::failure::Failure;
use super::{Output, table};
use orchestrator_model::Timestamp;

/// Arguments of `secrets`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    settings: SettingsFile,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the secrets by name, the certificate authorities and their certificates; the same as without a verb
    List,
    /// Print the certificates of the authorities whose certificates are accepted now, in PEM
    Ca,
    /// Seal all secrets with a new key, and put it into the key file in place of the old one
    RotateKey,
    /// Make a new certificate authority. What the old one issued is accepted until it ends
    RotateCa {
        /// Refuse every certificate that an earlier authority issued
        #[arg(long)]
        now: bool,
    },
    /// Remove secrets that nothing uses any more
    #[command(visible_alias = "remove")]
    Rm {
        /// Names of secrets, as `list` shows them, also patterns like 'certificate/acme/*'
        #[arg(required = true, value_name = "SECRET")]
        names: Vec<String>,
        /// Also remove those that the daemon or a service uses; it says what follows
        #[arg(long)]
        used: bool,
        #[command(flatten)]
        consent: Consent,
    },
    /// Revoke a certificate
    Revoke {
        /// Its serial number, as `list` shows it
        serial: String,
    },
    /// Delete all secrets and the certificate authorities, when the key is lost for good
    Discard {
        /// Discard them even if the key file opens them, or is another one
        #[arg(long)]
        force: bool,
    },
}

/// The database and the key file that the settings name.
struct Place {
    settings: Settings,
    rows: SealedRows,
    file: KeyFile,
}

impl Place {
    async fn of(settings: &SettingsFile) -> Result<Self, Failure> {
        let settings = settings.load()?;
        let rows = SealedRows::beside(settings.store.url.as_str()).await;
        Ok(Self {
            rows: rows.map_err(SecretsError::from)?.ok_or(Failure::NoDatabaseYet)?,
            file: KeyFile::at(&settings.secrets.key_file),
            settings,
        })
    }

    async fn room(&self) -> Result<Room, SecretsError> {
        Room::open(self.rows.clone(), self.file.clone(), Timestamp::wall()).await
    }
}

pub(super) async fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let place = Place::of(&args.settings).await?;
    let done = match args.verb.as_ref().unwrap_or(&Verb::List) {
        Verb::List => list::list(&place, output).await,
        Verb::Ca => list::authorities(&place).await,
        Verb::RotateKey => rotate::key(&place, output).await,
        Verb::RotateCa { now } => rotate::authority(&place, *now, output).await,
        Verb::Rm { names, used, consent } => remove::remove(&place, names, *used, *consent, output).await,
        Verb::Revoke { serial } => revoke(&place, serial).await,
        Verb::Discard { force } => discard(&place, *force).await,
    };
    place.rows.close().await;
    done
}

async fn revoke(place: &Place, serial: &str) -> Result<(), Failure> {
    if place.room().await?.revoke(serial, Timestamp::wall()).await? {
        return table::print(&format!("revoked {serial}"));
    }
    Err(Failure::NoCertificate {
        serial: serial.to_owned(),
    })
}

/// Refuses a user who still has the key file, so that nobody discards secrets by mistake.
async fn discard(place: &Place, force: bool) -> Result<(), Failure> {
    match find_key(&place.rows, &place.file).await {
        Ok(_) if !force => return Err(Failure::SecretsOpen),
        // Another file may be in the place of the right one.
        Err(fault @ SecretsError::OtherKey { .. }) if !force => return Err(fault.into()),
        Err(SecretsError::Store(fault)) => return Err(SecretsError::from(fault).into()),
        _ => {}
    }
    place.rows.clear().await.map_err(SecretsError::from)?;
    table::print("all secrets are given up; the daemon begins with new ones")
}
