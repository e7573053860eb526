//! Web pages and names that were made to point here.

use crate::daemon::Daemon;
use crate::http::{ask, ask_with};

#[tokio::test]
async fn a_name_that_was_made_to_point_here_is_refused() {
    let daemon = Daemon::start().await;
    for host in ["rebound.example.org", "192.0.2.1:8998", ""] {
        let answer = ask_with(&daemon.tcp, "GET", "/v1/clients", &format!("Host: {host}\r\n"), b"").await;
        assert_eq!(answer.problem(), (421, "foreign-host".to_owned()), "{host:?}");
    }
    for host in ["localhost:8998", "127.0.0.1", "[::1]:8998"] {
        let answer = ask_with(&daemon.tcp, "GET", "/v1/clients", &format!("Host: {host}\r\n"), b"").await;
        assert_eq!(answer.status, 200, "{host:?}");
    }
    // No page reaches the unix socket.
    let unix = ask_with(&daemon.unix, "GET", "/v1/clients", "Host: rebound.example.org\r\n", b"").await;
    assert_eq!(unix.status, 200);
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let daemon = Daemon::start().await;
    daemon.instance(1, [1; 6]).await;
    for page in [
        "Origin: https://example.org\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Origin: null\r\n",
    ] {
        let answer = ask_with(&daemon.tcp, "DELETE", "/v1/instances/010101010101", page, b"").await;
        assert_eq!(answer.problem(), (403, "foreign-origin".to_owned()), "{page}");
    }
    assert_eq!(daemon.store.live_instances().await.unwrap()[0].phase.word(), "pending");
    assert_eq!(
        ask(&daemon.tcp, "DELETE", "/v1/instances/010101010101").await.status,
        202
    );
}
