//! Plans can be written down and read back, so that a host behind a wire can be sent them.

use std::time::Duration;

use orchestrator_host::{
    AttachmentPlan, BridgePlan, BridgePurpose, ContainerName, ContainerPlan, ContainerRef, ContainerSpec, DialPlan, Id,
    InstancePlan, NetworkChange, NetworkItem, NetworkKey, NetworkPart, ReadinessPlan, RemovalPlan, RoutePlan, Socket,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

const ID: Id = Id::from_bytes([1; 6]);

fn survives<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(plan: T) {
    let written = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<T>(&written).unwrap(), plan, "{written}");
}

#[test]
fn every_plan_survives_a_wire() {
    let plan = InstancePlan {
        id: ID,
        containers: vec![ContainerPlan {
            name: ContainerName::MAIN,
            engine: "docker".to_owned(),
            reference: Some("c0ffee".to_owned()),
            spec: ContainerSpec {
                image: "web".to_owned(),
                ..ContainerSpec::default()
            },
        }],
        mounts: Vec::new(),
        attachments: vec![AttachmentPlan {
            id: ID,
            bridge: "br0".to_owned(),
            interface: "eth1".to_owned(),
            address: Some("fd00::2".parse().unwrap()),
            prefix_length: 64,
            mac: [2, 0, 0, 0, 0, 1],
            gateway: None,
            isolated: true,
            routed: vec!["fd01::/64".parse().unwrap()],
            may_take_port: true,
        }],
        readiness: Some(ReadinessPlan {
            port: 80,
            within: Duration::from_millis(1500),
            reacting: true,
        }),
        restart: false,
        patient: true,
    };
    survives(plan.reference());
    survives(plan);
    survives(RemovalPlan {
        id: Some(ID),
        attachments: vec![ID],
        ..RemovalPlan::default()
    });
    survives(DialPlan {
        id: ID,
        socket: Socket::Tcp {
            bridge: "br0".to_owned(),
            address: "fd00::2".parse().unwrap(),
            port: 80,
        },
        within: Duration::from_secs(5),
    });
    survives(DialPlan {
        id: ID,
        socket: Socket::Unix {
            container: ContainerRef {
                instance: ID,
                name: ContainerName::MAIN,
                engine: "docker".to_owned(),
                reference: None,
            },
            path: "/run/app.sock".into(),
        },
        within: Duration::from_secs(5),
    });
    survives(NetworkChange::Difference {
        set: vec![
            NetworkItem::Bridge(BridgePlan {
                name: "br0".to_owned(),
                purpose: BridgePurpose::Link,
                create: true,
                address: Some("fd00::1/64".parse().unwrap()),
                services: vec!["fd00::d0".parse().unwrap()],
                mtu: Some(9000),
                mac: Some([2, 0, 0, 0, 0, 1]),
                link_local: Some("fe80::1".parse().unwrap()),
            }),
            NetworkItem::Route(RoutePlan {
                prefix: "fd01::/64".parse().unwrap(),
                via: Some(("fe80::1".parse().unwrap(), "br0".to_owned())),
            }),
        ],
        remove: vec![NetworkKey::Unreachable("fd02::/64".parse().unwrap())],
    });
    survives(NetworkPart::Link("br0".to_owned()));
}
