//! `orchestrator quarantine`: lists declined addresses, and gives them free again.

use std::net::Ipv6Addr;

use clap::Subcommand;

use super::choose::{Consent, QUARANTINE};
use super::failure::Failure;
use super::ls::of_link;
use super::session::Session;
use super::{glob, order, page, view};

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
        /// Only these, also by a pattern like 'fd39::1:*'
        #[arg(value_name = "ADDRESS")]
        names: Vec<String>,
    },
    /// End the quarantine of addresses, so that they are given out again
    Lift {
        /// Declined addresses, also by a pattern like 'fd39::1:*'
        #[arg(required = true, value_name = "ADDRESS", value_parser = address)]
        addresses: Vec<String>,
        #[command(flatten)]
        consent: Consent,
    },
}

pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    match &args.verb {
        Verb::Ls { link, names } => list(link.as_deref(), names, session).await,
        Verb::Lift { addresses, consent } => {
            let (api, local) = (session.api, session.local);
            let addresses = QUARANTINE
                .meant_to("give free", addresses, *consent, api, local)
                .await?;
            lift(&addresses, session).await
        }
    }
}

async fn list(link: Option<&str>, names: &[String], session: &mut Session<'_>) -> Result<(), Failure> {
    let items = of_link(session.api, QUARANTINE.path, &[], link).await?;
    let items = order::leases(&QUARANTINE.keep(items, names)?)?;
    session.print_value(&items, |now, width| view::leases(&items, now, width))
}

/// An address, in the form that lists have, or a pattern.
fn address(text: &str) -> Result<String, String> {
    if glob::is_pattern(text) {
        return Ok(text.to_owned());
    }
    let address: Result<Ipv6Addr, _> = text.parse();
    address
        .map(|address| address.to_string())
        .map_err(|fault| fault.to_string())
}

/// Lifts each quarantine. A failure does not stop the others; the last failure is the result.
async fn lift(addresses: &[String], session: &mut Session<'_>) -> Result<(), Failure> {
    let mut failed: Option<Failure> = None;
    let mut lifted = Vec::new();
    for address in addresses {
        let path = format!("/v1/quarantine/{}", page::encode(address));
        match session.api.delete(&path).await {
            Ok(_) => lifted.push(address.clone()),
            Err(failure) => {
                if let Some(earlier) = failed.replace(failure.into()) {
                    session.warn(&earlier);
                }
            }
        }
    }
    if !lifted.is_empty() {
        session.print_value(&lifted, |_, _| Ok(lifted.join("\n")))?;
    }
    failed.map_or(Ok(()), Err)
}
