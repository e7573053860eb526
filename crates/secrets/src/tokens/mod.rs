//! Tokens: how callers of the API prove who they are.
//!
//! ```text
//!   sent:    Authorization: Bearer orct_ID_SECRET ──▶ keyed hash of SECRET ──▶ the hash in the row of ID
//!   signs:   Authorization: HMAC …, over the request ──▶ the sealed key of ID ──▶ time, nonce ──▶ accepted once
//! ```
//!
//! Invariants:
//!
//! - A token is 256 random bits. It is shown once; only its hash is recorded, keyed with a sealed secret, so that whoever
//!   reads or writes the database can neither learn nor make one.
//! - The key of a token that signs is sealed. Such a token is refused when it is sent itself.
//! - A token that was removed is refused from the moment at which its removal is durable.
//! - All tokens are in memory: a request with a wrong one costs no access to the database, and a right one none either.

mod change;
mod denied;
mod instance;
mod scope;
mod signature;
#[cfg(test)]
mod tests;
mod text;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orchestrator_model::{Id, RecordedToken, Role, Timestamp};
use orchestrator_store::Store;
use ring::hmac;
use tokio_util::sync::CancellationToken;

pub use change::NewToken;
pub(crate) use change::SIGNING_KEYS;
pub use denied::Denied;
pub(crate) use instance::INSTANCES_KEY;
pub use instance::InstanceTokens;
pub use scope::{Scope, ScopeError};
pub use signature::SignedRequest;

use self::signature::Nonces;
use self::text::{Kind, Text};
use crate::{Room, Secret, SecretsError, hex};

/// The name of the secret that keys the hashes.
pub(crate) const HASH_KEY: &str = "token/key";

/// What a caller may do who has proved to hold a token.
#[derive(Debug, Clone)]
pub struct Granted {
    /// The caller in the timeline: `token ci`.
    pub caller: String,
    /// Its role.
    pub role: Role,
    /// The paths that it may use.
    pub scope: Scope,
    /// When that ends; `None` for never.
    pub until: Option<Timestamp>,
    /// Cancelled when the token is removed: what is still being answered ends then.
    pub removed: CancellationToken,
}

/// All tokens of the daemon. A cheap handle.
#[derive(Debug, Clone)]
pub struct Tokens {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    room: Room,
    /// The key of the hashes.
    key: hmac::Key,
    known: Mutex<HashMap<Id, Known>>,
    nonces: Mutex<Nonces>,
    /// One change at a time, so that memory is as the database.
    changing: tokio::sync::Mutex<()>,
}

/// A token in memory.
#[derive(Debug)]
struct Known {
    token: RecordedToken,
    /// The keys that sign: the present one, and the one before the last rotation.
    keys: Vec<Secret>,
    removed: CancellationToken,
}

impl Tokens {
    /// Reads all tokens.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, a secret does not open, or the kernel gives no random bytes.
    pub async fn open(store: Store, room: Room) -> Result<Self, SecretsError> {
        Self::open_at(store, room, Timestamp::wall()).await
    }

    /// [`open`](Self::open) at another time of the wall clock.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub async fn open_at(store: Store, room: Room, now: Timestamp) -> Result<Self, SecretsError> {
        let key = match read_key(&room, HASH_KEY).await? {
            Some(key) => key,
            None => keep_key(&room, HASH_KEY, now).await?,
        };
        let tokens = Self {
            shared: Arc::new(Shared {
                store,
                room,
                key,
                known: Mutex::default(),
                nonces: Mutex::new(Nonces::new(now)),
                changing: tokio::sync::Mutex::default(),
            }),
        };
        tokens.refresh().await?;
        Ok(tokens)
    }

    /// All tokens by name, with when they were last used.
    pub fn list(&self) -> Vec<RecordedToken> {
        let mut all: Vec<_> = self.known().values().map(|known| known.token.clone()).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// What the holder of a token may do that was sent with a request. `now` is the daemon's time.
    ///
    /// # Errors
    ///
    /// Why the token is refused.
    pub fn sent(&self, token: &str, now: Timestamp) -> Result<Granted, Denied> {
        let text = Text::read(token).ok_or(Denied::Unknown)?;
        let mut all = self.known();
        let known = all.get_mut(&text.id).ok_or(Denied::Unknown)?;
        if text.kind == Kind::Signs && known.token.signs {
            let name = known.token.name.clone();
            return match known.is_secret(text.secret, &self.shared.key, now) {
                true => Err(Denied::OnlySigns { name }),
                false => Err(Denied::Unknown),
            };
        }
        if text.kind != Kind::Sent || !known.is_secret(text.secret, &self.shared.key, now) {
            return Err(Denied::Unknown);
        }
        known.grant(now)
    }

    /// What the signer of a request may do. The request is accepted once. `now` is the daemon's time; the time of the
    /// request, which another machine gave it, is compared with the wall clock.
    ///
    /// # Errors
    ///
    /// Why the signature is refused.
    pub fn signed(&self, request: &SignedRequest<'_>, now: Timestamp) -> Result<Granted, Denied> {
        self.signed_at(request, now, Timestamp::wall())
    }

    fn signed_at(&self, request: &SignedRequest<'_>, now: Timestamp, wall: Timestamp) -> Result<Granted, Denied> {
        let mut all = self.known();
        let known = all.get_mut(&request.token).ok_or(Denied::Unknown)?;
        if !known.token.signs {
            let name = known.token.name.clone();
            return Err(Denied::DoesNotSign { name });
        }
        let (text, tag) = (request.text(), hex::decode(request.signature).unwrap_or_default());
        let is_by = |key: &&Secret| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose());
            hmac::verify(&key, text.as_bytes(), &tag).is_ok()
        };
        if !request.has_nonce() || !known.accepted_keys(now).iter().any(|key| is_by(&key)) {
            return Err(Denied::BadSignature);
        }
        let granted = known.grant(now)?;
        self.nonces().accept(request, wall)?;
        Ok(granted)
    }

    fn nonces(&self) -> MutexGuard<'_, Nonces> {
        self.shared.nonces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Id, Known>> {
        self.shared.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Whether the text is the secret part. The comparison takes the same time for every text.
    fn is_secret(&self, secret: &str, key: &hmac::Key, now: Timestamp) -> bool {
        let is = |hash: &str| {
            let hash = hex::decode(hash).unwrap_or_default();
            hmac::verify(key, secret.as_bytes(), &hash).is_ok()
        };
        let earlier = self.token.earlier.as_ref().filter(|(_, until)| *until > now);
        is(&self.token.hash) || earlier.is_some_and(|(hash, _)| is(hash))
    }

    /// The keys whose signatures are accepted.
    fn accepted_keys(&self, now: Timestamp) -> &[Secret] {
        let is_rotating = self.token.earlier.as_ref().is_some_and(|(_, until)| *until > now);
        let count = if is_rotating { self.keys.len() } else { 1 };
        &self.keys[..count.min(self.keys.len())]
    }

    /// Grants what the token is for, and remembers its use.
    fn grant(&mut self, now: Timestamp) -> Result<Granted, Denied> {
        let token = &mut self.token;
        if let Some(until) = token.until.filter(|until| *until <= now) {
            let name = token.name.clone();
            return Err(Denied::Ended { name, until });
        }
        token.used = token.used.max(Some(now));
        // It was checked when the token was made. A row that somebody wrote by hand grants nothing.
        let scope = Scope::parse(token.scope.iter().map(String::as_str)).map_err(|_| Denied::Unknown)?;
        Ok(Granted {
            caller: format!("token {}", token.name),
            role: token.role,
            scope,
            until: token.until,
            removed: self.removed.clone(),
        })
    }
}

/// The keyed hash of the secret part of a token.
fn hash(key: &hmac::Key, secret: &str) -> String {
    hex::encode(hmac::sign(key, secret.as_bytes()).as_ref())
}

async fn read_key(room: &Room, name: &str) -> Result<Option<hmac::Key>, SecretsError> {
    let secret = room.read(name).await?;
    Ok(secret.map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret.expose())))
}

async fn keep_key(room: &Room, name: &str, at: Timestamp) -> Result<hmac::Key, SecretsError> {
    let secret = Secret::new(text::random()?.to_vec());
    room.keep(name, &secret, at).await?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, secret.expose()))
}
