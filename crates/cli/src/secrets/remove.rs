//! Removes secrets by name.

use orchestrator_secrets::{Listed, SecretsError};
use orchestrator_verbs::choose::{Consent, Kind, agree};
use serde_json::json;

use super::super::failure::Failure;
use super::super::local::Here;
use super::super::{Output, table};
use super::Place;
use super::users::{Users, Verdict};

/// Secrets, by name. The API has no list of them.
const SECRET: Kind = Kind {
    one: "secret",
    several: "secrets",
    list: "secrets",
    path: "",
    keys: &["name"],
};

/// A secret that is removed, and what follows from that, if anything does.
struct Removed {
    name: String,
    follows: Option<&'static str>,
}

/// Removes the secrets that the words mean. One that is used stays, unless `used` says that it goes, too. One that stays
/// does not keep the others; the last failure is the result.
pub(super) async fn remove(
    place: &Place,
    words: &[String],
    used: bool,
    consent: Consent,
    output: Output,
) -> Result<(), Failure> {
    let listed = Listed::all(&place.rows).await?;
    let meant = SECRET.keep_by(listed, words, |secret| vec![secret.name.clone()])?;
    let (versions, tokens) = place.rows.users().await.map_err(SecretsError::from)?;
    let users = Users::new(&versions, &tokens, &place.settings);
    let is_named = |word: &String| meant.iter().any(|secret| secret.name == *word);
    let are_named = words.iter().all(is_named);
    let (mut going, mut failed): (Vec<Removed>, Option<Failure>) = (Vec::new(), None);
    for secret in meant {
        let name = secret.name;
        let why = match users.judge(&name) {
            Verdict::Unused => {
                going.push(Removed { name, follows: None });
                continue;
            }
            Verdict::Used { follows, .. } if used => {
                let follows = Some(follows);
                going.push(Removed { name, follows });
                continue;
            }
            Verdict::Used { by, follows } => format!("{by}; --used removes it nevertheless: {follows}"),
            Verdict::Kept(why) => why,
        };
        if let Some(earlier) = failed.replace(Failure::SecretStays { name, why }) {
            earlier.say();
        }
    }
    let names: Vec<String> = going.iter().map(|one| one.name.clone()).collect();
    // Some of those that were named may stay: nobody is asked for the rest.
    let words = if are_named { &names } else { words };
    agree("remove", SECRET.several, words, &names, consent, &Here).await?;
    let mut removed = Vec::new();
    for one in going {
        match place.rows.remove_secret(&one.name).await {
            // Somebody else may have removed it meanwhile: then it is gone, as it is to be.
            Ok(_) => removed.push(one),
            Err(fault) => {
                if let Some(earlier) = failed.replace(SecretsError::from(fault).into()) {
                    earlier.say();
                }
                break;
            }
        }
    }
    show(&removed, output)?;
    failed.map_or(Ok(()), Err)
}

fn show(removed: &[Removed], output: Output) -> Result<(), Failure> {
    if output.is_data() {
        let item = |one: &Removed| json!({ "name": one.name, "follows": one.follows });
        let items: Vec<_> = removed.iter().map(item).collect();
        return print_unless_empty(&table::data(output, &items)?);
    }
    let line = |one: &Removed| match one.follows {
        Some(follows) => format!("removed {}: {follows}", one.name),
        None => format!("removed {}", one.name),
    };
    print_unless_empty(&removed.iter().map(line).collect::<Vec<_>>().join("\n"))
}

fn print_unless_empty(text: &str) -> Result<(), Failure> {
    match text.is_empty() {
        true => Ok(()),
        false => table::print(text),
    }
}
