//! `orchestrator restore`: puts what a backup holds into the database.

use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::backup::{holds, is_dash};
use super::check::SettingsFile;
use super::failure::Failure;
use super::{Output, table};
use crate::files::{self, Symlinks};
use crate::store::Store;

/// Arguments of `restore`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    settings: SettingsFile,
    /// Replace all that the database holds, and the identity of this machine's server
    #[arg(long)]
    force: bool,
    /// Only read the backup, check it and say what it holds
    #[arg(long, conflicts_with = "force")]
    check: bool,
    /// The backup; "-" is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) async fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let mut from = open(&args.file)?;
    let contents = if args.check {
        Store::examine_backup(&mut from)?
    } else {
        let settings = args.settings.load()?;
        let (url, identity) = (settings.store.url.as_str(), &settings.store.identity);
        Store::restore(url, identity, &mut from, args.force).await?
    };
    if output == Output::Json {
        return table::print(&table::json(&contents)?);
    }
    let done = if args.check { "whole; it holds" } else { "restored:" };
    table::print(&format!("{done} {}\n", holds(&contents)))
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if is_dash(path) {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let opened = files::open_regular(OpenOptions::new().read(true), path, Symlinks::Follow);
    let file = opened.map_err(|source| Failure::File {
        doing: "read",
        path: path.to_owned(),
        source,
    })?;
    Ok(Box::new(BufReader::new(file)))
}
