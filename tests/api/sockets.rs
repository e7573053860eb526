//! Where the API is served, and who was there before.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use orchestrator::api::{App, BindError, Server, ServerIdentity};
use orchestrator::conditions::Conditions;
use orchestrator::metrics::Metrics;
use orchestrator::settings::{ApiSettings, Listen};
use orchestrator::tasks::Tasks;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::control::FakeControl;
use crate::daemon::{Daemon, Directory};
use crate::http::ask;

async fn bind(listen: &[Listen]) -> Result<Server, BindError> {
    let app = App {
        store: watch::channel(None).1,
        conditions: Conditions::default(),
        control: Arc::new(FakeControl::starting()),
        metrics: Metrics::default(),
        tasks: Tasks::default(),
        identity: ServerIdentity::default(),
    };
    let settings = ApiSettings {
        listen: listen.to_vec(),
        ..ApiSettings::default()
    };
    Server::bind(&settings, app).await
}

#[tokio::test]
async fn the_unix_socket_is_for_owner_and_group_and_goes_with_the_daemon() {
    let mut daemon = Daemon::start().await;
    let Listen::Unix(path) = daemon.unix.clone() else {
        panic!("no unix socket")
    };
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    daemon.stopped().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn a_dead_daemons_socket_is_replaced() {
    let place = Directory::new();
    let path = place.path().join("api.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a closed socket leaves its file");
    let listen = Listen::Unix(path);
    let server = bind(std::slice::from_ref(&listen)).await.unwrap();
    let stop = CancellationToken::new();
    let served = tokio::spawn(server.run(stop.clone()));
    assert_eq!(ask(&listen, "GET", "/v1/health").await.status, 200);
    stop.cancel();
    served.await.unwrap();
}

#[tokio::test]
async fn a_live_daemons_socket_is_left_alone() {
    let daemon = Daemon::start().await;
    let second = bind(std::slice::from_ref(&daemon.unix)).await;
    assert!(matches!(second, Err(BindError::Taken { .. })));
    assert_eq!(ask(&daemon.unix, "GET", "/v1/health").await.status, 200);
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_left_alone() {
    let place = Directory::new();
    let path = place.path().join("api.sock");
    fs::write(&path, "precious").unwrap();
    let bound = bind(&[Listen::Unix(path.clone())]).await;
    assert!(matches!(bound, Err(BindError::NotASocket { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn an_address_that_can_be_reached_from_elsewhere_is_refused() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let bound = bind(&[Listen::Tcp(address.parse().unwrap())]).await;
        assert!(matches!(bound, Err(BindError::Open { .. })), "{address}");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_to_be() {
    let daemon = Daemon::start().await;
    let Err(error) = bind(std::slice::from_ref(&daemon.tcp)).await else {
        panic!("bound twice")
    };
    assert!(error.to_string().contains("[::1]:"), "{error}");
}

#[tokio::test]
async fn the_api_answers_before_the_rest_is_there() {
    let place = Directory::new();
    let listen = Listen::Unix(place.path().join("run/api.sock"));
    let server = bind(std::slice::from_ref(&listen)).await.unwrap();
    let stop = CancellationToken::new();
    let served = tokio::spawn(server.run(stop.clone()));
    assert_eq!(ask(&listen, "GET", "/v1/health").await.status, 200);
    assert_eq!(ask(&listen, "GET", "/v1/ready").await.status, 503);
    assert_eq!(
        ask(&listen, "GET", "/v1/clients").await.problem(),
        (503, "store-away".to_owned())
    );
    stop.cancel();
    served.await.unwrap();
}
