//! `orchestrator quarantine`: lists declined addresses, and gives them free again.

use std::net::Ipv6Addr;

use clap::Subcommand;
use serde_json::json;

use super::failure::Failure;
use super::session::{Output, Session};
use super::{order, page, view};

/// Arguments of `quarantine`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List declined addresses that are given to nobody
    #[command(visible_alias = "list")]
    Ls {
        /// Only on this link
        #[arg(long, value_name = "LINK")]
        link: Option<String>,
    },
    /// End the quarantine of addresses, so that they are given out again
    Lift {
        /// Declined addresses
        #[arg(required = true)]
        addresses: Vec<Ipv6Addr>,
    },
}

pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    match &args.verb {
        Verb::Ls { link } => list(link.as_deref(), session).await,
        Verb::Lift { addresses } => lift(addresses, session).await,
    }
}

async fn list(link: Option<&str>, session: &mut Session<'_>) -> Result<(), Failure> {
    let query: Vec<_> = link.map(|link| ("link", link)).into_iter().collect();
    let items = page::all(session.api, "/v1/quarantine", &query).await?;
    let items = order::leases(&items)?;
    match session.output {
        Output::Json | Output::Yaml | Output::Name => session.print_json(&items),
        output @ (Output::Table | Output::Wide) => session.print(&view::leases(&items, session.now, output.width())?),
    }
}

/// Lifts each quarantine. A failure does not stop the others; the last failure is the result.
async fn lift(addresses: &[Ipv6Addr], session: &mut Session<'_>) -> Result<(), Failure> {
    let mut failed: Option<Failure> = None;
    let mut lifted = Vec::new();
    for address in addresses {
        let path = format!("/v1/quarantine/{}", page::encode(&address.to_string()));
        match session.api.delete(&path).await {
            Ok(_) => lifted.push(address.to_string()),
            Err(failure) => {
                if let Some(earlier) = failed.replace(failure.into()) {
                    session.warn(&earlier);
                }
            }
        }
    }
    if !lifted.is_empty() {
        match session.output {
            Output::Json | Output::Yaml | Output::Name => session.print_json(&json!(lifted))?,
            Output::Table | Output::Wide => session.print(&lifted.join("\n"))?,
        }
    }
    failed.map_or(Ok(()), Err)
}
