//! `orchestrator port`: where a port of instances is reached.

use std::net::{Ipv6Addr, SocketAddrV6};

use serde::Serialize;

use super::failure::Failure;
use super::select::{Numbers, select};
use super::session::Session;
use super::table::table;

/// Arguments of `port`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The number of the port in the instances
    #[arg(value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Instances: names or patterns, like 'web-*'
    #[arg(value_name = "INSTANCE", default_value = "*")]
    names: Vec<String>,
    #[command(flatten)]
    which: Numbers,
}

/// Where a port of an instance is reached.
#[derive(Debug, Serialize)]
struct Reached {
    id: String,
    name: String,
    /// The address with the port; `null` while the instance has no address.
    address: Option<String>,
    network: Option<String>,
}

/// Every instance has an address of its own, so that a port is the same outside as inside.
pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let found = select(&args.names, &args.which, session).await?;
    let at = |address: Ipv6Addr| SocketAddrV6::new(address, args.port, 0, 0).to_string();
    let mut reached = Vec::new();
    for one in &found {
        let attachments = &one.view.instance.attachments;
        for attachment in attachments {
            reached.push(Reached {
                id: one.id.to_string(),
                name: one.name.clone(),
                address: attachment.address.map(at),
                network: Some(attachment.network.clone()),
            });
        }
        if attachments.is_empty() {
            reached.push(Reached {
                id: one.id.to_string(),
                name: one.name.clone(),
                address: None,
                network: None,
            });
        }
    }
    if session.output.is_data() {
        return session.print_json(&reached);
    }
    let rows = reached.into_iter().map(|one| {
        vec![
            one.name,
            one.address.unwrap_or_default(),
            one.network.unwrap_or_default(),
        ]
    });
    session.print(&table(&["INSTANCE", "REACHED AT", "NETWORK"], rows))
}
