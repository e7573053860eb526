//! What a container may do, and how much of the machine it may use: seen from inside.

use std::fs;
use std::path::Path;

use futures_util::StreamExt;
use orchestrator_lab::{Btrfs, Lab, Oci, TEST_IMAGE, wait_for};
use orchestrator_plugin::{
    Container, ContainerSpec, Engine, EngineError, ExecRequest, Mark, NetworkMode, Resources, Volume, VolumeSource,
};

use crate::support::{new_id, pid, plugin_at, script, shared};

const BINARY: &str = env!("CARGO_BIN_EXE_orchestrator-oci");

const OWN: NetworkMode = NetworkMode::EngineNamespace;

/// What a script writes in a container, on its output and its error.
async fn said(engine: &dyn Engine, container: &Container, script: &str) -> String {
    let request = ExecRequest {
        command: ["sh", "-c", script].map(str::to_owned).into(),
        ..ExecRequest::default()
    };
    let mut session = engine.exec(container, &request).await.expect("it runs");
    let mut text = String::new();
    while let Some(piece) = session.output.next().await {
        text += &String::from_utf8_lossy(piece.expect("the stream is whole").bytes());
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_and_its_commands_can_do_nothing_to_the_machine() {
    let engine = plugin_at(&shared().socket(), Mark { site: new_id() });
    let container = Container::main(new_id());
    let made = engine.ensure(&container, &script("sleep 600"), &OWN).await.unwrap();
    let status = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        line.unwrap_or_else(|| panic!("{name} is not in {text}")).to_owned()
    };
    let first = fs::read_to_string(format!("/proc/{}/status", pid(&made))).unwrap();
    let command = said(engine.as_ref(), &container, "cat /proc/self/status").await;
    for text in [&first, &command] {
        assert_eq!(status(text, "NoNewPrivs:"), "1");
        assert_eq!(status(text, "Seccomp:"), "2");
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
            assert_eq!(status(text, set), "0".repeat(16), "{set}");
        }
    }
    for forbidden in [
        "mount -t tmpfs none /tmp",
        "unshare -n true",
        "echo 1 > /proc/sys/kernel/panic",
        "echo b > /proc/sysrq-trigger",
        "ip link add x type dummy",
        "mknod /tmp/disk b 8 0",
        "dd if=/dev/mem of=/dev/null count=1",
    ] {
        let code = said(
            engine.as_ref(),
            &container,
            &format!("{forbidden} 2>/dev/null; echo $?"),
        )
        .await;
        assert_ne!(code.trim(), "0", "{forbidden}");
    }
    assert_eq!(
        said(engine.as_ref(), &container, "cat /proc/kcore 2>/dev/null | wc -c")
            .await
            .trim(),
        "0"
    );
    assert_eq!(
        said(engine.as_ref(), &container, "ls /proc/1/ns >/dev/null; hostname")
            .await
            .trim(),
        "instance"
    );
    engine.remove(&container).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_in_force() {
    let engine = plugin_at(&shared().socket(), Mark { site: new_id() });
    let container = Container::main(new_id());
    let spec = ContainerSpec {
        resources: Resources {
            memory: Some(48 << 20),
            millicpus: Some(500),
            pids: Some(20),
            disk: None,
        },
        ..script("sleep 600")
    };
    let made = engine.ensure(&container, &spec, &OWN).await.unwrap();
    let reference = &made.reference;
    let file = |one: &str, other: &str| {
        let place = format!("{}/{reference}", shared().lab().id());
        let paths = [one, other].map(|path| format!("/sys/fs/cgroup/{}", path.replace("GROUP", &place)));
        let found = paths.iter().find_map(|path| fs::read_to_string(path).ok());
        found.unwrap_or_else(|| panic!("none of {paths:?}")).trim().to_owned()
    };
    let memory = file("memory/GROUP/memory.limit_in_bytes", "GROUP/memory.max");
    assert_eq!(memory, (48 << 20).to_string());
    assert_eq!(file("pids/GROUP/pids.max", "GROUP/pids.max"), "20");
    let cpu = file("cpu/GROUP/cpu.cfs_quota_us", "GROUP/cpu.max");
    assert!(cpu.starts_with("50000"), "{cpu}");
    let limits = fs::read_to_string(format!("/proc/{}/limits", pid(&made))).unwrap();
    let open_files = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .unwrap();
    let open_files: Vec<_> = open_files.split_whitespace().take(2).collect();
    assert_eq!(open_files[0], "1024", "{limits}");
    // The runtime gives a further command the soft limit or the hard one, as its own start happens to go.
    let further = said(engine.as_ref(), &container, "ulimit -Sn; ulimit -Hn").await;
    let further: Vec<_> = further.split_whitespace().collect();
    assert!(open_files.contains(&further[0]), "{further:?} of {open_files:?}");
    assert_eq!(further[1], open_files[1]);
    // The last command: what it started goes on for a while, and leaves no room for the threads of another one.
    let many = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do sleep 5 & done 2>&1";
    assert!(
        said(engine.as_ref(), &container, many).await.contains("fork"),
        "25 processes were started"
    );
    engine.remove(&container).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_as_it_was_asked_is_refused_with_a_reason() {
    let engine = plugin_at(&shared().socket(), Mark { site: new_id() });
    let volume = |source| Volume {
        source,
        target: "/data".into(),
        read_only: false,
    };
    let of = |volumes| ContainerSpec {
        volumes,
        ..script("sleep 600")
    };
    let wrong = [
        (
            of(vec![volume(VolumeSource::Name("../../etc".to_owned()))]),
            "cannot be the name of a volume",
        ),
        (
            of(vec![volume(VolumeSource::Path("/no/such".into()))]),
            "there is no /no/such on the host",
        ),
        (
            ContainerSpec {
                capabilities: vec!["EVERYTHING".to_owned()],
                ..script("sleep 600")
            },
            "no capability \"EVERYTHING\"",
        ),
        (
            ContainerSpec {
                image: TEST_IMAGE.to_owned(),
                command: vec!["/no/such/program".to_owned()],
                ..ContainerSpec::default()
            },
            "/no/such/program",
        ),
    ];
    for (spec, reason) in wrong {
        let container = Container::main(new_id());
        let fault = engine.ensure(&container, &spec, &OWN).await.unwrap_err();
        assert!(matches!(fault, EngineError::Refused { .. }), "{fault}");
        assert!(fault.to_string().contains(reason), "{fault}");
        engine.remove(&container).await.unwrap();
    }
    assert_eq!(engine.list().await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_bounded_by_the_settings() {
    let oci = shared();
    let settings = orchestrator_plugin_oci::OciSettings {
        socket: oci.socket(),
        log: orchestrator_plugin_oci::protocol::LogBounds {
            size: 8 << 10,
            files: 2,
        },
        ..Default::default()
    };
    let engine = orchestrator_plugin_oci::OciEngine::new("oci", settings, Mark { site: new_id() });
    let container = Container::main(new_id());
    let talks = "i=0; while test $i -lt 3000; do echo line $i; i=$((i+1)); done; echo the end; sleep 600";
    let made = engine.ensure(&container, &script(talks), &OWN).await.unwrap();
    let directory = oci.state().join("containers").join(&made.reference).join("log");
    orchestrator_lab::poll("the end of the output", crate::support::PATIENCE, || {
        fs::read_to_string(directory.join("0"))
            .ok()?
            .contains("the end")
            .then_some(())
    })
    .unwrap();
    let sizes: Vec<u64> = fs::read_dir(&directory)
        .unwrap()
        .map(|file| file.unwrap().metadata().unwrap().len())
        .collect();
    assert!(sizes.len() <= 2 && sizes.iter().sum::<u64>() <= 16 << 10, "{sizes:?}");
    engine.remove(&container).await.unwrap();
}

/// On a file system that can limit a directory, the kernel refuses more. Elsewhere it is only measured.
#[tokio::test]
async fn a_container_writes_no_more_than_its_disk_where_the_file_system_can_limit_it() {
    let btrfs = Btrfs::mount(true).unwrap();
    let lab = Lab::new().unwrap();
    let oci = Oci::start_with_state(&lab, Path::new(BINARY), &btrfs.path().join("state")).unwrap();
    oci.import_test_image().unwrap();
    let fill = "dd if=/dev/zero of=/file bs=1M count=12 conv=fsync 2>&1";
    let limited = |disk| ContainerSpec {
        resources: Resources {
            disk,
            ..Resources::default()
        },
        ..script("sleep 600")
    };
    let engine = plugin_at(&oci.socket(), Mark { site: new_id() });
    let (full, free) = (Container::main(new_id()), Container::main(new_id()));
    engine.ensure(&full, &limited(Some(8 << 20)), &OWN).await.unwrap();
    engine.ensure(&free, &limited(None), &OWN).await.unwrap();
    let refused = said(engine.as_ref(), &full, fill).await;
    assert!(refused.contains("quota"), "{refused}");
    let found = engine.disk(&full).await.unwrap();
    assert!(
        found.limit == Some(8 << 20) && found.bytes <= 8 << 20,
        "what does not fit is not written: {found:?}"
    );
    let taken = said(engine.as_ref(), &free, fill).await;
    assert!(!taken.contains("quota"), "{taken}");
    let found = engine.disk(&free).await.unwrap();
    assert!(found.limit.is_none() && found.bytes >= 12 << 20, "{found:?}");
    for container in [&full, &free] {
        engine.remove(container).await.unwrap();
    }
    wait_for("the subvolume to go", std::time::Duration::from_secs(60), || {
        let listed = btrfs.run(&["subvolume", "list", &btrfs.path().display().to_string()]);
        listed.unwrap().is_empty().then_some(())
    });

    // Where the shared helper's state is, nothing limits it.
    let engine = plugin_at(&shared().socket(), Mark { site: new_id() });
    let container = Container::main(new_id());
    engine.ensure(&container, &limited(Some(8 << 20)), &OWN).await.unwrap();
    let taken = said(engine.as_ref(), &container, fill).await;
    assert!(!taken.contains("quota"), "{taken}");
    let found = engine.disk(&container).await.unwrap();
    assert!(found.limit.is_none() && found.bytes >= 12 << 20, "{found:?}");
    engine.remove(&container).await.unwrap();
}
