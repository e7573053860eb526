//! Names of users.

use std::time::Duration;

use nix::unistd::{Uid, User};

use super::peer::Peer;

/// The time limit for looking up a user's name, which another machine may hold.
const LIMIT: Duration = Duration::from_secs(1);

/// The name of a peer's user; `None` if it has none, or if the look-up takes too long.
pub(super) async fn user_name(peer: Peer) -> Option<String> {
    let Peer::Process { uid, .. } = peer else { return None };
    let found = tokio::task::spawn_blocking(move || User::from_uid(Uid::from_raw(uid)));
    let found = tokio::time::timeout(LIMIT, found).await.ok()?.ok()?;
    found.ok().flatten().map(|user| user.name)
}
