//! An engine that nobody wrote a subject for.
//!
//! What can be done behind the back of a plugin that keeps no state is done through another plugin of the same site, or
//! to the processes that it reports. The rest is left out.

use std::fs;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use orchestrator_plugin::{Container, Device, DeviceAccess, Engine, Found, FoundState, Mark};

use crate::{Act, Held, Need, Program, Subject, Tool};

/// Makes another image under a name, within a time that it knows.
pub type Publish = Box<dyn Fn(&str) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Makes a plugin for a site.
type Make = Box<dyn Fn(Mark) -> Arc<dyn Engine> + Send + Sync>;

/// The parts of a [`Bare`] subject.
pub struct Parts {
    /// Makes a plugin for a site.
    pub make: Make,
    /// An image that the engine has, with a shell at `sh`.
    pub image: String,
    /// A network namespace, where the engine takes one.
    pub prepared: Option<PathBuf>,
    /// A network of the engine, where it connects containers to one.
    pub network: Option<String>,
    /// A tap device, where the engine opens one.
    pub tap: Option<String>,
    /// Makes another image under a name, where somebody can.
    pub publish: Option<Publish>,
    /// A directory for what the cases need of files.
    pub directory: PathBuf,
}

/// An engine that can be reached through its plugin alone.
pub struct Bare {
    parts: Parts,
    /// The sites so far, whose containers are removed at the end.
    marks: Mutex<Vec<Mark>>,
}

impl Bare {
    /// The engine of these parts.
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            marks: Mutex::default(),
        }
    }

    fn marks(&self) -> MutexGuard<'_, Vec<Mark>> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds a container, whatever its site, with a plugin of that site.
    async fn find(&self, reference: &str) -> Option<(Arc<dyn Engine>, Found)> {
        let marks = self.marks().clone();
        for mark in marks.into_iter().rev() {
            let engine = (self.parts.make)(mark);
            let listed = engine.list().await.unwrap_or_default();
            if let Some(found) = listed.into_iter().find(|found| found.reference == reference) {
                return Some((engine, found));
            }
        }
        None
    }
}

fn shell(script: String) -> Vec<String> {
    ["sh", "-c"].map(str::to_owned).into_iter().chain([script]).collect()
}

#[async_trait]
impl Subject for Bare {
    fn engine(&self, mark: Mark) -> Arc<dyn Engine> {
        self.marks().push(mark);
        (self.parts.make)(mark)
    }

    fn lends(&self, need: Need) -> bool {
        match need {
            Need::Kill | Need::Remove => true,
            Need::Publish => self.parts.publish.is_some(),
            _ => false,
        }
    }

    async fn clean_up(&self) {
        let marks = std::mem::take(&mut *self.marks());
        for mark in marks {
            let engine = (self.parts.make)(mark);
            for found in engine.list().await.unwrap_or_default().into_iter().rev() {
                // What is left of a case that failed may fail again.
                let _ = engine.remove(&found.container()).await;
            }
        }
    }

    fn held(&self, _mark: Mark, _after: usize) -> (Arc<dyn Engine>, Box<dyn Held>) {
        unreachable!("it holds nothing back")
    }

    fn image(&self) -> String {
        self.parts.image.clone()
    }

    fn program(&self, program: &Program) -> Vec<String> {
        shell(match program {
            Program::Run => "sleep 600".to_owned(),
            Program::Exit(code) => format!("exit {code}"),
            Program::Say(out, err) => format!("printf '{out}'; printf '{err}' >&2; sleep 600"),
            Program::Once => "test -e /tmp/started && exit 9; : >/tmp/started; sleep 600".to_owned(),
        })
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
        let (engine, found) = self.find(reference).await.expect("it is there");
        match act {
            Act::Remove => engine.remove(&found.container()).await.expect("it is removed"),
            Act::Kill => {
                let FoundState::Running(running) = &found.state else {
                    panic!("{found:?} does not run");
                };
                let pid = i32::try_from(running.pid).expect("a process number");
                kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it is killed");
            }
            Act::Start | Act::Pause | Act::Rename(_) => unreachable!("nobody here can do that"),
        }
    }

    async fn add_stranger(&self, _name: &str) -> String {
        unreachable!("nobody here can do that")
    }

    async fn add_created(&self, _mark: Mark, _container: &Container) -> String {
        unreachable!("nobody here can do that")
    }

    async fn copy(&self, _reference: &str) -> String {
        unreachable!("nobody here can do that")
    }

    async fn has(&self, reference: &str) -> bool {
        self.find(reference).await.is_some()
    }

    async fn tag(&self, _name: &str) {
        unreachable!("nobody here can do that")
    }

    async fn untag(&self, _name: &str) {
        unreachable!("nobody here can do that")
    }

    async fn publish(&self, name: &str) {
        let publish = self.parts.publish.as_ref();
        publish.expect("somebody can make another image")(name).await;
    }

    async fn remove_volume(&self, _name: &str) {
        unreachable!("nobody here can do that")
    }

    fn device(&self) -> Device {
        Device {
            source: "/dev/zero".into(),
            target: "/dev/zero".into(),
            access: DeviceAccess::ReadWrite,
        }
    }

    async fn directory(&self) -> PathBuf {
        let path = self.parts.directory.join("mounted");
        fs::create_dir_all(&path).expect("a directory");
        fs::write(path.join("greeting"), "hello").expect("a file");
        path
    }

    async fn prepared(&self) -> PathBuf {
        let path = self.parts.prepared.clone();
        path.expect("the engine takes network namespaces: give one")
    }

    fn network(&self) -> String {
        let network = self.parts.network.clone();
        network.expect("the engine connects containers to its networks: name one")
    }

    fn tap(&self) -> String {
        self.parts.tap.clone().expect("the engine opens tap devices: name one")
    }
}
