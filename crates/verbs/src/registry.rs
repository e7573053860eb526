//! `orchestrator registry`: gives and forgets the passwords of registries.

use clap::Subcommand;
use orchestrator_api_types::Registry;
use orchestrator_model::Timestamp;
use serde_json::{Value, json};

use crate::ages::age;
use crate::choose::{Consent, REGISTRY};
use crate::failure::Failure;
use crate::local::Local;
use crate::page;
use crate::session::{Output, Session};
use crate::table;

/// The longest password, in bytes.
const LONGEST: usize = 16 << 10;

/// Arguments of `registry`.
#[derive(Debug, clap::Args)]
pub struct Args {
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

pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    let api = session.api;
    match &args.verb {
        Verb::Login { host, user } => {
            let password = read_password(host, user, session.local).await?;
            let body = json!({ "user": user, "password": password });
            api.put(&path_of(host), body.to_string().into()).await?;
            said(host, &format!("the password of {user} is sealed"), session)
        }
        Verb::Logout { hosts, consent } => {
            let hosts = REGISTRY.meant_to("forget", hosts, *consent, api, session.local).await?;
            for host in &hosts {
                api.delete(&path_of(host)).await?;
                said(host, "the password is forgotten", session)?;
            }
            Ok(())
        }
        Verb::Ls { hosts } => {
            let items = REGISTRY.keep(page::all(api, REGISTRY.path, &[]).await?, hosts)?;
            session.print_value(&items, |now, _| listed(&items, now))
        }
    }
}

fn said(host: &str, what: &str, session: &mut Session<'_>) -> Result<(), Failure> {
    match session.output {
        Output::Json | Output::Yaml => session.print_json(&json!({ "host": host })),
        Output::Name => session.print(host),
        Output::Table | Output::Wide => session.print(&format!("{host}: {what}")),
    }
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

/// Reads the password: the first line of standard input. A terminal does not show what is typed.
async fn read_password(host: &str, user: &str, local: &dyn Local) -> Result<String, Failure> {
    let prompt = format!("Password of {user} at {host}: ");
    let line = local.secret(&prompt, LONGEST).await.map_err(|source| Failure::Local {
        doing: "read",
        what: "the password".to_owned(),
        source,
    })?;
    let wrong = |what: &str| Failure::Given { what: what.to_owned() };
    let line = String::from_utf8(line).map_err(|_| wrong("the password is no text in UTF-8"))?;
    let password = line.trim_end_matches(['\r', '\n']).to_owned();
    match password.is_empty() {
        true => Err(wrong("the password is empty; pipe it in, or type it")),
        false => Ok(password),
    }
}
