//! Which backend belongs to which port of which service.
//!
//! HAProxy 2.6 cannot add a backend while it runs. So its configuration has more backends than are used: a port of a
//! service gets one of them when it is first led to, and gives it back when the service is gone.

use std::collections::{BTreeMap, BTreeSet};

use orchestrator_model::Endpoints;

use crate::Actual;
use crate::name::{BackendId, Kind};

/// A port of a service, with how its connections are spread.
type User = (String, String, Kind);

/// The assignment of backends, and how many of each kind the configuration has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pools {
    spare: u16,
    sizes: BTreeMap<Kind, u16>,
    users: BTreeMap<User, u16>,
    /// Those that were taken back last. They are given out again one plan later: until then, servers and names of the user
    /// before may be in them.
    freed: BTreeSet<(Kind, u16)>,
}

impl Default for Pools {
    fn default() -> Self {
        Self::new(Self::SPARE)
    }
}

impl Pools {
    /// How many spare backends of each kind a configuration has, unless the settings say otherwise.
    pub const SPARE: u16 = 32;

    /// No assignment yet, with this many spare backends of each kind.
    pub fn new(spare: u16) -> Self {
        let spare = spare.max(1);
        Self {
            spare,
            sizes: [(Kind::Spread, spare), (Kind::Sticky, spare)].into(),
            users: BTreeMap::new(),
            freed: BTreeSet::new(),
        }
    }

    /// Takes over the assignment of a balancer that runs, as far as its servers show it: after a start of the daemon no
    /// server moves to another backend.
    pub fn adopt(&mut self, actual: &Actual, endpoints: &Endpoints) {
        for (kind, size) in &actual.sizes {
            let known = self.sizes.entry(*kind).or_default();
            *known = (*known).max(*size);
        }
        for (name, service) in &endpoints.services {
            for port_name in service.ports.keys() {
                let is_of = |(_, servers): &(&BackendId, &BTreeMap<_, crate::ActualServer>)| {
                    servers.iter().any(|(server, found): (&crate::ServerName, _)| {
                        let has = |member: &orchestrator_model::Endpoint| {
                            let own = member.ports.get(port_name).map(|port| port.number);
                            member.instance == server.instance && own == Some(found.address.port())
                        };
                        service.members.values().any(has)
                    })
                };
                let kind = kind_of(service.sticky);
                let found = actual.servers.iter().filter(|(id, _)| id.kind == kind).find(is_of);
                let Some((id, _)) = found else { continue };
                let taken = self
                    .users
                    .iter()
                    .any(|(user, number)| user.2 == kind && *number == id.number);
                if !taken {
                    self.users
                        .entry((name.clone(), port_name.clone(), kind))
                        .or_insert(id.number);
                }
            }
        }
    }

    /// The backend of a port of a service. If it has none yet, it gets the first that nobody has.
    pub(crate) fn of(&mut self, service: &str, port: &str, sticky: bool) -> BackendId {
        let kind = kind_of(sticky);
        let user = (service.to_owned(), port.to_owned(), kind);
        let number = match self.users.get(&user) {
            Some(number) => *number,
            None => {
                let number = self.first_free(kind);
                self.users.insert(user, number);
                let size = self.sizes.entry(kind).or_default();
                if number >= *size {
                    *size = number.saturating_add(1).saturating_add(self.spare);
                }
                number
            }
        };
        BackendId { kind, number }
    }

    /// Takes back what is used by none of these.
    pub(crate) fn keep(&mut self, is_used: impl Fn(&str, &str, bool) -> bool) {
        let gone = self.users.extract_if(.., |(service, port, kind), _| {
            !is_used(service, port, *kind == Kind::Sticky)
        });
        self.freed = gone.map(|((_, _, kind), number)| (kind, number)).collect();
    }

    /// The backends that the configuration has.
    pub fn all(&self) -> impl Iterator<Item = BackendId> {
        let each = self.sizes.iter();
        each.flat_map(|(kind, size)| (0..*size).map(|number| BackendId { kind: *kind, number }))
    }

    /// How many backends of each kind the configuration has.
    pub fn sizes(&self) -> &BTreeMap<Kind, u16> {
        &self.sizes
    }

    fn first_free(&self, kind: Kind) -> u16 {
        let mut taken: Vec<u16> = self
            .users
            .iter()
            .filter(|((_, _, of), _)| *of == kind)
            .map(|(_, number)| *number)
            .chain(
                self.freed
                    .iter()
                    .filter(|(of, _)| *of == kind)
                    .map(|(_, number)| *number),
            )
            .collect();
        taken.sort_unstable();
        (0..u16::MAX)
            .zip(taken.iter().copied().map(Some).chain(std::iter::repeat(None)))
            .find(|(number, taken)| Some(*number) != *taken)
            .map_or(u16::MAX, |(number, _)| number)
    }
}

const fn kind_of(sticky: bool) -> Kind {
    match sticky {
        true => Kind::Sticky,
        false => Kind::Spread,
    }
}
