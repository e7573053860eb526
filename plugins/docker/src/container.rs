//! Converts the specification of a container into a request to the engine. Pure.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bollard::models::{
    ContainerCreateBody, DeviceMapping, HealthConfig, HostConfig, HostConfigLogConfig, Mount, MountType, RestartPolicy,
    RestartPolicyNameEnum,
};
use orchestrator_plugin::{
    Container, ContainerName, ContainerSpec, Device, DeviceAccess, Mark, Resources, Volume, VolumeSource,
};

use crate::log::LogLimit;
use crate::mark::{MARK, SHARES, labels};

/// The seconds between SIGTERM and SIGKILL when somebody stops the container.
const STOP_GRACE: i64 = 2;

/// The network settings of the kernel in a container's namespace.
///
/// An engine disables IPv6 if it made no network of its own. The orchestrator assigns the address itself: nothing is to
/// be learnt from advertisements, and duplicate address detection is not needed. Later interfaces inherit `default`.
/// All processes inside may use ports below 1024, so that a server needs no capability for that (Docker sets this by
/// itself, Podman does not).
const SYSCTLS: [(&str, &str); 6] = [
    ("net.ipv6.conf.all.disable_ipv6", "0"),
    ("net.ipv6.conf.default.disable_ipv6", "0"),
    ("net.ipv6.conf.default.accept_ra", "0"),
    ("net.ipv6.conf.default.autoconf", "0"),
    ("net.ipv6.conf.default.accept_dad", "0"),
    ("net.ipv4.ip_unprivileged_port_start", "0"),
];

/// Podman's prefix for the path of a namespace.
const PREPARED: &str = "ns:";

/// The source of a container's network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Namespace {
    /// The engine makes it.
    Own,
    /// The caller made it, and it is at this path.
    Prepared(PathBuf),
    /// It belongs to another container of the same instance.
    Shared {
        /// The other one's name in the instance.
        with: ContainerName,
        /// The engine's id of the other one.
        reference: String,
    },
}

impl Namespace {
    /// The engine's word for it.
    pub(crate) fn mode(&self) -> String {
        match self {
            Self::Own => "none".to_owned(),
            Self::Prepared(path) => format!("{PREPARED}{}", path.display()),
            Self::Shared { reference, .. } => format!("container:{reference}"),
        }
    }

    fn is_shared(&self) -> bool {
        matches!(self, Self::Shared { .. })
    }
}

/// The path of the prepared namespace, from the engine's word for a source.
pub(crate) fn prepared(mode: &str) -> Option<&Path> {
    mode.strip_prefix(PREPARED).map(Path::new)
}

/// The complete request to create the container. `image` is the id of the image that the specification names now.
pub(crate) fn plan_container(
    mark: &Mark,
    container: &Container,
    spec: &ContainerSpec,
    namespace: &Namespace,
    image: &str,
    log: &LogLimit,
) -> ContainerCreateBody {
    let mut labels = labels(mark, container, image);
    if let Namespace::Shared { with, .. } = namespace {
        labels.insert(SHARES.to_owned(), with.to_string());
    }
    // No label of a template can replace the mark.
    let others = spec.labels.iter().filter(|(label, _)| !MARK.contains(&label.as_str()));
    labels.extend(others.map(|(label, value)| (label.clone(), value.clone())));
    ContainerCreateBody {
        // The name is not used, because it can be given to another image at any time. Then the mark would name the
        // wrong one.
        image: Some(image.to_owned()),
        hostname: Some(spec.hostname.clone()).filter(|name| !name.is_empty() && !namespace.is_shared()),
        cmd: Some(spec.command.clone()).filter(|command| !command.is_empty()),
        env: Some(
            spec.environment
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect(),
        ),
        labels: Some(labels),
        stop_timeout: Some(STOP_GRACE),
        healthcheck: Some(no_health_check()),
        host_config: Some(host_config(spec, namespace, log)),
        ..ContainerCreateBody::default()
    }
}

fn host_config(spec: &ContainerSpec, namespace: &Namespace, log: &LogLimit) -> HostConfig {
    // A namespace gets its settings when it is made. A container that joins it must not set them again.
    let is_own = !namespace.is_shared();
    let resolver = spec.resolver.as_ref().filter(|_| is_own);
    HostConfig {
        network_mode: Some(namespace.mode()),
        sysctls: is_own.then(|| SYSCTLS.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
        dns: resolver.map(|resolver| resolver.servers.iter().map(ToString::to_string).collect()),
        dns_search: resolver.map(|resolver| resolver.search.clone()),
        cap_drop: Some(vec!["ALL".to_owned()]),
        cap_add: Some(spec.capabilities.clone()),
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        init: Some(true),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        log_config: Some(log_config(log)),
        devices: Some(spec.devices.iter().map(device).collect()),
        mounts: Some(spec.volumes.iter().map(mount).collect()),
        ..limits(&spec.resources)
    }
}

fn device(device: &Device) -> DeviceMapping {
    DeviceMapping {
        path_on_host: Some(text(&device.source)),
        path_in_container: Some(text(&device.target)),
        cgroup_permissions: Some(match device.access {
            DeviceAccess::Read => "r".to_owned(),
            DeviceAccess::ReadWrite => "rw".to_owned(),
        }),
    }
}

fn mount(volume: &Volume) -> Mount {
    let (typ, source) = match &volume.source {
        VolumeSource::Name(name) => (MountType::VOLUME, name.clone()),
        VolumeSource::Path(path) => (MountType::BIND, text(path)),
    };
    Mount {
        typ: Some(typ),
        source: Some(source),
        target: Some(text(&volume.target)),
        read_only: Some(volume.read_only),
        ..Mount::default()
    }
}

/// The engine's API has paths as text.
fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn limits(resources: &Resources) -> HostConfig {
    let memory = resources.memory.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    HostConfig {
        memory,
        // The sum of memory and swap. If it equals memory, there is no swap.
        memory_swap: memory,
        nano_cpus: resources.millicpus.map(|milli| i64::from(milli) * 1_000_000),
        pids_limit: resources.pids.map(i64::from),
        ..HostConfig::default()
    }
}

/// Disables the image's own health check: nobody would read its result, and it costs a process in every instance every
/// half minute. The template's `ready` decides about readiness.
fn no_health_check() -> HealthConfig {
    HealthConfig {
        test: Some(vec!["NONE".to_owned()]),
        ..HealthConfig::default()
    }
}

/// Limits the log, so that a client cannot fill the host's disk, whatever the engine's default is.
fn log_config(log: &LogLimit) -> HostConfigLogConfig {
    let bounds = [("max-size", log.engine_size()), ("max-file", log.files.to_string())];
    HostConfigLogConfig {
        typ: Some("json-file".to_owned()),
        config: Some(HashMap::from(bounds.map(|(key, value)| (key.to_owned(), value)))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use orchestrator_plugin::{InstanceId, Resolver};

    use super::*;
    use crate::mark::{IMAGE, INSTANCE, SITE};

    const IMAGE_ID: &str = "sha256:0a1b";

    const SITE_MARK: Mark = Mark {
        site: InstanceId::from_bytes([1; 6]),
    };
    const ID: InstanceId = InstanceId::from_bytes([2; 6]);

    fn spec() -> ContainerSpec {
        ContainerSpec {
            image: "orchestrator/client".to_owned(),
            hostname: "client".to_owned(),
            command: vec![],
            environment: BTreeMap::from([("NAME".to_owned(), "a=b c".to_owned())]),
            capabilities: vec!["NET_RAW".to_owned()],
            resources: Resources {
                memory: Some(128 << 20),
                millicpus: Some(500),
                pids: Some(64),
                disk: None,
            },
            labels: BTreeMap::from([
                ("tier".to_owned(), "lab".to_owned()),
                (SITE.to_owned(), "forged".to_owned()),
                (IMAGE.to_owned(), "forged".to_owned()),
                (SHARES.to_owned(), "forged".to_owned()),
            ]),
            ..ContainerSpec::default()
        }
    }

    fn plan(spec: &ContainerSpec, namespace: &Namespace) -> ContainerCreateBody {
        let log = LogLimit::default();
        plan_container(&SITE_MARK, &Container::main(ID), spec, namespace, IMAGE_ID, &log)
    }

    fn host_config(spec: &ContainerSpec) -> HostConfig {
        plan(spec, &Namespace::Own).host_config.unwrap()
    }

    #[test]
    fn limits_are_asked_for() {
        let host = host_config(&spec());
        assert_eq!(host.memory, Some(128 << 20));
        assert_eq!(host.memory_swap, host.memory);
        assert_eq!(host.nano_cpus, Some(500_000_000));
        assert_eq!(host.pids_limit, Some(64));
    }

    #[test]
    fn no_limit_is_none() {
        let host = host_config(&ContainerSpec {
            resources: Resources::default(),
            ..spec()
        });
        assert_eq!(
            (host.memory, host.memory_swap, host.nano_cpus, host.pids_limit),
            (None, None, None, None)
        );
    }

    #[test]
    fn all_capabilities_are_dropped_but_those_named() {
        let host = host_config(&spec());
        assert_eq!(host.cap_drop, Some(vec!["ALL".to_owned()]));
        assert_eq!(host.cap_add, Some(vec!["NET_RAW".to_owned()]));
        assert_eq!(host.privileged, None);
    }

    #[test]
    fn a_template_cannot_forge_the_mark() {
        let labels = plan(&spec(), &Namespace::Own).labels.unwrap();
        assert_eq!(labels[SITE], SITE_MARK.site.to_string());
        assert_eq!(labels[INSTANCE], ID.to_string());
        assert_eq!(labels[IMAGE], "0a1b");
        assert_eq!(labels["tier"], "lab");
        assert!(!labels.contains_key(SHARES));
    }

    #[test]
    fn an_empty_command_and_host_name_keep_the_image_s_own() {
        let nameless = ContainerSpec {
            hostname: String::new(),
            ..spec()
        };
        let body = plan(&nameless, &Namespace::Own);
        assert_eq!((body.cmd, body.hostname), (None, None));
        assert_eq!(body.env, Some(vec!["NAME=a=b c".to_owned()]));
    }

    #[test]
    fn what_shares_a_namespace_sets_up_nothing_in_it() {
        let shared = Namespace::Shared {
            with: ContainerName::MAIN,
            reference: "c0ffee".to_owned(),
        };
        let spec = ContainerSpec {
            resolver: Some(Resolver::default()),
            ..spec()
        };
        let body = plan(&spec, &shared);
        let host = body.host_config.unwrap();
        assert_eq!((body.hostname, host.sysctls, host.dns), (None, None, None));
        assert_eq!(host.network_mode.as_deref(), Some("container:c0ffee"));
        assert_eq!(body.labels.unwrap()[SHARES], "main");
        assert_eq!(host_config(&spec).dns, Some(vec![]));
    }

    #[test]
    fn a_prepared_namespace_is_named_by_its_path_and_set_up_like_an_own_one() {
        let namespace = Namespace::Prepared("/run/netns/x".into());
        let body = plan(&spec(), &namespace);
        let host = body.host_config.unwrap();
        assert_eq!(host.network_mode.as_deref(), Some("ns:/run/netns/x"));
        assert_eq!(body.hostname.as_deref(), Some("client"));
        assert!(host.sysctls.is_some());
        assert_eq!(prepared("ns:/run/netns/x"), Some(Path::new("/run/netns/x")));
        assert_eq!(prepared("none"), None);
    }

    #[test]
    fn the_log_is_bounded() {
        let log = host_config(&spec()).log_config.unwrap();
        assert_eq!(log.typ.as_deref(), Some("json-file"));
        let bounds = log.config.unwrap();
        assert_eq!((bounds["max-size"].as_str(), bounds["max-file"].as_str()), ("1m", "2"));
    }

    #[test]
    fn volumes_and_devices_are_asked_for() {
        let host = host_config(&ContainerSpec {
            devices: vec![Device {
                source: "/dev/fuse".into(),
                target: "/dev/fuse".into(),
                access: DeviceAccess::Read,
            }],
            volumes: vec![Volume {
                source: VolumeSource::Path("/srv/a:b".into()),
                target: "/data".into(),
                read_only: true,
            }],
            ..spec()
        });
        assert_eq!(host.devices.unwrap()[0].cgroup_permissions.as_deref(), Some("r"));
        let mount = &host.mounts.unwrap()[0];
        assert_eq!((mount.typ, mount.read_only), (Some(MountType::BIND), Some(true)));
        assert_eq!(mount.source.as_deref(), Some("/srv/a:b"), "a colon is no separator");
    }
}
