//! An instance for tests.

use orchestrator_model::{Id, Phase, Timestamp};

use crate::facts::{ClientFacts, End, EndReason, InstanceFacts};

/// The facts of an instance whose client holds two addresses.
pub(crate) fn facts() -> InstanceFacts {
    InstanceFacts {
        id: Id::from_bytes([0x3f, 0x9a, 0x2c, 0x01, 0xd2, 0xe4]),
        hostname: "phone".to_owned(),
        link: "br0".to_owned(),
        slot: "web".to_owned(),
        template: "web".to_owned(),
        version: 3,
        phase: Phase::Ready,
        created: Timestamp(1_699_999_990_000),
        addresses: vec![
            ("br0".to_owned(), "fd39::2:1".parse().unwrap()),
            ("storage".to_owned(), "fd50::1".parse().unwrap()),
        ],
        prefixes: vec!["fd60::/64".parse().unwrap()],
        client: Some(ClientFacts {
            name: Some("phone".to_owned()),
            addresses: vec!["fd39::1:1".parse().unwrap(), "fd39::1:2".parse().unwrap()],
            prefixes: Vec::new(),
            lease_until: Some(Timestamp(1_700_000_060_000)),
        }),
        end: Some(End {
            at: Timestamp(1_700_000_059_999),
            reason: EndReason::Lifetime,
        }),
        values: [
            ("greeting".to_owned(), "hello".to_owned()),
            ("user-data".to_owned(), "#cloud-config\npackages: []\n".to_owned()),
        ]
        .into(),
        authorized_keys: vec!["ssh-ed25519 AAAA a".to_owned(), "ssh-ed25519 BBBB b".to_owned()],
        reach: None,
    }
}
