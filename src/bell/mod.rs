//! How a committed change wakes whoever must act on it.
//!
//! Ringing never waits and never fails; rings for one client that nobody has heard yet are one ring.
//! A ring carries no news but "look again": what is to be done is in the store. So the order of rings does not matter,
//! and a ring that is lost with the daemon is made up for by the look at its next start.
//!
//! Whoever hears it names the links for whose clients nobody need ring. There, a lease costs nothing but its commit.

mod prefixes;

use std::collections::HashSet;
use std::net::Ipv6Addr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::Notify;

use self::prefixes::PrefixRings;
pub use self::prefixes::Prefixes;
use crate::model::{ClientId, Leased};

/// The bell. A cheap handle: all clones are one bell.
#[derive(Debug, Clone, Default)]
pub struct Bell {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    // Bounded by the number of clients.
    rung: Mutex<HashSet<ClientId>>,
    heard: Notify,
    silent: RwLock<HashSet<String>>,
    prefixes: PrefixRings,
}

impl Bell {
    /// Something that is wanted for `client` may have changed.
    pub fn ring(&self, client: ClientId) {
        self.inner
            .rung
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(client);
        self.inner.heard.notify_one();
    }

    /// A lease of `leased` on `link` may have begun, changed or ended; `next_hop` is the router towards a prefix that is
    /// known to be held. Of an address nobody need hear.
    pub fn ring_leased(&self, link: &str, leased: Leased, next_hop: Option<Ipv6Addr>) {
        if let Some(prefix) = leased.prefix() {
            self.inner.prefixes.ring(link, prefix, next_hop);
        }
    }

    /// Any delegated prefix may have changed hands, or the interface that it is reached through.
    pub fn ring_prefixes(&self) {
        self.inner.prefixes.ring_all();
    }

    /// Waits for rings for prefixes and takes them all. Cancel-safe: what is not returned is still rung.
    pub async fn prefixes_heard(&self) -> Prefixes {
        self.inner.prefixes.heard().await
    }

    /// From now on nobody need ring for clients of these links, and of these alone.
    ///
    /// Who takes a link out of them looks for its clients in the store afterwards: nobody has rung for them.
    pub fn silence(&self, links: HashSet<String>) {
        *self.inner.silent.write().unwrap_or_else(PoisonError::into_inner) = links;
    }

    /// Whether nobody need ring for clients of this link. To be asked after the commit that there is to ring for.
    pub fn is_silent(&self, link: &str) -> bool {
        let silent = self.inner.silent.read().unwrap_or_else(PoisonError::into_inner);
        silent.contains(link)
    }

    /// Waits for rings for clients and takes them all. Cancel-safe: what is not returned is still rung.
    pub async fn heard(&self) -> HashSet<ClientId> {
        loop {
            let rung = std::mem::take(&mut *self.inner.rung.lock().unwrap_or_else(PoisonError::into_inner));
            if !rung.is_empty() {
                return rung;
            }
            self.inner.heard.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Id;

    #[tokio::test]
    async fn rings_before_and_after_listening_are_heard_once_each() {
        let bell = Bell::default();
        let [first, second] = [Id::from_bytes([1; 6]), Id::from_bytes([2; 6])];
        bell.ring(first);
        bell.ring(first);
        assert_eq!(bell.heard().await, HashSet::from([first]));
        let listener = tokio::spawn({
            let bell = bell.clone();
            async move { bell.heard().await }
        });
        bell.ring(second);
        assert_eq!(listener.await.unwrap(), HashSet::from([second]));
    }

    #[test]
    fn only_the_links_named_last_are_silent() {
        let bell = Bell::default();
        bell.silence(HashSet::from(["br0".to_owned()]));
        assert!(bell.is_silent("br0") && !bell.is_silent("br1"));
        bell.silence(HashSet::new());
        assert!(!bell.is_silent("br0"));
    }
}
