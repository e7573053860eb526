//! `orchestrator reconfigure`: makes a client send a message to the server.

use serde_json::Value;

use super::failure::Failure;
use super::page::{self, with_query};
use super::resolve::{Kind, resolve};
use super::session::{Output, Session};
use orchestrator_api_types::ReconfigureView;

/// Arguments of `reconfigure`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Id, host name, DUID or address of a client, or the beginning of one
    id: String,
    /// The message that the client is asked to send
    #[arg(long, value_name = "MESSAGE", default_value = "renew", value_parser = ["renew", "rebind", "information-request"])]
    message: String,
}

/// Begins a Reconfigure. The daemon repeats it until the client answers.
pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let (kind, id) = resolve(&args.id, &[(Kind::Client, &[])], session.api).await?;
    let path = with_query(
        &format!("{}/{id}/reconfigure", kind.path()),
        &[("message", &args.message)],
    );
    let item: Value = page::parse(&session.api.post(&path, Vec::new()).await?, "a reconfigure")?;
    match session.output {
        Output::Json | Output::Yaml | Output::Name => session.print_json(&item),
        Output::Table | Output::Wide => session.print(&render(&page::read(&item, "a reconfigure")?, &args.message)),
    }
}

pub(super) fn render(begun: &ReconfigureView, message: &str) -> String {
    let way = if begun.relayed { "through its relay" } else { "directly" };
    format!(
        "{} at {} is asked {way} to send a {message}; `orchestrator events` says so if it does not",
        begun.client, begun.address
    )
}
