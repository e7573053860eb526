//! The identity of a client: its DUID (RFC 9915, section 11; RFC 6355) and the IAID of its identity association.

use std::io;
use std::str::FromStr;

use orchestrator_dhcp6::{Duid, Iaid, IdentityError};

use super::ClientError;
use orchestrator_model::Timestamp;

/// Ethernet, as hardware type of a DUID.
const ETHERNET: [u8; 2] = [0, 1];
/// The time of a DUID-LLT counts from 2000-01-01: in seconds since 1970.
const LLT_EPOCH: i64 = 946_684_800;

/// The choice of the client's DUID. A stored DUID is kept as long as it is of the chosen kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DuidChoice {
    /// Link-layer address and time.
    LinkLayerTime,
    /// Link-layer address alone.
    LinkLayer,
    /// A random UUID.
    Uuid,
    /// This DUID.
    Given(Duid),
}

/// The text is neither a kind of DUID nor a DUID.
#[derive(Debug, thiserror::Error)]
#[error("take llt, ll, uuid, or the DUID itself, such as 00:03:00:01:02:00:5e:10:00:01")]
pub struct DuidChoiceError(#[source] IdentityError);

impl FromStr for DuidChoice {
    type Err = DuidChoiceError;

    fn from_str(text: &str) -> Result<Self, DuidChoiceError> {
        Ok(match text {
            "llt" => Self::LinkLayerTime,
            "ll" => Self::LinkLayer,
            "uuid" => Self::Uuid,
            duid => Self::Given(duid.parse().map_err(DuidChoiceError)?),
        })
    }
}

impl DuidChoice {
    /// Whether a DUID is of the chosen kind.
    pub(super) fn is_met_by(&self, duid: &Duid) -> bool {
        match self {
            Self::LinkLayerTime => duid.as_bytes().starts_with(&[0, 1]),
            Self::LinkLayer => duid.as_bytes().starts_with(&[0, 3]),
            Self::Uuid => duid.as_bytes().starts_with(&[0, 4]),
            Self::Given(given) => given == duid,
        }
    }

    /// Makes a DUID.
    pub(super) fn make(&self, interface: &str, mac: Option<[u8; 6]>) -> Result<Duid, ClientError> {
        let mac = || mac.ok_or_else(|| ClientError::NoLinkLayer(interface.to_owned()));
        let bytes = match self {
            Self::LinkLayerTime => {
                let seconds = u32::try_from((Timestamp::wall().0 / 1000 - LLT_EPOCH).max(0)).unwrap_or(0);
                [&[0, 1][..], &ETHERNET, &seconds.to_be_bytes(), &mac()?].concat()
            }
            Self::LinkLayer => [&[0, 3][..], &ETHERNET, &mac()?].concat(),
            Self::Uuid => [&[0, 4][..], &random_uuid()?].concat(),
            Self::Given(duid) => return Ok(duid.clone()),
        };
        Duid::new(bytes).map_err(|fault| ClientError::System {
            doing: "make a DUID",
            source: io::Error::other(fault),
        })
    }
}

/// A UUID of version 4 (RFC 9562, section 5.4).
fn random_uuid() -> Result<[u8; 16], ClientError> {
    let mut uuid = random()?;
    uuid[6] = uuid[6] & 0x0f | 0x40;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    Ok(uuid)
}

/// Sixteen random bytes.
pub(super) fn random() -> Result<[u8; 16], ClientError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|fault| ClientError::System {
        doing: "get random numbers",
        source: fault.into(),
    })?;
    Ok(bytes)
}

/// The IAID of an interface. It depends only on the interface's name (FNV-1a), so that it stays the same when the index
/// or the link-layer address changes.
pub(super) fn association(interface: &str) -> Iaid {
    let hash = interface.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    Iaid(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Option<[u8; 6]> = Some([2, 0, 0x5e, 0x10, 0, 1]);

    #[test]
    fn each_choice_makes_what_meets_it_alone() {
        let given = "00:02:00:00:ab:11:01";
        for choice in ["llt", "ll", "uuid", given] {
            let duid = choice.parse::<DuidChoice>().unwrap().make("eth0", MAC).unwrap();
            for other in ["llt", "ll", "uuid", given] {
                let other_choice: DuidChoice = other.parse().unwrap();
                assert_eq!(other_choice.is_met_by(&duid), other == choice, "{choice} {other}");
            }
        }
        assert_eq!(
            DuidChoice::LinkLayer.make("eth0", MAC).unwrap().to_string(),
            "00:03:00:01:02:00:5e:10:00:01"
        );
        assert_eq!(
            DuidChoice::LinkLayerTime
                .make("eth0", MAC)
                .unwrap()
                .link_layer()
                .unwrap()
                .as_bytes(),
            MAC.unwrap()
        );
    }

    #[test]
    fn without_a_link_layer_address_there_is_a_uuid() {
        assert!(matches!(
            DuidChoice::LinkLayer.make("tun0", None),
            Err(ClientError::NoLinkLayer(name)) if name == "tun0"
        ));
        let duid = DuidChoice::Uuid.make("tun0", None).unwrap();
        assert_eq!((duid.as_bytes().len(), duid.as_bytes()[8] >> 4), (18, 4));
    }

    #[test]
    fn other_text_is_refused() {
        assert!("lll".parse::<DuidChoice>().is_err());
    }

    #[test]
    fn interfaces_are_numbered_apart() {
        assert_ne!(association("eth0"), association("eth1"));
    }
}
