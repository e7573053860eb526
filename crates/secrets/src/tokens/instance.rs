//! Tokens of instances. They follow from one sealed secret and from the instance's id, so that nothing is recorded for an
//! instance.

use orchestrator_model::{InstanceId, Timestamp};
use ring::hmac;

use super::text::{Kind, Text, write};
use super::{keep_key, read_key};
use crate::{Room, Secret, SecretsError, hex};

/// The name of the secret.
pub(crate) const INSTANCES_KEY: &str = "token/instances";

/// Makes and verifies the tokens of instances.
#[derive(Debug, Clone)]
pub struct InstanceTokens {
    key: hmac::Key,
}

impl InstanceTokens {
    /// Reads the secret, and makes it the first time.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, the secret does not open, or the kernel gives no random bytes.
    pub async fn of(room: &Room, at: Timestamp) -> Result<Self, SecretsError> {
        let key = match read_key(room, INSTANCES_KEY).await? {
            Some(key) => key,
            None => keep_key(room, INSTANCES_KEY, at).await?,
        };
        Ok(Self { key })
    }

    /// The token of an instance.
    pub fn of_instance(&self, id: InstanceId) -> Secret {
        write(Kind::OfInstance, id, self.sign(id).as_ref())
    }

    /// The instance whose token this is; `None` if it is no instance's. The comparison takes the same time for every text
    /// of the right form.
    pub fn verify(&self, token: &str) -> Option<InstanceId> {
        let text = Text::read(token).filter(|text| text.kind == Kind::OfInstance)?;
        let tag = hex::decode(text.secret)?;
        let place = place(text.id);
        hmac::verify(&self.key, place.as_bytes(), &tag).ok()?;
        Some(text.id)
    }

    fn sign(&self, id: InstanceId) -> hmac::Tag {
        hmac::sign(&self.key, place(id).as_bytes())
    }
}

fn place(id: InstanceId) -> String {
    format!("instance\0{id}")
}

#[cfg(test)]
mod tests {
    use orchestrator_model::Id;

    use super::*;

    #[test]
    fn a_token_is_that_of_its_instance_alone() {
        let tokens = |key| InstanceTokens {
            key: hmac::Key::new(hmac::HMAC_SHA256, &[key; 32]),
        };
        let id = Id::from_bytes([1; 6]);
        let token = tokens(1).of_instance(id);
        let text = token.expose_text().unwrap();
        assert_eq!(tokens(1).verify(text), Some(id));
        assert_eq!(tokens(2).verify(text), None);
        let of_another = text.replacen("010101010101", "020202020202", 1);
        assert_eq!(tokens(1).verify(&of_another), None);
        assert_eq!(tokens(1).verify(&text.replacen("orci", "orct", 1)), None);
    }
}
