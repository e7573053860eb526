//! The template's limits are in force: as the engine tells, and as the kernel does.

use std::collections::BTreeMap;
use std::fs;

use orchestrator_lab::{Engine, wait_for};
use orchestrator_plugin::{Container, ContainerSpec, Engine as _, NetworkMode, Resources};

use crate::support::{PATIENCE, inspect, name, new_id, pid, plugin, spec};

/// A field of `/proc/PID/status`.
fn status(pid: u32, field: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value
        .unwrap_or_else(|| panic!("no {field} in {status}"))
        .trim()
        .to_owned()
}

/// `pids.max` of the process's cgroup, in either version's hierarchy.
fn pids_max(pid: u32) -> String {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let path = |wanted: &str| {
        groups.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':').skip(1);
            let controllers = fields.next()?;
            let path = fields.next()?;
            controllers
                .split(',')
                .any(|controller| controller == wanted)
                .then(|| path.to_owned())
        })
    };
    let file = match path("pids") {
        Some(path) => format!("/sys/fs/cgroup/pids{path}/pids.max"),
        None => format!("/sys/fs/cgroup{}/pids.max", path("").expect("a unified hierarchy")),
    };
    fs::read_to_string(&file)
        .unwrap_or_else(|fault| panic!("{file}: {fault}"))
        .trim()
        .to_owned()
}

/// A sysctl of the process's network namespace.
fn sysctl(engine: &Engine, pid: u32, path: &str) -> String {
    let mut command = engine.namespace().lab().command("nsenter");
    command
        .arg(format!("--net=/proc/{pid}/ns/net"))
        .args(["cat", &format!("/proc/sys/net/{path}")]);
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{path}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[tokio::test]
async fn resources_are_limited() {
    let engine = Engine::shared();
    let (plugin, id) = (plugin(engine), new_id());
    let resources = Resources {
        memory: Some(64 << 20),
        millicpus: Some(250),
        pids: Some(17),
        disk: None,
    };
    let made = plugin
        .ensure(
            &Container::main(id),
            &ContainerSpec { resources, ..spec() },
            &NetworkMode::EngineNamespace,
        )
        .await
        .unwrap();

    let host = &inspect(engine, &name(&id))["HostConfig"];
    assert_eq!(host["Memory"], 64 << 20);
    assert_eq!(host["MemorySwap"], 64 << 20);
    assert_eq!(host["NanoCpus"], 250_000_000);
    assert_eq!(host["PidsLimit"], 17);
    assert_eq!(host["LogConfig"]["Config"]["max-size"], "1m");
    assert_eq!(host["RestartPolicy"]["Name"], "no");
    assert_eq!(pids_max(pid(&made)), "17");
}

#[tokio::test]
async fn no_capability_is_left_and_none_can_be_gained() {
    let (plugin, id) = (plugin(Engine::shared()), new_id());
    let made = plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap();
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status(pid(&made), set), "0000000000000000", "{set}");
    }
    assert_eq!(status(pid(&made), "NoNewPrivs"), "1");
}

#[tokio::test]
async fn only_the_named_capabilities_are_kept() {
    const NET_RAW: u64 = 1 << 13;
    const CHOWN: u64 = 1;
    let (plugin, id) = (plugin(Engine::shared()), new_id());
    let capabilities = ["NET_RAW", "CHOWN"].map(str::to_owned).into();
    let made = plugin
        .ensure(
            &Container::main(id),
            &ContainerSpec { capabilities, ..spec() },
            &NetworkMode::EngineNamespace,
        )
        .await
        .unwrap();
    for set in ["CapEff", "CapBnd"] {
        assert_eq!(status(pid(&made), set), format!("{:016x}", NET_RAW | CHOWN), "{set}");
    }
}

#[tokio::test]
async fn ipv6_is_on_and_nothing_is_configured_behind_our_back() {
    let engine = Engine::shared();
    let (plugin, id) = (plugin(engine), new_id());
    let pid = pid(&plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap());
    for (path, value) in [
        ("ipv6/conf/all/disable_ipv6", "0"),
        ("ipv6/conf/default/disable_ipv6", "0"),
        ("ipv6/conf/lo/disable_ipv6", "0"),
        ("ipv6/conf/default/accept_ra", "0"),
        ("ipv6/conf/default/autoconf", "0"),
        ("ipv6/conf/default/accept_dad", "0"),
        ("ipv4/ip_unprivileged_port_start", "0"),
    ] {
        assert_eq!(sysctl(engine, pid, path), value, "{path}");
    }
}

#[tokio::test]
async fn an_instance_has_its_own_namespace_with_nothing_but_loopback() {
    let engine = Engine::shared();
    let (plugin, id) = (plugin(engine), new_id());
    let pid = pid(&plugin
        .ensure(&Container::main(id), &spec(), &NetworkMode::EngineNamespace)
        .await
        .unwrap());
    let links = fs::read_to_string(format!("/proc/{pid}/net/dev")).unwrap();
    let names: Vec<_> = links
        .lines()
        .filter_map(|line| Some(line.split_once(':')?.0.trim()))
        .collect();
    assert_eq!(names, ["lo"]);
}

#[tokio::test]
async fn host_name_environment_labels_and_init_are_as_the_template_says() {
    let engine = Engine::shared();
    let (plugin, id) = (plugin(engine), new_id());
    let spec = ContainerSpec {
        hostname: "lamp".to_owned(),
        environment: BTreeMap::from([("GREETING".to_owned(), "hello = there".to_owned())]),
        labels: BTreeMap::from([("tier".to_owned(), "lab".to_owned())]),
        ..spec()
    };
    let pid = pid(&plugin
        .ensure(&Container::main(id), &spec, &NetworkMode::EngineNamespace)
        .await
        .unwrap());
    let container = inspect(engine, &name(&id));
    assert_eq!(container["Config"]["Hostname"], "lamp");
    assert_eq!(container["Config"]["Labels"]["tier"], "lab");
    assert_eq!(container["Config"]["Labels"]["orchestrator.instance"], id.to_string());
    // The process has none before it becomes the program that the engine was asked to run.
    let environment = wait_for("its environment", PATIENCE, || {
        let environment = fs::read_to_string(format!("/proc/{pid}/environ")).ok();
        environment.filter(|environment| !environment.is_empty())
    });
    assert!(
        environment
            .split('\0')
            .any(|variable| variable == "GREETING=hello = there"),
        "{environment}"
    );
    // Process 1 is the engine's init, which reaps and passes signals on.
    let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(command.contains("init"), "{command}");
}
