//! The helper, its shims and the plugin end at any moment.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use orchestrator_plugin::{Change, Container, FoundState, Mark};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::support::{PATIENCE, new_id, pid, plugin_at, script, start, until};

/// Whether a process runs. A zombie is dead already; it waits for its parent.
fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

const OWN: orchestrator_plugin::NetworkMode = orchestrator_plugin::NetworkMode::EngineNamespace;

/// Its containers run on, with their log and their exit code, and the next helper knows them.
#[tokio::test(flavor = "multi_thread")]
async fn containers_outlive_a_helper_that_was_killed() {
    let oci = start();
    let mark = Mark { site: new_id() };
    let engine = plugin_at(&oci.socket(), mark);
    let [runs, ends] = [new_id(), new_id()].map(Container::main);
    let before = engine.ensure(&runs, &script("sleep 600"), &OWN).await.unwrap();
    let ending = "while ! test -e /tmp/end; do sleep 0.05; done; echo the end; exit 7";
    let ending = engine.ensure(&ends, &script(ending), &OWN).await.unwrap();

    oci.kill9();
    let process = std::path::Path::new("/proc").join(pid(&ending).to_string());
    std::fs::write(process.join("root").join("tmp/end"), "").unwrap();
    orchestrator_lab::poll("the container to end without a helper", PATIENCE, || {
        (!is_running(pid(&ending))).then_some(())
    })
    .unwrap();
    oci.resume().unwrap();

    assert_eq!(engine.find(&runs).await.unwrap(), Some(before.clone()));
    assert_eq!(
        engine
            .ensure(&before.container(), &script("exit 1"), &OWN)
            .await
            .unwrap(),
        before
    );
    until(engine.as_ref(), &ends, |state| *state == FoundState::Exited { code: 7 }).await;
    // A shim that was adopted is waited for as one that was started.
    kill(Pid::from_raw(pid(&before).cast_signed()), Signal::SIGKILL).unwrap();
    until(engine.as_ref(), &runs, |state| {
        *state == FoundState::Exited { code: 137 }
    })
    .await;
    for container in [runs, ends] {
        engine.remove(&container).await.unwrap();
    }
    orchestrator_lab::poll("all shims to end", PATIENCE, || oci.shims().ok().filter(Vec::is_empty)).unwrap();
}

/// Nothing of the container runs on unheld, and it can be started again.
#[tokio::test(flavor = "multi_thread")]
async fn a_shim_that_was_killed_takes_its_container_along() {
    let oci = start();
    let engine = plugin_at(&oci.socket(), Mark { site: new_id() });
    let container = Container::main(new_id());
    let made = engine.ensure(&container, &script("sleep 600"), &OWN).await.unwrap();
    for helper_is_down in [false, true] {
        let found = engine.ensure(&container, &script("sleep 600"), &OWN).await.unwrap();
        let (changes, mut changed) = mpsc::channel(16);
        let watching = {
            let engine = engine.clone();
            tokio::spawn(async move { engine.watch(changes).await })
        };
        assert_eq!(changed.recv().await, Some(Change::Everything));
        if helper_is_down {
            oci.kill9();
        }
        let shims = oci.shims().unwrap();
        assert_eq!(shims.len(), 1);
        kill(Pid::from_raw(shims[0].cast_signed()), Signal::SIGKILL).unwrap();
        match helper_is_down {
            true => oci.resume().unwrap(),
            false => {
                let change = timeout(PATIENCE, changed.recv()).await.unwrap();
                assert_eq!(change, Some(Change::Container(container.key.clone())));
            }
        }
        let ended = until(engine.as_ref(), &container, |state| {
            !matches!(state, FoundState::Running(_))
        })
        .await;
        assert_eq!(
            (ended.reference, ended.state),
            (made.reference.clone(), FoundState::Exited { code: 137 })
        );
        assert!(!is_running(pid(&found)), "it does not run on");
        watching.abort();
    }
    let again = engine.ensure(&container, &script("sleep 600"), &OWN).await.unwrap();
    assert_eq!(again.reference, made.reference);
    engine.remove(&container).await.unwrap();
}

/// Whatever the helper was doing: each container is there once at the end, and nothing is left when all are removed.
#[tokio::test(flavor = "multi_thread")]
async fn a_helper_that_is_killed_again_and_again_makes_nothing_twice() {
    let oci = start();
    let engine = plugin_at(&oci.socket(), Mark { site: new_id() });
    let containers: Vec<_> = (0..4).map(|_| Container::main(new_id())).collect();
    for round in 0..12_u64 {
        let work = containers.iter().cloned().map(|container| {
            let engine = engine.clone();
            tokio::spawn(async move {
                // The helper ends in the middle of these; what they return is about that.
                let _ = engine.ensure(&container, &script("sleep 600"), &OWN).await;
                if round % 3 == 2 {
                    let _ = engine.remove(&container).await;
                }
            })
        });
        let work: Vec<_> = work.collect();
        // Another moment of the work in each round.
        tokio::time::sleep(Duration::from_millis(round * 11)).await;
        oci.kill9();
        for task in work {
            let _ = task.await;
        }
        oci.resume().unwrap();
    }
    for container in &containers {
        let made = engine.ensure(container, &script("sleep 600"), &OWN).await.unwrap();
        assert!(pid(&made) > 0);
    }
    assert_eq!(engine.list().await.unwrap().len(), containers.len());
    assert_eq!(oci.shims().unwrap().len(), containers.len());
    for container in &containers {
        engine.remove(container).await.unwrap();
    }
    assert_eq!(engine.list().await.unwrap(), []);
    orchestrator_lab::poll("all shims to end", PATIENCE, || oci.shims().ok().filter(Vec::is_empty)).unwrap();
    let left = std::fs::read_dir(oci.state().join("containers")).unwrap().count();
    assert_eq!(left, 0, "no directory is left");
    for tree in std::fs::read_dir("/sys/fs/cgroup").unwrap() {
        let group = tree.unwrap().path().join(oci.lab().id());
        if let Ok(below) = std::fs::read_dir(&group) {
            let groups = below
                .filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_dir())
                .count();
            assert_eq!(groups, 0, "a control group is left in {}", group.display());
        }
    }
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(oci.lab().id()), "no mount is left");
}
