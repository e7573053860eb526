//! The fake host fails as a test has it fail, and the same way for the same seed.

use std::time::Duration;

use orchestrator_host::fake::{FakeMachine, Faults, MachineSettings};
use orchestrator_host::{
    AttachmentPlan, ContainerName, ContainerPlan, ContainerSpec, Depth, Ensured, Flaw, Host, HostChange, HostError, Id,
    InstancePlan, ListRequest, Listed, Observation, Output, Progress, ReadinessPlan, RemovalPlan, Stage, WatchScope,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

fn plan(number: u8) -> InstancePlan {
    let id = Id::from_bytes([number; 6]);
    InstancePlan {
        id,
        containers: vec![ContainerPlan {
            name: ContainerName::MAIN,
            engine: "docker".to_owned(),
            reference: None,
            spec: ContainerSpec {
                image: "web".to_owned(),
                environment: [("SLOT".to_owned(), format!("{}", number % 10))].into(),
                ..ContainerSpec::default()
            },
        }],
        mounts: Vec::new(),
        attachments: vec![AttachmentPlan {
            id,
            bridge: "br0".to_owned(),
            interface: "eth1".to_owned(),
            address: Some(std::net::Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, u16::from(number))),
            prefix_length: 64,
            mac: [2, 0, 0, 0, 0, number],
            gateway: None,
            isolated: true,
            routed: Vec::new(),
            may_take_port: true,
        }],
        readiness: Some(ReadinessPlan {
            port: 80,
            within: Duration::from_secs(10),
            reacting: false,
        }),
        restart: false,
        patient: true,
    }
}

fn removal(plan: &InstancePlan) -> RemovalPlan {
    RemovalPlan {
        id: Some(plan.id),
        containers: plan.reference().containers,
        attachments: plan.attachments.iter().map(|attachment| attachment.id).collect(),
        routes: plan.attachments.iter().flat_map(AttachmentPlan::routes).collect(),
        host_ends: Vec::new(),
    }
}

async fn ensure(host: &dyn Host, plan: &InstancePlan) -> Result<Ensured, HostError> {
    host.ensure(plan, &Progress::admitted()).await
}

fn machine(seed: u64) -> FakeMachine {
    FakeMachine::new(MachineSettings {
        seed,
        slot_of: |spec| spec.environment.get("SLOT").cloned(),
        ..MachineSettings::default()
    })
}

#[tokio::test(start_paused = true)]
async fn an_instance_is_made_once_observed_and_removed() {
    let machine = machine(1);
    let host = machine.host("local");
    let plan = plan(1);
    for _ in 0..2 {
        ensure(&host, &plan).await.unwrap();
    }
    assert_eq!(
        machine.with(|state| (state.containers.len(), state.attachments.len())),
        (1, 1)
    );
    assert_eq!(
        host.see(&plan.reference(), Depth::Whole).await.unwrap(),
        Observation::Running
    );
    machine.unwire_by_hand(plan.id);
    assert_eq!(
        host.see(&plan.reference(), Depth::Whole).await.unwrap(),
        Observation::Unwired
    );
    machine.restart_by_hand(plan.id);
    ensure(&host, &plan).await.unwrap();
    for _ in 0..2 {
        host.remove(&removal(&plan)).await.unwrap();
    }
    assert_eq!(
        host.see(&plan.reference(), Depth::Whole).await.unwrap(),
        Observation::Absent
    );
    assert_eq!((machine.violations(), machine.calls("see")), (Vec::new(), 3));
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_never_answers_is_awaited_for_as_long_as_its_plan_says() {
    let machine = machine(2);
    machine.with(|state| state.silent.insert("web".to_owned()));
    let progress = Progress::admitted();
    let began = Instant::now();
    let silent = machine.host("local").ensure(&plan(1), &progress).await.unwrap_err();
    assert_eq!((silent.code(), progress.stage()), ("not-answering", Stage::Awaiting));
    assert!(began.elapsed() >= Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_process_ends_the_wait_for_its_answer() {
    let machine = machine(3);
    machine.with(|state| state.silent.insert("web".to_owned()));
    let progress = Progress::admitted();
    let (host, plan) = (machine.host("local"), plan(1));
    let end = async {
        progress.until(Stage::Awaiting).await;
        machine.end(plan.id);
    };
    let (ended, ()) = tokio::join!(host.ensure(&plan, &progress), end);
    assert_eq!(ended.unwrap_err().code(), "ended");
}

#[tokio::test(start_paused = true)]
async fn two_in_one_slot_and_two_with_one_address_are_found() {
    let machine = machine(4);
    let host = machine.host("local");
    ensure(&host, &plan(1)).await.unwrap();
    let mut second = plan(11);
    second.attachments[0].address = plan(1).attachments[0].address;
    ensure(&host, &second).await.unwrap();
    let violations = machine.violations();
    assert!(
        violations[0].contains("slot 1") && violations[1].contains("fd00::1"),
        "{violations:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_daemon_can_be_ended_at_any_wait_and_the_machine_stays() {
    for wait in 1..=9 {
        let machine = machine(wait);
        let (host, plan) = (machine.host("local"), plan(1));
        machine.crash_points().crash_after(wait);
        tokio::select! {
            made = ensure(&host, &plan) => assert!(made.is_ok() && wait > 5, "wait {wait}"),
            () = machine.crash_points().crashed() => {}
        }
        machine.crash_points().disarm();
        machine.disconnect();
        ensure(&host, &plan).await.unwrap();
        assert_eq!(
            (machine.violations(), machine.with(|state| state.containers.len())),
            (Vec::new(), 1)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_engine_that_hangs_holds_up_no_other_in_a_list() {
    let machine = FakeMachine::new(MachineSettings {
        engines: vec!["bad".to_owned(), "good".to_owned()],
        ..MachineSettings::default()
    });
    machine.hang_engine("bad");
    let request = ListRequest {
        engines: vec!["bad".to_owned(), "good".to_owned()],
        attachments: true,
        ports_of: vec!["br0".to_owned(), "none".to_owned()],
        ..ListRequest::default()
    };
    let (sender, mut answers) = mpsc::channel(8);
    let host = machine.host("local");
    let began = Instant::now();
    let list = tokio::spawn(async move { host.list(&request, sender).await });
    for _ in 0..4 {
        match answers.recv().await.unwrap() {
            Listed::Engine { engine, instances } => assert!(engine == "good" && instances.is_ok()),
            Listed::Attachments(found) => assert!(found.unwrap().is_empty()),
            Listed::Ports { bridge, free } => assert_eq!(free.unwrap(), (bridge == "br0").then_some(1023)),
            other => panic!("nobody asked for {other:?}"),
        }
    }
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(matches!(
        answers.recv().await,
        Some(Listed::Engine { instances: Err(_), .. })
    ));
    list.await.unwrap().unwrap();
}

/// What is reported of so many changes, until nothing comes any more.
async fn reports(seed: u64, faults: Faults) -> Vec<u8> {
    let machine = machine(seed);
    machine.set_faults(faults);
    let (sender, mut changes) = mpsc::channel(1024);
    let host = machine.host("local");
    let watch = tokio::spawn(async move { host.watch(WatchScope::Engine("docker".to_owned()), sender).await });
    assert!(matches!(changes.recv().await, Some(HostChange::EngineUp { .. })));
    for number in 1..=100 {
        machine.end(Id::from_bytes([number; 6]));
    }
    let mut seen = Vec::new();
    while let Ok(Some(HostChange::Instance(id))) = timeout(Duration::from_secs(60), changes.recv()).await {
        seen.push(id.bytes()[0]);
    }
    watch.abort();
    seen
}

#[tokio::test(start_paused = true)]
async fn reports_get_lost_come_twice_and_in_another_order_and_the_same_way_for_the_same_seed() {
    let all: Vec<u8> = (1..=100).collect();
    assert_eq!(reports(7, Faults::none()).await, all);
    let faults = Faults {
        breaks: 0,
        ..Faults::many()
    };
    let seen = reports(7, faults).await;
    assert!(all.iter().any(|number| !seen.contains(number)), "some are lost");
    let count = |number: &u8| seen.iter().filter(|other| *other == number).count();
    assert!(all.iter().any(|number| count(number) > 1), "some come twice");
    assert!(!seen.is_sorted(), "some are late");
    assert_eq!(reports(7, faults).await, seen);
    assert_ne!(reports(8, faults).await, seen);
}

#[tokio::test(start_paused = true)]
async fn what_fails_may_have_happened_and_is_finished_by_the_next_call() {
    let (mut failed, mut half_done) = (0, 0);
    for seed in 0..200 {
        let machine = machine(seed);
        machine.set_faults(Faults {
            fails_before: 100,
            fails_after: 100,
            ..Faults::many()
        });
        let (host, plan) = (machine.host("local"), plan(1));
        while ensure(&host, &plan).await.is_err() {
            failed += 1;
            half_done += machine.with(|state| state.containers.len());
        }
        assert_eq!(
            machine.with(|state| (state.containers.len(), state.attachments.len())),
            (1, 1)
        );
        while host.remove(&removal(&plan)).await.is_err() {}
        assert!(machine.with(|state| state.containers.is_empty() && state.attachments.is_empty()));
        assert_eq!(machine.violations(), Vec::<String>::new());
    }
    assert!(
        failed > 50 && half_done > 10,
        "{failed} calls failed, {half_done} after they had begun"
    );
}

#[tokio::test(start_paused = true)]
async fn streams_of_a_container_end_when_it_does_not_run() {
    use futures_util::TryStreamExt;

    let machine = machine(9);
    let host = machine.host("local");
    let plan = plan(1);
    let container = plan.reference().containers.remove(0);
    assert!(host.stats(&container).await.is_err() && host.logs(&container, &Default::default()).await.is_err());
    ensure(&host, &plan).await.unwrap();
    let request = orchestrator_host::ExecRequest {
        command: vec!["echo".to_owned(), "hello".to_owned()],
        ..Default::default()
    };
    let session = host.exec(&container, &request).await.unwrap();
    let output: Vec<Output> = session.output.try_collect().await.unwrap();
    assert_eq!(output[0].bytes(), &b"echo hello"[..]);
    assert_eq!(session.control.exit_code().await.unwrap(), Some(0));
}

#[tokio::test(start_paused = true)]
async fn the_watch_of_an_engine_ends_with_the_engine_and_a_slow_engine_ends_none() {
    let machine = machine(10);
    let host = machine.host("local");
    let (sender, mut changes) = mpsc::channel(16);
    let scope = || WatchScope::Engine("docker".to_owned());
    let watch = host.watch(scope(), sender);
    let by_hand = async {
        assert!(matches!(changes.recv().await, Some(HostChange::EngineUp { .. })));
        machine.hang_engine("docker");
        assert!(matches!(
            changes.recv().await,
            Some(HostChange::EngineFails { hangs: true, .. })
        ));
        machine.start_engine("docker", false);
        assert!(matches!(changes.recv().await, Some(HostChange::EngineAnswers { .. })));
        machine.stop_engine("docker");
        assert_eq!(changes.recv().await, None);
    };
    let (ended, ()) = tokio::join!(watch, by_hand);
    assert_eq!(ended.code(), "host-away");
    let refused = host.watch(scope(), mpsc::channel(16).0).await;
    assert_eq!(refused.code(), "engine-unavailable", "{refused}");
}

#[tokio::test(start_paused = true)]
async fn an_instance_without_an_address_is_wired_and_not_ready_until_it_has_one() {
    let machine = machine(10);
    let (host, ready) = (machine.host("local"), plan(1));
    let mut pending = ready.clone();
    pending.attachments[0].address = None;
    let waits = ensure(&host, &pending).await.unwrap_err();
    assert_eq!(waits.code(), "awaits-address");
    let seen = host.see(&pending.reference(), Depth::Whole).await.unwrap();
    assert_eq!(seen, Observation::AwaitsAddress);
    let seen = host.see(&ready.reference(), Depth::Whole).await.unwrap();
    assert_eq!(seen, Observation::Flawed(Flaw::NoAddress));
    ensure(&host, &ready).await.unwrap();
    let seen = host.see(&ready.reference(), Depth::Whole).await.unwrap();
    assert_eq!((seen, machine.with(|state| state.starts())), (Observation::Running, 1));
}

#[tokio::test(start_paused = true)]
async fn a_prefix_is_routed_to_an_instance_for_as_long_as_it_is_there() {
    let machine = machine(11);
    let (host, mut plan) = (machine.host("local"), plan(1));
    plan.attachments[0].routed = vec!["fd60::/64".parse().unwrap()];
    ensure(&host, &plan).await.unwrap();
    let route = plan.attachments[0].routes().remove(0);
    assert_eq!(machine.with(|state| state.our_routes()), [route.clone()].into());
    machine.remove_route(&route.key());
    let seen = host.see(&plan.reference(), Depth::Whole).await.unwrap();
    assert_eq!(seen, Observation::Flawed(Flaw::NoRoute));
    ensure(&host, &plan).await.unwrap();
    host.remove(&removal(&plan)).await.unwrap();
    assert!(machine.with(|state| state.routes.is_empty()));
}
