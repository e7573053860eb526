//! `orchestrator key`: the SSH keys that may log in to the instances of a client.

use clap::Subcommand;
use serde_json::{Value, json};

use super::choose::{Consent, agree, expand};
use super::failure::Failure;
use super::glob;
use super::page;
use super::page::read;
use super::resolve::{Kind, resolve};
use super::session::Session;
use super::table::{Column, Width, columns};
use orchestrator_api_types::AuthorizedKeys;
use orchestrator_model::fingerprint;

/// Arguments of `key`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the SSH keys of a client, also those of its reservations
    #[command(visible_alias = "list")]
    Ls {
        /// ID, host name, DUID or address of a client, or the beginning of one
        #[arg(value_name = "CLIENT")]
        client: String,
        /// Only these: fingerprints or comments, also by a pattern like '*@home'
        #[arg(value_name = "FINGERPRINT")]
        keys: Vec<String>,
    },
    /// Put SSH keys on the client's own list
    Add {
        /// ID, host name, DUID or address of a client, or the beginning of one
        #[arg(value_name = "CLIENT")]
        client: String,
        /// Public keys as in a file whose name ends in .pub: "$(cat ~/.ssh/id_ed25519.pub)"
        #[arg(value_name = "KEY", required = true)]
        keys: Vec<String>,
    },
    /// Take SSH keys off the client's own list
    #[command(visible_alias = "remove")]
    Rm {
        /// ID, host name, DUID or address of a client, or the beginning of one
        #[arg(value_name = "CLIENT")]
        client: String,
        /// Fingerprints as `key ls` shows them, or the keys themselves; also patterns over fingerprints and comments
        #[arg(value_name = "KEY", required = true)]
        keys: Vec<String>,
        #[command(flatten)]
        consent: Consent,
    },
}

pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    match &args.verb {
        Verb::Ls { client, keys } => {
            let path = path(client, session).await?;
            let mut item: Value = page::parse(&session.api.get(&path).await?, "SSH keys")?;
            for list in ["keys", "reserved"] {
                if let Some(all) = item.get_mut(list).and_then(Value::as_array_mut) {
                    all.retain(|key| keys.is_empty() || keys.iter().any(|word| is_meant(key, word)));
                }
            }
            show(&item, session)
        }
        Verb::Add { client, keys } => {
            let path = path(client, session).await?;
            let body = json!({ "keys": lines(keys) }).to_string();
            let answer = session.api.post(&path, body.into_bytes()).await?;
            show(&page::parse(&answer, "SSH keys")?, session)
        }
        Verb::Rm { client, keys, consent } => {
            let path = path(client, session).await?;
            let keys = meant(&path, keys, *consent, session).await?;
            remove(&path, &keys, session).await
        }
    }
}

/// The path of the keys of a client.
async fn path(client: &str, session: &mut Session<'_>) -> Result<String, Failure> {
    let (kind, id) = resolve(client, &[(Kind::Client, &[])], session.api).await?;
    Ok(format!("{}/{id}/keys", kind.path()))
}

/// Whether a key has this fingerprint or comment, or one that the pattern matches.
fn is_meant(key: &Value, word: &str) -> bool {
    let key = key.as_str().unwrap_or_default();
    let comment = key.splitn(3, ' ').nth(2).unwrap_or_default();
    glob::matches(word, &fingerprint(key)) || glob::matches(word, comment.trim())
}

/// The keys on the client's own list that the words mean: those of each pattern, and every other word as it is.
async fn meant(path: &str, words: &[String], consent: Consent, session: &Session<'_>) -> Result<Vec<String>, Failure> {
    if !words.iter().any(|word| glob::is_pattern(word)) {
        return Ok(words.to_vec());
    }
    let item: Value = page::parse(&session.api.get(path).await?, "SSH keys")?;
    let own = item["keys"].as_array().cloned().unwrap_or_default();
    let matching = |word: &str| {
        let found = own.iter().filter(|key| is_meant(key, word));
        found.filter_map(|key| key.as_str().map(fingerprint)).collect()
    };
    let none = |word: &str| Failure::NoneMatches {
        kind: "key",
        pattern: word.to_owned(),
        list: "key ls",
    };
    let meant = expand(words, matching, none)?;
    agree("remove", "keys", words, &meant, consent, session.local).await?;
    Ok(meant)
}

/// The lines of all arguments: one may have several, as a file has.
fn lines(arguments: &[String]) -> Vec<&str> {
    let lines = arguments.iter().flat_map(|text| text.lines());
    lines.map(str::trim).filter(|line| !line.is_empty()).collect()
}

/// Removes each key. A failure does not stop the others; the last failure is the result.
async fn remove(path: &str, keys: &[String], session: &mut Session<'_>) -> Result<(), Failure> {
    let (mut failed, mut left): (Option<Failure>, Option<Value>) = (None, None);
    for key in lines(keys) {
        let which = match key.starts_with("SHA256:") {
            true => key.to_owned(),
            false => fingerprint(key),
        };
        let answer = session.api.delete(&format!("{path}/{}", page::encode(&which))).await;
        match answer {
            Ok(answer) => left = Some(page::parse(&answer, "SSH keys")?),
            Err(failure) => {
                if let Some(earlier) = failed.replace(failure.into()) {
                    session.warn(&earlier);
                }
            }
        }
    }
    if let Some(left) = &left {
        show(left, session)?;
    }
    failed.map_or(Ok(()), Err)
}

fn show(item: &Value, session: &mut Session<'_>) -> Result<(), Failure> {
    session.print_value(item, |_, width| Ok(render(&read(item, "SSH keys")?, width)))
}

/// A table of keys.
fn render(keys: &AuthorizedKeys, width: Width) -> String {
    let row = |key: &String, from: &str| {
        let mut words = key.split_whitespace();
        let kind = words.next().unwrap_or_default().to_owned();
        let comment: Vec<&str> = words.skip(1).collect();
        vec![fingerprint(key), kind, comment.join(" "), from.to_owned()]
    };
    let own = keys.keys.iter().map(|key| row(key, "client"));
    let reserved = keys.reserved.iter().map(|key| row(key, "reservation"));
    let header = [
        // A whole one: it is given to `key rm`.
        Column::new("FINGERPRINT").at_most(50),
        Column::new("KIND"),
        Column::new("COMMENT").at_most(60),
        Column::new("FROM"),
    ];
    let rows: Vec<Vec<String>> = own.chain(reserved).collect();
    columns(&header, rows, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_as_a_table() {
        let keys = AuthorizedKeys {
            keys: vec![
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFxNNfzrqW3sTmNJrC5hQWLVo3hL8mGzRZ3lXJmvVqKd me at home"
                    .to_owned(),
            ],
            reserved: vec!["ssh-rsa AAAA".to_owned()],
        };
        let shown = render(&keys, Width::Narrow);
        let lines: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["FINGERPRINT", "KIND", "COMMENT", "FROM"]);
        let whole = "SHA256:oH/ngppVyusDP11pmuUWKaNq2scx04iJFPZMr8RzMpo";
        assert!(lines[1][0] == whole && lines[1][1..] == ["ssh-ed25519", "me", "at", "home", "client"]);
        assert_eq!(lines[2][1..], ["ssh-rsa", "-", "reservation"]);
    }

    #[test]
    fn a_file_of_several_keys_is_one_argument() {
        let arguments = ["ssh-ed25519 A me\n\n ssh-rsa B \n".to_owned(), "ssh-rsa C".to_owned()];
        assert_eq!(lines(&arguments), ["ssh-ed25519 A me", "ssh-rsa B", "ssh-rsa C"]);
    }
}
