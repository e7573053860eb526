//! Facts for the tests of the rules.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

impl Facts {
    /// A system in which nothing is wrong.
    pub(crate) fn healthy() -> Self {
        Self {
            daemon: DaemonFacts {
                state: DaemonState::Running,
                unmet: Vec::new(),
                clock_offset: Some(3),
            },
            wanted: Ok(Wanted {
                forwarding: vec!["clients cannot use the prefixes that are delegated to them".to_owned()],
                bridges: BTreeSet::from(["br0".to_owned()]),
                isolated: BTreeSet::from(["br0".to_owned()]),
                open: BTreeMap::from([("br1".to_owned(), 800)]),
                neighbors: 100,
                overlay: BTreeSet::new(),
                templates: vec![TemplateNeeds {
                    name: "web".to_owned(),
                    engine: "docker".to_owned(),
                    images: vec![ImageNeed {
                        name: "nginx".to_owned(),
                        digest: None,
                    }],
                    capabilities: BTreeMap::from([("logs".to_owned(), "show the output of a container".to_owned())]),
                }],
            }),
            machine: Ok(MachineFacts::healthy()),
            engines: Ok(vec![EngineFacts {
                name: "docker".to_owned(),
                product: Ok(EngineProduct {
                    name: "Docker Engine".to_owned(),
                    version: "20.10".to_owned(),
                }),
                equipment: Ok(()),
                data: Some("/var/lib/docker".to_owned()),
                capabilities: BTreeSet::from(["logs".to_owned()]),
                images: BTreeMap::from([("nginx".to_owned(), Ok(true))]),
            }]),
            database: Ok(DatabaseFacts {
                url: "sqlite:///var/lib/orchestrator/orchestrator.db".to_owned(),
                commits: Ok(()),
                intact: Ok(Some(())),
                size: Some(1 << 20),
                log: Some(0),
                schema: Ok((1, 1)),
            }),
            others: Ok(Vec::new()),
            policy: Ok(Some(PolicyFacts {
                is_loaded: true,
                wanted: Some(21),
                missing: 0,
                surplus: 0,
            })),
            marks: Ok(MarkFacts {
                instances: 1,
                ..MarkFacts::default()
            }),
        }
    }

    /// A system of which nothing is known but that the daemon runs.
    pub(crate) fn unknown() -> Self {
        fn hidden<T>() -> Fact<T> {
            Err("nobody may read it".to_owned())
        }
        Self {
            daemon: Self::healthy().daemon,
            wanted: hidden(),
            machine: hidden(),
            engines: hidden(),
            database: hidden(),
            policy: hidden(),
            others: hidden(),
            marks: hidden(),
        }
    }

    /// The machine, to be changed.
    pub(crate) fn machine_mut(&mut self) -> &mut MachineFacts {
        self.machine.as_mut().unwrap()
    }

    /// The database, to be changed.
    pub(crate) fn database_mut(&mut self) -> &mut DatabaseFacts {
        self.database.as_mut().unwrap()
    }
}

impl MachineFacts {
    fn healthy() -> Self {
        let disk = |purpose: &str, path: &str| DiskFacts {
            purpose: purpose.to_owned(),
            path: path.to_owned(),
            space: Ok(DiskSpace {
                size: 100 << 30,
                free: 50 << 30,
                inodes: 1_000_000,
                free_inodes: 900_000,
                is_read_only: false,
            }),
        };
        Self {
            forwarding: Ok(true),
            routed: Ok(vec![RoutedInterface {
                name: "eth0".to_owned(),
                accept_ra: 2,
            }]),
            accepting: Ok(BTreeSet::new()),
            neighbors: NeighborFacts {
                limits: Ok(NeighborLimits {
                    first: 4096,
                    second: 8192,
                    third: 16384,
                }),
                used: Ok(17),
                backlog: Ok(1000),
            },
            firewall: FirewallFacts {
                bridged: Ok(Some(false)),
                chains: Ok(Vec::new()),
                legacy: Ok(Vec::new()),
            },
            features: vec![FeatureFacts {
                name: "the packet filter".to_owned(),
                needed_for: "links with isolation are open".to_owned(),
                state: FeatureState::There,
                mend: "apt install nftables".to_owned(),
            }],
            clock: Ok(true),
            disks: vec![disk("the database", "/var/lib/orchestrator")],
            process: ProcessFacts {
                open_files: Ok(Usage { used: 40, limit: 65536 }),
                memory: Ok(Usage {
                    used: 2 << 30,
                    limit: 16 << 30,
                }),
                tasks: Ok(Usage {
                    used: 300,
                    limit: 32768,
                }),
            },
            abandoned: Ok(Vec::new()),
        }
    }
}
