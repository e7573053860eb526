//! `orchestrator registry`: gives and forgets the passwords of registries.

use std::io::{self, IsTerminal, Write};

use clap::Subcommand;
use orchestrator_api_types::Registry;
use orchestrator_model::Timestamp;
use orchestrator_verbs::ages::age;
use orchestrator_verbs::choose::{Consent, REGISTRY};
use orchestrator_verbs::{Api, CallError, page};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use serde_json::{Value, json};
use tokio::signal::unix::SignalKind;

use super::ends::restore_terminal_on;
use super::failure::Failure;
use super::local::{Here, typed_line};
use super::{Output, table};

/// The longest password, in bytes.
const LONGEST: usize = 16 << 10;

/// Arguments of `registry`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Give the user and password by which images are fetched from a registry. The password is read from standard input
    Login {
        /// The registry, like registry.example:5000; docker.io is that of images without one
        host: String,
        /// The user's name
        #[arg(short, long)]
        user: String,
    },
    /// Have the password of a registry forgotten
    Logout {
        /// Registries, also by a pattern like '*.example'
        #[arg(required = true, value_name = "REGISTRY")]
        hosts: Vec<String>,
        #[command(flatten)]
        consent: Consent,
    },
    /// List the registries whose password is known
    Ls {
        /// Only these, also by a pattern like '*.example'
        #[arg(value_name = "REGISTRY")]
        hosts: Vec<String>,
    },
}

pub(super) async fn run(args: &Args, output: Output, api: &dyn Api) -> Result<(), Failure> {
    match &args.verb {
        Verb::Login { host, user } => {
            let password = read_password(host, user)
                .await
                .map_err(|what| Failure::Given { what })?;
            let body = json!({ "user": user, "password": password });
            api.put(&path_of(host), body.to_string().into())
                .await
                .map_err(refused)?;
            said(host, &format!("the password of {user} is sealed"), output)
        }
        Verb::Logout { hosts, consent } => {
            let hosts = REGISTRY.meant_to("forget", hosts, *consent, api, &Here).await?;
            for host in &hosts {
                api.delete(&path_of(host)).await.map_err(refused)?;
                said(host, "the password is forgotten", output)?;
            }
            Ok(())
        }
        Verb::Ls { hosts } => {
            let items = REGISTRY.keep(page::all(api, REGISTRY.path, &[]).await?, hosts)?;
            match output {
                Output::Json | Output::Yaml | Output::Name => table::print(&table::data(output, &items)?),
                Output::Table | Output::Wide => table::print(&listed(&items, Timestamp::wall())?),
            }
        }
    }
}

fn said(host: &str, what: &str, output: Output) -> Result<(), Failure> {
    match output {
        Output::Json | Output::Yaml => table::print(&table::data(output, &json!({ "host": host }))?),
        Output::Name => table::print(host),
        Output::Table | Output::Wide => table::print(&format!("{host}: {what}")),
    }
}

fn refused(error: CallError) -> Failure {
    orchestrator_verbs::Failure::from(error).into()
}

fn path_of(host: &str) -> String {
    format!("/v1/registries/{}", page::encode(host))
}

fn listed(items: &[Value], now: Timestamp) -> Result<String, Failure> {
    let row = |item| {
        let registry: Registry = page::read(item, "a registry")?;
        Ok(vec![registry.host, age(registry.created, now)])
    };
    let rows: Vec<Vec<String>> = items.iter().map(row).collect::<Result<_, Failure>>()?;
    Ok(table::table(&["REGISTRY", "AGE"], rows))
}

/// Reads one line. A terminal does not show what is typed.
async fn read_password(host: &str, user: &str) -> Result<String, String> {
    let _hidden = match io::stdin().is_terminal() {
        true => {
            // A signal that ends the program here makes the terminal show again what is typed.
            let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
            let _ = restore_terminal_on(&signals);
            eprint!("Password of {user} at {host}: ");
            let _ = io::stderr().flush();
            Hidden::new()
        }
        false => None,
    };
    let line = typed_line(LONGEST).await;
    let line = line.map_err(|error| format!("cannot read the password: {error}"))?;
    let line = String::from_utf8(line).map_err(|_| "the password is no text in UTF-8".to_owned())?;
    let password = line.trim_end_matches(['\r', '\n']).to_owned();
    match password.is_empty() {
        true => Err("the password is empty; pipe it in, or type it".to_owned()),
        false => Ok(password),
    }
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden(Termios);

impl Hidden {
    fn new() -> Option<Self> {
        let input = io::stdin();
        let before = tcgetattr(&input).ok()?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&input, OptionalActions::Drain, &silent).ok()?;
        Some(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.0);
        eprintln!();
    }
}
