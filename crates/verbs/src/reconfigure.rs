//! `orchestrator reconfigure`: makes a client send a message to the server.

use serde_json::Value;

use super::api::Api;
use super::choose::{CLIENT, Consent};
use super::failure::Failure;
use super::page::{self, with_query};
use super::resolve::{Kind, resolve};
use super::select::Each;
use super::session::Session;
use orchestrator_api_types::ReconfigureView;

/// Arguments of `reconfigure`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Ids, host names, DUIDs or addresses of clients, or the beginning of one; also patterns like 'lab-*'
    #[arg(value_name = "CLIENT", required = true)]
    ids: Vec<String>,
    #[command(flatten)]
    consent: Consent,
    /// The message that the client is asked to send
    #[arg(long, value_name = "MESSAGE", default_value = "renew", value_parser = ["renew", "rebind", "information-request"])]
    message: String,
}

/// Begins a Reconfigure. The daemon repeats it until the client answers.
pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let (api, local) = (session.api, session.local);
    let meant = CLIENT
        .meant_to("reconfigure", &args.ids, args.consent, api, local)
        .await?;
    let mut all = Each::new(meant.len());
    let mut begun: Vec<Value> = Vec::new();
    for word in &meant {
        match one(word, &args.message, api).await {
            Ok(item) if session.output.is_data() => begun.push(item),
            Ok(item) => session.print(&render(&page::read(&item, "a reconfigure")?, &args.message))?,
            Err(failure) => all.failed(word, failure, session),
        }
    }
    match begun.as_slice() {
        [] => {}
        [one] => session.print_json(one)?,
        several => session.print_json(&several)?,
    }
    all.end()
}

async fn one(word: &str, message: &str, api: &dyn Api) -> Result<Value, Failure> {
    let (kind, id) = resolve(word, &[(Kind::Client, &[])], api).await?;
    let path = with_query(&format!("{}/{id}/reconfigure", kind.path()), &[("message", message)]);
    page::parse(&api.post(&path, Vec::new()).await?, "a reconfigure")
}

pub(super) fn render(begun: &ReconfigureView, message: &str) -> String {
    let way = if begun.relayed { "through its relay" } else { "directly" };
    format!(
        "{} at {} is asked {way} to send a {message}; `orchestrator events` says so if it does not",
        begun.client, begun.address
    )
}
