//! Replaces keys by new ones.

use orchestrator_secrets::rotate_key;
use serde_json::json;

use super::super::failure::Failure;
use super::super::{Output, table};
use super::Place;
use orchestrator_model::Timestamp;

pub(super) async fn key(place: &Place, output: Output) -> Result<(), Failure> {
    let rotated = rotate_key(&place.rows, &place.file, Timestamp::wall()).await?;
    if output.is_data() {
        return table::print(&table::data(
            output,
            &json!({
                "from": rotated.from.to_string(),
                "to": rotated.to.to_string(),
                "secrets": rotated.secrets,
            }),
        )?);
    }
    table::print(&format!(
        "{secrets} are sealed with the key {to} now; {file} holds it in place of {from}\n\
         copy the key file anew, and make a new backup: earlier backups need the earlier key file",
        secrets = match rotated.secrets {
            1 => "1 secret".to_owned(),
            count => format!("{count} secrets"),
        },
        to = rotated.to,
        from = rotated.from,
        file = place.file.path().display(),
    ))
}

pub(super) async fn authority(place: &Place, now: bool, output: Output) -> Result<(), Failure> {
    let rotated = place.room().await?.rotate_authority(now, Timestamp::wall()).await?;
    if output.is_data() {
        return table::print(&table::data(
            output,
            &json!({
                "from": rotated.from.map(|(id, _)| id.to_string()),
                "trusted_until": rotated.from.map(|(_, until)| until.to_string()),
                "to": rotated.to.to_string(),
            }),
        )?);
    }
    let of_the_old = match rotated.from {
        None => String::new(),
        Some((id, _)) if now => format!("; what {id} and those before it have issued is refused from now on"),
        Some((id, until)) => format!("; what {id} has issued is accepted until {until}"),
    };
    table::print(&format!(
        "the certificate authority {} issues from now on{of_the_old}",
        rotated.to
    ))
}
