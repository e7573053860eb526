//! The network of a container that is wired while it starts.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use orchestrator_plugin::{Container, EngineError, FoundState, Mark};
use tokio::sync::oneshot;

use crate::support::{new_id, pid, plugin_at, script, start, until};

/// It is shown before the start has ended, and each start has another one.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_is_shown_while_its_container_starts() {
    let oci = start();
    let engine = plugin_at(&oci.socket(), Mark { site: new_id() });
    let container = Container::main(new_id());
    let mut former: Option<File> = None;
    for _ in 0..2 {
        let (sender, early) = oneshot::channel::<PathBuf>();
        let seeing = async {
            let path = early.await.expect("the helper shows it");
            File::open(path).unwrap()
        };
        let spec = script("exec sleep 600");
        let (found, early) = tokio::join!(engine.ensure_wired_early(&container, &spec, sender), seeing);
        let found = found.unwrap();
        let number = |file: &File| file.metadata().unwrap().ino();
        let inside = File::open(format!("/proc/{}/ns/net", pid(&found))).unwrap();
        assert_eq!(number(&early), number(&inside));
        // Both are open, so that neither number can have been given again.
        assert!(former.is_none_or(|former| number(&former) != number(&early)));
        former = Some(early);
        engine.stop(&container).await.unwrap();
        until(engine.as_ref(), &container, |state| {
            matches!(state, FoundState::Exited { .. })
        })
        .await;
    }
    engine.remove(&container).await.unwrap();
}

/// The network goes when the start fails, and the error has the reason.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_goes_with_a_start_that_failed() {
    let oci = start();
    let engine = plugin_at(&oci.socket(), Mark { site: new_id() });
    let container = Container::main(new_id());
    let mut spec = script("true");
    spec.command = vec!["/nowhere/to/be/found".to_owned()];
    let (sender, early) = oneshot::channel::<PathBuf>();
    let (failed, path) = tokio::join!(engine.ensure_wired_early(&container, &spec, sender), early);
    let fault = failed.unwrap_err();
    assert!(matches!(fault, EngineError::Refused { .. }), "{fault}");
    let path = path.expect("the helper shows it before it knows");
    File::open(&path).unwrap_err();
    engine.remove(&container).await.unwrap();
}
