//! Docker does as every engine must, on the shared engine; and so does Podman.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use orchestrator_conformance::{Act, Held, Program, Subject, Tool};
use orchestrator_lab::{Engine, TEST_IMAGE};
use orchestrator_plugin::{Container, Device, DeviceAccess, Engine as Plugin, Mark, Running};
use orchestrator_plugin_docker::Dialect;
use serde_json::{Value, json};
use tokio::sync::OwnedMutexGuard;

use crate::gate::Gate;
use crate::support::{
    PATIENCE, archive_of_test_image, by_hand, forget, inspect, new_id, plugin_at, tag, test_image_id,
};

/// A shared engine of the tests.
struct Real {
    engine: &'static Engine,
    dialect: Dialect,
    /// Held from the first archive on: Podman fails to load an image while somebody removes another one that has the
    /// same layers, and all archives here have.
    alone: Mutex<Option<OwnedMutexGuard<()>>>,
}

fn docker() -> Real {
    Real {
        engine: Engine::shared(),
        dialect: Dialect::Docker,
        alone: Mutex::default(),
    }
}

fn podman() -> Real {
    Real {
        engine: Engine::shared_podman(),
        dialect: Dialect::Podman,
        alone: Mutex::default(),
    }
}

#[async_trait]
impl Held for Gate {
    async fn arrived(&self) {
        self.arrived.notified().await;
    }

    fn open(&self) {
        self.pass.add_permits(1);
    }

    async fn served(&self) {
        self.served.notified().await;
    }
}

/// A gate that a plugin uses for longer than the test looks at it.
struct Shared(Arc<Gate>);

#[async_trait]
impl Held for Shared {
    async fn arrived(&self) {
        Held::arrived(self.0.as_ref()).await;
    }

    fn open(&self) {
        self.0.open();
    }

    async fn served(&self) {
        Held::served(self.0.as_ref()).await;
    }
}

fn shell(script: String) -> Vec<String> {
    ["sh", "-c"].map(str::to_owned).into_iter().chain([script]).collect()
}

impl Real {
    /// Makes a container of this name, and returns its id.
    fn create(&self, name: &str, body: &Value) -> String {
        let path = format!("/containers/create?name={name}");
        let created = self.engine.api("POST", &path, Some(body)).expect("the engine answers");
        assert_eq!(created.status, 201, "{}", created.text());
        let created = created.json().expect("JSON");
        created["Id"].as_str().expect("an id").to_owned()
    }
}

#[async_trait]
impl Subject for Real {
    fn engine(&self, mark: Mark) -> Arc<dyn Plugin> {
        Arc::new(plugin_at(self.dialect, &self.engine.url(), mark, PATIENCE))
    }

    fn held(&self, mark: Mark, after: usize) -> (Arc<dyn Plugin>, Box<dyn Held>) {
        let gate = Arc::new(Gate::after(self.engine, after));
        let plugin = plugin_at(self.dialect, &gate.url(), mark, PATIENCE);
        (Arc::new(plugin), Box::new(Shared(gate)))
    }

    fn image(&self) -> String {
        TEST_IMAGE.to_owned()
    }

    fn program(&self, program: &Program) -> Vec<String> {
        match program {
            Program::Run => shell("sleep 600".to_owned()),
            Program::Exit(code) => shell(format!("exit {code}")),
            Program::Say(out, err) => shell(format!("printf '{out}'; printf '{err}' >&2; sleep 600")),
            Program::Once => shell("test -e /tmp/started && exit 9; : >/tmp/started; sleep 600".to_owned()),
        }
    }

    fn tool(&self, tool: &Tool) -> Vec<String> {
        shell(match tool {
            Tool::Echo => "cat".to_owned(),
            Tool::Exit(code) => format!("exit {code}"),
            Tool::Say(out, err) => format!("printf '{out}'; printf '{err}' >&2"),
            Tool::Show(path) => format!("cat {path}"),
            Tool::Write(path, text) => format!("printf '{text}' > {path}"),
            Tool::Exists(path) => format!("test -e {path}"),
            Tool::Size => "while read line; do stty size; done".to_owned(),
        })
    }

    async fn act(&self, reference: &str, act: Act) {
        let engine = self.engine;
        let path = |verb: &str| format!("/containers/{reference}/{verb}");
        match act {
            Act::Kill => by_hand(engine, "POST", &path("kill?signal=KILL")),
            Act::Start => by_hand(engine, "POST", &path("start")),
            Act::Pause => by_hand(engine, "POST", &path("pause")),
            Act::Rename(name) => by_hand(engine, "POST", &path(&format!("rename?name={name}"))),
            // By hand, too, Podman removes what others share the network of only together with these.
            Act::Remove if self.dialect == Dialect::Podman => {
                let path = format!("/v4.0.0/libpod/containers/{reference}?force=true&depend=true");
                by_hand(engine, "DELETE", &path);
            }
            Act::Remove => by_hand(engine, "DELETE", &format!("/containers/{reference}?force=true")),
        }
    }

    async fn add_stranger(&self, name: &str) -> String {
        self.create(name, &json!({ "Image": TEST_IMAGE }))
    }

    async fn add_created(&self, mark: Mark, container: &Container) -> String {
        let body = json!({
            "Image": TEST_IMAGE,
            "Labels": {
                "orchestrator.site": mark.site,
                "orchestrator.instance": container.key.instance,
                "orchestrator.container": container.key.name,
                "orchestrator.image": test_image_id(self.engine),
            },
            "HostConfig": { "NetworkMode": "none" },
        });
        self.create(&container.key.engine_name(), &body)
    }

    async fn copy(&self, reference: &str) -> String {
        let original = inspect(self.engine, reference);
        let mut body = original["Config"].clone();
        body["HostConfig"] = original["HostConfig"].clone();
        // Podman does not take its own words for these.
        body["HostConfig"]["Ulimits"] = json!([]);
        let copy = self.create(&format!("copy-{}", new_id()), &body);
        by_hand(self.engine, "POST", &format!("/containers/{copy}/start"));
        copy
    }

    async fn has(&self, reference: &str) -> bool {
        let path = format!("/containers/{reference}/json");
        let answer = self.engine.api("GET", &path, None).expect("the engine answers");
        answer.status == 200
    }

    async fn tag(&self, name: &str) {
        tag(self.engine, TEST_IMAGE, name);
    }

    async fn untag(&self, name: &str) {
        forget(self.engine, name);
    }

    async fn archive(&self, name: &str) -> Vec<u8> {
        static TURN: OnceLock<Arc<tokio::sync::Mutex<()>>> = OnceLock::new();
        if self.dialect == Dialect::Podman && self.alone.lock().unwrap().is_none() {
            let turn = TURN.get_or_init(Arc::default).clone().lock_owned().await;
            *self.alone.lock().unwrap() = Some(turn);
        }
        archive_of_test_image(self.engine, name)
    }

    async fn remove_volume(&self, name: &str) {
        by_hand(self.engine, "DELETE", &format!("/volumes/{name}"));
    }

    fn device(&self) -> Device {
        Device {
            source: "/dev/zero".into(),
            target: "/dev/zero".into(),
            access: DeviceAccess::ReadWrite,
        }
    }

    async fn directory(&self) -> PathBuf {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("mounted");
        fs::create_dir_all(&path).expect("a directory");
        fs::write(path.join("greeting"), "hello").expect("a file");
        path
    }

    async fn prepared(&self) -> PathBuf {
        let made = self.engine.prepare_namespace(&new_id().to_string());
        made.expect("a network namespace")
    }

    fn check_running(&self, running: &Running) {
        let netns = running.netns().expect("a namespace that the engine made");
        assert!(fs::exists(netns).unwrap(), "{}", netns.display());
        assert_eq!(netns, PathBuf::from(format!("/proc/{}/ns/net", running.pid)));
    }

    fn check_shared(&self, one: u32, other: u32) {
        let inode = |pid: u32| fs::metadata(format!("/proc/{pid}/ns/net")).unwrap().ino();
        assert_eq!(inode(one), inode(other));
    }
}

mod on_docker {
    use super::docker;

    orchestrator_conformance::suite!(docker());
}

mod on_podman {
    use super::podman;

    orchestrator_conformance::suite!(podman());
}
