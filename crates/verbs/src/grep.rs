//! `orchestrator grep`: instances by a pattern over their names.

use orchestrator_api_types::{Instance, Owner};
use serde_json::Value;

use super::failure::Failure;
use super::select::{Numbers, Selected, select};
use super::session::{Output, Session};
use super::table::{Column, Width, columns};

/// Arguments of `grep`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Patterns over names, addresses and host names, like 'web-*', or plain names
    #[arg(value_name = "PATTERN", default_value = "*")]
    patterns: Vec<String>,
    #[command(flatten)]
    which: Numbers,
}

pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let found = select(&args.patterns, &args.which, session).await;
    // Where there is none at all, '*' is answered with an empty table.
    let found = match found {
        Err(Failure::NoneMatches { .. }) if args.patterns == ["*"] => Vec::new(),
        found => found?,
    };
    match session.output {
        Output::Name => {
            let names: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
            session.print_json(&names)
        }
        Output::Json | Output::Yaml => {
            let items: Vec<&Value> = found.iter().map(|one| &one.item).collect();
            session.print_json(&items)
        }
        output @ (Output::Table | Output::Wide) => session.print(&render(&found, output.width())),
    }
}

fn render(found: &[Selected], width: Width) -> String {
    let row = |one: &Selected| {
        let Instance {
            owner,
            slot,
            address,
            host,
            ..
        } = &one.view.instance;
        vec![
            one.name.clone(),
            owner_of(owner),
            slot.clone(),
            address.map(|address| address.to_string()).unwrap_or_default(),
            host.clone().unwrap_or_default(),
            state(&one.view.instance),
        ]
    };
    let header = ["INSTANCE", "OWNER", "SLOT", "ADDRESS", "HOST", "STATE"].map(Column::new);
    columns(&header, found.iter().map(row), width)
}

fn owner_of(owner: &Owner) -> String {
    match owner {
        Owner::Client(id) => format!("client {id}"),
        Owner::Service(name) => format!("service {name}"),
        Owner::Pool(name) => format!("pool {name}"),
        Owner::Operator(name) => format!("operator {name}"),
    }
}

/// The phase of an instance for people: one that is switched off is not just stopped.
fn state(instance: &Instance) -> String {
    match instance.times.off {
        Some(_) => "off".to_owned(),
        None => instance.phase.to_string(),
    }
}
