//! A client and servers on a link, with a clock that is turned from one thing due to the next.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv6Addr, SocketAddrV6};

use orchestrator_dhcp6::client::{Action, Bound, Client, ClientSettings, Event, Holdings, Lease, Wants};
use orchestrator_dhcp6::{Bindings, Iaid, Inbound, Leased, Link, Pool, PrefixPool, Server};

pub(crate) const BEGIN: i64 = 1_800_000_000_000;
pub(crate) const SECOND: i64 = 1000;

/// The configuration that all servers send besides leases.
pub(crate) const DNS_SERVER: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x53);

/// A server, its link and its bindings.
pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) link: Link,
    pub(crate) bindings: Bindings,
    /// Whether it hears anything.
    pub(crate) listens: bool,
}

pub(crate) struct Network {
    pub(crate) client: Client,
    pub(crate) sites: Vec<Site>,
    pub(crate) now: i64,
    /// The addresses of the client's interface.
    pub(crate) assigned: BTreeMap<Leased, Lease>,
    pub(crate) events: Vec<Event>,
    /// The messages that the client sent, with their times.
    pub(crate) sent: Vec<(i64, Vec<u8>)>,
    /// The answers that the client was given.
    pub(crate) answers: Vec<Vec<u8>>,
}

pub(crate) fn settings(wants: Wants) -> ClientSettings {
    ClientSettings {
        duid: "00:03:00:01:02:00:5e:10:00:01".parse().unwrap(),
        iaid: Iaid(7),
        wants,
        rapid_commit: false,
        reconfigure: true,
        hostname: None,
    }
}

/// A site with an hour preferred and two hours valid.
pub(crate) fn site(number: u8) -> Site {
    let pool = Pool::new(format!("2001:db8:0:1::{number}:0/112").parse().unwrap());
    let address = "2001:db8:0:1::1".parse().unwrap();
    let mut link = Link::new("2001:db8:0:1::/64".parse().unwrap(), address, pool);
    link.delegation = vec![PrefixPool::new("2001:db8:1::/56".parse().unwrap(), 62).unwrap()];
    link.options.set_dns_servers(&[DNS_SERVER]);
    link.options.set_domain_search(&["lan.example".parse().unwrap()]);
    Site {
        server: Server::new(format!("00:02:00:00:ab:11:0{number}").parse().unwrap(), [number; 16]),
        link,
        bindings: Bindings::new(),
        listens: true,
    }
}

impl Network {
    /// A client that wants an address, and a site.
    pub(crate) fn new() -> Self {
        Self::with(settings(Wants::Address), None, vec![site(1)])
    }

    pub(crate) fn with(settings: ClientSettings, remembered: Option<Holdings>, sites: Vec<Site>) -> Self {
        Self {
            client: Client::new(settings, *b"a key of tests..", remembered, BEGIN),
            sites,
            now: BEGIN,
            assigned: BTreeMap::new(),
            events: Vec::new(),
            sent: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// With a lease, and what led to it forgotten.
    pub(crate) fn bound() -> Self {
        let mut network = Self::new();
        network.run_for(5 * SECOND);
        network.bound_once();
        network.forget();
        network
    }

    pub(crate) fn forget(&mut self) {
        self.events.clear();
        self.sent.clear();
        self.answers.clear();
    }

    /// Lets time pass, with everything that is due on the way.
    pub(crate) fn run_for(&mut self, milliseconds: i64) {
        let end = self.now + milliseconds;
        while let Some(due) = self.client.next().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            let actions = self.client.wake(self.now);
            self.carry_out(actions);
        }
        self.now = end;
    }

    pub(crate) fn carry_out(&mut self, actions: Vec<Action>) {
        let mut queue = VecDeque::from(actions);
        while let Some(action) = queue.pop_front() {
            match action {
                Action::Send(datagram) => {
                    self.sent.push((self.now, datagram.clone()));
                    for answer in self.ask(&datagram) {
                        self.answers.push(answer.clone());
                        queue.extend(self.client.take(&answer, self.now).unwrap_or_default());
                    }
                }
                Action::Assign(lease) => drop(self.assigned.insert(lease.leased, lease)),
                Action::Withdraw(leased) => assert!(self.assigned.remove(&leased).is_some(), "{leased}"),
                Action::Tell(event) => self.events.push(event),
            }
        }
    }

    /// The answers of all servers to a message.
    fn ask(&mut self, datagram: &[u8]) -> Vec<Vec<u8>> {
        let source = SocketAddrV6::new(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2), 546, 0, 7);
        let inbound = Inbound {
            datagram,
            source,
            multicast: true,
        };
        let mut answers = Vec::new();
        for site in self.sites.iter_mut().filter(|site| site.listens) {
            let Ok(answer) = site.server.handle(&site.link, &site.bindings, &inbound, self.now) else {
                continue;
            };
            answer.changes.iter().for_each(|change| site.bindings.apply(change));
            answers.push(answer.datagram);
        }
        answers
    }

    /// Kinds of the messages that the client sent, each once in a row.
    pub(crate) fn kinds(&self) -> Vec<u8> {
        let mut kinds: Vec<u8> = self.sent.iter().map(|(_, datagram)| datagram[0]).collect();
        kinds.dedup();
        kinds
    }

    /// When messages of a kind were sent, in milliseconds after `since`.
    pub(crate) fn times(&self, kind: u8, since: i64) -> Vec<i64> {
        let of_kind = self.sent.iter().filter(|(_, datagram)| datagram[0] == kind);
        of_kind.map(|(when, _)| when - since).collect()
    }

    /// The only reported event about leases: that these are bound.
    pub(crate) fn bound_once(&self) -> Bound {
        let mut bound = self.events.iter().filter_map(|event| match event {
            Event::Bound(bound) => Some(bound.clone()),
            _ => None,
        });
        let only = bound.next().expect("there is no lease");
        assert!(bound.next().is_none(), "{:?}", self.events);
        only
    }

    /// The client's leases, as the servers know them.
    pub(crate) fn leased(&self) -> Vec<Leased> {
        let all = self.sites.iter().flat_map(|site| site.bindings.iter());
        let held = all.filter(|binding| binding.is_held(self.now));
        held.map(|binding| binding.leased).collect()
    }
}

/// The body of an option of a message.
pub(crate) fn body(message: &[u8], wanted: u16) -> Option<&[u8]> {
    let options = orchestrator_wire::options(&message[4..]);
    orchestrator_wire::only(&options, wanted)
}
