//! The example that runs containers by bubblewrap.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, SystemTime};
use std::{fs, process};

use orchestrator_conformance::{Bare, Parts, Publish};
use orchestrator_plugin::{
    Container, ContainerSpec, Engine, File, FileContent, FoundState, Id, Mark, NetworkMode, Resolver, Volume,
    VolumeSource,
};
use orchestrator_plugin_exec::{ExecEngine, ExecSettings};

const IMAGE: &str = "busybox";

const OWN: NetworkMode = NetworkMode::EngineNamespace;

/// A directory with an image; removed when it is dropped.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!(
            "orchestrator-bubblewrap-{}-{}",
            process::id(),
            Id::random().unwrap()
        ));
        let root = path.join("images").join(IMAGE);
        for directory in ["bin", "etc", "tmp"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        fs::copy("/bin/busybox", root.join("bin/busybox")).expect("busybox-static is installed");
        for applet in ["sh", "sleep", "cat", "hostname", "env", "id", "httpd"] {
            symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
        // A link that leads out of the image.
        symlink("/etc", root.join("out")).unwrap();
        Self(path)
    }

    fn engine(&self, mark: Mark) -> ExecEngine {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/engines/bubblewrap");
        let settings = ExecSettings {
            arguments: vec![self.0.display().to_string()],
            timeout: Duration::from_secs(60),
            poll: Duration::from_millis(100),
            ..ExecSettings::of(program)
        };
        ExecEngine::new("bubblewrap", settings, mark)
    }

    /// The root file system of a container.
    fn root(&self, container: &Container) -> PathBuf {
        self.0.join("containers").join(container.key.engine_name()).join("root")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A network namespace that is a mount, and goes when it is dropped.
struct Netns(PathBuf);

impl Netns {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("orchestrator-netns-{}", Id::random().unwrap()));
        fs::write(&path, "").unwrap();
        let made = Command::new("unshare")
            .arg(format!("--net={}", path.display()))
            .arg("true")
            .status();
        assert!(made.unwrap().success());
        Self(path)
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        let _ = nix::mount::umount(&self.0);
        let _ = fs::remove_file(&self.0);
    }
}

/// One place for all cases that run at the same time. Each case removes what it made.
async fn subject() -> Bare {
    static SHARED: Mutex<Weak<(Place, Netns)>> = Mutex::new(Weak::new());
    let shared = {
        let mut shared = SHARED.lock().unwrap();
        let now = shared
            .upgrade()
            .unwrap_or_else(|| Arc::new((Place::new(), Netns::new())));
        *shared = Arc::downgrade(&now);
        now
    };
    let (place, netns) = &*shared;
    let first = place.engine(mark());
    first.learn_capabilities().await.expect("it answers");
    let first = Arc::new(first);
    let (prepared, directory) = (netns.0.clone(), place.0.clone());
    let images = place.0.join("images");
    let publish: Publish = Box::new(move |name| {
        publish_at(&images, name);
        Box::pin(std::future::ready(()))
    });
    Bare::new(Parts {
        // What it is made of goes with the last subject.
        make: Box::new(move |mark| {
            let _ = &shared;
            Arc::new(first.for_site(mark))
        }),
        image: IMAGE.to_owned(),
        prepared: Some(prepared),
        network: None,
        tap: None,
        publish: Some(publish),
        directory,
    })
}

/// Makes another image under this name, as the example wants it: the directory is replaced.
fn publish_at(images: &Path, name: &str) {
    let new = images.join(format!(".new-{}", Id::random().unwrap()));
    let copied = Command::new("cp")
        .arg("--archive")
        .arg(images.join(IMAGE))
        .arg(&new)
        .status();
    assert!(copied.unwrap().success());
    fs::write(new.join("etc/made"), Id::random().unwrap().to_string()).unwrap();
    let path = images.join(name.replace('/', "_"));
    if path.exists() {
        fs::remove_dir_all(&path).unwrap();
    }
    fs::rename(&new, &path).unwrap();
}

fn mark() -> Mark {
    Mark {
        site: Id::random().unwrap(),
    }
}

mod conforms {
    use super::subject;

    orchestrator_conformance::suite!(subject().await);
}

fn spec(script: &str) -> ContainerSpec {
    ContainerSpec {
        image: IMAGE.to_owned(),
        hostname: "lamp".to_owned(),
        command: ["sh", "-c", script].map(str::to_owned).into(),
        ..ContainerSpec::default()
    }
}

fn file(target: &str) -> File {
    File {
        target: target.into(),
        content: FileContent::Bytes(vec![0, 255]),
        mode: 0o640,
        uid: 7,
        gid: 8,
    }
}

async fn until_exited(engine: &ExecEngine, container: &Container) -> i64 {
    loop {
        let found = engine.find(container).await.unwrap().unwrap();
        if let FoundState::Exited { code } = found.state {
            return code;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_container_is_what_its_specification_says() {
    let place = Place::new();
    let (engine, container) = (place.engine(mark()), Container::main(Id::random().unwrap()));
    let script = "hostname >/tmp/seen; env >>/tmp/seen; cat /etc/resolv.conf >>/tmp/seen; cat /proc/self/status >>/tmp/seen; \
                  echo kept >/data/note; exit 4";
    let with = ContainerSpec {
        environment: [("GREETING".to_owned(), "hello = there".to_owned())].into(),
        capabilities: vec!["NET_RAW".to_owned()],
        files: vec![file("/etc/app/key")],
        volumes: vec![Volume {
            source: VolumeSource::Name("data".to_owned()),
            target: "/data".into(),
            read_only: false,
        }],
        resolver: Some(Resolver {
            servers: vec!["fd39::53".parse().unwrap()],
            search: vec!["lab.example".to_owned()],
        }),
        ..spec(script)
    };
    engine.ensure(&container, &with, &OWN).await.unwrap();
    assert_eq!(until_exited(&engine, &container).await, 4);
    let root = place.root(&container);
    let seen = fs::read_to_string(root.join("tmp/seen")).unwrap();
    for line in [
        "lamp",
        "GREETING=hello = there",
        "search lab.example",
        "nameserver fd39::53",
        "CapEff:\t0000000000002000",
        "NoNewPrivs:\t1",
    ] {
        assert!(seen.lines().any(|one| one == line), "{line:?} is not in {seen}");
    }
    let key = fs::metadata(root.join("etc/app/key")).unwrap();
    assert_eq!((key.uid(), key.gid(), key.permissions().mode() & 0o777), (7, 8, 0o640));
    engine.remove(&container).await.unwrap();
    assert!(!root.exists());
    assert_eq!(fs::read_to_string(place.0.join("volumes/data/note")).unwrap(), "kept\n");
}

#[tokio::test]
async fn nothing_leads_out_of_an_image_or_a_volume() {
    let place = Place::new();
    let engine = place.engine(mark());
    let volume = |name: &str| Volume {
        source: VolumeSource::Name(name.to_owned()),
        target: "/data".into(),
        read_only: false,
    };
    let bad = [
        ContainerSpec {
            files: vec![file("/out/orchestrator-test")],
            ..spec("true")
        },
        ContainerSpec {
            files: vec![file("/etc/../../x")],
            ..spec("true")
        },
        ContainerSpec {
            volumes: vec![volume("../../etc")],
            ..spec("true")
        },
        ContainerSpec {
            image: "../../etc".to_owned(),
            ..spec("true")
        },
    ];
    for spec in bad {
        let container = Container::main(Id::random().unwrap());
        let outcome = engine.ensure(&container, &spec, &OWN).await;
        let started = outcome
            .as_ref()
            .is_ok_and(|found| matches!(found.state, FoundState::Running(_)));
        assert!(!started, "{outcome:?}");
        engine.remove(&container).await.unwrap();
    }
    assert!(!fs::exists("/etc/orchestrator-test").unwrap());
    assert_eq!(engine.list().await.unwrap(), []);
    assert_eq!(fs::read_dir(place.0.join("containers")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_container_outlives_the_call_that_made_it_and_not_its_removal() {
    let place = Place::new();
    let (engine, container) = (place.engine(mark()), Container::main(Id::random().unwrap()));
    let made = engine.ensure(&container, &spec("sleep 600"), &OWN).await.unwrap();
    let FoundState::Running(running) = &made.state else {
        panic!("{made:?}");
    };
    let process = PathBuf::from(format!("/proc/{}", running.pid));
    let other = place.engine(mark());
    assert_eq!(other.find(&container).await.unwrap(), None);
    assert!(process.exists());
    engine.remove(&container).await.unwrap();
    let state = fs::read_to_string(process.join("stat")).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "{state}");
}

/// What `etc/made` holds in the root of a container.
fn made(place: &Place, container: &Container) -> String {
    fs::read_to_string(place.root(container).join("etc/made")).unwrap()
}

fn version(place: &Place, id: &str) -> PathBuf {
    place.0.join("versions").join(id.strip_prefix("sha256:").unwrap())
}

/// No request named this version for so many days.
fn age(version: &Path, days: u64) {
    let then = SystemTime::now() - Duration::from_secs(days * 24 * 3600);
    fs::File::open(version).unwrap().set_modified(then).unwrap();
}

#[tokio::test]
async fn an_id_is_the_digest_of_a_copy_that_is_kept_while_it_is_used() {
    let place = Place::new();
    let (engine, images) = (place.engine(mark()), place.0.join("images"));
    let check = async |image: &str| engine.check_image(image).await.map(|facts| facts.id);
    publish_at(&images, "app");
    let first = check("app").await.unwrap();
    let content = fs::read_to_string(images.join("app/etc/made")).unwrap();

    // One byte in one file is another image, and the same bytes are the same one.
    fs::write(images.join("app/etc/made"), "other").unwrap();
    let second = check("app").await.unwrap();
    assert_ne!(second, first);
    fs::write(images.join("app/etc/made"), &content).unwrap();
    assert_eq!(check("app").await.unwrap(), first);
    fs::rename(images.join("app"), images.join("renamed")).unwrap();
    assert_eq!(check("renamed").await.unwrap(), first);

    // A container of a version whose name is gone.
    let container = Container::main(Id::random().unwrap());
    let of_second = ContainerSpec {
        image: second.clone(),
        ..spec("sleep 600")
    };
    engine.ensure(&container, &of_second, &OWN).await.unwrap();
    assert_eq!(made(&place, &container), "other");

    // What a container was made from stays, and so does what was named a day ago. The rest goes when a name moves.
    for (id, days) in [(&first, 31), (&second, 31)] {
        age(&version(&place, id), days);
    }
    publish_at(&images, "app");
    let third = check("app").await.unwrap();
    age(&version(&place, &third), 29);
    assert!(!version(&place, &first).exists() && version(&place, &second).exists());
    let gone = check(&first).await.unwrap_err();
    assert_eq!(gone.code(), "image-missing", "{gone}");
    engine.remove(&container).await.unwrap();
    age(&version(&place, &second), 31);
    publish_at(&images, "app");
    check("app").await.unwrap();
    assert!(!version(&place, &second).exists() && version(&place, &third).exists());

    // That it is named keeps it for another time.
    age(&version(&place, &third), 31);
    assert_eq!(check(&third).await.unwrap(), third);
    publish_at(&images, "app");
    check("app").await.unwrap();
    assert!(version(&place, &third).exists());
}

/// Has the example answer a request, with this directory before all others of the programs.
fn ask(place: &Place, programs: &Path, image: &str, seconds: u32) -> serde_json::Value {
    use std::io::Write;
    let request = serde_json::json!({
        "protocol": 1, "verb": "CHECK_IMAGE", "site": "3f9a2c01d2e4", "timeout_seconds": seconds, "image": image,
    });
    let mut asked = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/engines/bubblewrap"))
        .arg(&place.0)
        .env(
            "PATH",
            format!("{}:{}", programs.display(), std::env::var("PATH").unwrap()),
        )
        .stdin(process::Stdio::piped())
        .stdout(process::Stdio::piped())
        .spawn()
        .unwrap();
    asked
        .stdin
        .take()
        .unwrap()
        .write_all(request.to_string().as_bytes())
        .unwrap();
    serde_json::from_slice(&asked.wait_with_output().unwrap().stdout).unwrap()
}

/// Puts a `cp` in place that does `then`, for copies of `of` not before the file is there which is returned.
fn hold_copies(programs: &Path, of: &str, then: &str) -> PathBuf {
    let go = programs.join("go");
    let waits = format!(
        "while test -d {} && ! test -e {}; do sleep 0.02; done",
        programs.display(),
        go.display()
    );
    let cp = format!("#!/bin/sh\ncase \"$*\" in *{of}*) {waits} ;; esac\n{then}\n");
    fs::write(programs.join("cp"), cp).unwrap();
    fs::set_permissions(programs.join("cp"), fs::Permissions::from_mode(0o755)).unwrap();
    go
}

#[test]
fn a_copy_that_fails_after_its_call_says_why_to_the_next_and_is_made_anew() {
    let place = Place::new();
    let programs = place.0.join("programs");
    fs::create_dir(&programs).unwrap();
    // As much as a full disk has cp say.
    let fails = "head --bytes=200000 /dev/zero | tr '\\0' x >&2; echo 'No space left on device' >&2; exit 1";
    let go = hold_copies(&programs, IMAGE, fails);
    let answer = ask(&place, &programs, IMAGE, 1);
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("is still being copied"), "{message}");
    fs::write(&go, "").unwrap();
    let answer = ask(&place, &programs, IMAGE, 60);
    assert_eq!(answer["error"]["code"], 11, "{answer}");
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("No space left on device"), "{message}");
    assert!(message.len() < 2000, "bounded");
    fs::remove_file(programs.join("cp")).unwrap();
    let answer = ask(&place, &programs, IMAGE, 60);
    assert!(answer["result"]["id"].is_string(), "{answer}");
}

#[test]
fn an_image_that_takes_longer_than_a_call_is_kept_all_the_same_and_holds_up_no_other() {
    let place = Place::new();
    let programs = place.0.join("programs");
    fs::create_dir(&programs).unwrap();
    let images = place.0.join("images");
    publish_at(&images, "large");
    // The copy of the large image waits until the test lets it go.
    let go = hold_copies(&programs, "images/large", "exec /bin/cp \"$@\"");
    for _ in 0..2 {
        let answer = ask(&place, &programs, "large", 2);
        assert_eq!(answer["error"]["code"], 11, "{answer}");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains("is still being copied"), "{message}");
        let other = ask(&place, &programs, IMAGE, 60);
        assert!(other["result"]["id"].is_string(), "{other}");
    }
    fs::write(&go, "").unwrap();
    let answer = ask(&place, &programs, "large", 60);
    let id = answer["result"]["id"].as_str().expect("it is there");
    assert_eq!(ask(&place, &programs, id, 60)["result"]["id"], id);
    // One copy was made of each, and no half of one is left.
    let kept = fs::read_dir(place.0.join("versions")).unwrap();
    let kept = kept.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let kept: Vec<String> = kept
        .filter(|name| !name.starts_with(".known-") && !name.starts_with(".lock"))
        .collect();
    assert_eq!(kept.len(), 2, "{kept:?}");
}
