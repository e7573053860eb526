//! Addr-reg-inform: a host registers an address that it formed itself (RFC 9686, section 4.2.1).
//!
//! A registration is recorded like any other binding, but the server did not assign it. It is separate from the pool's
//! bindings and uses none of their addresses. The number of registrations is limited per client and per link.

use std::net::Ipv6Addr;
use std::time::Duration;

use dhcproto::v6::{MessageType, OptionCode};

use crate::bindings::Bindings;
use crate::discard::Discard;
use crate::leased::Leased;
use crate::lifetime::{seconds, until};
use crate::message::Message;
use crate::relay::Way;
use crate::reply::Reply;
use crate::{Binding, BindingState, Change, Duid, Iaid, Inbound, Link, Place, Registration as Terms, Verb};

/// ADDR-REG-REPLY.
const REPLY: MessageType = MessageType::Unknown(37);
/// The option with which a server announces that it accepts registrations (section 4.1).
pub(super) const ENABLE: OptionCode = OptionCode::Unknown(148);

/// A registration in a message.
struct Registration<'a> {
    address: Ipv6Addr,
    preferred: Duration,
    valid: Duration,
    /// The body of the option, which the answer repeats.
    body: &'a [u8],
}

pub(super) fn answer(
    server: &Duid,
    link: &Link,
    bindings: &Bindings,
    inbound: &Inbound<'_>,
    message: &Message<'_>,
    way: &Way<'_>,
    now: i64,
) -> Result<(Reply, Vec<Change>), Discard> {
    let kind = message.kind;
    let longest = link.registration.as_ref().ok_or(Discard::NotRegistering)?.longest;
    let client = message.client.and_then(|bytes| Duid::new(bytes).ok());
    let client = client.ok_or(Discard::NoClient(kind))?;
    if message.asks() {
        return Err(Discard::OptionsAsked);
    }
    let registration = Registration::read(message)?;
    let source = way.client_address().unwrap_or(*inbound.source.ip());
    if registration.address != source {
        return Err(Discard::NotTheSource(registration.address));
    }
    if !is_appropriate(link, bindings, &client, registration.address, now) {
        return Err(Discard::NotRegistrable(registration.address));
    }
    let change = match registration.valid.is_zero() {
        true => bindings.deregister(&client, registration.address, now),
        false => {
            // The host sent from the address itself. Where it was relayed, the frame is the relay agent's.
            let supplied = || way.link_layer().and_then(|address| address.as_bytes().try_into().ok());
            let place = way.client_address().map(|_| Place {
                link_local: None,
                link_layer: supplied(),
                relay: Some(*inbound.source.ip()),
            });
            let place = place.unwrap_or_default();
            Some(register(link, bindings, (client, place), &registration, longest, now)?)
        }
    };
    let mut reply = Reply::new(REPLY, message.transaction, server.as_bytes(), message.client);
    reply.put_bytes(OptionCode::IAAddr, registration.body.to_vec());
    let change = change.map(|change| Change {
        link_layer: way.link_layer().or_else(|| change.after.duid.link_layer()),
        hostname: message.hostname(),
        ..change
    });
    Ok((reply, change.into_iter().collect()))
}

impl<'a> Registration<'a> {
    fn read(message: &Message<'a>) -> Result<Self, Discard> {
        let [body] = message.addresses[..] else {
            return Err(Discard::NotOneAddress(message.addresses.len()));
        };
        let number = |at: usize| Some(u32::from_be_bytes(body.get(at..at + 4)?.try_into().ok()?));
        let address = body.get(..16).and_then(|octets| <[u8; 16]>::try_from(octets).ok());
        let (Some(address), Some(preferred), Some(valid)) = (address, number(16), number(20)) else {
            return Err(Discard::NotOneAddress(0));
        };
        Ok(Self {
            address: address.into(),
            preferred: Duration::from_secs(preferred.min(valid).into()),
            valid: Duration::from_secs(valid.into()),
            body,
        })
    }
}

/// Whether a host may have formed this address itself: it is on the link or in a prefix that is delegated to the
/// client, and belongs neither to the server nor to an instance.
fn is_appropriate(link: &Link, bindings: &Bindings, client: &Duid, address: Ipv6Addr, now: i64) -> bool {
    let is_kept = |terms: &Terms| terms.withheld.iter().any(|range| range.contains(&address));
    let is_ours = link.pool_of(address).is_some()
        || link.reservations.keeps_from(None, address.into())
        || link.blocked_until(address.into()).is_some()
        || link.registration.as_ref().is_some_and(is_kept)
        || bindings
            .by_address(address)
            .is_some_and(|binding| binding.is_taken(now));
    let delegated = |binding: &Binding| {
        let prefix = binding.leased.prefix().filter(|_| binding.is_held(now));
        prefix.is_some_and(|prefix| prefix.contains(&address))
    };
    !is_ours && (link.is_on_link(address) || bindings.of_client(client).any(delegated))
}

fn register(
    link: &Link,
    bindings: &Bindings,
    (client, place): (Duid, Place),
    registration: &Registration<'_>,
    longest: Duration,
    now: i64,
) -> Result<Change, Discard> {
    let after = Binding {
        duid: client,
        iaid: Iaid(0),
        leased: Leased::Address(registration.address),
        state: BindingState::Active,
        preferred_until: until(now, seconds(registration.preferred.min(longest))),
        valid_until: until(now, seconds(registration.valid.min(longest))),
        place,
    };
    let before = bindings.make_room_to_register(&after, &link.limits, now)?;
    Ok(Change {
        verb: Verb::Register,
        before,
        after,
        link_layer: None,
        hostname: None,
        class: None,
        next_hop: None,
    })
}
