//! `orchestrator hook`: an event from a DHCP server, on its way to the daemon.
//!
//! The DHCP server waits for the hook, and has nothing to do with how it ends: it takes milliseconds, half a second at
//! most, and always ends with 0. What it has to say, dnsmasq writes into its log.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::http::{CallError, Client, Endpoint};
use super::wait_for;
use crate::causes::with_causes;
use crate::model::Timestamp;
use crate::source::dnsmasq::{Answer, DnsmasqEvent, Heard, Outcome, Spool, hand_over};

/// How long handing over may take, from the connection to the end of the answer.
const LIMIT: Duration = Duration::from_millis(500);

const PATH: &str = "/v1/hooks/dnsmasq";

/// Arguments of `hook`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    server: Server,
}

/// Who runs the hook.
#[derive(Debug, clap::Subcommand)]
enum Server {
    /// dnsmasq, as its dhcp-script
    Dnsmasq {
        /// Where events are left while the daemon does not answer
        #[arg(
            long,
            value_name = "DIR",
            env = "ORCHESTRATOR_SPOOL",
            default_value = "/var/lib/orchestrator/spool"
        )]
        spool: PathBuf,
        /// What dnsmasq says: add|old|del DUID ADDRESS [HOSTNAME]
        #[arg(trailing_var_arg = true)]
        event: Vec<OsString>,
    },
}

/// Hands the event over, or keeps it. Always a success: there is nothing that dnsmasq could do about a failure.
pub(super) fn run(args: Args, api: Endpoint) -> ExitCode {
    let Server::Dnsmasq { spool, event } = args.server;
    let words: Vec<String> = event.into_iter().map(lossy).collect();
    match DnsmasqEvent::read(&words, &variables(), Timestamp::wall()) {
        Ok(Heard::Event(event)) => tell(&words, &deliver(&event, api, &Spool::new(spool))),
        Ok(Heard::Ignored(reason)) => ::tracing::debug!("nothing to do: {reason}"),
        Err(error) => ::tracing::error!("event {words:?} is lost: {error}"),
    }
    ExitCode::SUCCESS
}

/// The exit code of a command line that cannot be parsed, if it is a hook's.
pub(super) fn exit_code(args: &[OsString]) -> Option<ExitCode> {
    let verb = args
        .iter()
        .skip(1)
        .find(|word| !word.as_encoded_bytes().starts_with(b"-"));
    verb.filter(|verb| *verb == "hook").map(|_| ExitCode::SUCCESS)
}

fn deliver(event: &DnsmasqEvent, api: Endpoint, spool: &Spool) -> Outcome {
    let client = Client::new(api).with_limit(LIMIT);
    let post = async { Ok(client.post(PATH, serde_json::to_vec(event).unwrap_or_default()).await) };
    let answer = match wait_for(post) {
        Ok(Ok(_)) => Answer::Taken,
        Ok(Err(CallError::Problem(problem))) => Answer::from_status(problem.status, problem.to_string()),
        Ok(Err(error)) => Answer::Failed(with_causes(&error)),
        Err(failure) => Answer::Failed(with_causes(&failure)),
    };
    hand_over(event, answer, spool)
}

fn tell(words: &[String], outcome: &Outcome) {
    match outcome {
        Outcome::Taken => {}
        Outcome::Refused(reason) => ::tracing::error!("event {words:?} was refused by the daemon: {reason}"),
        Outcome::Kept(reason) => ::tracing::warn!("event {words:?} is kept for the daemon: {reason}"),
        Outcome::Lost { answer, spool } => {
            ::tracing::error!(
                "event {words:?} is lost: {answer}; and it cannot be kept: {}",
                with_causes(spool)
            );
        }
    }
}

/// dnsmasq's variables. What is not UTF-8 cannot be read further on, and is told so there.
fn variables() -> BTreeMap<String, String> {
    let ours = std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"DNSMASQ_"));
    ours.map(|(name, value)| (lossy(name), lossy(value))).collect()
}

fn lossy(text: OsString) -> String {
    text.to_string_lossy().into_owned()
}
