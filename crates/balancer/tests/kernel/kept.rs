//! What is kept when HAProxy or the daemon starts again, and how names, paths and addresses are passed on.

use orchestrator_model::EndpointState::{Draining, Serving};
use orchestrator_model::Route;

use crate::stage::within;
use crate::traffic::{Client, Instance, get};

#[test]
fn haproxy_that_was_killed_serves_again_from_its_files_without_the_daemon() {
    within(async |mut stage| {
        let _instance = Instance::start(1).await;
        stage.member("web", 1, Serving);
        stage.member("web", 2, Draining);
        let turn = stage.turn().await;
        stage.expect(&turn);
        stage.kill_haproxy();
        let turn = stage.turn().await;
        assert_eq!((turn.faults.len(), turn.applied), (1, None), "{turn:?}");
        assert!(
            turn.faults[0].to_string().contains("does not answer"),
            "{}",
            turn.faults[0]
        );
        stage.start_haproxy();
        assert_eq!(get("web.example", "/").await, (200, "1".to_owned()));
        let turn = stage.turn().await;
        stage.expect(&turn);
        assert_eq!(stage.reloads("first"), 1, "it has read its configuration by itself");
    });
}

#[test]
fn a_daemon_that_starts_again_changes_nothing_and_repairs_what_somebody_changed() {
    within(async |mut stage| {
        let _instance = Instance::start(1).await;
        stage.member("web", 1, Serving);
        stage.member("chat", 1, Serving);
        let turn = stage.turn().await;
        stage.expect(&turn);
        stage.endpoints.services.remove("chat");
        stage.settle().await;
        let mut socket = Client::upgrade("web.example").await.unwrap();
        stage.restart_daemon();
        let turn = stage.turn().await;
        stage.expect(&turn);
        socket.echo().await.unwrap();
        let say = |stage: &crate::stage::Stage, line: &str| {
            let script = format!(
                "printf '%s\\n' '{line}' | socat - unix-connect:{}/admin.sock",
                stage.directory.display()
            );
            stage.namespace.run("sh", &["-c", &script]).unwrap()
        };
        say(&stage, &format!("clear map {}/plain.map", stage.directory.display()));
        say(&stage, "set server spread-1/i010101010101 state maint");
        assert_eq!(get("web.example", "/").await.0, 404);
        let turn = stage.turn().await;
        stage.expect(&turn);
        assert_eq!(get("web.example", "/").await.0, 200);
        assert_eq!(stage.reloads("first"), 1);
    });
}

#[test]
fn a_route_is_found_by_name_and_by_the_parts_of_the_path() {
    within(async |mut stage| {
        let _instances = [
            Instance::start(1).await,
            Instance::start(2).await,
            Instance::start(3).await,
        ];
        stage.member("web", 1, Serving);
        stage.member("api", 2, Serving);
        stage.member("any", 3, Serving);
        let route = |host: &str, path: &str| Route {
            host: host.to_owned(),
            path: path.to_owned(),
            port: "http".to_owned(),
            tls: None,
        };
        stage.service("api").routes = vec![route("web.example", "/api"), route("*.web.example", "/api/v1/")];
        stage.service("any").routes = vec![route("*.web.example", "/")];
        let turn = stage.turn().await;
        stage.expect(&turn);
        for (host, path, body) in [
            ("web.example", "/", "1"),
            ("web.example", "/apix", "1"),
            ("web.example", "/api", "2"),
            ("web.example", "/api/x?y=/", "2"),
            ("WEB.example:8080", "/x", "1"),
            ("x.web.example", "/api", "3"),
            ("x.web.example", "/api/v1", "2"),
            ("x.web.example", "/api/v1/z", "2"),
        ] {
            assert_eq!(get(host, path).await, (200, body.to_owned()), "{host}{path}");
        }
        for host in ["", "x.y.web.example", "example", "[::1]:80", "web.example.", "*"] {
            assert_eq!(get(host, "/").await.0, 404, "{host}");
        }
    });
}

#[test]
fn an_instance_is_told_the_clients_address_and_a_client_cannot_claim_another() {
    within(async |mut stage| {
        let _instances = [Instance::start(1).await, Instance::start(2).await];
        stage.member("web", 1, Serving);
        stage.member("proxied", 2, Serving);
        stage.service("proxied").proxy_protocol = true;
        let turn = stage.turn().await;
        stage.expect(&turn);
        let (_, headers) = get("web.example", "/headers").await;
        let headers = headers.to_ascii_lowercase();
        // The client is in the same namespace: it comes from the address that it connects to.
        assert!(
            headers.contains("x-forwarded-for: fd39::80\r\n") && !headers.contains("::dead"),
            "{headers}"
        );
        assert!(headers.contains("x-forwarded-proto: http\r\n"), "{headers}");
        let (_, head) = get("proxied.example", "/headers").await;
        assert!(head.starts_with("proxied for fd39::80; GET "), "{head:?}");
    });
}
