//! Files, volumes and copies.

use bytes::Bytes;
use futures_util::stream;
use orchestrator_plugin::{
    Capability, ContainerSpec, Engine, EngineError, File, FileContent, Remedy, ValueSource, Volume, VolumeSource,
};

use crate::support::{OWN, bytes, can, fresh, new_id, run, spec};
use crate::{Subject, Tool};

fn file(target: &str, content: FileContent) -> File {
    File {
        target: target.into(),
        content,
        mode: File::default_mode(),
        uid: 0,
        gid: 0,
    }
}

fn can_all(engine: &dyn Engine, capabilities: &[Capability]) -> bool {
    capabilities.iter().all(|one| can(engine, *one))
}

/// Directories above them are made; a later start finds them changed as the container changed them.
pub async fn files_are_there_at_the_first_start_and_stay_as_the_container_left_them(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    if !can_all(engine.as_ref(), &[Capability::Files, Capability::Exec]) {
        return;
    }
    let with = ContainerSpec {
        files: vec![
            file(
                "/etc/orchestrator/deep/greeting",
                FileContent::Text("hello\n".to_owned()),
            ),
            file("/secret", FileContent::Bytes(b"hunter2".to_vec())),
        ],
        ..spec(subject)
    };
    let made = engine.ensure(&container, &with, &OWN).await.unwrap();
    let recorded = made.container();
    let show = async |path| {
        run(subject, engine.as_ref(), &recorded, Tool::Show(path), "")
            .await
            .stdout
    };
    assert_eq!(show("/etc/orchestrator/deep/greeting").await, "hello\n");
    assert_eq!(show("/secret").await, "hunter2");

    let write = Tool::Write("/secret", "changed");
    assert_eq!(run(subject, engine.as_ref(), &recorded, write, "").await.code, 0);
    engine.stop(&recorded).await.unwrap();
    engine.ensure(&recorded, &with, &OWN).await.unwrap();
    assert_eq!(show("/secret").await.trim_end(), "changed");
    engine.remove(&recorded).await.unwrap();
}

/// The daemon reads sources; an engine that is handed one makes nothing that would run without it.
pub async fn a_source_that_was_not_read_is_refused(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    if !can(engine.as_ref(), Capability::Files) {
        return;
    }
    let source = FileContent::From(ValueSource::File("/etc/hostname".into()));
    let with = ContainerSpec {
        files: vec![file("/secret", source)],
        ..spec(subject)
    };
    let fault = engine.ensure(&container, &with, &OWN).await.unwrap_err();
    assert!(matches!(fault, EngineError::Refused { .. }), "{fault}");
    assert_eq!(fault.remedy(), Remedy::Operator);
    assert_eq!(engine.list().await.unwrap(), [], "nothing is left");
}

/// A file that one container writes is read by another one, even after the first is gone.
pub async fn volumes_are_shared_and_outlive_their_container(subject: &impl Subject) {
    let (engine, first) = fresh(subject);
    if !can_all(engine.as_ref(), &[Capability::Volumes, Capability::Exec]) {
        return;
    }
    let name = format!("orchestrator-test-{}", new_id());
    let with = |read_only| ContainerSpec {
        volumes: vec![Volume {
            source: VolumeSource::Name(name.clone()),
            target: "/data".into(),
            read_only,
        }],
        ..spec(subject)
    };
    engine.ensure(&first, &with(false), &OWN).await.unwrap();
    let write = Tool::Write("/data/note", "kept");
    assert_eq!(run(subject, engine.as_ref(), &first, write, "").await.code, 0);
    engine.remove(&first).await.unwrap();

    let (_, second) = fresh(subject);
    engine.ensure(&second, &with(true), &OWN).await.unwrap();
    let shown = run(subject, engine.as_ref(), &second, Tool::Show("/data/note"), "").await;
    assert_eq!((shown.code, shown.stdout.trim_end()), (0, "kept"));
    let write = Tool::Write("/data/note", "other");
    assert_ne!(
        run(subject, engine.as_ref(), &second, write, "").await.code,
        0,
        "it is read-only"
    );
    engine.remove(&second).await.unwrap();
    subject.remove_volume(&name).await;
}

/// Its files are those of the host.
pub async fn a_directory_of_the_host_is_mounted(subject: &impl Subject) {
    let (engine, container) = fresh(subject);
    if !can_all(engine.as_ref(), &[Capability::Volumes, Capability::Exec]) {
        return;
    }
    let with = ContainerSpec {
        volumes: vec![Volume {
            source: VolumeSource::Path(subject.directory().await),
            target: "/host".into(),
            read_only: true,
        }],
        ..spec(subject)
    };
    engine.ensure(&container, &with, &OWN).await.unwrap();
    let shown = run(subject, engine.as_ref(), &container, Tool::Show("/host/greeting"), "").await;
    assert_eq!((shown.code, shown.stdout.trim_end()), (0, "hello"));
    engine.remove(&container).await.unwrap();
}

/// Files that were copied out can be copied in elsewhere, into a running container and into a stopped one.
pub async fn files_are_copied_in_and_out(subject: &impl Subject) {
    let (engine, from) = fresh(subject);
    if !can_all(engine.as_ref(), &[Capability::Copy, Capability::Exec]) {
        return;
    }
    engine.ensure(&from, &spec(subject), &OWN).await.unwrap();
    let write = Tool::Write("/tmp/note", "copied");
    assert_eq!(run(subject, engine.as_ref(), &from, write, "").await.code, 0);
    let archive = bytes(engine.read_files(&from, "/tmp/note".as_ref()).await.unwrap()).await;
    let Err(missing) = engine.read_files(&from, "/no/such".as_ref()).await else {
        panic!("there is no such file");
    };
    assert_eq!(missing.remedy(), Remedy::Operator, "{missing}");

    let (_, to) = fresh(subject);
    engine.ensure(&to, &spec(subject), &OWN).await.unwrap();
    engine.stop(&to).await.unwrap();
    let pieces: Vec<_> = archive
        .chunks(100)
        .map(|piece| Ok(Bytes::copy_from_slice(piece)))
        .collect();
    let archive = Box::pin(stream::iter(pieces));
    engine.write_files(&to, "/tmp".as_ref(), archive).await.unwrap();
    engine.ensure(&to, &spec(subject), &OWN).await.unwrap();
    let shown = run(subject, engine.as_ref(), &to, Tool::Show("/tmp/note"), "").await;
    assert_eq!((shown.code, shown.stdout.trim_end()), (0, "copied"));
    for container in [&from, &to] {
        engine.remove(container).await.unwrap();
    }
    let Err(gone) = engine.read_files(&from, "/tmp/note".as_ref()).await else {
        panic!("the container is gone");
    };
    assert_eq!(gone.code(), "not-running", "{gone}");
}
