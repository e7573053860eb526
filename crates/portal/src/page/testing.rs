//! A client for tests.

use orchestrator_model::{ClientAction, ClientExtension, Id, Phase, Timestamp};

use crate::facts::{ClientFacts, ClientPage, End, EndReason, InstanceCard};

pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// A client with one ready instance, with which it may do everything.
pub(crate) fn page() -> ClientPage {
    ClientPage {
        client: ClientFacts {
            name: Some("phone".to_owned()),
            addresses: vec!["fd39::1:1".parse().unwrap()],
            prefixes: vec!["fd60::/64".parse().unwrap()],
            lease_until: Some(NOW.plus(std::time::Duration::from_secs(7_000))),
        },
        instances: vec![InstanceCard {
            id: Id::from_bytes([0x3f, 0x9a, 0x2c, 0x01, 0xd2, 0xe4]),
            slot: "web".to_owned(),
            phase: Phase::Ready,
            is_tried_again: false,
            address: Some("fd39::2:1".parse().unwrap()),
            end: Some(End {
                at: NOW.plus(std::time::Duration::from_secs(3_900)),
                reason: EndReason::Lifetime,
            }),
            extension: Some(ClientExtension {
                by: std::time::Duration::from_secs(3_600),
                times: 2,
            }),
            may: vec![ClientAction::Restart, ClientAction::Extend, ClientAction::Keys],
        }],
        lack: None,
        authorized_keys: vec!["ssh-ed25519 AAAA me".to_owned()],
        reserved_keys: Vec::new(),
    }
}
