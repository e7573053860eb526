//! `orchestrator restore`: writes the contents of a backup into the database.

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::backup::{holds, is_dash};
use super::check::SettingsFile;
use super::failure::Failure;
use super::progress::Counted;
use super::{Output, table};
use orchestrator_runtime::files::{self, Symlinks};
use orchestrator_secrets::{BackupCheck, KeyFile};
use orchestrator_store::{Restore, SecretsInBackup, Store};

/// Arguments of `restore`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    settings: SettingsFile,
    /// Replace the contents of the database, and the identity of this machine's server
    #[arg(long)]
    force: bool,
    /// Read and check the backup, list what it contains, and write nothing
    #[arg(long, conflicts_with = "force")]
    check: bool,
    /// Leave out the secrets of the backup and its certificate authorities; the daemon makes new ones
    #[arg(long, conflicts_with = "check")]
    without_secrets: bool,
    /// The backup; "-" is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) async fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let mut from = open(&args.file)?;
    if args.check {
        let contents = Store::examine_backup(&mut from)?;
        drop(from);
        return match output {
            Output::Json | Output::Yaml | Output::Name => table::print(&table::data(output, &contents)?),
            _ => table::print(&format!("whole; it holds {}\n", holds(&contents))),
        };
    }
    let settings = args.settings.load()?;
    let (url, identity) = (settings.store.url.as_str(), &settings.store.identity);
    let check = BackupCheck::with(KeyFile::at(&settings.secrets.key_file));
    let opens = |name: &str, sealed: &str| check.opens(name, sealed);
    let how = Restore {
        replace: args.force,
        secrets: if args.without_secrets {
            SecretsInBackup::LeftOut
        } else {
            SecretsInBackup::Checked(&opens)
        },
    };
    let restored = Store::restore(url, identity, &mut from, how).await?;
    // Its line goes before anything else is printed.
    drop(from);
    if output.is_data() {
        return table::print(&table::data(output, &restored)?);
    }
    let mut text = format!("restored: {}\n", holds(&restored.contents));
    if args.without_secrets {
        text.push_str("its secrets were left out\n");
    }
    if let Some(aside) = &restored.set_aside {
        text.push_str(&format!("the damaged database is kept as {}\n", aside.display()));
    }
    table::print(&text)
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if is_dash(path) {
        return Ok(Box::new(BufReader::new(Counted::new("restore", io::stdin()))));
    }
    let opened = files::open_regular(OpenOptions::new().read(true), path, Symlinks::Follow);
    let file = opened.map_err(|source| Failure::File {
        doing: "read",
        path: path.to_owned(),
        source,
    })?;
    Ok(Box::new(BufReader::new(Counted::new("restore", file))))
}
