//! Instances are replaced while clients ask.

use std::collections::BTreeMap;

use orchestrator_model::EndpointState::{Draining, Failing, Serving};

use crate::stage::{id, within};
use crate::traffic::{Client, Instance, Load, get};

#[test]
fn a_roll_under_load_fails_no_request_and_closes_no_websocket_of_others() {
    within(async |mut stage| {
        let mut instances: BTreeMap<u8, Instance> = BTreeMap::new();
        for number in [1, 2, 9] {
            instances.insert(number, Instance::start(number).await);
        }
        stage.member("web", 1, Serving);
        stage.member("web", 2, Serving);
        stage.member("chat", 9, Serving);
        let turn = stage.turn().await;
        stage.expect(&turn);
        let mut socket = Client::upgrade("chat.example").await.unwrap();
        let load = Load::start("web.example", 8);
        // Each instance is replaced three times: by another slot, so that its address changes, too.
        for (old, new) in [(1, 3), (2, 4), (3, 5), (4, 6), (5, 1), (6, 2)] {
            instances.insert(new, Instance::start(new).await);
            stage.member("web", new, Serving);
            let turn = stage.turn().await;
            stage.expect(&turn);
            load.answered(50).await;
            stage.member("web", old, Draining);
            stage.settle().await;
            stage.without("web", old);
            let turn = stage.turn().await;
            stage.expect(&turn);
            instances.remove(&old);
            socket.echo().await.unwrap();
        }
        load.answered(50).await;
        let (requests, failures) = load.stop().await;
        assert!(
            failures.is_empty(),
            "{} of {requests}: {:?}",
            failures.len(),
            failures[0]
        );
        socket.echo().await.unwrap();
        assert_eq!(
            (
                stage.reloads("first"),
                stage.reloads("frame"),
                stage.reloads("backends")
            ),
            (1, 0, 0)
        );
    });
}

#[test]
fn connections_of_what_drains_are_counted_until_the_last_is_closed() {
    within(async |mut stage| {
        let _instances = [Instance::start(1).await, Instance::start(2).await];
        stage.member("chat", 1, Serving);
        // Until the worker of the first configuration is gone: while there is one, what drains counts one more.
        stage.settle().await;
        let mut sockets = [
            Client::upgrade("chat.example").await.unwrap(),
            Client::upgrade("chat.example").await.unwrap(),
        ];
        stage.member("chat", 1, Draining);
        stage.member("chat", 2, Serving);
        let turn = stage.turn().await;
        stage.expect(&turn);
        assert_eq!(turn.connections, [(id(1), 2)].into());
        assert!(turn.is_draining);
        for _ in 0..4 {
            assert_eq!(get("chat.example", "/").await, (200, "2".to_owned()));
        }
        for socket in &mut sockets {
            socket.echo().await.unwrap();
        }
        let [first, _second] = sockets;
        drop(first);
        loop {
            let turn = stage.turn().await;
            if turn.connections == [(id(1), 1)].into() {
                break;
            }
            assert!(!turn.connections.is_empty());
        }
        drop(_second);
        stage.settle().await;
        assert!(stage.turn().await.connections.is_empty());
    });
}

#[test]
fn an_instance_whose_checks_fail_gets_nothing_more_and_comes_back() {
    within(async |mut stage| {
        let _instances = [Instance::start(1).await, Instance::start(2).await];
        stage.member("web", 1, Serving);
        stage.member("web", 2, Failing);
        stage.settle().await;
        assert_eq!(get("web.example", "/").await.1, "1");
        stage.member("web", 1, Failing);
        stage.member("web", 2, Serving);
        stage.settle().await;
        assert_eq!(get("web.example", "/").await.1, "2");
        stage.member("web", 2, Failing);
        stage.settle().await;
        assert_eq!(get("web.example", "/").await.0, 503);
        stage.member("web", 1, Serving);
        stage.settle().await;
        assert_eq!(get("web.example", "/").await.1, "1");
    });
}

#[test]
fn new_names_need_no_reload_until_no_spare_backend_is_left() {
    within(async |mut stage| {
        let _instance = Instance::start(1).await;
        for name in ["a", "b", "c", "d"] {
            stage.member(name, 1, Serving);
            let turn = stage.turn().await;
            stage.expect(&turn);
            assert_eq!(get(&format!("{name}.example"), "/").await.0, 200, "{name}");
        }
        assert_eq!((stage.reloads("first"), stage.reloads("backends")), (1, 0));
        let load = Load::start("a.example", 4);
        stage.member("e", 1, Serving);
        let turn = stage.turn().await;
        stage.expect(&turn);
        load.answered(20).await;
        assert_eq!(get("e.example", "/").await.0, 200);
        assert_eq!(stage.reloads("backends"), 1);
        let (requests, failures) = load.stop().await;
        assert!(
            failures.is_empty(),
            "{} of {requests}: {:?}",
            failures.len(),
            failures[0]
        );
        stage.endpoints.services.remove("a");
        stage.settle().await;
        assert_eq!(get("a.example", "/").await.0, 404);
    });
}
