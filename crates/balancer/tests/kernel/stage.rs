//! HAProxy with its instances in one namespace.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use orchestrator_balancer::runtime::{Balancer, Fleet, LocalBalancer, Turn};
use orchestrator_balancer::{Layout, Material};
use orchestrator_lab::{Lab, Namespace, Program};
use orchestrator_model::{
    Endpoint, EndpointState, Endpoints, HostId, Id, InstanceId, Route, ServiceEndpoints, ServicePort, Slot, Transport,
};
use orchestrator_runtime::metrics::Metrics;

/// How long anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Where clients connect to.
pub(crate) const PLAIN: &str = "[fd39::80]:8080";
/// Where clients connect to for TLS.
pub(crate) const ENCRYPTED: &str = "[fd39::80]:8443";

/// Runs a test in a lab, on a runtime whose sockets are in the lab's namespace.
pub(crate) fn within<F: Future<Output = ()>>(test: impl FnOnce(Stage) -> F + Send) {
    let lab = Lab::new().unwrap();
    let namespace = lab.namespace("balancer").unwrap();
    // `lo` has no neighbors: an address on it is there at once.
    for number in 1..=9 {
        namespace.ip(&format!("address add fd39::{number}/128 dev lo")).unwrap();
    }
    namespace.ip("address add fd39::80/128 dev lo").unwrap();
    let inside = namespace.clone();
    namespace.within(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let local = tokio::task::LocalSet::new();
        local.block_on(&runtime, async move { test(Stage::new(inside)).await });
    });
}

pub(crate) struct Stage {
    pub(crate) namespace: Namespace,
    pub(crate) directory: PathBuf,
    pub(crate) metrics: Metrics,
    pub(crate) endpoints: Endpoints,
    pub(crate) material: Material,
    pub(crate) fleet: Fleet,
    haproxy: Option<Program>,
}

impl Stage {
    fn new(namespace: Namespace) -> Self {
        let directory = namespace.lab().place("haproxy").unwrap();
        let metrics = Metrics::default();
        let mut stage = Self {
            fleet: Fleet::new(layout(&directory), 4, metrics.clone()),
            namespace,
            directory,
            metrics,
            endpoints: Endpoints::default(),
            material: Material::default(),
            haproxy: None,
        };
        // As the image has it before the daemon has found it.
        let boot = format!(
            "global\n    stats socket unix@{} mode 600 level admin expose-fd listeners\n",
            stage.directory.join("admin.sock").display()
        );
        fs::write(stage.directory.join("haproxy.cfg"), boot).unwrap();
        stage.start_haproxy();
        stage
    }

    /// Starts HAProxy, and waits until it answers.
    pub(crate) fn start_haproxy(&mut self) {
        let socket = self.directory.join("admin.sock");
        fs::remove_file(&socket).ok();
        let mut command = self.namespace.command("haproxy");
        command
            .arg("-W")
            .arg("-S")
            .arg(format!("{},mode,600", self.directory.join("master.sock").display()))
            .arg("-f")
            .arg(self.directory.join("haproxy.cfg"));
        let mut program = Program::start(command, &self.directory.join("log")).unwrap();
        let answers = || std::os::unix::net::UnixStream::connect(&socket).ok();
        program.poll("HAProxy to listen", PATIENCE, answers).unwrap();
        self.haproxy = Some(program);
    }

    /// Kills HAProxy, its worker first.
    pub(crate) fn kill_haproxy(&mut self) {
        let mut haproxy = self.haproxy.take().unwrap();
        let children = format!("/proc/{0}/task/{0}/children", haproxy.pid());
        for child in fs::read_to_string(children).unwrap().split_whitespace() {
            let pid = nix::unistd::Pid::from_raw(child.parse().unwrap());
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        }
        haproxy.signal(nix::sys::signal::Signal::SIGKILL).ok();
    }

    pub(crate) fn balancer(&self) -> Arc<dyn Balancer> {
        Arc::new(LocalBalancer::new("only", &self.directory))
    }

    /// Takes one turn.
    pub(crate) async fn turn(&mut self) -> Turn {
        self.endpoints.index += 1;
        let balancers = [self.balancer()];
        self.fleet.turn(&self.endpoints, &self.material, &balancers).await
    }

    /// Takes one turn that succeeds.
    #[track_caller]
    pub(crate) fn expect(&self, turn: &Turn) {
        let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        assert!(turn.faults.is_empty(), "{:?}\n{log}", turn.faults);
        assert_eq!(turn.applied, Some(self.endpoints.index));
    }

    /// Takes turns until nothing drains any more.
    pub(crate) async fn settle(&mut self) {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let turn = self.turn().await;
            self.expect(&turn);
            if !turn.is_draining {
                return;
            }
            assert!(tokio::time::Instant::now() < until, "it drains for ever: {turn:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// A daemon that has just started, and knows nothing of HAProxy.
    pub(crate) fn restart_daemon(&mut self) {
        self.fleet = Fleet::new(layout(&self.directory), 4, self.metrics.clone());
    }

    pub(crate) fn service(&mut self, name: &str) -> &mut ServiceEndpoints {
        let service = self.endpoints.services.entry(name.to_owned()).or_insert_with(|| {
            let port = ServicePort {
                number: 8081,
                transport: Transport::Tcp,
            };
            let route = Route {
                host: format!("{name}.example"),
                path: "/".to_owned(),
                port: "http".to_owned(),
                tls: None,
            };
            Arc::new(ServiceEndpoints {
                ports: BTreeMap::from([("http".to_owned(), port)]),
                routes: vec![route],
                ..ServiceEndpoints::default()
            })
        });
        Arc::make_mut(service)
    }

    /// Says how an instance of a service is.
    pub(crate) fn member(&mut self, service: &str, number: u8, state: EndpointState) {
        let endpoint = Endpoint {
            instance: id(number),
            version: 1,
            address: address(number),
            network: "br0".to_owned(),
            host: HostId::local(),
            state,
            ports: Arc::new(self.service(service).ports.clone()),
        };
        let slot = Slot::numbered(u32::from(number));
        self.service(service).members.insert(slot, endpoint);
    }

    pub(crate) fn without(&mut self, service: &str, number: u8) {
        self.service(service).members.remove(&Slot::numbered(u32::from(number)));
    }

    /// How often HAProxy read its files anew, for this reason.
    pub(crate) fn reloads(&self, reason: &str) -> u64 {
        let text = self.metrics.render().unwrap();
        let line = format!("orchestrator_balancer_reloads_total{{reason=\"{reason}\"}} ");
        let found = text.lines().find_map(|one| one.strip_prefix(&line));
        found.map_or(0, |number| number.parse().unwrap())
    }
}

fn layout(directory: &std::path::Path) -> Layout {
    let mut layout = Layout::new(directory.to_str().unwrap()).unwrap();
    layout.addresses.plain = PLAIN.parse().unwrap();
    layout.addresses.encrypted = ENCRYPTED.parse().unwrap();
    layout
}

pub(crate) fn id(number: u8) -> InstanceId {
    Id::from_bytes([number; 6])
}

pub(crate) fn address(number: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfd39, 0, 0, 0, 0, 0, 0, u16::from(number))
}
