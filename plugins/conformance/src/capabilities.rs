//! An engine does what its capabilities say, and refuses everything else.

use std::net::IpAddr;

use futures_util::stream;
use orchestrator_plugin::{
    Capability, Container, ContainerSpec, EngineError, ExecRequest, File, FileContent, FoundState, LogRequest,
    NetworkMode, Remedy, Resolver, TerminalSize, Volume, VolumeSource,
};

use crate::support::{OWN, can, fresh, run, spec};
use crate::{Subject, Tool, images};

/// A container whose creation needs this capability; `None` if the capability is not needed for that.
async fn wanting(subject: &impl Subject, capability: Capability) -> Option<(ContainerSpec, NetworkMode)> {
    let spec = spec(subject);
    let (_, other) = fresh(subject);
    let network = match capability {
        Capability::EngineNamespace => NetworkMode::EngineNamespace,
        Capability::PreparedNamespace => NetworkMode::Prepared("/run/netns/prepared".into()),
        Capability::SharedNamespace => NetworkMode::Shared(other),
        Capability::EnginePort => NetworkMode::EnginePort {
            network: "network".to_owned(),
        },
        Capability::Tap => NetworkMode::Tap {
            interface: "tap0".to_owned(),
        },
        _ => NetworkMode::EngineNamespace,
    };
    let with = match capability {
        Capability::EngineNamespace
        | Capability::PreparedNamespace
        | Capability::SharedNamespace
        | Capability::EnginePort
        | Capability::Tap => spec,
        Capability::Devices => ContainerSpec {
            devices: vec![subject.device()],
            ..spec
        },
        Capability::Volumes => ContainerSpec {
            volumes: vec![Volume {
                source: VolumeSource::Name("data".to_owned()),
                target: "/data".into(),
                read_only: false,
            }],
            ..spec
        },
        Capability::Files => ContainerSpec {
            files: vec![File {
                target: "/etc/greeting".into(),
                content: FileContent::Text("hello".to_owned()),
                mode: File::default_mode(),
                uid: 0,
                gid: 0,
            }],
            ..spec
        },
        Capability::Resolver => ContainerSpec {
            resolver: Some(Resolver::default()),
            ..spec
        },
        Capability::Environment
        | Capability::Exec
        | Capability::ExecTerminal
        | Capability::Logs
        | Capability::Stats
        | Capability::Disk
        | Capability::Copy
        | Capability::Pause
        | Capability::Images
        | Capability::Pull
        | Capability::ImagePins => return None,
    };
    Some((with, network))
}

/// The calls that need this, on a container that runs.
async fn call(
    subject: &impl Subject,
    engine: &dyn orchestrator_plugin::Engine,
    container: &Container,
    capability: Capability,
) -> Vec<EngineError> {
    let command = |terminal| ExecRequest {
        command: subject.tool(&Tool::Exit(0)),
        terminal,
        ..ExecRequest::default()
    };
    let size = TerminalSize { columns: 80, rows: 24 };
    match capability {
        Capability::Environment => engine.environment(container, "").await.err().into_iter().collect(),
        Capability::Exec => engine.exec(container, &command(None)).await.err().into_iter().collect(),
        Capability::ExecTerminal => engine
            .exec(container, &command(Some(size)))
            .await
            .err()
            .into_iter()
            .collect(),
        Capability::Logs => engine
            .logs(container, &LogRequest::default())
            .await
            .err()
            .into_iter()
            .collect(),
        Capability::Stats => engine.stats(container).await.err().into_iter().collect(),
        Capability::Disk => engine.disk(container).await.err().into_iter().collect(),
        Capability::Pause => engine.pause(container).await.err().into_iter().collect(),
        Capability::Copy => {
            let read = engine.read_files(container, "/etc".as_ref()).await.err();
            let nothing = Box::pin(stream::empty());
            let written = engine.write_files(container, "/".as_ref(), nothing).await.err();
            read.into_iter().chain(written).collect()
        }
        Capability::Images => images::calls(engine).await,
        Capability::Pull => images::pull_of(engine, "registry.example/nowhere")
            .await
            .err()
            .into_iter()
            .collect(),
        _ => unreachable!("it is the making that needs {capability:?}"),
    }
}

#[track_caller]
fn assert_unsupported(fault: &EngineError, name: &str, missing: Capability) {
    let named = matches!(
        fault,
        EngineError::Unsupported { engine, capability } if engine == name && *capability == missing
    );
    assert!(named, "{missing:?}: {fault}");
    assert_eq!(fault.remedy(), Remedy::Operator);
}

/// Every capability that is missing is named by the error of every call that needs it.
pub async fn what_the_engine_cannot_do_is_refused_and_nothing_is_left(subject: &impl Subject) {
    let (engine, running) = fresh(subject);
    let missing: Vec<_> = Capability::ALL
        .into_iter()
        .filter(|one| !can(engine.as_ref(), *one))
        .collect();
    let can_run = can(engine.as_ref(), Capability::EngineNamespace);
    if can_run {
        engine.ensure(&running, &spec(subject), &OWN).await.unwrap();
    }
    for capability in missing {
        let (_, container) = fresh(subject);
        match wanting(subject, capability).await {
            Some((spec, network)) => {
                let fault = engine.ensure(&container, &spec, &network).await.unwrap_err();
                assert_unsupported(&fault, engine.name(), capability);
                assert_eq!(engine.find(&container).await.unwrap(), None);
            }
            // Without commands there are none with a terminal.
            None if capability == Capability::ExecTerminal && !can(engine.as_ref(), Capability::Exec) => {}
            // An id is a name like any other then: no call is for ids alone.
            None if capability == Capability::ImagePins => {}
            None if can_run => {
                let faults = call(subject, engine.as_ref(), &running, capability).await;
                assert!(!faults.is_empty(), "{capability:?} was served");
                for fault in faults {
                    assert_unsupported(&fault, engine.name(), capability);
                }
            }
            None => {}
        }
    }
    assert_eq!(engine.list().await.unwrap().len(), usize::from(can_run));
    engine.remove(&running).await.unwrap();
}

/// A running container reports the kind of network that was asked for.
pub async fn each_network_that_the_engine_can_do_is_what_it_reports(subject: &impl Subject) {
    let (engine, _) = fresh(subject);
    let mut modes = Vec::new();
    if can(engine.as_ref(), Capability::EngineNamespace) {
        modes.push(NetworkMode::EngineNamespace);
    }
    if can(engine.as_ref(), Capability::PreparedNamespace) {
        modes.push(NetworkMode::Prepared(subject.prepared().await));
    }
    if can(engine.as_ref(), Capability::EnginePort) {
        modes.push(NetworkMode::EnginePort {
            network: subject.network(),
        });
    }
    if can(engine.as_ref(), Capability::Tap) {
        modes.push(NetworkMode::Tap {
            interface: subject.tap(),
        });
    }
    assert!(!modes.is_empty(), "an engine connects its containers somehow");
    for mode in modes {
        let (_, container) = fresh(subject);
        let made = engine.ensure(&container, &spec(subject), &mode).await.unwrap();
        let FoundState::Running(running) = &made.state else {
            panic!("{made:?}");
        };
        assert_eq!(running.network.capability(), mode.capability());
        if let NetworkMode::Prepared(path) = &mode {
            assert_eq!(running.netns(), Some(path.as_path()));
            // It is the caller's: what is started again is in it again.
            engine.stop(&container).await.unwrap();
            let again = engine.ensure(&made.container(), &spec(subject), &mode).await.unwrap();
            assert!(matches!(&again.state, FoundState::Running(again) if again.network == running.network));
        }
        engine.remove(&container).await.unwrap();
    }
}

/// Nothing else, and nothing of a container that is not there.
pub async fn the_environment_is_reported_by_its_prefix(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    if !can(engine.as_ref(), Capability::Environment) {
        return;
    }
    assert_eq!(engine.environment(&container, "").await.unwrap(), None);
    let with = ContainerSpec {
        environment: [("OURS_A", "a=b c"), ("OURS_B", ""), ("THEIRS", "x")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        ..spec(subject)
    };
    let made = engine.ensure(&container, &with, &OWN).await.unwrap();
    let told = engine.environment(&made.container(), "OURS_").await.unwrap().unwrap();
    let told: Vec<_> = told
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(told, [("OURS_A", "a=b c"), ("OURS_B", "")]);
    engine.remove(&container).await.unwrap();
}

/// At the path that was asked for.
pub async fn devices_are_given(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    if !can(engine.as_ref(), Capability::Devices) || !can(engine.as_ref(), Capability::Exec) {
        return;
    }
    let target = "/dev/orchestrator-test";
    let mut device = subject.device();
    device.target = target.into();
    let with = ContainerSpec {
        devices: vec![device],
        ..spec(subject)
    };
    engine.ensure(&container, &with, &OWN).await.unwrap();
    let exists = run(
        subject,
        engine.as_ref(),
        &container,
        Tool::Exists("/dev/orchestrator-test"),
        "",
    )
    .await;
    assert_eq!(exists.code, 0);
    let other = run(subject, engine.as_ref(), &container, Tool::Exists("/dev/no-such"), "").await;
    assert_eq!(other.code, 1);
    engine.remove(&container).await.unwrap();
}

/// Servers and search domains are those of the specification.
pub async fn name_servers_are_configured(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    if !can(engine.as_ref(), Capability::Resolver) || !can(engine.as_ref(), Capability::Exec) {
        return;
    }
    let with = ContainerSpec {
        resolver: Some(Resolver {
            servers: ["fd39::53", "fd39::54"]
                .map(|text| text.parse::<IpAddr>().unwrap())
                .into(),
            search: vec!["lab.example".to_owned()],
        }),
        ..spec(subject)
    };
    engine.ensure(&container, &with, &OWN).await.unwrap();
    let shown = run(subject, engine.as_ref(), &container, Tool::Show("/etc/resolv.conf"), "").await;
    let lines: Vec<_> = shown.stdout.lines().collect();
    for line in ["nameserver fd39::53", "nameserver fd39::54", "search lab.example"] {
        assert!(lines.contains(&line), "{line:?} is not in {lines:?}");
    }
    engine.remove(&container).await.unwrap();
}
