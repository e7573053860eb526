use std::collections::BTreeMap;

use orchestrator_plugin::{ContainerSpec, Volume};

use super::*;
use crate::image::{Image, ImageConfig};

fn record() -> Record {
    Record {
        name: "orchestrator-1".to_owned(),
        owner: None,
        replaces: None,
        created: 1,
        image: Image {
            config: ImageConfig {
                entrypoint: vec!["/entry".to_owned()],
                command: vec!["serve".to_owned()],
                environment: vec!["PATH=/bin".to_owned(), "A=image".to_owned()],
                ..ImageConfig::default()
            },
            ..Image::default()
        },
        network: NetworkRecord::Own,
        spec: ContainerSpec {
            hostname: "client".to_owned(),
            environment: BTreeMap::from([("A".to_owned(), "spec=x".to_owned())]),
            capabilities: vec!["net_raw".to_owned()],
            resources: Resources {
                memory: Some(128 << 20),
                millicpus: Some(500),
                pids: Some(64),
                disk: None,
            },
            ..ContainerSpec::default()
        },
        log: orchestrator_plugin_oci::protocol::LogBounds::default(),
    }
}

fn inputs(record: &Record) -> Inputs {
    Inputs {
        rootfs: "/state/rootfs".into(),
        bundle: "/state".into(),
        volumes: "/volumes".into(),
        cgroup: "/orchestrator/one".to_owned(),
        is_v2: true,
        limits_swap: true,
        netns: None,
        process: process(record, None, User::default(), 4096).unwrap(),
        etc: Vec::new(),
        devices: Vec::new(),
        init: None,
    }
}

#[test]
fn all_capabilities_are_dropped_but_those_named_and_no_new_ones_come() {
    let record = record();
    let config = plan(&record, &inputs(&record)).unwrap();
    for set in ["bounding", "effective", "permitted"] {
        assert_eq!(config["process"]["capabilities"][set], json!(["CAP_NET_RAW"]), "{set}");
    }
    assert_eq!(config["process"]["capabilities"].get("ambient"), None);
    assert_eq!(config["process"]["noNewPrivileges"], true);
    let mut wrong = record;
    wrong.spec.capabilities = vec!["SYS_ROOT".to_owned()];
    assert!(plan(&wrong, &inputs(&wrong)).unwrap_err().contains("SYS_ROOT"));
}

#[test]
fn limits_are_asked_for_and_none_are_none() {
    let record = record();
    let config = plan(&record, &inputs(&record)).unwrap();
    let resources = &config["linux"]["resources"];
    assert_eq!(resources["memory"], json!({ "limit": 128 << 20, "swap": 128 << 20 }));
    assert_eq!(resources["cpu"], json!({ "quota": 50_000, "period": 100_000 }));
    assert_eq!(resources["pids"], json!({ "limit": 64 }));
    assert_eq!(resources["devices"][0], json!({ "allow": false, "access": "rwm" }));
    assert_eq!(config["process"]["rlimits"][0]["hard"], 4096);

    let mut free = record;
    free.spec.resources = Resources::default();
    let resources = plan(&free, &inputs(&free)).unwrap()["linux"]["resources"].clone();
    assert_eq!(resources.as_object().unwrap().keys().collect::<Vec<_>>(), ["devices"]);
}

#[test]
fn swap_is_not_limited_where_the_machine_cannot() {
    let record = record();
    let config = plan(
        &record,
        &Inputs {
            limits_swap: false,
            ..inputs(&record)
        },
    )
    .unwrap();
    assert_eq!(config["linux"]["resources"]["memory"], json!({ "limit": 128 << 20 }));
}

#[test]
fn the_command_takes_the_place_of_the_image_s_and_the_entry_point_stays() {
    let mut record = record();
    assert_eq!(inputs(&record).process.arguments, ["/entry", "serve"]);
    record.spec.command = vec!["other".to_owned()];
    assert_eq!(inputs(&record).process.arguments, ["/entry", "other"]);
    record.image.config.entrypoint.clear();
    record.image.config.command.clear();
    record.spec.command.clear();
    assert!(
        process(&record, None, User::default(), 1)
            .unwrap_err()
            .contains("which program")
    );
}

#[test]
fn of_variables_the_later_one_wins() {
    let plan = inputs(&record()).process;
    assert_eq!(plan.environment, ["HOSTNAME=client", "HOME=/", "PATH=/bin", "A=spec=x"]);
    assert_eq!(plan.directory, "/");
    let command = Command {
        arguments: vec!["sh".to_owned()],
        environment: BTreeMap::from([("A".to_owned(), "command".to_owned())]),
        user: None,
        directory: Some("/srv".into()),
        terminal: Some((80, 24)),
    };
    let plan = process(&record(), Some(&command), User::default(), 1).unwrap();
    assert_eq!(
        plan.environment,
        ["HOSTNAME=client", "HOME=/", "TERM=xterm", "PATH=/bin", "A=command"]
    );
    assert_eq!((plan.directory.as_str(), plan.has_terminal), ("/srv", true));
}

#[test]
fn what_shares_a_namespace_sets_up_nothing_in_it() {
    let mut record = record();
    record.network = NetworkRecord::Shared {
        name: "main".parse().unwrap(),
        reference: "one".to_owned(),
    };
    let netns = Some(PathBuf::from("/proc/1/ns/net"));
    let config = plan(
        &record,
        &Inputs {
            netns,
            ..inputs(&record)
        },
    )
    .unwrap();
    assert_eq!(config["linux"]["sysctl"], json!({}));
    let namespaces = config["linux"]["namespaces"].as_array().unwrap();
    assert!(namespaces.contains(&json!({ "type": "network", "path": "/proc/1/ns/net" })));
}

#[test]
fn version_1_has_no_control_groups_inside() {
    let record = record();
    let config = plan(
        &record,
        &Inputs {
            is_v2: false,
            ..inputs(&record)
        },
    )
    .unwrap();
    assert!(!config.to_string().contains("/sys/fs/cgroup"));
    assert!(!config["linux"]["namespaces"].to_string().contains("cgroup"));
}

#[test]
fn volumes_devices_and_an_init_are_mounted() {
    let mut record = record();
    record.spec.volumes = vec![Volume {
        source: VolumeSource::Name("data".to_owned()),
        target: "/data".into(),
        read_only: true,
    }];
    let inputs = Inputs {
        devices: vec![DevicePlan {
            target: "/dev/fuse".into(),
            is_block: false,
            major: 10,
            minor: 229,
            mode: 0o20_666,
            access: DeviceAccess::Read,
        }],
        init: Some("/usr/bin/tini-static".into()),
        ..inputs(&record)
    };
    let config = plan(&record, &inputs).unwrap();
    let volume = json!({
        "destination": "/data", "type": "bind", "source": "/volumes/data", "options": ["rbind", "rprivate", "ro"],
    });
    assert!(config["mounts"].as_array().unwrap().contains(&volume));
    let rule = json!({ "allow": true, "type": "c", "major": 10, "minor": 229, "access": "r" });
    assert_eq!(config["linux"]["resources"]["devices"][1], rule);
    assert_eq!(
        config["process"]["args"],
        json!(["/.orchestrator-init", "--", "/entry", "serve"])
    );
}
