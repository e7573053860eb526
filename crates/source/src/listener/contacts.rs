//! Contacts: the last known address of each client. They reveal cloned DUIDs, and are where a Reconfigure is sent.
//!
//! A DUID identifies a client (RFC 9915, section 11): two machines that share one are served as one client. Their
//! link-local addresses show that they are two. A client that sends from another link-local address has moved. A client
//! that returns to its former address within the lifetime of a lease is two machines, or one machine with two
//! interfaces on the link.
//!
//! Only a message that changes a binding counts, so that a stranger cannot fill the memory.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv6Addr, SocketAddrV6};
use std::sync::Weak;
use std::time::Duration;

use orchestrator_dhcp6::{KeyHolder, WayBack};

use super::generations::Generations;
use super::reconfigure::NotReconfigured;
use super::socket::Port;
use orchestrator_model::{Duid, Timestamp};

/// The number of clients that are certainly remembered, at 40 bytes each. At most twice as many are.
const CLIENTS: usize = 1 << 19;
/// The number of clients behind relays whose way back is certainly remembered. At most twice as many are.
const WAYS: usize = 1 << 12;
/// The longest way back that is remembered, in bytes.
const LONGEST_WAY: usize = 512;
/// The pause before a cloned DUID is reported again, in seconds.
const SILENCE: u32 = 3600;
/// The port that clients listen on (RFC 9915, section 7.2).
const CLIENT_PORT: u16 = 546;

/// The contacts of a link's clients.
pub(super) struct Contacts {
    clients: Generations<Contact>,
    ways: Generations<Way>,
    /// The link's own port.
    own: Weak<Port>,
    /// Keys of the hashes of addresses.
    keys: RandomState,
}

/// The contact of a client. It is small, because there are as many as clients.
#[derive(Debug, Clone, Copy)]
struct Contact {
    /// Its link-local address; unspecified after it released its leases.
    address: Ipv6Addr,
    /// A hash of the address before; zero for none.
    before: u32,
    /// When it first sent from this address after the former one: seconds since 1970.
    moved: u32,
    /// When its DUID was reported as cloned: seconds since 1970; zero for never.
    reported: u32,
    reach: Reach,
    /// The transaction in which it last got its reconfigure key; [`NO_KEY`] if it got none.
    key_given: [u8; 3],
}

/// The value for "no reconfigure key was sent".
const NO_KEY: [u8; 3] = [0; 3];

/// How a Reconfigure can reach a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// The client did not get Reconfigure Accept, so it may not be reconfigured.
    Closed,
    Direct,
    Relayed,
}

/// The way of a client's message through relay agents.
pub(super) struct Way {
    /// The port at which the last relay's message arrived. A weak reference does not keep a closed port open.
    pub(super) port: Weak<Port>,
    /// The address and port of that relay agent.
    pub(super) relay: SocketAddrV6,
    /// The relay headers for a message back, if they can be built.
    pub(super) back: Option<WayBack>,
}

/// The route of a message to a client.
#[derive(Debug, Clone)]
pub(super) struct Route {
    /// The port to send from.
    pub(super) port: Weak<Port>,
    /// The client's link-local address.
    pub(super) client: Ipv6Addr,
    /// The destination of the datagram: the client, or the first relay.
    pub(super) to: SocketAddrV6,
    /// The relay headers around the message.
    pub(super) back: Option<WayBack>,
}

/// The place of a message's client, as the message shows it.
pub(super) struct ClientPlace<'a> {
    pub(super) duid: &'a Duid,
    pub(super) address: Ipv6Addr,
    /// Whether the answer had Reconfigure Accept; `None` for messages whose answers never have it.
    pub(super) reconfigurable: Option<bool>,
    /// The transaction of the message, if its answer has the reconfigure key.
    pub(super) key_given: Option<[u8; 3]>,
    /// The way of the message, if it came through relays.
    pub(super) relayed: Option<Way>,
    pub(super) now: Timestamp,
    /// The valid lifetime of leases.
    pub(super) valid: Duration,
}

impl Contacts {
    /// The contacts of a link with this port. A link that is reached only through relay agents has no port.
    pub(super) fn new(own: Weak<Port>) -> Self {
        Self {
            own,
            clients: Generations::new(CLIENTS),
            ways: Generations::new(WAYS),
            keys: RandomState::new(),
        }
    }

    /// Records the address of a client's message. Returns the client's other address if this reveals a cloned DUID that
    /// was not reported recently.
    pub(super) fn observe(&mut self, place: ClientPlace<'_>) -> Option<Ipv6Addr> {
        let now = seconds(place.now);
        let known = self.clients.get(place.duid);
        let mut contact = known.copied().unwrap_or(Contact::new(place.address));
        let other = contact.move_to(place.address, &self.keys, now, place.valid);
        contact.key_given = place.key_given.map_or(contact.key_given, key_mark);
        if let Some(reconfigurable) = place.reconfigurable {
            contact.reach = match &place.relayed {
                _ if !reconfigurable => Reach::Closed,
                None => Reach::Direct,
                Some(_) => Reach::Relayed,
            };
        }
        let is_reported = contact.reported != 0 && now.saturating_sub(contact.reported) < SILENCE;
        let other = other.filter(|_| !is_reported);
        if other.is_some() {
            contact.reported = now;
        }
        self.clients.keep(place.duid, contact);
        let is_kept = |way: &Way| way.back.as_ref().is_some_and(|back| back.size() <= LONGEST_WAY);
        if let Some(way) = place
            .relayed
            .filter(|way| contact.reach == Reach::Relayed && is_kept(way))
        {
            self.ways.keep(place.duid, way);
        }
        other
    }

    /// Records that a client released its leases, so that its next address is not compared with the former one.
    pub(super) fn leave(&mut self, duid: &Duid) {
        if let Some(contact) = self.clients.get(duid).copied() {
            let reported = contact.reported;
            let left = Contact::new(Ipv6Addr::UNSPECIFIED);
            self.clients.keep(duid, Contact { reported, ..left });
        }
    }

    /// Whether a client has its reconfigure key, as far as this run of the daemon knows.
    ///
    /// It does not count as having it when its message is repeated, because the Reply with the key was lost, or when
    /// the message comes from another address, which may be of another interface or machine. Sending the key once too
    /// often is harmless, because it is the same key.
    pub(super) fn holds_key(&self, holder: &KeyHolder<'_>) -> bool {
        let contact = self.clients.get(holder.duid);
        contact.is_some_and(|contact| {
            contact.address == holder.address
                && contact.key_given != NO_KEY
                && contact.key_given != key_mark(holder.transaction)
        })
    }

    /// Records that the Reply with the key was not sent after all.
    pub(super) fn take_key_back(&mut self, duid: &Duid) {
        if let Some(contact) = self
            .clients
            .get(duid)
            .copied()
            .filter(|known| known.key_given != NO_KEY)
        {
            let key_given = NO_KEY;
            self.clients.keep(duid, Contact { key_given, ..contact });
        }
    }

    /// The route of a Reconfigure to a client.
    pub(super) fn route(&self, duid: &Duid) -> Result<Route, NotReconfigured> {
        let contact = self
            .clients
            .get(duid)
            .filter(|contact| !contact.address.is_unspecified());
        let contact = contact.ok_or(NotReconfigured::NotHeard)?;
        let client = contact.address;
        match contact.reach {
            Reach::Closed => Err(NotReconfigured::NotAccepted),
            Reach::Direct | Reach::Relayed if contact.key_given == NO_KEY => Err(NotReconfigured::NoKey),
            Reach::Direct => Ok(Route {
                client,
                port: self.own.clone(),
                // The socket belongs to the link, so no scope is needed.
                to: SocketAddrV6::new(client, CLIENT_PORT, 0, 0),
                back: None,
            }),
            Reach::Relayed => {
                let way = self.ways.get(duid).filter(|way| way.port.strong_count() > 0);
                let way = way.ok_or(NotReconfigured::BehindRelay)?;
                Ok(Route {
                    client,
                    port: way.port.clone(),
                    to: way.relay,
                    back: way.back.clone(),
                })
            }
        }
    }
}

impl Contact {
    fn new(address: Ipv6Addr) -> Self {
        Self {
            address,
            before: 0,
            moved: 0,
            reported: 0,
            reach: Reach::Closed,
            key_given: NO_KEY,
        }
    }

    /// Records another address. Returns the address in between, if a client returns too soon for a move.
    fn move_to(&mut self, address: Ipv6Addr, keys: &RandomState, now: u32, valid: Duration) -> Option<Ipv6Addr> {
        let left = std::mem::replace(&mut self.address, address);
        if left == address || left.is_unspecified() {
            return None;
        }
        let is_back = self.before == digest(keys, address);
        let stayed = Duration::from_secs(now.saturating_sub(self.moved).into());
        self.before = digest(keys, left);
        self.moved = now;
        (is_back && stayed <= valid).then_some(left)
    }
}

/// The mark of the transaction in which a key was sent; never [`NO_KEY`].
fn key_mark(transaction: [u8; 3]) -> [u8; 3] {
    if transaction == NO_KEY { [0xff; 3] } else { transaction }
}

/// The digest of a former address; never zero, which stands for "none".
fn digest(keys: &RandomState, address: Ipv6Addr) -> u32 {
    let high = keys.hash_one(address) >> 32;
    u32::try_from(high).unwrap_or_default().max(1)
}

fn seconds(now: Timestamp) -> u32 {
    u32::try_from(now.0 / 1000).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: Duration = Duration::from_secs(7200);
    const START: i64 = 1_800_000_000_000;
    const HOUR: i64 = 3_600_000;

    fn duid(number: u8) -> Duid {
        Duid::new([0, 4, number]).unwrap()
    }

    fn address(number: u16) -> Ipv6Addr {
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, number)
    }

    fn observe(contacts: &mut Contacts, client: u8, from: u16, after: i64) -> Option<Ipv6Addr> {
        contacts.observe(ClientPlace {
            duid: &duid(client),
            address: address(from),
            reconfigurable: Some(true),
            key_given: Some([1; 3]),
            relayed: None,
            now: Timestamp(START + after),
            valid: VALID,
        })
    }

    #[test]
    fn a_client_is_small() {
        assert_eq!(size_of::<(u64, Contact)>(), 40);
    }

    #[test]
    fn a_move_is_no_clone_and_coming_back_within_a_lease_is() {
        let mut contacts = Contacts::new(Weak::new());
        for (from, after) in [(1, 0), (1, 1), (2, 2), (3, 3), (4, 4)] {
            assert_eq!(observe(&mut contacts, 1, from, after), None, "{from}");
            assert_eq!(observe(&mut contacts, 2, from + 10, after), None, "{from}");
        }
        assert_eq!(observe(&mut contacts, 1, 3, HOUR), Some(address(4)));
    }

    #[test]
    fn coming_back_after_more_than_a_lease_is_a_move() {
        let mut contacts = Contacts::new(Weak::new());
        observe(&mut contacts, 1, 1, 0);
        observe(&mut contacts, 1, 2, HOUR);
        assert_eq!(observe(&mut contacts, 1, 1, 4 * HOUR), None);
    }

    #[test]
    fn who_released_has_left() {
        let mut contacts = Contacts::new(Weak::new());
        observe(&mut contacts, 1, 1, 0);
        contacts.leave(&duid(1));
        assert_eq!(contacts.route(&duid(1)).err(), Some(NotReconfigured::NotHeard));
        assert_eq!(observe(&mut contacts, 1, 2, 1), None);
        contacts.leave(&duid(1));
        assert_eq!(observe(&mut contacts, 1, 1, 2), None);
    }

    #[test]
    fn a_clone_is_told_of_once_an_hour_also_when_it_releases() {
        let mut contacts = Contacts::new(Weak::new());
        let mut reported = 0;
        for minute in 0..121 {
            let from = 1 + u16::try_from(minute % 2).unwrap();
            reported += usize::from(observe(&mut contacts, 1, from, minute * 60_000).is_some());
            if minute % 10 == 9 {
                contacts.leave(&duid(1));
            }
        }
        assert_eq!(reported, 2);
    }

    #[test]
    fn only_who_was_told_so_is_reached_where_it_spoke_last() {
        let mut contacts = Contacts::new(Weak::new());
        assert_eq!(contacts.route(&duid(1)).err(), Some(NotReconfigured::NotHeard));
        observe(&mut contacts, 1, 1, 0);
        observe(&mut contacts, 1, 2, 1);
        let route = contacts.route(&duid(1)).unwrap();
        assert_eq!((*route.to.ip(), route.to.port(), route.back), (address(2), 546, None));
        let duid = duid(1);
        let place = |reconfigurable| ClientPlace {
            duid: &duid,
            address: address(2),
            reconfigurable,
            key_given: None,
            relayed: None,
            now: Timestamp(START + 2),
            valid: VALID,
        };
        contacts.observe(place(None));
        assert!(contacts.route(&duid).is_ok());
        contacts.observe(place(Some(false)));
        assert_eq!(contacts.route(&duid).err(), Some(NotReconfigured::NotAccepted));
    }

    #[test]
    fn who_holds_a_key_is_known_until_it_moves_or_its_reply_is_lost() {
        let mut contacts = Contacts::new(Weak::new());
        let duid = duid(1);
        let holds = |contacts: &Contacts, from, transaction: u8| {
            contacts.holds_key(&KeyHolder {
                duid: &duid,
                address: address(from),
                transaction: [transaction; 3],
            })
        };
        assert!(!holds(&contacts, 1, 2));
        observe(&mut contacts, 1, 1, 0);
        assert!(holds(&contacts, 1, 2));
        assert!(!holds(&contacts, 1, 1), "the same message comes again");
        assert!(!holds(&contacts, 2, 2), "it has moved");
        contacts.take_key_back(&duid);
        assert!(!holds(&contacts, 1, 2));
        assert_eq!(contacts.route(&duid).err(), Some(NotReconfigured::NoKey));
    }

    #[test]
    fn a_clock_that_jumps_does_no_harm() {
        let mut contacts = Contacts::new(Weak::new());
        for (from, after) in [(1, 0), (2, -HOUR), (1, i64::MAX - START), (2, i64::MIN), (1, 0)] {
            contacts.observe(ClientPlace {
                duid: &duid(1),
                address: address(from),
                reconfigurable: Some(true),
                key_given: Some([1; 3]),
                relayed: None,
                now: Timestamp(START.saturating_add(after)),
                valid: VALID,
            });
        }
        assert!(contacts.route(&duid(1)).is_ok());
    }
}
