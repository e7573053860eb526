//! What is nearly right is refused, and never made to fit.

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::http::{Answer, ask_with, get};

async fn reserve(daemon: &Daemon, headers: &str, what: &Value) -> Answer {
    let body = what.to_string().into_bytes();
    ask_with(&daemon.unix, "POST", "/v1/reservations", headers, &body).await
}

#[track_caller]
fn detail(answer: &Answer) -> String {
    answer.json()["detail"].as_str().expect("a detail").to_owned()
}

#[tokio::test]
async fn a_prefix_with_host_bits_is_refused_with_the_prefix_that_is_meant() {
    let daemon = Daemon::start().await;
    for prefix in ["fd39:9::1/64", "fd39:9:0:0:8000::/64"] {
        let what = json!({"link": "br0", "duid": "00:02:01", "prefix": prefix});
        let answer = reserve(&daemon, "Content-Type: application/json\r\n", &what).await;
        assert_eq!(answer.problem(), (422, "host-bits".to_owned()), "{prefix}");
        assert!(detail(&answer).contains("fd39:9::/64"), "{answer:?}");
    }
    assert_eq!(get(&daemon.unix, "/v1/reservations").await["items"], json!([]));
}

#[tokio::test]
async fn what_is_no_link_layer_address_of_an_interface_is_refused() {
    let daemon = Daemon::start().await;
    for address in [
        "02",
        "02:00:5e:10:00",
        "02:00:5e:10:00:01:02",
        "01:00:5e:10:00:01",
        "00:00:00:00:00:00",
    ] {
        let what = json!({"link": "br0", "link_layer_address": address, "address": "fd39::7"});
        let answer = reserve(&daemon, "Content-Type: application/json\r\n", &what).await;
        assert_eq!(
            answer.problem(),
            (422, "bad-link-layer-address".to_owned()),
            "{address}"
        );
        assert!(detail(&answer).contains("02:00:5e:10:00:01"), "{answer:?}");
    }
    let eui64 = json!({"link": "br0", "link_layer_address": "02:00:5e:ff:fe:10:00:01", "address": "fd39::7"});
    assert_eq!(reserve(&daemon, "", &eui64).await.status, 201);
}

#[tokio::test]
async fn a_body_that_says_it_is_no_json_is_not_read_as_json() {
    let daemon = Daemon::start().await;
    let what = json!({"link": "br0", "duid": "00:02:01", "address": "fd39::7"});
    for headers in [
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/jsonp\r\n",
        "Content-Type: application/json; charset=iso-8859-1\r\n",
        "Content-Type: application/json\r\nContent-Type: text/plain\r\n",
        "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
    ] {
        let answer = reserve(&daemon, headers, &what).await;
        assert_eq!(answer.problem(), (415, "not-json".to_owned()), "{headers}");
        assert!(detail(&answer).contains("application/json"), "{answer:?}");
    }
    let hook = ask_with(
        &daemon.unix,
        "POST",
        "/v1/hooks/dnsmasq",
        "Content-Type: text/plain\r\n",
        b"{}",
    )
    .await;
    assert_eq!(hook.problem(), (415, "not-json".to_owned()));
    let typed = reserve(&daemon, "Content-Type: Application/JSON;charset=\"UTF-8\"\r\n", &what).await;
    assert_eq!(typed.status, 201);
}
