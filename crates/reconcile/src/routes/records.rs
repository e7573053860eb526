//! The part of the store that the route reconciler needs.
//!
//! It is a trait, so that the reconciler can be tested on records in memory and on a paused clock.

use std::net::Ipv6Addr;

use async_trait::async_trait;
use ipnet::Ipv6Net;
use orchestrator_model::{NewEvent, Timestamp};
use orchestrator_store::{AttachedPrefix, Store, StoreError};

/// The reads and writes of the route reconciler. Every method does the same as the method of [`Store`] with the same
/// name.
#[async_trait]
pub trait RouteRecords: Send + Sync + 'static {
    /// The links of which any prefix is held at this time.
    async fn routed_links(&self, now: Timestamp) -> Result<Vec<String>, StoreError>;

    /// The prefixes of a link that are held at this time, each with the router towards it.
    async fn routed_prefixes(&self, link: &str, now: Timestamp) -> Result<Vec<(Ipv6Net, Ipv6Addr)>, StoreError>;

    /// The router towards a prefix of a link; `None` when nobody holds it at this time.
    async fn routed_prefix(&self, link: &str, prefix: Ipv6Net, now: Timestamp) -> Result<Option<Ipv6Addr>, StoreError>;

    /// The prefixes that are routed to live instances.
    async fn attached_prefixes(&self) -> Result<Vec<AttachedPrefix>, StoreError>;

    /// The prefixes that are reserved, each with its link.
    async fn reserved_prefixes(&self) -> Result<Vec<(String, Ipv6Net)>, StoreError>;

    /// Records an event.
    async fn append_event(&self, event: NewEvent) -> Result<(), StoreError>;
}

#[async_trait]
impl RouteRecords for Store {
    async fn routed_links(&self, now: Timestamp) -> Result<Vec<String>, StoreError> {
        Store::routed_links(self, now).await
    }

    async fn routed_prefixes(&self, link: &str, now: Timestamp) -> Result<Vec<(Ipv6Net, Ipv6Addr)>, StoreError> {
        Store::routed_prefixes(self, link, now).await
    }

    async fn routed_prefix(&self, link: &str, prefix: Ipv6Net, now: Timestamp) -> Result<Option<Ipv6Addr>, StoreError> {
        Store::routed_prefix(self, link, prefix, now).await
    }

    async fn attached_prefixes(&self) -> Result<Vec<AttachedPrefix>, StoreError> {
        Store::attached_prefixes(self).await
    }

    async fn reserved_prefixes(&self) -> Result<Vec<(String, Ipv6Net)>, StoreError> {
        let all = Store::reservations(self).await?.into_iter();
        Ok(all
            .filter_map(|made| Some((made.link, made.reservation.prefix?)))
            .collect())
    }

    async fn append_event(&self, event: NewEvent) -> Result<(), StoreError> {
        Store::append_event(self, event).await.map(drop)
    }
}
