//! The kernel's sets with many clients in them.

use std::time::Instant;

use anyhow::{Result, ensure};
use orchestrator_host::{Applied, Host, Id, LocalHost, LocalSettings, Mark, NetworkChange, NetworkPart};
use orchestrator_lab::Lab;
use orchestrator_network::Network;

use crate::Extent;
use crate::figures::{Figure, Figures};
use crate::policy::{self, BRIDGE};
use crate::traffic::microseconds;

/// The site whose mark the tables bear.
const SITE: Id = Id::from_bytes([9; 6]);
/// How often everything is built anew.
const REBUILDS: usize = 5;

/// One more client, and everything from the beginning.
pub(crate) fn measure(lab: &Lab, extent: &Extent, figures: &mut Figures) -> Result<()> {
    let namespace = lab.namespace("filter")?;
    namespace.bridge(BRIDGE, None)?;
    namespace.within(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            for clients in extent.clients {
                one_more(*clients, extent.added, figures).await?;
            }
            match extent.clients.last() {
                Some(most) => rebuild(*most, figures).await,
                None => Ok(()),
            }
        })
    })
}

/// Adds clients one by one to so many, and takes each away again.
async fn one_more(clients: u32, added: u32, figures: &mut Figures) -> Result<()> {
    let host = host()?;
    let mut generation = 1;
    apply(&host, 0, generation, NetworkChange::Whole(policy::whole(clients)?)).await?;
    for number in clients..clients + added {
        let items = policy::client(number);
        let remove = policy::keys(&items);
        let set = NetworkChange::Difference {
            set: items,
            remove: Vec::new(),
        };
        let began = Instant::now();
        apply(&host, generation, generation + 1, set).await?;
        figures.add(Figure::Added(clients), microseconds(began.elapsed()));
        let unset = NetworkChange::Difference {
            set: Vec::new(),
            remove,
        };
        apply(&host, generation + 1, generation + 2, unset).await?;
        generation += 2;
    }
    host.teardown().await?;
    Ok(())
}

/// A daemon starts: with nothing in the kernel, and with what the one before it left.
async fn rebuild(clients: u32, figures: &mut Figures) -> Result<()> {
    for _ in 0..REBUILDS {
        for figure in [Figure::Rebuilt(clients), Figure::Compared(clients)] {
            let host = host()?;
            let whole = NetworkChange::Whole(policy::whole(clients)?);
            let began = Instant::now();
            apply(&host, 0, 1, whole).await?;
            figures.add(figure, began.elapsed().as_secs_f64());
        }
        host()?.teardown().await?;
    }
    Ok(())
}

async fn apply(host: &LocalHost, from: u64, to: u64, change: NetworkChange) -> Result<()> {
    let applied = host.apply(&NetworkPart::Policy, from, to, &change).await?;
    ensure!(applied == Applied::Done, "{applied:?}");
    Ok(())
}

fn host() -> Result<LocalHost> {
    Ok(LocalHost::new(LocalSettings {
        name: "local".to_owned(),
        engines: Vec::new(),
        network: Network::open()?,
        mark: Mark { site: SITE },
        namespaces: "/nonexistent".into(),
        volumes: "/nonexistent".into(),
    }))
}
