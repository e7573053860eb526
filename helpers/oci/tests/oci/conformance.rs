//! The oci engine does as every engine must.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use orchestrator_conformance::{Act, Held, Program, Published, Subject, Tool};
use orchestrator_lab::{Namespace, Oci, REGISTRY_PASSWORD, REGISTRY_USER, Registry, RegistryAuth, TEST_IMAGE};
use orchestrator_plugin::{Container, Credentials, Device, DeviceAccess, Engine as Plugin, Mark, Running};
use serde_json::{Value, json};

use crate::gate::Gate;
use crate::support::{new_id, plugin_at, script, shared};

struct Subjected {
    oci: &'static Oci,
    /// Namespaces that are prepared for this test.
    namespaces: std::sync::Mutex<Vec<Namespace>>,
}

fn oci() -> Subjected {
    Subjected {
        oci: shared(),
        namespaces: std::sync::Mutex::default(),
    }
}

impl Subjected {
    fn ask(&self, path: &str, body: &Value) -> String {
        let answer = self.oci.ask("POST", path, Some(body)).expect("the helper does it");
        answer.as_str().expect("a reference").to_owned()
    }

    fn by_hand(&self, reference: &str, act: &Value) -> String {
        self.ask(&format!("/v1/by-hand/{reference}"), act)
    }
}

fn shell(script: String) -> Vec<String> {
    ["sh", "-c"].map(str::to_owned).into_iter().chain([script]).collect()
}

#[async_trait]
impl Subject for Subjected {
    fn engine(&self, mark: Mark) -> Arc<dyn Plugin> {
        plugin_at(&self.oci.socket(), mark)
    }

    fn held(&self, mark: Mark, after: usize) -> (Arc<dyn Plugin>, Box<dyn Held>) {
        let gate = Gate::after(self.oci.socket(), after);
        (plugin_at(&gate.path(), mark), Box::new(gate))
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
        let act = match act {
            Act::Kill => json!("kill"),
            Act::Start => json!("start"),
            Act::Pause => json!("pause"),
            Act::Remove => json!("remove"),
            Act::Rename(name) => json!({ "rename": name }),
        };
        self.by_hand(reference, &act);
    }

    async fn add_stranger(&self, name: &str) -> String {
        self.ask(
            "/v1/by-hand",
            &json!({ "name": name, "mark": null, "spec": script("sleep 600") }),
        )
    }

    async fn add_created(&self, mark: Mark, container: &Container) -> String {
        let target = json!({ "instance": container.key.instance, "name": container.key.name });
        let name = container.key.engine_name();
        let body = json!({ "name": name, "mark": [mark.site, target], "spec": script("sleep 600") });
        self.ask("/v1/by-hand", &body)
    }

    async fn copy(&self, reference: &str) -> String {
        self.by_hand(reference, &json!({ "copy": format!("copy-{}", new_id()) }))
    }

    async fn has(&self, reference: &str) -> bool {
        let answer = self.oci.ask("GET", &format!("/v1/by-hand/{reference}"), None);
        answer.expect("the helper answers") == json!(true)
    }

    async fn tag(&self, name: &str) {
        self.oci.tag(name).expect("the image is loaded");
    }

    async fn untag(&self, name: &str) {
        self.oci.untag(name).expect("the image has that name");
    }

    async fn archive(&self, name: &str) -> Vec<u8> {
        self.oci.archive(name, &new_id().to_string()).expect("an archive")
    }

    async fn published(&self) -> Option<Published> {
        // It serves until the process ends.
        let registry = Registry::start_here(RegistryAuth::Bearer).expect("a registry");
        let archive = self
            .oci
            .archive("published:1", &new_id().to_string())
            .expect("an archive");
        let place = self
            .oci
            .lab()
            .place(&format!("published-{}", new_id()))
            .expect("a directory");
        let reference = registry.publish(&archive, "published", "1", &place).expect("an image");
        Some(Published {
            reference,
            credentials: Credentials {
                user: REGISTRY_USER.to_owned(),
                password: REGISTRY_PASSWORD.to_owned(),
            },
        })
    }

    async fn remove_volume(&self, name: &str) {
        fs::remove_dir_all(self.oci.state().join("volumes").join(name)).expect("the volume is there");
    }

    fn device(&self) -> Device {
        Device {
            source: "/dev/zero".into(),
            target: "/dev/zero".into(),
            access: DeviceAccess::ReadWrite,
        }
    }

    async fn directory(&self) -> PathBuf {
        let path = self.oci.lab().place("mounted").expect("a directory");
        fs::write(path.join("greeting"), "hello").expect("a file");
        path
    }

    async fn prepared(&self) -> PathBuf {
        let name = format!("prepared-{}", new_id());
        let namespace = self.oci.lab().namespace(&name).expect("a namespace");
        let path = namespace.path().to_owned();
        self.namespaces.lock().unwrap().push(namespace);
        path
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

orchestrator_conformance::suite!(oci());
