//! The local host with an engine of threads in real network namespaces. Needs root.

#[path = "kernel/announced.rs"]
mod announced;
#[path = "kernel/attachments.rs"]
mod attachments;
#[path = "kernel/attack/mod.rs"]
mod attack;
#[path = "kernel/engine.rs"]
mod engine;
#[path = "kernel/examine.rs"]
mod examine;
#[path = "kernel/joined.rs"]
mod joined;
#[path = "kernel/lab.rs"]
mod lab;
#[path = "kernel/networks.rs"]
mod networks;
#[path = "kernel/virtual_addresses.rs"]
mod virtual_addresses;

use std::time::Duration;

use anyhow::{Result, ensure};
use orchestrator_host::{
    Depth, DialPlan, Flaw, Host, HostChange, ListRequest, Listed, Observation, Progress, Reaction, ReadinessPlan,
    Socket, Stage, WatchScope, reaction,
};
use orchestrator_plugin::Capability;
use orchestrator_runtime::causes::with_causes;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use engine::{Early, Late};
use lab::{Lab, daemon};

async fn comes_up_and_goes(lab: &Lab) -> Result<()> {
    let (host, plan) = (&lab.host, lab.plan(1));
    let progress = Progress::admitted();
    let made = host.ensure(&plan, &progress).await?;
    ensure!(progress.stage() == Stage::Awaiting);
    ensure!(made.containers[0].reference.is_some());
    ensure!(host.see(&plan.reference(), Depth::Whole).await? == Observation::Running);
    ensure!(host.see(&plan.reference(), Depth::Inside).await? == Observation::Running);

    let dial = DialPlan {
        id: plan.id,
        socket: Socket::Tcp {
            bridge: "br0".to_owned(),
            address: plan.attachments[0].address.unwrap(),
            port: lab::PORT,
        },
        within: Duration::from_secs(5),
    };
    let mut stream = host.dial(&dial).await?;
    let reacted = reaction(&mut *stream, Instant::now() + Duration::from_secs(5)).await;
    ensure!(reacted == Reaction::Reacted, "{reacted:?}");

    let (answers, mut listed) = mpsc::channel(8);
    let request = ListRequest {
        engines: vec!["threads".to_owned()],
        attachments: true,
        ports_of: vec!["br0".to_owned()],
        ..ListRequest::default()
    };
    host.list(&request, answers).await?;
    while let Some(answer) = listed.recv().await {
        match answer {
            Listed::Engine { instances, .. } => ensure!(instances?[0].runs()),
            Listed::Attachments(found) => {
                let found = found?;
                ensure!(
                    found.len() == 1 && found[0].attachment == Some(plan.attachments[0].id),
                    "{found:?}"
                );
                ensure!(found[0].instance == Some(plan.id) && found[0].isolated, "{found:?}");
            }
            Listed::Ports { free, .. } => ensure!(free?.is_some_and(|free| free < 1023)),
            other => anyhow::bail!("nobody asked for {other:?}"),
        }
    }
    host.remove(&lab.removal(&plan)).await?;
    host.remove(&lab.removal(&plan)).await?;
    ensure!(host.see(&plan.reference(), Depth::Whole).await? == Observation::Absent);
    Ok(())
}

#[test]
fn an_instance_in_a_namespace_of_the_engine_comes_up_and_goes() -> Result<()> {
    daemon(Capability::EngineNamespace, |lab| async move {
        comes_up_and_goes(&lab).await?;
        ensure!(lab.namespaces()?.is_empty());
        Ok(())
    })
}

#[test]
fn an_instance_in_a_prepared_namespace_is_wired_before_its_first_instruction() -> Result<()> {
    daemon(Capability::PreparedNamespace, |lab| async move {
        // The engine binds its port to the instance's address when it starts, which works on a wired interface alone.
        lab.engine.bind_to(lab.plan(1).attachments[0].address);
        comes_up_and_goes(&lab).await?;
        ensure!(lab.namespaces()?.is_empty(), "the namespace went with the instance");
        Ok(())
    })
}

#[test]
fn an_instance_is_wired_while_its_engine_starts_it() -> Result<()> {
    daemon(Capability::EngineNamespace, |lab| async move {
        // The container starts once the instance's address is there, which only the host gives.
        lab.engine.bind_to(lab.plan(1).attachments[0].address);
        lab.engine.show_early(Early::Kept);
        comes_up_and_goes(&lab).await
    })
}

#[test]
fn an_engine_is_not_asked_again_for_what_it_has_just_started() -> Result<()> {
    daemon(Capability::EngineNamespace, |lab| async move {
        let plan = lab.plan(1);
        let ensure = || async {
            let before = lab.engine.finds();
            lab.host.ensure(&plan, &Progress::admitted()).await?;
            Ok::<_, anyhow::Error>(lab.engine.finds() - before)
        };
        lab.engine.show_early(Early::Kept);
        ensure!(ensure().await? == 0);
        lab.engine.show_early(Early::Changed);
        ensure!(ensure().await? == 1, "it was started in another namespace");
        lab.host.remove(&lab.removal(&plan)).await?;
        Ok(())
    })
}

#[test]
fn an_instance_that_ends_right_after_its_start_is_reported_as_ended() -> Result<()> {
    daemon(Capability::EngineNamespace, |lab| async move {
        lab.engine.show_early(Early::Kept);
        let (host, mut plan) = (lab.host.clone(), lab.plan(1));
        plan.readiness = Some(ReadinessPlan {
            // Nobody listens there.
            port: lab::PORT + 1,
            within: Duration::from_secs(600),
            reacting: true,
        });
        let (sender, mut changes) = mpsc::channel(64);
        let watching = tokio::spawn({
            let (host, engine) = (host.clone(), WatchScope::Engine("threads".to_owned()));
            async move { host.watch(engine, sender).await }
        });
        ensure!(changes.recv().await.is_some());
        let progress = Progress::admitted();
        let ending = async {
            progress.until(Stage::Awaiting).await;
            let finds = lab.engine.finds();
            lab.engine.end(plan.id);
            finds
        };
        // Without the news, its end would be seen when the time for its answer is over.
        let both = async { tokio::join!(host.ensure(&plan, &progress), ending) };
        let (ended, finds) = timeout(Duration::from_secs(60), both).await?;
        ensure!((finds, lab.engine.finds()) == (0, 1), "{finds}");
        let ended = ended.err().map(|fault| fault.code());
        ensure!(ended == Some("ended"), "{ended:?}");
        host.remove(&lab.removal(&plan)).await?;
        watching.abort();
        Ok(())
    })
}

#[test]
fn an_instance_is_wired_again_when_its_engine_starts_it_in_another_namespace() -> Result<()> {
    daemon(Capability::EngineNamespace, |lab| async move {
        lab.engine.show_early(Early::Changed);
        comes_up_and_goes(&lab).await
    })
}

#[test]
fn what_was_wired_goes_with_a_start_that_failed() -> Result<()> {
    daemon(Capability::EngineNamespace, |lab| async move {
        lab.engine.show_early(Early::Failed);
        let plan = lab.plan(1);
        let fault = lab.host.ensure(&plan, &Progress::admitted()).await;
        let fault = fault.err().map(|fault| with_causes(&fault)).unwrap_or_default();
        ensure!(fault.contains("it was to fail"), "{fault}");
        lab.host.remove(&lab.removal(&plan)).await?;
        ensure!(lab.host.see(&plan.reference(), Depth::Whole).await? == Observation::Absent);
        Ok(())
    })
}

#[test]
fn an_answer_is_waited_for_while_the_engine_describes_what_it_started() -> Result<()> {
    daemon(Capability::PreparedNamespace, |lab| async move {
        lab.engine.describe_late(Late::Runs);
        comes_up_and_goes(&lab).await
    })
}

#[test]
fn an_answer_is_not_enough_when_the_engine_finds_that_the_container_has_ended() -> Result<()> {
    daemon(Capability::PreparedNamespace, |lab| async move {
        lab.engine.describe_late(Late::Ended);
        let (host, plan) = (&lab.host, lab.plan(1));
        let progress = Progress::admitted();
        let ended = host.ensure(&plan, &progress).await.err().map(|fault| fault.code());
        ensure!(ended == Some("ended"), "{ended:?}");
        ensure!(progress.stage() == Stage::Working);
        host.remove(&lab.removal(&plan)).await?;
        Ok(())
    })
}

#[test]
fn a_prepared_namespace_outlives_a_restart_of_its_container() -> Result<()> {
    daemon(Capability::PreparedNamespace, |lab| async move {
        let (host, plan) = (&lab.host, lab.plan(1));
        let stage = Progress::admitted();
        host.ensure(&plan, &stage).await?;
        lab.engine.end(plan.id);
        ensure!(matches!(
            host.see(&plan.reference(), Depth::Whole).await?,
            Observation::Stopped { .. }
        ));
        ensure!(lab.namespaces()? == [plan.id.to_string()]);
        let index = lab.host_end_index(&plan).await?;
        host.ensure(&plan, &stage).await?;
        ensure!(lab.host_end_index(&plan).await? == index, "its wiring was kept");
        // A daemon that starts anew finds the namespace by its name.
        ensure!(lab.another_host().see(&plan.reference(), Depth::Whole).await? == Observation::Running);
        host.remove(&lab.removal(&plan)).await?;
        ensure!(lab.namespaces()?.is_empty());
        Ok(())
    })
}

#[test]
fn an_instance_is_not_started_for_which_there_is_no_port() -> Result<()> {
    daemon(Capability::EngineNamespace, |lab| async move {
        let mut plan = lab.plan(1);
        plan.attachments[0].may_take_port = false;
        let stage = Progress::admitted();
        let full = lab.host.ensure(&plan, &stage).await.unwrap_err();
        ensure!(full.code() == "bridge-full", "{full}");
        ensure!(lab.host.see(&plan.reference(), Depth::Whole).await? == Observation::Absent);
        plan.attachments[0].bridge = "none".to_owned();
        let missing = lab.host.ensure(&plan, &stage).await.unwrap_err();
        ensure!(missing.code() == "bridge-missing", "{missing}");
        Ok(())
    })
}

#[test]
fn a_lost_host_end_and_an_ended_process_are_reported_and_seen() -> Result<()> {
    daemon(Capability::EngineNamespace, |lab| async move {
        let (host, plan) = (lab.host.clone(), lab.plan(1));
        let (sender, mut changes) = mpsc::channel(64);
        let watching = tokio::spawn({
            let host = host.clone();
            async move { host.watch(WatchScope::Networks, sender).await }
        });
        ensure!(changes.recv().await == Some(HostChange::Networks));
        host.ensure(&plan, &Progress::admitted()).await?;
        lab.remove_host_end(&plan).await?;
        while changes.recv().await != Some(HostChange::Instance(plan.id)) {}
        ensure!(host.see(&plan.reference(), Depth::Whole).await? == Observation::Unwired);
        let seen = host.see(&plan.reference(), Depth::Inside).await?;
        ensure!(seen == Observation::Flawed(Flaw::NoInterface), "{seen:?}");
        host.remove(&lab.removal(&plan)).await?;
        watching.abort();
        Ok(())
    })
}
