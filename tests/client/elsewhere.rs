//! The client runs on a socket of another network namespace than the program's.

use orchestrator::client::{Attached, Options, Report, Wants, open_socket, run};
use orchestrator_network::Network;
use tokio::sync::mpsc;

use crate::running::{leased, state};
use crate::site::{PATIENCE, Site, lease};

fn options(site: &Site) -> Options {
    Options {
        interface: "eth0".to_owned(),
        wants: Wants::Address,
        rapid_commit: false,
        reconfigure: false,
        hostname: None,
        duid: None,
        state: state(&site.machine),
        once: false,
        keep: false,
        timeout: Some(PATIENCE),
        verbose: false,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_is_got_for_an_interface_of_another_namespace() {
    let (site, daemon) = tokio::task::spawn_blocking(|| {
        let site = Site::new();
        let daemon = site.daemon("");
        (site, daemon)
    })
    .await
    .unwrap();
    // Nothing of this process is in the machine's namespace but these two.
    let (network, socket) = site.machine.within(|| {
        let index = nix::net::if_::if_nametoindex("eth0").unwrap();
        (Network::open().unwrap(), open_socket("eth0", index).unwrap())
    });
    let (stopper, stop) = mpsc::channel(1);
    let (told, mut reports) = mpsc::unbounded_channel();
    let options = options(&site);
    let attached = Attached { network, socket, stop };
    let running = tokio::spawn(async move {
        let report = |report: Report| told.send(report.to_json()).map_err(std::io::Error::other);
        run(&options, attached, report).await
    });
    let event = async |reports: &mut mpsc::UnboundedReceiver<serde_json::Value>, name: &str| {
        let wanted = async {
            loop {
                let report = reports.recv().await.expect("the client reports");
                if report["event"] == name {
                    return report;
                }
            }
        };
        tokio::time::timeout(PATIENCE, wanted).await.expect("in time")
    };
    let granted = event(&mut reports, "granted").await;
    let address = leased(&granted);
    event(&mut reports, "ready").await;
    let (daemon, address) = tokio::task::spawn_blocking(move || {
        assert!(lease(&daemon, &address).is_some());
        (daemon, address)
    })
    .await
    .unwrap();
    stopper.send(()).await.unwrap();
    tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap().unwrap();
    tokio::task::spawn_blocking(move || {
        assert!(lease(&daemon, &address).is_none(), "it was given back");
        drop((site, daemon));
    })
    .await
    .unwrap();
}
