//! `config.json`: makes the runtime's configuration from the record of a container. Pure.

use std::path::PathBuf;

use orchestrator_plugin::{DeviceAccess, Resources, VolumeSource};
use orchestrator_plugin_oci::protocol::Command;
use serde_json::{Value, json};

use super::capability::capabilities;
use super::etc::EtcFile;
use super::seccomp;
use crate::root::User;
use crate::state::{NetworkRecord, Record};

/// What a container is made from besides its record.
#[derive(Debug, Clone)]
pub(crate) struct Inputs {
    /// Where its file system is mounted.
    pub(crate) rootfs: PathBuf,
    /// The directory of the bundle.
    pub(crate) bundle: PathBuf,
    /// The directory of the volumes.
    pub(crate) volumes: PathBuf,
    /// The path of its control group.
    pub(crate) cgroup: String,
    /// Whether the machine's control groups are of version 2 only.
    pub(crate) is_v2: bool,
    /// Whether swap can be limited.
    pub(crate) limits_swap: bool,
    /// The network namespace that it joins; `None` makes one.
    pub(crate) netns: Option<PathBuf>,
    /// Its first process.
    pub(crate) process: ProcessPlan,
    /// Files of the bundle that are mounted in it.
    pub(crate) etc: Vec<EtcFile>,
    /// Devices of the host, with their numbers.
    pub(crate) devices: Vec<DevicePlan>,
    /// A program of the host that is the first process and starts the container's own.
    pub(crate) init: Option<PathBuf>,
}

/// A process that is started in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProcessPlan {
    /// The program and its arguments.
    pub(crate) arguments: Vec<String>,
    /// Variables as `NAME=value`.
    pub(crate) environment: Vec<String>,
    /// The directory to begin in.
    pub(crate) directory: String,
    /// The user.
    pub(crate) user: User,
    /// The largest number of open files, at most.
    pub(crate) open_files: u64,
    /// Whether it has a terminal.
    pub(crate) has_terminal: bool,
}

/// A device of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DevicePlan {
    /// The path inside.
    pub(crate) target: PathBuf,
    /// Whether it is a block device.
    pub(crate) is_block: bool,
    /// Its numbers.
    pub(crate) major: u32,
    /// Its numbers.
    pub(crate) minor: u32,
    /// Permission bits of the file inside.
    pub(crate) mode: u32,
    /// What the container may do with it.
    pub(crate) access: DeviceAccess,
}

/// The kernel's network settings in a namespace of the container's own.
///
/// The orchestrator owns the address it will give: nothing to learn from advertisements, and no duplicate to look for.
/// Interfaces that come later inherit `default`. Ports below 1024 are open to all inside.
const SYSCTLS: [(&str, &str); 6] = [
    ("net.ipv6.conf.all.disable_ipv6", "0"),
    ("net.ipv6.conf.default.disable_ipv6", "0"),
    ("net.ipv6.conf.default.accept_ra", "0"),
    ("net.ipv6.conf.default.autoconf", "0"),
    ("net.ipv6.conf.default.accept_dad", "0"),
    ("net.ipv4.ip_unprivileged_port_start", "0"),
];

/// What a container does not see.
const MASKED: [&str; 11] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
];

/// What a container does not write.
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where the init program is inside.
const INIT: &str = "/.orchestrator-init";

/// Soft limit on open files, as system services have it.
const OPEN_FILES: u64 = 1024;

/// The configuration of a container.
///
/// # Errors
///
/// What only another specification can mend.
pub(crate) fn plan(record: &Record, inputs: &Inputs) -> Result<Value, String> {
    let capabilities = capabilities(&record.spec.capabilities)?;
    let is_shared = matches!(record.network, NetworkRecord::Shared { .. });
    let mut process = process_json(record, &inputs.process)?;
    if inputs.init.is_some() {
        let own = inputs.process.arguments.iter().map(String::as_str);
        process["args"] = [INIT, "--"].into_iter().chain(own).collect::<Value>();
    }
    Ok(json!({
        "ociVersion": "1.0.2",
        "process": process,
        "root": { "path": inputs.rootfs, "readonly": false },
        "hostname": record.spec.hostname,
        "mounts": mounts(record, inputs),
        "linux": {
            "namespaces": namespaces(inputs),
            "cgroupsPath": inputs.cgroup,
            "resources": resources(&record.spec.resources, inputs),
            "devices": inputs.devices.iter().map(device).collect::<Vec<_>>(),
            "sysctl": if is_shared { json!({}) } else { SYSCTLS.into_iter().collect::<Value>() },
            "seccomp": seccomp::profile(&capabilities),
            "maskedPaths": MASKED,
            "readonlyPaths": READ_ONLY,
        },
    }))
}

/// What a command in a container is, from what was asked for.
///
/// # Errors
///
/// When there is nothing to run.
pub(crate) fn process(
    record: &Record,
    command: Option<&Command>,
    user: User,
    open_files: u64,
) -> Result<ProcessPlan, String> {
    let (config, spec) = (&record.image.config, &record.spec);
    let arguments = match command {
        Some(command) => command.arguments.clone(),
        None => {
            let own = if spec.command.is_empty() {
                &config.command
            } else {
                &spec.command
            };
            config.entrypoint.iter().chain(own).cloned().collect()
        }
    };
    if arguments.is_empty() {
        return Err("neither the image nor the template says which program to run".to_owned());
    }
    let has_terminal = command.is_some_and(|command| command.terminal.is_some());
    let directory = command.and_then(|command| command.directory.as_ref());
    let directory = directory.map_or_else(|| config.directory.clone(), |path| path.to_string_lossy().into_owned());
    Ok(ProcessPlan {
        arguments,
        environment: environment(record, command, &user, has_terminal),
        directory: if directory.starts_with('/') {
            directory
        } else {
            format!("/{directory}")
        },
        user,
        open_files,
        has_terminal,
    })
}

/// Variables: of the engine, of the image, of the specification, of the command. A later one wins.
fn environment(record: &Record, command: Option<&Command>, user: &User, has_terminal: bool) -> Vec<String> {
    let home = user.home.as_deref().unwrap_or("/");
    let mut all = vec![
        PATH.to_owned(),
        format!("HOSTNAME={}", record.spec.hostname),
        format!("HOME={home}"),
    ];
    if has_terminal {
        all.push("TERM=xterm".to_owned());
    }
    all.extend(record.image.config.environment.iter().cloned());
    let pairs = record.spec.environment.iter();
    all.extend(
        pairs
            .chain(command.iter().flat_map(|c| &c.environment))
            .map(|(name, value)| format!("{name}={value}")),
    );
    let mut kept: Vec<String> = Vec::with_capacity(all.len());
    for variable in all {
        let name = variable.split('=').next().unwrap_or_default().to_owned();
        kept.retain(|other| other.split('=').next() != Some(&name));
        kept.push(variable);
    }
    kept
}

/// A process as the runtime takes it.
///
/// # Errors
///
/// A capability that does not exist.
pub(crate) fn process_json(record: &Record, process: &ProcessPlan) -> Result<Value, String> {
    let capabilities = capabilities(&record.spec.capabilities)?;
    let User { uid, gid, groups, .. } = &process.user;
    Ok(json!({
        "terminal": process.has_terminal,
        "user": { "uid": uid, "gid": gid, "additionalGids": groups },
        "args": process.arguments,
        "env": process.environment,
        "cwd": process.directory,
        "capabilities": {
            "bounding": capabilities, "effective": capabilities, "permitted": capabilities,
        },
        "rlimits": [{
            "type": "RLIMIT_NOFILE", "soft": OPEN_FILES.min(process.open_files), "hard": process.open_files,
        }],
        "noNewPrivileges": true,
        // Not that of the helper, which is among the last to be killed when memory is short.
        "oomScoreAdj": 0,
    }))
}

fn namespaces(inputs: &Inputs) -> Vec<Value> {
    let mut all: Vec<_> = ["pid", "ipc", "uts", "mount"]
        .into_iter()
        .map(|kind| json!({ "type": kind }))
        .collect();
    all.push(match &inputs.netns {
        Some(path) => json!({ "type": "network", "path": path }),
        None => json!({ "type": "network" }),
    });
    if inputs.is_v2 {
        all.push(json!({ "type": "cgroup" }));
    }
    all
}

fn mounts(record: &Record, inputs: &Inputs) -> Vec<Value> {
    let kernel = |place: &str, kind: &str, options: &[&str]| json!({ "destination": place, "type": kind, "source": kind, "options": options });
    let bind = |source: &std::path::Path, target: &std::path::Path, access: &str| json!({ "destination": target, "type": "bind", "source": source, "options": ["rbind", "rprivate", access] });
    let mut all = vec![
        kernel("/proc", "proc", &["nosuid", "noexec", "nodev"]),
        kernel("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        kernel(
            "/dev/pts",
            "devpts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        kernel(
            "/dev/shm",
            "tmpfs",
            &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
        ),
        kernel("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
        kernel("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
    ];
    if inputs.is_v2 {
        all.push(kernel(
            "/sys/fs/cgroup",
            "cgroup",
            &["nosuid", "noexec", "nodev", "relatime", "ro"],
        ));
    }
    all.extend(
        inputs
            .etc
            .iter()
            .map(|file| bind(&inputs.bundle.join(file.name), file.target.as_ref(), "rw")),
    );
    for volume in &record.spec.volumes {
        let source = match &volume.source {
            VolumeSource::Name(name) => inputs.volumes.join(name),
            VolumeSource::Path(path) => path.clone(),
        };
        all.push(bind(
            &source,
            &volume.target,
            if volume.read_only { "ro" } else { "rw" },
        ));
    }
    all.extend(inputs.init.iter().map(|init| bind(init, INIT.as_ref(), "ro")));
    all
}

fn device(device: &DevicePlan) -> Value {
    json!({
        "path": device.target, "type": kind(device), "major": device.major, "minor": device.minor,
        "fileMode": device.mode & 0o777, "uid": 0, "gid": 0,
    })
}

fn kind(device: &DevicePlan) -> &'static str {
    if device.is_block { "b" } else { "c" }
}

fn resources(limits: &Resources, inputs: &Inputs) -> Value {
    let mut devices = vec![json!({ "allow": false, "access": "rwm" })];
    devices.extend(inputs.devices.iter().map(|device| {
        let access = match device.access {
            DeviceAccess::Read => "r",
            DeviceAccess::ReadWrite => "rw",
        };
        json!({ "allow": true, "type": kind(device), "major": device.major, "minor": device.minor, "access": access })
    }));
    let mut resources = json!({ "devices": devices });
    if let Some(bytes) = limits.memory {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        resources["memory"] = json!({ "limit": bytes });
        if inputs.limits_swap {
            // Memory and swap together: equal to memory is no swap.
            resources["memory"]["swap"] = json!(bytes);
        }
    }
    if let Some(milli) = limits.millicpus {
        // A thousandth of one processor in a period of 100 ms; the kernel takes no less than 1 ms.
        resources["cpu"] = json!({ "quota": (i64::from(milli) * 100).max(1000), "period": 100_000 });
    }
    if let Some(pids) = limits.pids {
        resources["pids"] = json!({ "limit": pids });
    }
    resources
}

#[cfg(test)]
mod tests;
