//! Simulated clients, and what each holds.

use std::net::Ipv6Addr;

/// What a client waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    /// Nothing.
    #[default]
    Idle,
    /// An Advertise.
    Soliciting,
    /// The Reply that gives it the address it was offered.
    Requesting,
    /// The Reply that extends its lease.
    Renewing,
    /// The Reply to its farewell.
    Releasing,
}

/// One client.
#[derive(Debug, Clone, Copy, Default)]
pub struct Client {
    /// The address it holds or was offered; zero is none.
    pub(crate) address: u128,
    /// When it sent its last message, and the first of its exchange: nanoseconds since the run began.
    pub(crate) sent: u64,
    pub(crate) began: u64,
    pub(crate) xid: u32,
    pub(crate) stage: Stage,
    /// Whether it has a Reply that says so.
    pub(crate) held: bool,
    /// Whether it sent a farewell that nobody answered: the lease may be over or not.
    pub(crate) doubt: bool,
}

impl Client {
    /// The address that it holds for certain: a Reply said so, and it has not asked for an end since.
    pub fn certain(&self) -> Option<Ipv6Addr> {
        (self.held && !self.doubt).then(|| self.address.into())
    }

    /// It waits no longer for what it has asked.
    pub(crate) fn give_up(&mut self) {
        self.doubt |= self.stage == Stage::Releasing;
        self.stage = Stage::Idle;
    }
}

/// Clients with consecutive numbers.
#[derive(Debug, Clone, Default)]
pub struct Clients {
    first: u32,
    pub(crate) all: Vec<Client>,
    /// The DUID of their server, from its first answer.
    pub(crate) server: Vec<u8>,
}

impl Clients {
    /// `count` clients that hold nothing. A run that wants new clients adds more when it has used them up.
    pub fn new(first: u32, count: usize) -> Self {
        Self {
            first,
            all: vec![Client::default(); count],
            server: Vec::new(),
        }
    }

    /// As many clients, each holding the address that `address` names for its number.
    pub fn holding(first: u32, count: u32, server: &[u8], address: impl Fn(u32) -> Ipv6Addr) -> Self {
        let client = |number| Client {
            address: address(number).into(),
            held: true,
            ..Client::default()
        };
        Self {
            first,
            all: (first..first + count).map(client).collect(),
            server: server.to_vec(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Has those who do not know whether their lease is over hold nothing: they said farewell.
    pub fn settle(&mut self) {
        for client in self.all.iter_mut().filter(|client| client.doubt) {
            *client = Client::default();
        }
    }

    /// How many hold an address for certain.
    pub fn held(&self) -> usize {
        self.all.iter().filter(|client| client.certain().is_some()).count()
    }

    /// The DUID of their server; empty before its first answer.
    pub fn server(&self) -> &[u8] {
        &self.server
    }

    /// Every client with its DUID.
    pub fn iter(&self) -> impl Iterator<Item = ([u8; 10], &Client)> {
        (self.first..).map(orchestrator_wire::batch::duid).zip(&self.all)
    }

    /// Addresses that two clients hold, each once.
    pub fn shared_addresses(&self) -> Vec<Ipv6Addr> {
        let mut held: Vec<u128> = self
            .all
            .iter()
            .filter_map(|client| Some(client.certain()?.into()))
            .collect();
        held.sort_unstable();
        let pairs = held.windows(2).filter(|pair| pair[0] == pair[1]);
        let mut shared: Vec<Ipv6Addr> = pairs.map(|pair| pair[0].into()).collect();
        shared.dedup();
        shared
    }

    /// The number of the client at `index`.
    pub(crate) fn number(&self, index: usize) -> u32 {
        self.first.wrapping_add(u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// The place of a client, if it is one of these.
    pub(crate) fn index(&self, number: u32) -> Option<usize> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        (index < self.all.len()).then_some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_two_clients_is_found() {
        let address = |number: u32| Ipv6Addr::from(u128::from(number % 3));
        assert_eq!(
            Clients::holding(1, 2, &[], address).shared_addresses(),
            [] as [Ipv6Addr; 0]
        );
        assert_eq!(Clients::holding(1, 4, &[], address).shared_addresses(), [address(1)]);
    }

    #[test]
    fn who_said_farewell_unheard_holds_nothing_for_certain() {
        let mut clients = Clients::holding(1, 1, &[], |_| Ipv6Addr::LOCALHOST);
        clients.all[0].stage = Stage::Releasing;
        clients.all[0].give_up();
        assert_eq!((clients.held(), clients.all[0].stage), (0, Stage::Idle));
        clients.settle();
        assert!(!clients.all[0].held && !clients.all[0].doubt);
    }

    #[test]
    fn numbers_and_places() {
        let clients = Clients::new(100, 3);
        assert_eq!((clients.number(2), clients.index(102)), (102, Some(2)));
        assert_eq!((clients.index(99), clients.index(103)), (None, None));
    }
}
