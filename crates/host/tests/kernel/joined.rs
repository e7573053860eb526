//! Instances of a link whose bridge has no more room.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use orchestrator_host::{Depth, Host, ListRequest, Listed, LocalHost, MarkedThing, Observation, Progress, WatchScope};
use orchestrator_network::Network;
use orchestrator_plugin::Capability;
use tokio::sync::mpsc;

use crate::lab::{SITE, daemon};

const LONG: Duration = Duration::from_secs(10);

async fn joined() -> Result<Vec<String>> {
    let found = Network::open()?
        .joined_bridges(&format!("orchestrator:{SITE}:"))
        .await?;
    Ok(found.into_iter().map(|joined| joined.name).collect())
}

/// The bridges that the attachments are listed on.
async fn bridges(host: &LocalHost) -> Result<Vec<Option<String>>> {
    let (sender, mut answers) = mpsc::channel(8);
    let request = ListRequest {
        attachments: true,
        ..ListRequest::default()
    };
    host.list(&request, sender).await?;
    match answers.recv().await {
        Some(Listed::Attachments(found)) => Ok(found?.into_iter().map(|found| found.bridge).collect()),
        other => anyhow::bail!("{other:?}"),
    }
}

#[test]
fn an_instance_on_a_joined_bridge_runs_is_adopted_and_takes_the_bridge_with_it() -> Result<()> {
    daemon(Capability::EngineNamespace, |lab| async move {
        let host = lab.host_joining(1)?;
        let plans = [lab.plan(1), lab.plan(2), lab.plan(3)];
        let stage = Progress::admitted();
        for plan in &plans {
            host.ensure(plan, &stage).await?;
        }
        ensure!(joined().await?.len() == 2);
        drop(host);
        // The next daemon finds everything as it is to be.
        let host = lab.host_joining(1)?;
        ensure!(bridges(&host).await? == vec![Some("br0".to_owned()); 3]);
        let before = lab.host_end_index(&plans[2]).await?;
        for plan in &plans {
            ensure!(host.see(&plan.reference(), Depth::Whole).await? == Observation::Running);
            host.ensure(plan, &stage).await?;
        }
        ensure!(
            before.is_some() && lab.host_end_index(&plans[2]).await? == before,
            "it was kept"
        );
        // One that may take no port keeps the one that it has.
        let mut kept = plans[2].clone();
        kept.attachments[0].may_take_port = false;
        host.ensure(&kept, &stage).await?;

        let (sender, mut changes) = mpsc::channel(64);
        let watching = host.clone();
        let watch = tokio::spawn(async move { watching.watch(WatchScope::Networks, sender).await });
        changes.recv().await.context("the watch has begun")?;
        host.remove(&lab.removal(&plans[1])).await?;
        let gone = tokio::time::timeout(LONG, async {
            while joined().await?.len() > 1 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            anyhow::Ok(())
        });
        gone.await.context("the joined bridge goes with its last instance")??;
        ensure!(host.see(&plans[2].reference(), Depth::Whole).await? == Observation::Running);
        watch.abort();
        let marked = host.marked(&[]).await.things;
        let join = marked
            .iter()
            .find(|thing| matches!(thing, MarkedThing::Bridge { name, .. } if name.starts_with("oj")));
        let join = join.context("the joined bridge bears our mark")?;
        ensure!(host.remove_marked(join, false).await.is_err(), "an instance is on it");
        host.remove(&lab.removal(&plans[2])).await?;
        host.remove_marked(join, false).await?;
        ensure!(joined().await?.is_empty());
        host.ensure(&plans[2], &stage).await?;
        host.remove(&lab.removal(&plans[2])).await?;
        let gone = host.teardown().await?;
        ensure!(gone.iter().any(|gone| gone.starts_with("bridge oj")), "{gone:?}");
        ensure!(joined().await?.is_empty());
        host.remove(&lab.removal(&plans[0])).await?;
        Ok(())
    })
}
