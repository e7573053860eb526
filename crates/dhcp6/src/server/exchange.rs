//! One message about leases, and the answer to it in the making.

use std::net::Ipv6Addr;

use dhcproto::v6::Status;

use crate::bindings::Bindings;
use crate::lifetime::{self, Lifetimes};
use crate::message::{Ia, Message};
use crate::relay::Way;
use crate::reply::{Association, Reply};
use crate::{Binding, BindingState, Change, Duid, Iaid, Link, LinkLayerAddress, Verb};

/// One message about leases, and the answer to it in the making.
///
/// The bindings are as they were before the message. What it takes is in `taken`, so that no two of its associations
/// are given the same address.
pub(super) struct Exchange<'a> {
    pub(super) key: &'a [u8; 16],
    pub(super) link: &'a Link,
    pub(super) bindings: &'a Bindings,
    pub(super) message: &'a Message<'a>,
    pub(super) way: &'a Way<'a>,
    pub(super) client: Duid,
    pub(super) now: i64,
    pub(super) times: Lifetimes,
    pub(super) reply: Reply,
    pub(super) changes: Vec<Change>,
    /// Addresses that the answer offers or grants.
    pub(super) taken: Vec<Ipv6Addr>,
}

impl Exchange<'_> {
    /// The binding under which the client holds an address for this identity association.
    pub(super) fn held(&self, iaid: Iaid) -> Option<&Binding> {
        self.bindings
            .of_association(self.client.as_bytes(), iaid)
            .filter(|binding| binding.is_held(self.now))
    }

    /// The addresses of an identity association that the client holds for it, each once.
    pub(super) fn held_addresses(&self, ia: &Ia<'_>) -> Vec<Binding> {
        let mut held: Vec<Binding> = Vec::new();
        for address in ia.addresses() {
            let binding = self.bindings.by_address(address);
            let own = binding.filter(|own| own.is_for(self.client.as_bytes(), ia.iaid) && own.is_held(self.now));
            if let Some(own) = own.filter(|own| held.iter().all(|known| known.address != own.address)) {
                held.push(own.clone());
            }
        }
        held
    }

    /// Chooses an address for an identity association and keeps it from the others of this message.
    pub(super) fn offer(&mut self, ia: &Ia<'_>) -> Option<Ipv6Addr> {
        let address = self.choose(ia)?;
        self.taken.push(address);
        Some(address)
    }

    /// Chooses an address for an identity association and grants it.
    pub(super) fn lease(&mut self, ia: &Ia<'_>) -> Option<Ipv6Addr> {
        let address = self.offer(ia)?;
        self.grant(ia.iaid, address);
        Some(address)
    }

    /// Grants an address, or extends its lease; ends the lease of another that it takes the place of.
    pub(super) fn grant(&mut self, iaid: Iaid, address: Ipv6Addr) {
        let before = self.bindings.by_address(address).cloned();
        let holds = before
            .as_ref()
            .is_some_and(|own| own.is_for(self.client.as_bytes(), iaid) && own.is_held(self.now));
        if let Some(old) = self.held(iaid).filter(|old| old.address != address) {
            let change = Change::release(old, self.now);
            self.change(change);
        }
        let after = Binding {
            duid: self.client.clone(),
            iaid,
            address,
            state: BindingState::Active,
            preferred_until: lifetime::until(self.now, self.times.preferred),
            valid_until: lifetime::until(self.now, self.times.valid),
        };
        let verb = if holds { Verb::Renew } else { Verb::Grant };
        self.change(Change {
            verb,
            before,
            after,
            link_layer: None,
            hostname: None,
        });
    }

    /// Notes a change, with what the message tells of its client.
    pub(super) fn change(&mut self, change: Change) {
        self.changes.push(Change {
            link_layer: self.link_layer(),
            hostname: self.message.hostname(),
            ..change
        });
    }

    /// Puts in an identity association with the address that it was given, or with the reason why it has none.
    pub(super) fn put_lease(&mut self, iaid: Iaid, leased: Option<Ipv6Addr>) {
        let status = leased
            .is_none()
            .then_some((Status::NoAddrsAvail, "no address is left on this link"));
        self.reply.put_association(&Association {
            iaid,
            times: self.times,
            leased,
            ended: &[],
            status,
        });
    }

    /// Prefixes are not delegated on this link.
    pub(super) fn refuse_prefixes(&mut self, status: Status, words: &str) {
        for iaid in &self.message.prefix_ias {
            self.reply.put_prefix_refusal(*iaid, status, words);
        }
    }

    /// As its relay saw it, else as its DUID says.
    fn link_layer(&self) -> Option<LinkLayerAddress> {
        self.way.link_layer().or_else(|| self.client.link_layer())
    }
}
