//! One message about leases, with the answer that is being built.

use std::cell::OnceCell;
use std::net::Ipv6Addr;

use dhcproto::v6::{OptionCode, Status};

use crate::bindings::Bindings;
use crate::leased::{Kind, Leased};
use crate::lifetime::{self, Lifetimes};
use crate::message::{Ia, Message};
use crate::relay::Way;
use crate::reply::{Association, Reply};
use crate::{
    Binding, BindingState, Change, Class, ClassId, ClientLimit, Duid, Elsewhere, Knowledge, Link, LinkLayerAddress,
    LinkLayerSource, Place, Refusal, Reservation, Verb,
};

use super::options::put_asked;

/// One message about leases, with the answer that is being built.
///
/// The bindings are as before the message. Its new leases are in `taken`, so that no two of its associations get the
/// same one.
pub(super) struct Exchange<'a> {
    pub(super) key: &'a [u8; 16],
    pub(super) link: &'a Link,
    pub(super) bindings: &'a Bindings,
    pub(super) message: &'a Message<'a>,
    pub(super) way: &'a Way<'a>,
    pub(super) client: Duid,
    /// The class that the client is in.
    pub(super) class: Option<(ClassId, &'a Class)>,
    /// The client's reservation.
    pub(super) reservation: Option<&'a Reservation>,
    /// The next hop towards a delegated prefix; see [`Change::next_hop`].
    pub(super) next_hop: Option<Ipv6Addr>,
    /// The source of the datagram.
    pub(super) sent_from: Ipv6Addr,
    pub(super) knowledge: &'a dyn Knowledge,
    /// Where the message comes from, once that was needed.
    pub(super) origin: OnceCell<(LinkLayerSource, Place)>,
    /// The last lease of the message that the client holds from elsewhere.
    pub(super) elsewhere: Option<Elsewhere>,
    pub(super) now: i64,
    pub(super) times: Lifetimes,
    pub(super) reply: Reply,
    pub(super) changes: Vec<Change>,
    /// The identity associations of the answer.
    pub(super) associations: Vec<Association>,
    /// The addresses and prefixes that the answer offers or grants.
    pub(super) taken: Vec<Leased>,
    /// The client's leases that end in favour of new ones in the answer.
    pub(super) making_room: Vec<Leased>,
    /// The reactions to the client being at its limit.
    pub(super) limits: Vec<ClientLimit>,
}

/// The result of a message about leases.
pub(super) struct Finished {
    pub(super) reply: Reply,
    pub(super) changes: Vec<Change>,
    pub(super) refusals: Vec<Refusal>,
    pub(super) limits: Vec<ClientLimit>,
    pub(super) elsewhere: Option<Elsewhere>,
}

impl Exchange<'_> {
    /// Where the message comes from.
    pub(super) fn place(&self) -> &Place {
        &self.origin().1
    }

    /// What is known about the frame of the message.
    pub(super) fn source(&self) -> LinkLayerSource {
        self.origin().0
    }

    fn origin(&self) -> &(LinkLayerSource, Place) {
        self.origin.get_or_init(|| match self.way.client_address() {
            // The frame of a relayed message is the relay agent's. But an agent on a switch sends from the client's
            // address, in the client's frame (RFC 6221).
            Some(client) if client != self.sent_from => {
                let relay = Some(self.sent_from);
                let shown = self.way.link_layer();
                let place = Place {
                    link_local: Some(client),
                    link_layer: shown.and_then(|address| address.as_bytes().try_into().ok()),
                    relay,
                };
                (LinkLayerSource::NotObserved, place)
            }
            _ => {
                let source = self.knowledge.link_layer_source();
                let place = Place {
                    link_local: Some(self.sent_from).filter(Ipv6Addr::is_unicast_link_local),
                    link_layer: source.link_layer(),
                    relay: None,
                };
                (source, place)
            }
        })
    }

    /// The status of an identity association for which nothing is free, on the link or for this client.
    pub(super) fn none_left(&mut self, kind: Kind) -> (Status, &'static str) {
        let is_client_full = self.is_client_full(kind);
        if is_client_full {
            self.limits.push(ClientLimit::Refused);
        }
        match (kind, is_client_full) {
            (Kind::Address, false) => (Status::NoAddrsAvail, "no address is left on this link"),
            (Kind::Address, true) => (
                Status::NoAddrsAvail,
                "this client has as many addresses here as one client may",
            ),
            (Kind::Prefix, false) => (Status::NoPrefixAvail, "no prefix is left on this link"),
            (Kind::Prefix, true) => (
                Status::NoPrefixAvail,
                "this client has as many prefixes here as one client may",
            ),
        }
    }

    /// The binding that the client holds for this identity association.
    pub(super) fn held(&self, ia: &Ia<'_>) -> Option<&Binding> {
        self.bindings
            .table(ia.kind)
            .of_association(self.client.as_bytes(), ia.iaid)
            .filter(|binding| binding.is_held(self.now))
    }

    /// The bindings that an identity association names and that the client holds for it, each once.
    pub(super) fn held_by_name(&self, ia: &Ia<'_>) -> Vec<Binding> {
        let mut held: Vec<Binding> = Vec::new();
        for named in ia.named() {
            let binding = self.bindings.at(named).filter(|own| own.leased == named);
            let own = binding.filter(|own| own.is_for(self.client.as_bytes(), ia.iaid) && own.is_held(self.now));
            if let Some(own) = own.filter(|own| held.iter().all(|known| known.leased != own.leased)) {
                held.push(own.clone());
            }
        }
        held
    }

    /// Chooses an address or prefix for an identity association and keeps it from the others of this message.
    pub(super) fn offer(&mut self, ia: &Ia<'_>) -> Option<Leased> {
        let leased = self.choose(ia).or_else(|| self.choose_by_making_room(ia))?;
        self.taken.push(leased);
        Some(leased)
    }

    /// Chooses an address or prefix for an identity association and grants it.
    pub(super) fn lease(&mut self, ia: &Ia<'_>) -> Option<Leased> {
        let made_before = self.making_room.len();
        let leased = self.offer(ia)?;
        self.end_what_makes_room(made_before);
        self.grant(ia, leased);
        Some(leased)
    }

    /// Ends the leases that make room for new ones, from this index on.
    fn end_what_makes_room(&mut self, first: usize) {
        let ended: Vec<Leased> = self.making_room.iter().skip(first).copied().collect();
        for leased in ended {
            let Some(binding) = self.bindings.at(leased) else {
                continue;
            };
            let change = Change::release(binding, self.now);
            self.change(change);
            self.limits.push(ClientLimit::MadeRoom(leased));
        }
    }

    /// Grants an address or prefix, or extends its lease. Ends the lease that it replaces.
    pub(super) fn grant(&mut self, ia: &Ia<'_>, leased: Leased) {
        let before = self.bindings.at(leased).cloned();
        let held = before
            .as_ref()
            .filter(|own| own.leased == leased && own.is_for(self.client.as_bytes(), ia.iaid) && own.is_held(self.now));
        let place = held.map_or(*self.place(), |own| self.place().completed_by(&own.place));
        let holds = held.is_some();
        if let Some(old) = self.held(ia).filter(|old| old.leased != leased) {
            let change = Change::release(old, self.now);
            self.change(change);
        }
        let after = Binding {
            duid: self.client.clone(),
            iaid: ia.iaid,
            leased,
            state: BindingState::Active,
            preferred_until: lifetime::until(self.now, self.times.preferred),
            valid_until: lifetime::until(self.now, self.times.valid),
            place,
        };
        let verb = if holds { Verb::Renew } else { Verb::Grant };
        self.change(Change {
            verb,
            before,
            after,
            link_layer: None,
            hostname: None,
            class: None,
            next_hop: leased.prefix().and(self.next_hop),
        });
    }

    /// Records that a lease that its client still holds has moved to where the message comes from.
    pub(super) fn move_here(&mut self, held: Binding) {
        let place = *self.place();
        self.change(Change {
            verb: Verb::Renew,
            after: Binding { place, ..held.clone() },
            before: Some(held),
            link_layer: None,
            hostname: None,
            class: None,
            next_hop: None,
        });
    }

    /// Adds a change, with the details of the client from the message.
    pub(super) fn change(&mut self, change: Change) {
        self.changes.push(Change {
            link_layer: self.link_layer(),
            hostname: self.message.hostname(),
            class: self.class.map(|(_, class)| class.name.clone()),
            ..change
        });
    }

    /// Adds an identity association with its lease, or with the reason why it has none.
    pub(super) fn put_lease(&mut self, ia: &Ia<'_>, leased: Option<Leased>) {
        let status = leased.is_none().then(|| self.none_left(ia.kind));
        self.put(ia, self.times, leased, Vec::new(), status);
    }

    /// Adds an identity association without a lease, and the reason.
    pub(super) fn refuse(&mut self, ia: &Ia<'_>, status: Status, words: &'static str) {
        self.associations.push(Association {
            kind: ia.kind,
            iaid: ia.iaid,
            times: None,
            leased: None,
            excluded: None,
            ended: Vec::new(),
            status: Some((status, words)),
        });
    }

    /// Adds an identity association with its lease, its ended leases, and a status.
    pub(super) fn put(
        &mut self,
        ia: &Ia<'_>,
        times: Lifetimes,
        leased: Option<Leased>,
        ended: Vec<Leased>,
        status: Option<(Status, &'static str)>,
    ) {
        self.associations.push(Association {
            kind: ia.kind,
            iaid: ia.iaid,
            times: Some(times),
            leased,
            excluded: leased.and_then(|leased| self.excluded(leased)),
            ended,
            status,
        });
    }

    /// Adds the other options that the client asked for.
    pub(super) fn put_asked(&mut self) {
        let options = self.class.map_or(&self.link.options, |(_, class)| &class.options);
        put_asked(&mut self.reply, self.link, options, self.message, self.way);
    }

    /// The class that the client is in, by its place.
    pub(super) fn class_id(&self) -> Option<ClassId> {
        self.class.map(|(id, _)| id)
    }

    /// The answer, with its changes and refusals.
    pub(super) fn finish(mut self) -> Finished {
        self.reply.put_associations(&self.associations);
        let statuses = self.associations.iter().filter_map(|association| association.status);
        let refusals = statuses.filter_map(|(status, _)| Refusal::of(status)).collect();
        Finished {
            reply: self.reply,
            changes: self.changes,
            refusals,
            limits: self.limits,
            elsewhere: self.elsewhere,
        }
    }

    /// The excluded part of a prefix, if the client asks for it (RFC 6603, section 4.2).
    fn excluded(&self, leased: Leased) -> Option<Vec<u8>> {
        let prefix = leased
            .prefix()
            .filter(|_| self.message.asks_for(OptionCode::PdExclude))?;
        self.link.delegating(prefix)?.exclusion()
    }

    /// The client's link-layer address, from the relay agent next to it or else from its DUID.
    fn link_layer(&self) -> Option<LinkLayerAddress> {
        self.way.link_layer().or_else(|| self.client.link_layer())
    }
}
