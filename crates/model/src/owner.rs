//! Owners of instances, and their slots.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ClientId;
use super::lease::{UnknownWord, words};

/// The owner of an instance.
///
/// In JSON it is `{"kind": "client", "name": "3f9a2c01d2e4"}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "lowercase")]
pub enum Owner {
    /// A client. It owns instances while it holds a lease.
    Client(ClientId),
    /// A service. It owns as many instances as it wants replicas.
    Service(String),
    /// A pool of warm instances, which are started before a client needs them.
    Pool(String),
    /// An operator who asked for the instance.
    Operator(String),
}

/// The kind of an [`Owner`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OwnerKind {
    /// [`Owner::Client`]
    Client,
    /// [`Owner::Service`]
    Service,
    /// [`Owner::Pool`]
    Pool,
    /// [`Owner::Operator`]
    Operator,
}

words!(OwnerKind {
    Client = "client",
    Service = "service",
    Pool = "pool",
    Operator = "operator",
});

impl Owner {
    /// The kind of the owner.
    pub const fn kind(&self) -> OwnerKind {
        match self {
            Self::Client(_) => OwnerKind::Client,
            Self::Service(_) => OwnerKind::Service,
            Self::Pool(_) => OwnerKind::Pool,
            Self::Operator(_) => OwnerKind::Operator,
        }
    }

    /// Its name among the owners of its kind: the id of a client, or the name of any other owner.
    pub fn name(&self) -> String {
        match self {
            Self::Client(id) => id.to_string(),
            Self::Service(name) | Self::Pool(name) | Self::Operator(name) => name.clone(),
        }
    }

    /// The owner with this kind and [`name`](Self::name).
    ///
    /// # Errors
    ///
    /// When the name of a client is not an id.
    pub fn new(kind: OwnerKind, name: &str) -> Result<Self, UnknownWord> {
        Ok(match kind {
            OwnerKind::Client => Self::Client(name.parse().map_err(|_| UnknownWord(name.to_owned()))?),
            OwnerKind::Service => Self::Service(name.to_owned()),
            OwnerKind::Pool => Self::Pool(name.to_owned()),
            OwnerKind::Operator => Self::Operator(name.to_owned()),
        })
    }

    /// The client, if the owner is one.
    pub const fn client(&self) -> Option<ClientId> {
        match self {
            Self::Client(id) => Some(*id),
            Self::Service(_) | Self::Pool(_) | Self::Operator(_) => None,
        }
    }
}

impl From<ClientId> for Owner {
    fn from(id: ClientId) -> Self {
        Self::Client(id)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.name())
    }
}

/// A slot: one place of an owner that one instance fills. A client has one for each of its templates, with the
/// template's name. A service has one for each replica, with a number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slot(String);

/// How the slots of clients begin that services fill.
const SERVICE: &str = "service:";

impl Slot {
    /// The slot with this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The slot with this number.
    pub fn numbered(number: u32) -> Self {
        Self(number.to_string())
    }

    /// The slot of a client that a service fills. It cannot be mistaken for one that a template fills: no template has a
    /// name with a colon.
    pub fn of_service(service: &str) -> Self {
        Self(format!("{SERVICE}{service}"))
    }

    /// The service that fills this slot of a client, where one does.
    pub fn service(&self) -> Option<&str> {
        self.0.strip_prefix(SERVICE)
    }

    /// Its name, or its number in decimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A slot with its owner. At most one instance that is not removed fills it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SlotKey {
    /// The owner of the slot.
    pub owner: Owner,
    /// The slot of the owner.
    pub slot: Slot,
}

impl SlotKey {
    /// The slot of an owner.
    pub fn new(owner: impl Into<Owner>, slot: Slot) -> Self {
        Self {
            owner: owner.into(),
            slot,
        }
    }
}

impl Owner {
    /// The service whose instance fills this slot of the owner. A client's instance in the slot of a service is one of that
    /// service, too.
    pub fn service_in<'a>(&'a self, slot: &'a Slot) -> Option<&'a str> {
        match self {
            Self::Service(name) => Some(name),
            Self::Client(_) | Self::Pool(_) | Self::Operator(_) => slot.service(),
        }
    }
}

impl fmt::Display for SlotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, slot {}", self.owner, self.slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Id;

    fn owners() -> [Owner; 4] {
        [
            Owner::Client(Id::from_bytes([0x3f, 0x9a, 0x2c, 0x01, 0xd2, 0xe4])),
            Owner::Service("web".to_owned()),
            Owner::Pool("warm".to_owned()),
            Owner::Operator("alice".to_owned()),
        ]
    }

    #[test]
    fn an_owner_is_read_back_from_its_kind_and_name() {
        for owner in owners() {
            let kind: OwnerKind = owner.kind().word().parse().unwrap();
            assert_eq!(Owner::new(kind, &owner.name()), Ok(owner));
        }
        assert!(Owner::new(OwnerKind::Client, "laptop").is_err());
        assert_eq!(Owner::new(OwnerKind::Service, "laptop").unwrap().client(), None);
    }

    #[test]
    fn an_owner_in_json_has_a_kind_and_a_name() {
        let shown = serde_json::to_value(owners()).unwrap();
        assert_eq!(shown[0], serde_json::json!({"kind": "client", "name": "3f9a2c01d2e4"}));
        assert_eq!(shown[1], serde_json::json!({"kind": "service", "name": "web"}));
        assert_eq!(serde_json::from_value::<[Owner; 4]>(shown).unwrap(), owners());
    }
}
