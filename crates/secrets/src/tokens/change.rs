//! Makes, rotates and removes tokens, and records their use.

use std::collections::HashMap;
use std::time::Duration;

use orchestrator_model::{Id, RecordedToken, Role, Timestamp};
use orchestrator_store::StoreError;
use tokio_util::sync::CancellationToken;

use super::text::{Kind, Text, random, write};
use super::{Known, Scope, Tokens, hash};
use crate::{Secret, SecretsError};

/// The longest name of a token, in bytes.
const LONGEST_NAME: usize = 40;
/// How much later a use is than the recorded one before it is recorded, too.
const USE_STEP: Duration = Duration::from_secs(60);

/// A token that is wanted.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Its name: 1 to 40 of a-z, 0-9, "-" and ".".
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// The paths that it is for; empty for all.
    pub scope: Scope,
    /// Whether it is a key that signs requests.
    pub signs: bool,
    /// When it ends; `None` for never.
    pub until: Option<Timestamp>,
}

impl Tokens {
    /// Makes a token. The text is the token itself, which is nowhere else.
    ///
    /// # Errors
    ///
    /// [`SecretsError::BadTokenName`]; [`StoreError::TokenExists`]; when the database is unreachable.
    pub async fn add(
        &self,
        new: NewToken,
        by: Option<String>,
        at: Timestamp,
    ) -> Result<(RecordedToken, Secret), SecretsError> {
        check_name(&new.name)?;
        let _alone = self.shared.changing.lock().await;
        if self.list().iter().any(|known| known.name == new.name) {
            return Err(StoreError::TokenExists(new.name).into());
        }
        let id = Id::random().map_err(|_| SecretsError::Random)?;
        let (text, hash) = self.generate(id, new.signs)?;
        if new.signs {
            self.shared.room.keep(&sealed_name(&new.name), &text, at).await?;
        }
        let token = RecordedToken {
            name: new.name,
            id,
            role: new.role,
            scope: new.scope.entries(),
            signs: new.signs,
            hash,
            earlier: None,
            created: at,
            by,
            until: new.until,
            used: None,
        };
        self.shared.store.add_token(token.clone()).await?;
        let known = Known {
            keys: token.signs.then(|| text.clone()).into_iter().collect(),
            token: token.clone(),
            removed: CancellationToken::new(),
        };
        self.known().insert(id, known);
        Ok((token, text))
    }

    /// Gives a token another secret part. The one before is accepted for `overlap` more.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchToken`]; when the database is unreachable.
    pub async fn rotate(
        &self,
        name: &str,
        overlap: Duration,
        by: Option<String>,
        at: Timestamp,
    ) -> Result<(RecordedToken, Secret), SecretsError> {
        let _alone = self.shared.changing.lock().await;
        let present = self.find(name)?;
        let (text, hash) = self.generate(present.id, present.signs)?;
        let until = at.plus(overlap);
        if present.signs {
            // What a rotation that was cut short has left is put in its place first: the next one goes where it is.
            self.settle_keys(&present, at).await?;
            self.shared.room.keep(&next_name(name), &text, at).await?;
        }
        self.shared
            .store
            .rotate_token(name, hash.clone(), until, at, by)
            .await?;
        let token = RecordedToken {
            earlier: Some((present.hash.clone(), until)),
            hash,
            ..present
        };
        if let Some(known) = self.known().get_mut(&token.id) {
            known.token = token.clone();
            if token.signs {
                known.keys.insert(0, text.clone());
                known.keys.truncate(2);
            }
        }
        if token.signs
            && let Err(error) = self.settle_keys(&token, at).await
        {
            tracing::warn!(%error, name, "the keys of a token are not in their places yet; the next rotation does that");
        }
        Ok((token, text))
    }

    /// Puts the keys of a token into their places, by what is recorded of it: the present one, and the one before.
    async fn settle_keys(&self, token: &RecordedToken, at: Timestamp) -> Result<(), SecretsError> {
        let room = &self.shared.room;
        if room.read(&next_name(&token.name)).await?.is_none() {
            return Ok(());
        }
        let keys = self.signing_keys(token).await?;
        for (name, key) in [earlier_name(&token.name), sealed_name(&token.name)]
            .iter()
            .zip([keys.get(1), keys.first()])
        {
            if let Some(key) = key {
                room.keep(name, key, at).await?;
            }
        }
        room.forget(&next_name(&token.name)).await?;
        Ok(())
    }

    /// The keys of a token that signs: the present one first, then the one before. Which is which is recorded by their
    /// hashes, so that a rotation may be cut short anywhere.
    async fn signing_keys(&self, token: &RecordedToken) -> Result<Vec<Secret>, SecretsError> {
        let mut sealed = Vec::new();
        for name in [
            next_name(&token.name),
            sealed_name(&token.name),
            earlier_name(&token.name),
        ] {
            sealed.extend(self.shared.room.read(&name).await?);
        }
        let hash_of = |text: &Secret| {
            let secret = text.expose_text().and_then(Text::read).map(|read| read.secret);
            secret.map(|secret| hash(&self.shared.key, secret))
        };
        let earlier = token.earlier.as_ref().map(|(hash, _)| hash);
        let wanted = std::iter::once(&token.hash).chain(earlier);
        let found = wanted.filter_map(|hash| sealed.iter().find(|text| hash_of(text).as_ref() == Some(hash)));
        Ok(found.cloned().collect())
    }

    /// Removes a token. It is refused once this returns, and what is still being answered for it ends.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchToken`]; when the database is unreachable.
    pub async fn remove(&self, name: &str, by: Option<String>, at: Timestamp) -> Result<RecordedToken, SecretsError> {
        let _alone = self.shared.changing.lock().await;
        let token = self.find(name)?;
        self.shared.store.remove_token(name, at, by).await?;
        if let Some(known) = self.known().remove(&token.id) {
            known.removed.cancel();
        }
        self.nonces().forget(token.id);
        if token.signs {
            // The row is gone, and without it the key counts for nothing: what is left over is harmless.
            for sealed in [sealed_name(name), earlier_name(name), next_name(name)] {
                if let Err(error) = self.shared.room.forget(&sealed).await {
                    tracing::warn!(%error, sealed, "the key of a token that was removed is still sealed");
                }
            }
        }
        Ok(token)
    }

    /// Records when tokens were last used, where that is a minute or more later than recorded, and reads all tokens again.
    ///
    /// A change that the database had not answered in time is in force after this.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a secret does not open.
    pub async fn refresh(&self) -> Result<(), SecretsError> {
        let _alone = self.shared.changing.lock().await;
        let recorded = self.shared.store.tokens().await?;
        let uses = self.uses_after(&recorded);
        if !uses.is_empty() {
            self.shared.store.note_token_uses(uses).await?;
        }
        let mut fresh = HashMap::new();
        for token in recorded {
            let keys = match token.signs {
                true => self.signing_keys(&token).await?,
                false => Vec::new(),
            };
            fresh.insert(token.id, (token, keys));
        }
        let mut all = self.known();
        all.retain(|id, known| {
            let stays = fresh.contains_key(id);
            if !stays {
                known.removed.cancel();
            }
            stays
        });
        for (id, (mut token, keys)) in fresh {
            let before = all.remove(&id);
            token.used = token.used.max(before.as_ref().and_then(|known| known.token.used));
            let removed = before.map(|known| known.removed).unwrap_or_default();
            all.insert(id, Known { token, keys, removed });
        }
        Ok(())
    }

    /// The uses in memory that are much later than the recorded ones.
    fn uses_after(&self, recorded: &[RecordedToken]) -> Vec<(String, Timestamp)> {
        let all = self.known();
        let later = recorded.iter().filter_map(|token| {
            let used = all.get(&token.id)?.token.used?;
            let is_later = token.used.is_none_or(|before| before.plus(USE_STEP) <= used);
            is_later.then(|| (token.name.clone(), used))
        });
        later.collect()
    }

    fn find(&self, name: &str) -> Result<RecordedToken, SecretsError> {
        let found = self.list().into_iter().find(|token| token.name == name);
        Ok(found.ok_or_else(|| StoreError::NoSuchToken(name.to_owned()))?)
    }

    /// A new token with this id, and the hash of its secret part.
    fn generate(&self, id: Id, signs: bool) -> Result<(Secret, String), SecretsError> {
        let kind = if signs { Kind::Signs } else { Kind::Sent };
        let text = write(kind, id, &random()?);
        let secret = text.expose_text().and_then(Text::read).map(|read| read.secret);
        let hash = hash(&self.shared.key, secret.unwrap_or_default());
        Ok((text, hash))
    }
}

/// What the names of the sealed keys of tokens begin with: the present one, the one from before the last rotation, and the
/// one that is to be the present one, while a rotation is under way.
pub(crate) const SIGNING_KEYS: [&str; 3] = ["token/signs/", "token/signed/", "token/next/"];

/// The name of the sealed key of a token. No name of a token has a slash.
fn sealed_name(name: &str) -> String {
    let [present, ..] = SIGNING_KEYS;
    format!("{present}{name}")
}

/// The name of the sealed key from before the last rotation.
fn earlier_name(name: &str) -> String {
    let [_, earlier, _] = SIGNING_KEYS;
    format!("{earlier}{name}")
}

/// The name of the sealed key that is to be the present one, while a rotation is under way.
fn next_name(name: &str) -> String {
    let [.., next] = SIGNING_KEYS;
    format!("{next}{name}")
}

fn check_name(name: &str) -> Result<(), SecretsError> {
    let is_letter = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    match !name.is_empty() && name.len() <= LONGEST_NAME && name.bytes().all(is_letter) {
        true => Ok(()),
        false => Err(SecretsError::BadTokenName(name.to_owned())),
    }
}
