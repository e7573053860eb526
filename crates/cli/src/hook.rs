//! `orchestrator hook`: passes an event of a DHCP server to the daemon.
//!
//! The DHCP server waits for the hook, but can do nothing about a failure. So the hook takes milliseconds, at most half
//! a second, and always exits with 0. dnsmasq writes the hook's output into its log.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use super::http::{CallError, Client};
use super::{tracing, wait_for};
use orchestrator_model::Timestamp;
use orchestrator_runtime::causes::with_causes;
use orchestrator_source::dnsmasq::{Answer, DnsmasqEvent, HookCall, Outcome, Spool, hand_over};

/// The time limit for passing an event on, from the connection to the end of the answer.
const LIMIT: Duration = Duration::from_millis(500);

const PATH: &str = "/v1/hooks/dnsmasq";

/// The variable that names the spool.
const SPOOL_VARIABLE: &str = "ORCHESTRATOR_SPOOL";

/// The default directory of the spool.
const DEFAULT_SPOOL: &str = "/var/lib/orchestrator/spool";

/// Arguments of `hook`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    server: Server,
}

/// The DHCP server that runs the hook.
#[derive(Debug, clap::Subcommand)]
enum Server {
    /// dnsmasq, as its dhcp-script
    Dnsmasq {
        /// Directory that keeps events while the daemon does not answer
        #[arg(long, value_name = "DIR", env = SPOOL_VARIABLE, default_value = DEFAULT_SPOOL)]
        spool: PathBuf,
        /// The arguments with which dnsmasq calls the hook.
        #[arg(
            trailing_var_arg = true,
            help = "What dnsmasq says: add|old|del DUID ADDRESS [HOSTNAME]"
        )]
        event: Vec<OsString>,
    },
}

/// Passes the event on, or keeps it in the spool. Always a success: dnsmasq could do nothing about a failure.
pub(super) fn run(args: Args, api: Client) -> ExitCode {
    let Server::Dnsmasq { spool, event } = args.server;
    let spool = Spool::new(spool);
    take(event, |event| {
        let answer = deliver(event, api);
        if event.is_premature() {
            // The daemon counts the event if it runs. Otherwise the event is neither kept nor logged.
            ::tracing::debug!(?answer, "dnsmasq has not found the interface of this lease yet");
            return Outcome::Taken;
        }
        hand_over(event, answer, &spool)
    });
    ExitCode::SUCCESS
}

/// Ends a hook whose command line cannot be parsed, and prints why. `None` when the line is another verb's, or asks for
/// help.
///
/// An event that can be read is kept all the same: dnsmasq does not repeat it once the line is corrected.
pub(super) fn misused(args: &[OsString], error: &clap::Error) -> Option<ExitCode> {
    let words = after_verb(args).filter(|_| error.use_stderr())?;
    tracing::for_people();
    for line in error.to_string().lines().filter(|line| !line.trim().is_empty()) {
        ::tracing::error!("{line}");
    }
    let Some(start) = words.iter().position(is_lease_verb) else {
        return Some(ExitCode::SUCCESS);
    };
    let (options, event) = words.split_at(start);
    let spool = Spool::new(spool_of(options));
    take(event.to_vec(), |event| {
        let answer = Answer::Failed("the hook's command line is wrong".to_owned());
        hand_over(event, answer, &spool)
    });
    Some(ExitCode::SUCCESS)
}

/// The arguments after `hook`, if that is the verb of the line.
///
/// The verb is the first argument that is a verb, even after unknown options and other words. Values of options that
/// every verb takes are skipped.
pub(super) fn after_verb(args: &[OsString]) -> Option<&[OsString]> {
    let program = super::command();
    let mut rest = args.get(1..)?;
    while let Some((word, tail)) = rest.split_first() {
        rest = tail;
        if takes_next(&program, word) {
            rest = rest.get(1..)?;
        } else if word == "hook" {
            return Some(rest);
        } else if program.find_subcommand(word).is_some() {
            return None;
        }
    }
    None
}

/// Whether the argument is an option of every verb whose value is the next argument.
fn takes_next(program: &clap::Command, word: &OsStr) -> bool {
    let Some(word) = word.to_str() else { return false };
    let named = |option: &&clap::Arg| match word.strip_prefix("--") {
        Some(name) => option.get_long() == Some(name),
        None => option.get_short().is_some_and(|short| word == format!("-{short}")),
    };
    let option = program.get_arguments().find(named);
    option.is_some_and(|option| option.get_action().takes_values())
}

fn is_lease_verb(word: &OsString) -> bool {
    ["add", "old", "del"].iter().any(|verb| word == verb)
}

/// The spool that these options name, or else the environment, or else the default.
fn spool_of(options: &[OsString]) -> PathBuf {
    let mut words = options.iter();
    let mut named = None;
    while let Some(word) = words.next() {
        if word == "--spool" {
            named = words.next().cloned();
        } else if let Some(name) = word.to_str().and_then(|word| word.strip_prefix("--spool=")) {
            named = Some(name.into());
        }
    }
    let named = named.or_else(|| std::env::var_os(SPOOL_VARIABLE));
    named
        .filter(|name| !name.is_empty())
        .map_or_else(|| DEFAULT_SPOOL.into(), PathBuf::from)
}

/// Reads an event and passes it on. Prints the outcome unless that is a success.
fn take(event: Vec<OsString>, hand_over: impl FnOnce(&DnsmasqEvent) -> Outcome) {
    let words: Vec<String> = event.into_iter().map(lossy).collect();
    let shown = || {
        words
            .iter()
            .map(|word| word.escape_debug().to_string())
            .collect::<Vec<_>>()
            .join(" ")
    };
    match DnsmasqEvent::read(&words, &variables(), Timestamp::wall()) {
        Ok(HookCall::Event(event)) => tell(&shown(), &hand_over(&event)),
        Ok(HookCall::Ignored(reason)) => ::tracing::debug!("nothing to do: {reason}"),
        Err(error) => ::tracing::error!("event `{}` is lost: {error}", shown()),
    }
}

fn deliver(event: &DnsmasqEvent, api: Client) -> Answer {
    let client = api.with_limit(LIMIT);
    let post = async { Ok(client.post(PATH, serde_json::to_vec(event).unwrap_or_default()).await) };
    match wait_for(post) {
        Ok(Ok(_)) => Answer::Taken,
        Ok(Err(CallError::Problem(problem))) => Answer::from_status(problem.status, problem.to_string()),
        Ok(Err(error)) => Answer::Failed(with_causes(&error)),
        Err(failure) => Answer::Failed(with_causes(&failure)),
    }
}

fn tell(event: &str, outcome: &Outcome) {
    match outcome {
        Outcome::Taken => {}
        Outcome::Refused(reason) => ::tracing::error!("event `{event}` was refused by the daemon: {reason}"),
        Outcome::Kept(reason) => ::tracing::warn!("event `{event}` is kept for the daemon: {reason}"),
        Outcome::Lost { answer, spool } => {
            ::tracing::error!(
                "event `{event}` is lost: {answer}; and it cannot be kept: {}",
                with_causes(spool)
            );
        }
    }
}

/// dnsmasq's variables. Text that is not UTF-8 is kept as it can be, and refused where the event is read.
fn variables() -> BTreeMap<String, String> {
    let ours = std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"DNSMASQ_"));
    ours.map(|(name, value)| (lossy(name), lossy(value))).collect()
}

fn lossy(text: OsString) -> String {
    text.to_string_lossy().into_owned()
}
