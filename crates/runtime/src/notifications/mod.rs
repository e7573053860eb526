//! Notifications: how a committed change wakes the reconciler that must act on it.
//!
//! A notification says only that something may have changed. The store says what is to be done. So notifications may
//! come late, twice or in another order, and the full pass at the next start replaces any that are lost with the
//! daemon. Notifying never waits and never fails. Several pending notifications for one owner or slot become one.
//!
//! The receiver mutes the links whose clients need no notification. There, a lease costs nothing but its commit.

mod prefixes;

use std::collections::HashSet;
use std::net::Ipv6Addr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::Notify;

use self::prefixes::PrefixNotifications;
pub use self::prefixes::Prefixes;
use orchestrator_model::{ClientId, Leased, Owner, SlotKey};

/// The notifications of the daemon. A cheap handle: all clones share the same ones.
#[derive(Debug, Clone, Default)]
pub struct Notifications {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    // Bounded by the number of owners and slots.
    pending: Mutex<Notified>,
    wake: Notify,
    muted: RwLock<HashSet<String>>,
    prefixes: PrefixNotifications,
    // Bounded by the number of clients.
    moved: Mutex<HashSet<ClientId>>,
    wake_places: Notify,
    // Bounded by the number of clients.
    renamed: Mutex<HashSet<ClientId>>,
    wake_names: Notify,
    // Bounded by the number of services.
    services: Mutex<HashSet<String>>,
    wake_services: Notify,
}

/// The owners and slots whose instances the instance reconciler must check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notified {
    /// Owners for which something may have changed, in any of their slots.
    pub owners: HashSet<Owner>,
    /// Slots in which something may have changed.
    pub slots: HashSet<SlotKey>,
}

impl Notified {
    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.owners.is_empty() && self.slots.is_empty()
    }
}

impl Notifications {
    /// Notifies of a possible change for this owner, in any of its slots. A client's lease event is one for the client.
    pub fn notify(&self, owner: impl Into<Owner>) {
        let owner = owner.into();
        self.change(|pending| pending.owners.insert(owner));
    }

    /// Notifies of a possible change in this slot.
    pub fn notify_slot(&self, key: SlotKey) {
        self.change(|pending| pending.slots.insert(key));
    }

    fn change(&self, change: impl FnOnce(&mut Notified) -> bool) {
        change(&mut self.inner.pending.lock().unwrap_or_else(PoisonError::into_inner));
        self.inner.wake.notify_one();
    }

    /// Notifies of a lease of `leased` on `link` that may have begun, changed or ended. `next_hop` is the router
    /// towards a prefix that is known to be held. A single address needs no route, so nobody is notified of one.
    pub fn notify_leased(&self, link: &str, leased: Leased, next_hop: Option<Ipv6Addr>) {
        if let Some(prefix) = leased.prefix() {
            self.inner.prefixes.notify(link, prefix, next_hop);
        }
    }

    /// Notifies that any delegated prefix, or the interface towards it, may have changed.
    pub fn notify_prefixes(&self) {
        self.inner.prefixes.notify_all();
    }

    /// Notifies that a client holds a lease at another place than before: another port, link-layer address or relay.
    pub fn notify_place(&self, client: ClientId) {
        let mut moved = self.inner.moved.lock().unwrap_or_else(PoisonError::into_inner);
        moved.insert(client);
        self.inner.wake_places.notify_one();
    }

    /// Notifies that a client that holds a lease has another host name than before.
    pub fn notify_name(&self, client: ClientId) {
        let mut renamed = self.inner.renamed.lock().unwrap_or_else(PoisonError::into_inner);
        renamed.insert(client);
        self.inner.wake_names.notify_one();
    }

    /// Notifies that instances of a service may wait for something else than before.
    pub fn notify_service(&self, service: String) {
        let mut services = self.inner.services.lock().unwrap_or_else(PoisonError::into_inner);
        services.insert(service);
        self.inner.wake_services.notify_one();
    }

    /// Waits for services whose instances may wait for something else, and takes them all. Cancel-safe: what is not returned
    /// stays pending.
    pub async fn received_services(&self) -> HashSet<String> {
        loop {
            let services = std::mem::take(&mut *self.inner.services.lock().unwrap_or_else(PoisonError::into_inner));
            if !services.is_empty() {
                return services;
            }
            self.inner.wake_services.notified().await;
        }
    }

    /// Waits for clients that have another host name, and takes them all. Cancel-safe: what is not returned stays pending.
    pub async fn received_names(&self) -> HashSet<ClientId> {
        loop {
            let renamed = std::mem::take(&mut *self.inner.renamed.lock().unwrap_or_else(PoisonError::into_inner));
            if !renamed.is_empty() {
                return renamed;
            }
            self.inner.wake_names.notified().await;
        }
    }

    /// Waits for clients that hold a lease at another place, and takes them all. Cancel-safe: what is not returned stays
    /// pending.
    pub async fn received_places(&self) -> HashSet<ClientId> {
        loop {
            let moved = std::mem::take(&mut *self.inner.moved.lock().unwrap_or_else(PoisonError::into_inner));
            if !moved.is_empty() {
                return moved;
            }
            self.inner.wake_places.notified().await;
        }
    }

    /// Waits for notifications of prefixes and takes them all. Cancel-safe: what is not returned stays pending.
    pub async fn received_prefixes(&self) -> Prefixes {
        self.inner.prefixes.received().await
    }

    /// Mutes these links, and no others: their clients need no notification from now on.
    ///
    /// A caller that takes a link out of the set must read its clients from the store afterwards, because nobody has
    /// notified it of them.
    pub fn mute(&self, links: HashSet<String>) {
        *self.inner.muted.write().unwrap_or_else(PoisonError::into_inner) = links;
    }

    /// Ends the silence of a link before the next [`mute`](Self::mute): its clients get instances from now on.
    pub fn unmute(&self, link: &str) {
        let mut muted = self.inner.muted.write().unwrap_or_else(PoisonError::into_inner);
        muted.remove(link);
    }

    /// Whether the link is muted. Ask after the commit that the notification would be for.
    pub fn is_muted(&self, link: &str) -> bool {
        let muted = self.inner.muted.read().unwrap_or_else(PoisonError::into_inner);
        muted.contains(link)
    }

    /// Waits for notifications of owners and slots and takes them all. Cancel-safe: what is not returned stays pending.
    pub async fn received(&self) -> Notified {
        loop {
            let pending = std::mem::take(&mut *self.inner.pending.lock().unwrap_or_else(PoisonError::into_inner));
            if !pending.is_empty() {
                return pending;
            }
            self.inner.wake.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orchestrator_model::{Id, Slot};

    #[tokio::test]
    async fn notifications_from_before_and_after_the_wait_are_received_once_each() {
        let notifications = Notifications::default();
        let [first, second]: [Owner; 2] = [[1; 6], [2; 6]].map(|bytes| Owner::Client(Id::from_bytes(bytes)));
        let of = |owner: &Owner| Notified {
            owners: HashSet::from([owner.clone()]),
            ..Notified::default()
        };
        notifications.notify(first.clone());
        notifications.notify(first.clone());
        assert_eq!(notifications.received().await, of(&first));
        let listener = tokio::spawn({
            let notifications = notifications.clone();
            async move { notifications.received().await }
        });
        notifications.notify(second.clone());
        assert_eq!(listener.await.unwrap(), of(&second));
    }

    #[tokio::test]
    async fn an_owner_and_its_slot_are_notified_apart() {
        let notifications = Notifications::default();
        let owner = Owner::Service("web".to_owned());
        let key = SlotKey::new(owner.clone(), Slot::numbered(0));
        notifications.notify_slot(key.clone());
        notifications.notify_slot(key.clone());
        notifications.notify(owner.clone());
        let expected = Notified {
            owners: HashSet::from([owner]),
            slots: HashSet::from([key]),
        };
        assert_eq!(notifications.received().await, expected);
    }

    #[tokio::test]
    async fn a_client_that_moved_is_named_once_however_often_it_moved() {
        let notifications = Notifications::default();
        let [first, second]: [ClientId; 2] = [[1; 6], [2; 6]].map(Id::from_bytes);
        for client in [first, first, second] {
            notifications.notify_place(client);
        }
        assert_eq!(notifications.received_places().await, HashSet::from([first, second]));
        notifications.notify_place(first);
        assert_eq!(notifications.received_places().await, HashSet::from([first]));
    }

    #[tokio::test]
    async fn a_client_with_another_name_is_named_once() {
        let notifications = Notifications::default();
        let [first, second]: [ClientId; 2] = [[1; 6], [2; 6]].map(Id::from_bytes);
        for client in [first, first, second] {
            notifications.notify_name(client);
        }
        assert_eq!(notifications.received_names().await, HashSet::from([first, second]));
    }

    #[tokio::test]
    async fn a_service_is_named_once_however_often_it_was_notified() {
        let notifications = Notifications::default();
        for service in ["web", "web", "db"] {
            notifications.notify_service(service.to_owned());
        }
        let both = HashSet::from(["web".to_owned(), "db".to_owned()]);
        assert_eq!(notifications.received_services().await, both);
    }

    #[test]
    fn only_the_links_named_last_are_muted() {
        let notifications = Notifications::default();
        notifications.mute(HashSet::from(["br0".to_owned()]));
        assert!(notifications.is_muted("br0") && !notifications.is_muted("br1"));
        notifications.mute(HashSet::new());
        assert!(!notifications.is_muted("br0"));
    }
}
