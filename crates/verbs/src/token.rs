//! `orchestrator token`: makes, lists, rotates and removes tokens.

use clap::{Subcommand, ValueEnum};
use orchestrator_api_types::{MadeToken, NewToken, Role, RotateToken, Token};
use orchestrator_model::Timestamp;
use serde_json::{Value, json};

use super::ages::age;
use super::choose::{Consent, TOKEN};
use super::failure::Failure;
use super::page;
use super::page::read;
use super::session::{Output, Session};
use super::table::{Column, Width, columns};

/// Arguments of `token`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a token. It is printed this once
    Add {
        /// Its name in the timeline: 1 to 40 of a-z, 0-9, "-" and "."
        name: String,
        /// What its holder may do
        #[arg(long)]
        role: GivenRole,
        /// How long it lives, like 30d; without it, until it is removed
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        /// A path that it is for, like /v1/kv/web or "GET /v1/services"; may be given several times
        #[arg(long, value_name = "[METHOD ]PATH")]
        scope: Vec<String>,
        /// Make a key that signs requests, and is never sent itself
        #[arg(long)]
        sign: bool,
    },
    /// List the tokens, never the tokens themselves
    #[command(visible_alias = "list")]
    Ls {
        /// Only these, also by a pattern like 'ci-*'
        #[arg(value_name = "TOKEN")]
        names: Vec<String>,
    },
    /// Give a token another secret part, which is printed this once
    Rotate {
        /// Its name
        name: String,
        /// How long the one before is still accepted
        #[arg(long, value_name = "TIME", default_value = "1h")]
        overlap: String,
    },
    /// Remove tokens; they are refused at once
    #[command(visible_alias = "remove")]
    Rm {
        /// Names of tokens, also patterns like 'ci-*'
        #[arg(required = true, value_name = "TOKEN")]
        names: Vec<String>,
        #[command(flatten)]
        consent: Consent,
    },
}

/// The word for a role on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum GivenRole {
    /// Hand over events of a DHCP server, and nothing else
    Hook,
    /// Read
    Viewer,
    /// Also change instances, leases, reservations, keys and values
    Operator,
    /// Everything
    Admin,
}

impl From<GivenRole> for Role {
    fn from(role: GivenRole) -> Self {
        match role {
            GivenRole::Hook => Self::Hook,
            GivenRole::Viewer => Self::Viewer,
            GivenRole::Operator => Self::Operator,
            GivenRole::Admin => Self::Admin,
        }
    }
}

pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    match &args.verb {
        Verb::Add {
            name,
            role,
            expires,
            scope,
            sign,
        } => {
            let body = json!(NewToken {
                name: name.clone(),
                role: (*role).into(),
                scope: scope.clone(),
                expires: expires.clone(),
                sign: *sign,
            });
            let answer = session.api.post("/v1/tokens", body.to_string().into()).await?;
            show_once(page::parse(&answer, "a token")?, session)
        }
        Verb::Ls { names } => list(names, session).await,
        Verb::Rotate { name, overlap } => {
            let path = format!("{}/rotate", path_of(name));
            let body = json!(RotateToken {
                overlap: Some(overlap.clone()),
            });
            let answer = session.api.post(&path, body.to_string().into()).await?;
            show_once(page::parse(&answer, "a token")?, session)
        }
        Verb::Rm { names, consent } => {
            let (api, local) = (session.api, session.local);
            let names = TOKEN.meant_to("remove", names, *consent, api, local).await?;
            remove(&names, session).await
        }
    }
}

/// Lists the tokens that the words mean; all of them where there is no word.
pub(super) async fn list(words: &[String], session: &mut Session<'_>) -> Result<(), Failure> {
    let items = TOKEN.keep(page::all(session.api, TOKEN.path, &[]).await?, words)?;
    show(&items, session)
}

fn path_of(name: &str) -> String {
    format!("/v1/tokens/{}", page::encode(name))
}

/// Removes each token. A failure does not stop the others; the last failure is the result.
async fn remove(names: &[String], session: &mut Session<'_>) -> Result<(), Failure> {
    let (mut failed, mut removed): (Option<Failure>, Vec<Value>) = (None, Vec::new());
    for name in names {
        match session.api.delete(&path_of(name)).await {
            Ok(answer) => removed.push(page::parse(&answer, "a token")?),
            Err(failure) => {
                if let Some(earlier) = failed.replace(failure.into()) {
                    session.warn(&earlier);
                }
            }
        }
    }
    if failed.is_none() || !removed.is_empty() {
        show(&removed, session)?;
    }
    failed.map_or(Ok(()), Err)
}

/// Prints the token itself, alone on its line: so it can be read by another program.
fn show_once(item: Value, session: &mut Session<'_>) -> Result<(), Failure> {
    if matches!(session.output, Output::Json | Output::Yaml) {
        return session.print_json(&item);
    }
    let made: MadeToken = read(&item, "a token")?;
    let use_it = match made.token.signs {
        true => format!("sign requests with it, as token {}", made.token.id),
        false => "set ORCHESTRATOR_TOKEN to it, or send it as \"Authorization: Bearer TOKEN\"".to_owned(),
    };
    session.sink.warn(&format!(
        "token {} ({}): keep it, it is not shown again; {use_it}",
        made.token.name, made.token.role
    ));
    session.print(&made.secret)
}

fn show(items: &[Value], session: &mut Session<'_>) -> Result<(), Failure> {
    if matches!(session.output, Output::Json | Output::Yaml) {
        return session.print_json(&items);
    }
    let tokens = items.iter().map(|item| read(item, "a token"));
    let tokens: Vec<Token> = tokens.collect::<Result<_, Failure>>()?;
    if session.output == Output::Name {
        let names: Vec<&str> = tokens.iter().map(|token| token.name.as_str()).collect();
        return session.print(&names.join("\n"));
    }
    session.print(&render(&tokens, session.now, session.output.width()))
}

/// A table of tokens.
fn render(tokens: &[Token], now: Timestamp, width: Width) -> String {
    let header = [
        Column::new("TOKEN"),
        Column::new("ROLE"),
        Column::new("KIND"),
        Column::new("SCOPE").at_most(60),
        Column::new("AGE"),
        Column::new("USED"),
        Column::new("ENDS"),
    ];
    let row = |token: &Token| {
        vec![
            token.name.clone(),
            token.role.to_string(),
            if token.signs {
                format!("signs as {}", token.id)
            } else {
                "sent".to_owned()
            },
            token.scope.join(", "),
            age(token.created, now),
            token
                .used
                .map(|used| format!("{} ago", age(used, now)))
                .unwrap_or_default(),
            token.until.map(|until| until.to_string()).unwrap_or_default(),
        ]
    };
    columns(&header, tokens.iter().map(row).collect::<Vec<_>>(), width)
}

#[cfg(test)]
mod tests {
    use orchestrator_model::Id;

    use super::*;

    #[test]
    fn tokens_as_a_table() {
        let token = Token {
            name: "ci".to_owned(),
            id: Id::from_bytes([1; 6]),
            role: Role::Operator,
            scope: vec!["/v1/kv/web".to_owned()],
            signs: false,
            created: Timestamp(0),
            by: None,
            until: None,
            used: Some(Timestamp(60_000)),
            earlier_until: None,
        };
        let signs = Token {
            name: "hooks".to_owned(),
            signs: true,
            scope: Vec::new(),
            used: None,
            until: Some(Timestamp(120_000)),
            ..token.clone()
        };
        let shown = render(&[token, signs], Timestamp(120_000), Width::Narrow);
        let lines: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1][..4], ["ci", "operator", "sent", "/v1/kv/web"]);
        assert_eq!(lines[2][..6], ["hooks", "operator", "signs", "as", "010101010101", "-"]);
        assert!(lines[2].last().unwrap().starts_with("1970-01-01T00:02:00"), "{shown}");
    }
}
