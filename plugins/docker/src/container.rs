//! What an instance is to be → what the engine is asked to create. Pure.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigLogConfig, RestartPolicy, RestartPolicyNameEnum,
};
use orchestrator_plugin::{InstanceId, InstanceSpec, Mark, Resources};

use crate::mark::labels;

/// Seconds between the polite signal and the last one when somebody stops the container.
const STOP_GRACE: i64 = 2;

/// What the kernel is told about networking in a container's namespace.
///
/// An engine turns IPv6 off where it made no network of its own. The orchestrator owns the address it will give:
/// nothing to learn from advertisements, and no duplicate to look for. Interfaces that come later inherit `default`.
/// Ports below 1024 are open to all inside, so that a server needs no capability for them (Docker does this by
/// itself, Podman does not).
const SYSCTLS: [(&str, &str); 6] = [
    ("net.ipv6.conf.all.disable_ipv6", "0"),
    ("net.ipv6.conf.default.disable_ipv6", "0"),
    ("net.ipv6.conf.default.accept_ra", "0"),
    ("net.ipv6.conf.default.autoconf", "0"),
    ("net.ipv6.conf.default.accept_dad", "0"),
    ("net.ipv4.ip_unprivileged_port_start", "0"),
];

/// Everything the engine needs to create the container of instance `id`. `image` is the id of the image that the
/// specification names now.
pub(crate) fn plan_container(mark: &Mark, id: &InstanceId, spec: &InstanceSpec, image: &str) -> ContainerCreateBody {
    // The mark last: no label of a template can take its place.
    let labels = spec.labels.clone().into_iter().chain(labels(mark, id, image));
    ContainerCreateBody {
        // Not by its name, which can be given to another image at any moment: then the mark would name the wrong one.
        image: Some(image.to_owned()),
        hostname: Some(spec.hostname.clone()).filter(|name| !name.is_empty()),
        cmd: Some(spec.command.clone()).filter(|command| !command.is_empty()),
        env: Some(
            spec.environment
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect(),
        ),
        labels: Some(labels.collect()),
        stop_timeout: Some(STOP_GRACE),
        healthcheck: Some(no_health_check()),
        host_config: Some(HostConfig {
            network_mode: Some("none".to_owned()),
            sysctls: Some(SYSCTLS.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            cap_drop: Some(vec!["ALL".to_owned()]),
            cap_add: Some(spec.capabilities.clone()),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            init: Some(true),
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::NO),
                maximum_retry_count: None,
            }),
            log_config: Some(bounded_log()),
            ..limits(&spec.resources)
        }),
        ..ContainerCreateBody::default()
    }
}

fn limits(resources: &Resources) -> HostConfig {
    let memory = resources.memory.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    HostConfig {
        memory,
        // Memory and swap together: equal to memory is no swap.
        memory_swap: memory,
        nano_cpus: resources.millicpus.map(|milli| i64::from(milli) * 1_000_000),
        pids_limit: resources.pids.map(i64::from),
        ..HostConfig::default()
    }
}

/// Keeps the engine from running the image's own health check: nobody would read its answer, and it costs a process in
/// every instance every half minute. The template's `ready` says what is healthy.
fn no_health_check() -> HealthConfig {
    HealthConfig {
        test: Some(vec!["NONE".to_owned()]),
        ..HealthConfig::default()
    }
}

/// A client that makes its instance talk must not fill the host's disk.
fn bounded_log() -> HostConfigLogConfig {
    let bounds = [("max-size", "1m"), ("max-file", "2")];
    HostConfigLogConfig {
        typ: Some("json-file".to_owned()),
        config: Some(HashMap::from(
            bounds.map(|(key, value)| (key.to_owned(), value.to_owned())),
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::mark::{IMAGE, INSTANCE, SITE};

    const IMAGE_ID: &str = "sha256:0a1b";

    const MARK: Mark = Mark {
        site: InstanceId::from_bytes([1; 6]),
    };
    const ID: InstanceId = InstanceId::from_bytes([2; 6]);

    fn spec() -> InstanceSpec {
        InstanceSpec {
            image: "orchestrator/client".to_owned(),
            hostname: "client".to_owned(),
            command: vec![],
            environment: BTreeMap::from([("NAME".to_owned(), "a=b c".to_owned())]),
            environment_from: BTreeMap::new(),
            capabilities: vec!["NET_RAW".to_owned()],
            resources: Resources {
                memory: Some(128 << 20),
                millicpus: Some(500),
                pids: Some(64),
            },
            labels: BTreeMap::from([
                ("tier".to_owned(), "lab".to_owned()),
                (SITE.to_owned(), "forged".to_owned()),
                (IMAGE.to_owned(), "forged".to_owned()),
            ]),
        }
    }

    fn host_config(spec: &InstanceSpec) -> HostConfig {
        plan_container(&MARK, &ID, spec, IMAGE_ID).host_config.unwrap()
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
        let host = host_config(&InstanceSpec {
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
        let labels = plan_container(&MARK, &ID, &spec(), IMAGE_ID).labels.unwrap();
        assert_eq!(labels[SITE], MARK.site.to_string());
        assert_eq!(labels[INSTANCE], ID.to_string());
        assert_eq!(labels[IMAGE], "0a1b");
        assert_eq!(labels["tier"], "lab");
    }

    #[test]
    fn an_empty_command_and_host_name_keep_the_image_s_own() {
        let body = plan_container(
            &MARK,
            &ID,
            &InstanceSpec {
                hostname: String::new(),
                ..spec()
            },
            IMAGE_ID,
        );
        assert_eq!((body.cmd, body.hostname), (None, None));
        assert_eq!(body.env, Some(vec!["NAME=a=b c".to_owned()]));
    }
}
