//! What is written is read back as it was.

use proptest::prelude::*;

use super::*;
use crate::Settings;
use crate::template::{Again, TimeSettings, parse_toml, read_template, reread_template, write_toml};
use orchestrator_model::{ClientExtension, Rate, Resources};

fn settings() -> Settings {
    crate::parse("", std::iter::empty()).unwrap()
}

fn any_container() -> impl Strategy<Value = ContainerSettings> {
    let word = "[^\\x00]{0,12}";
    let environment = prop::collection::btree_map("[A-Za-z_. ]{1,8}", word, 0..4);
    let source = prop_oneof![
        Just(ValueSource::File("/etc/a".into())),
        Just(ValueSource::Credential("key".to_owned()))
    ];
    let sources = prop::collection::btree_map("[0-9]{1,4}", source, 0..3);
    let resources = (
        prop::option::of(6144_u64..1 << 30),
        prop::option::of(10_u32..1_024_000),
        prop::option::of(1_u32..=4_194_304),
        prop::option::of(1_u64..1 << 20),
    );
    let content = prop_oneof![
        "(?s).{0,20}".prop_map(FileContent::Text),
        Just(FileContent::From(ValueSource::File("/etc/a".into()))),
        Just(FileContent::From(ValueSource::Credential("key".to_owned())))
    ];
    let file = (content, 0_u32..=0o7777, 0_u32..=65_535);
    let lists = (
        prop::collection::vec(word, 0..3),
        prop::sample::subsequence(vec!["CHOWN", "NET_RAW", "KILL"], 0..=3),
        prop::sample::subsequence(devices(), 0..=2),
        prop::collection::vec(file, 0..3),
    );
    (environment, sources, resources, lists).prop_map(
        |(environment, environment_from, (memory, millicpus, pids, disk), (command, capabilities, devices, files))| {
            let numbered = files.into_iter().zip(0..);
            let file = |((content, mode, uid), number): ((FileContent, u32, u32), u32)| File {
                target: format!("/etc/file-{number}").into(),
                content,
                mode,
                uid,
                gid: uid / 2,
            };
            ContainerSettings {
                image: "web:2".to_owned(),
                command,
                environment,
                environment_from,
                capabilities: owned(capabilities),
                resources: Resources {
                    memory: memory.map(|memory| memory << 10),
                    millicpus,
                    pids,
                    disk: disk.map(|disk: u64| disk << 20),
                },
                devices,
                files: numbered.map(file).collect(),
            }
        },
    )
}

fn any_access() -> impl Strategy<Value = Access> {
    let ports = || prop::sample::subsequence(vec!["tcp/80", "udp/5000-5010"], 0..=2);
    let read = |list: Vec<&str>| list.into_iter().map(|text| text.parse().unwrap()).collect();
    (
        prop::sample::subsequence(vec!["2000::/3 tcp/443", "::/0"], 1..=2),
        any::<bool>(),
        ports(),
        ports(),
        prop::sample::subsequence(vec!["db tcp/5432", "cache"], 0..=2),
        (prop::option::of(1_u32..100_000), prop::option::of(1_u64..1 << 20)),
    )
        .prop_map(move |(egress, nat, open, front_door, peers, (packets, bytes))| Access {
            together: false,
            egress: egress.into_iter().map(|text| text.parse().unwrap()).collect(),
            nat,
            open: read(open),
            peers: peers.into_iter().map(|text| text.parse().unwrap()).collect(),
            front_door: read(front_door),
            rate: Rate {
                packets,
                bytes: bytes.map(|bytes| bytes << 10),
            },
        })
}

fn owned(list: Vec<&str>) -> Vec<String> {
    list.into_iter().map(str::to_owned).collect()
}

fn devices() -> Vec<Device> {
    let device = |source: &str, target: &str, access| Device {
        source: source.into(),
        target: target.into(),
        access,
    };
    vec![
        device("/dev/fuse", "/dev/fuse", DeviceAccess::ReadWrite),
        device("/dev/kvm", "/dev/vm", DeviceAccess::Read),
    ]
}

fn any_volume() -> impl Strategy<Value = VolumeSettings> {
    let keep = prop_oneof![
        Just(Keep::Forever),
        (0_u64..1 << 34).prop_map(|span| Keep::AfterLease(Duration::from_millis(span))),
        (0_u64..1 << 34).prop_map(|span| Keep::Unused(Duration::from_millis(span))),
    ];
    let scope = prop::sample::select(vec![VolumeScope::Slot, VolumeScope::Client]);
    let size = prop::option::of(1024_u64..1 << 30);
    (any::<bool>(), scope, keep, size, 0_u32..=0o7777, 0..u32::MAX).prop_map(
        |(read_only, scope, keep, size, mode, uid)| VolumeSettings {
            name: String::new(),
            target: "/".into(),
            container: "main".parse().unwrap(),
            read_only,
            scope,
            keep,
            size: size.map(|size| size << 10),
            mode,
            uid,
            gid: uid / 2,
        },
    )
}

fn any_time() -> impl Strategy<Value = TimeSettings> {
    let span = || (10_000_u64..1 << 29).prop_map(Duration::from_millis);
    let limits = (prop::option::of(span()), prop::option::of(span()));
    let again = prop_oneof![Just(Again::Lease), span().prop_map(Again::After)];
    let extension = (60_000_u64..1 << 29, 1_u32..=1000).prop_map(|(by, times)| ClientExtension {
        by: Duration::from_millis(by),
        times,
    });
    (limits, span(), span(), span(), again, extension).prop_map(
        |((lifetime, idle), grace, keep, warn, again, extension)| TimeSettings {
            lifetime,
            idle,
            grace,
            keep,
            warn,
            again,
            extension,
        },
    )
}

fn any_template() -> impl Strategy<Value = TemplateSettings> {
    let ready = prop::option::of((1_u16.., 1_u64..600_000, 1_u64..3600, 1_u32..100, 0_u32..100));
    let resolver = prop::option::of(prop::sample::subsequence(vec!["example.org", "example.net"], 0..=2));
    let networks = prop::sample::subsequence(vec!["storage", "backup"], 0..=2);
    let sidecars = prop::collection::vec(any_container(), 0..3);
    let instances = prop::option::of(0_u64..1000);
    let volumes = prop::collection::vec(any_volume(), 0..3);
    let more = (resolver, volumes, any_access(), instances);
    (
        any_container(),
        sidecars,
        more,
        ready,
        networks,
        any_time(),
        any::<bool>(),
    )
        .prop_map(
            |(main, sidecars, (resolver, volumes, access, instances), ready, networks, time, isolated)| {
                let volume = |(volume, number): (VolumeSettings, u32)| VolumeSettings {
                    name: format!("volume-{number}"),
                    target: format!("/volume/{number}").into(),
                    ..volume
                };
                let sidecar = |(container, number): (ContainerSettings, u32)| SidecarSettings {
                    name: format!("side-{number}").parse().unwrap(),
                    container,
                };
                TemplateSettings {
                    engine: "docker".to_owned(),
                    main,
                    sidecars: sidecars.into_iter().zip(0..).map(sidecar).collect(),
                    resolver: resolver.map(|search| Resolver {
                        servers: vec!["fd39::53".parse().unwrap(), "192.0.2.53".parse().unwrap()],
                        search: owned(search),
                    }),
                    volumes: volumes.into_iter().zip(0..).map(volume).collect(),
                    values: if isolated {
                        [("user-data".to_owned(), "a\n".repeat(3))].into()
                    } else {
                        BTreeMap::new()
                    },
                    ssh: isolated.then(|| SshFiles {
                        authorized_keys: Some("/home/user/.ssh/authorized_keys".into()),
                        ..SshFiles::default()
                    }),
                    client_may: if isolated {
                        vec![orchestrator_model::ClientAction::Extend]
                    } else {
                        Vec::new()
                    },
                    ready: ready.map(|(tcp, within, every, failures, restarts)| Readiness {
                        tcp,
                        within: Duration::from_millis(within),
                        every: Duration::from_secs(every),
                        failures,
                        restarts,
                    }),
                    time,
                    isolated,
                    networks: owned(networks),
                    access: Access {
                        together: !isolated,
                        ..access
                    },
                    instances,
                }
            },
        )
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(template in any_template()) {
        let written = template.written(Hidden::Nothing);
        prop_assert_eq!(reread_template("a", &written, &settings()), Ok(template.clone()));
        // Also by way of a file.
        prop_assert_eq!(parse_toml("a", &write_toml(&written)), Ok(written));
    }

    #[test]
    fn no_value_is_shown_and_what_is_shown_can_be_given_back(template in any_template()) {
        let shown = template.written(Hidden::Values);
        let mut again = reread_template("a", &shown, &settings()).unwrap();
        prop_assert!(again.main.environment.values().all(|value| value == HIDDEN));
        again.keep_hidden(&template).unwrap();
        prop_assert_eq!(again, template);
    }
}

#[test]
fn a_hidden_value_that_is_nowhere_is_missed() {
    let hidden = json!({"image": "a", "environment": {"TOKEN": HIDDEN}});
    let mut template = read_template("a", &hidden, &settings()).unwrap();
    let before = read_template("a", &json!({"image": "a"}), &settings()).unwrap();
    assert_eq!(template.find_hidden(), Some("environment.TOKEN".to_owned()));
    assert_eq!(template.keep_hidden(&before), Err("environment.TOKEN".to_owned()));
    let file = json!([{"target": "/etc/key", "text": HIDDEN}]);
    let hidden = json!({"image": "a", "container": [{"name": "proxy", "image": "a", "file": file}]});
    let mut template = read_template("a", &hidden, &settings()).unwrap();
    let missed = "container.proxy.file./etc/key".to_owned();
    assert_eq!(template.find_hidden(), Some(missed.clone()));
    assert_eq!(template.keep_hidden(&before), Err(missed));
}

#[test]
fn amounts_are_written_as_people_do() {
    let template = read_template("a", &json!({"image": "a"}), &settings()).unwrap();
    assert_eq!(
        write_toml(&template.written(Hidden::Values)),
        "cpus = 0.5\nengine = \"docker\"\ngrace = \"30s\"\nimage = \"a\"\nisolated = true\nmemory = \"128MiB\"\npids = 128\n"
    );
    assert_eq!(write_lifespan(Duration::from_secs(5400)), "90m");
    assert_eq!(write_lifespan(Duration::from_millis(1500)), "1500ms");
}
