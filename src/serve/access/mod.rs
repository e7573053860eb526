//! Who may use the API: the tokens of callers, and the certificate of the listeners with TLS.

mod certificate;
mod tokens;

use orchestrator_api::ServerIdentity;
use orchestrator_secrets::{KeyFile, Room, SecretsError};
use orchestrator_store::Store;

pub(super) use tokens::Keyring;

use super::Context;

/// Keeps tokens and certificate until the daemon stops.
pub(super) fn register(context: &Context, store: &Store, keyring: Keyring, identity: ServerIdentity) {
    tokens::register(context, store, keyring);
    certificate::register(context, store, identity);
}

/// Opens the room for secrets. Until its key file is there, that fails.
pub(in crate::serve) async fn open_room(context: &Context, store: &Store) -> Result<Room, SecretsError> {
    let file = KeyFile::at(&context.settings.get().secrets.key_file);
    Room::open(store.sealed(), file, context.clock.now()).await
}
