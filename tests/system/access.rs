//! The API from other machines: by TLS, tokens and signatures, with the real daemon; through rotations, kills and restores.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use orchestrator_lab::{Daemon, Dhclient, Engine, Lab, Namespace, SelfSigned, wait_for};
use serde_json::Value;

use crate::site::{BINARY, PATIENCE, PREFIX, Plan, Site, text};

/// The port of the API.
const PORT: u16 = 8999;

/// A host with the daemon, and another machine on its bridge.
struct Far {
    host: Namespace,
    daemon: Daemon,
    machine: Namespace,
    _lab: Lab,
}

impl Far {
    /// `tls` has further keys of `[api.tls]`.
    fn start(tls: &str) -> Self {
        let lab = Lab::new().unwrap();
        let host = lab.namespace("host").unwrap();
        let plan = Plan {
            template: None,
            // The other machine has no lease, and is let through all the same.
            link: "isolation = false".to_owned(),
            ..Plan::default()
        };
        let settings = |place: &str| {
            let listen = format!("listen = [\"unix:{place}/api.sock\", \"https://[::]:{PORT}\"]");
            let tls = tls.replace("PLACE", place);
            plan.pieces(place).api(&format!("{listen}\ntls = {{ {tls} }}")).text()
        };
        let mut daemon = Daemon::start(&host, Path::new(BINARY), settings).unwrap();
        daemon.wait_until_ready(PATIENCE).unwrap();
        let machine = lab.namespace("far").unwrap();
        machine.disable_dad().unwrap();
        machine.connect("eth0", &host, "p-far", Some("br0")).unwrap();
        machine.ip(&format!("addr add {PREFIX}::77/64 dev eth0")).unwrap();
        Self {
            host,
            daemon,
            machine,
            _lab: lab,
        }
    }

    fn base() -> String {
        format!("https://[{PREFIX}::1]:{PORT}")
    }

    fn settings(&self) -> String {
        self.daemon.place().join("settings.toml").display().to_string()
    }

    /// What a verb says that works on the machine.
    fn secrets(&self, words: &[&str]) -> String {
        let settings = self.settings();
        said(
            &self
                .daemon
                .cli(&[&["secrets", "--settings", &settings], words].concat())
                .unwrap(),
        )
    }

    /// Writes the authorities that are trusted now to a file.
    fn authorities(&self, name: &str) -> PathBuf {
        let file = self.daemon.place().join(name);
        fs::write(&file, self.secrets(&["ca"])).unwrap();
        file
    }

    fn token(&self, words: &[&str]) -> String {
        let made = self.daemon.cli(&[&["token", "add"], words].concat()).unwrap();
        said(&made).trim().to_owned()
    }

    /// The status that the other machine is answered; `None` where it cannot connect.
    fn status(&self, ca: &Path, token: &str, path: &str) -> Option<u16> {
        let output = self
            .machine
            .command("curl")
            .args([
                "--silent",
                "--max-time",
                "20",
                "--globoff",
                "--output",
                "/dev/null",
                "--write-out",
                "%{http_code}",
                "--cacert",
            ])
            .arg(ca)
            .args(["--header", &format!("Authorization: Bearer {token}")])
            .arg(format!("{}{path}", Self::base()))
            .output()
            .unwrap();
        let status = String::from_utf8(output.stdout).unwrap().parse().unwrap();
        Some(status).filter(|status| *status != 0)
    }

    /// The command line on the other machine.
    fn cli(&self, ca: &Path, token: &str, words: &[&str]) -> Output {
        let mut command: Command = self.machine.command(BINARY);
        command.args(["--server", &Self::base(), "--ca"]).arg(ca).args(words);
        command.env("ORCHESTRATOR_TOKEN", token).output().unwrap()
    }
}

#[track_caller]
fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn another_machine_does_what_its_token_is_for_through_kills_rotations_and_a_restore() {
    let mut far = Far::start(&format!("names = [\"{PREFIX}::1\"]"));
    let ca = far.authorities("ca.pem");
    let token = far.token(&[
        "ci",
        "--role",
        "operator",
        "--scope",
        "/v1/kv/web",
        "--scope",
        "GET /v1/tokens",
    ]);
    wait_for("the certificate", PATIENCE, || far.status(&ca, &token, "/v1/tokens"));
    assert_eq!(far.status(&ca, &token, "/v1/tokens"), Some(200));
    assert_eq!(far.status(&ca, "", "/v1/tokens"), Some(401));
    assert_eq!(far.status(&ca, &token, "/v1/clients"), Some(403));
    said(&far.cli(&ca, &token, &["kv", "put", "web/color", "green", "--cas", "0"]));
    assert_eq!(said(&far.cli(&ca, &token, &["kv", "get", "web/color"])), "green\n");
    assert!(
        !far.cli(&ca, &token, &["kv", "put", "mail/color", "green"])
            .status
            .success()
    );

    // Killed: the next daemon knows the token, and shows the same certificate.
    far.daemon.kill9();
    far.daemon.resume().unwrap();
    wait_for("the daemon", PATIENCE, || {
        far.status(&ca, &token, "/v1/tokens").filter(|status| *status == 200)
    });

    // Each key is replaced while the other machine knows the old authority and the old token alone.
    far.secrets(&["rotate-key"]);
    far.secrets(&["rotate-ca"]);
    let after = said(&far.daemon.cli(&["token", "rotate", "ci", "--overlap", "1h"]).unwrap());
    for token in [token.as_str(), after.trim()] {
        assert_eq!(far.status(&ca, token, "/v1/tokens"), Some(200));
    }
    far.daemon.kill9();
    far.daemon.resume().unwrap();
    let both = far.authorities("both.pem");
    for (ca, token) in [(&ca, token.as_str()), (&both, after.trim())] {
        wait_for("the daemon", PATIENCE, || {
            far.status(ca, token, "/v1/tokens").filter(|status| *status == 200)
        });
    }

    // A backup has the tokens and the keys.
    let backup = far.daemon.place().join("backup");
    let (settings, file) = (far.settings(), backup.display().to_string());
    said(&far.daemon.cli(&["backup", "--settings", &settings, &file]).unwrap());
    said(&far.daemon.cli(&["kv", "rm", "web", "-r"]).unwrap());
    said(&far.daemon.cli(&["token", "rm", "ci"]).unwrap());
    assert_eq!(far.status(&both, after.trim(), "/v1/tokens"), Some(401));
    far.daemon.stop().unwrap();
    said(
        &far.daemon
            .cli(&["restore", "--settings", &settings, "--force", &file])
            .unwrap(),
    );
    far.daemon.resume().unwrap();
    wait_for("the daemon", PATIENCE, || {
        far.status(&both, after.trim(), "/v1/tokens")
            .filter(|status| *status == 200)
    });
    assert_eq!(
        said(&far.cli(&both, after.trim(), &["kv", "get", "web/color"])),
        "green\n"
    );

    // Who trusts only an authority that has ended is told so, and nothing is sent to it.
    far.secrets(&["rotate-ca", "--now"]);
    wait_for("another certificate", PATIENCE, || {
        far.status(&both, after.trim(), "/v1/tokens").is_none().then_some(())
    });
    let refused = far.cli(&both, after.trim(), &["kv", "get", "web/color"]);
    assert_eq!(refused.status.code(), Some(4));
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("--ca FILE"),
        "{refused:?}"
    );
    let new = far.authorities("new.pem");
    assert_eq!(
        said(&far.cli(&new, after.trim(), &["kv", "get", "web/color"])),
        "green\n"
    );
}

/// Makes a certificate that is its own authority.
fn make_certificate(host: &Namespace, place: &Path, name: &str) {
    let made = SelfSigned {
        certificate: &place.join(format!("{name}.pem")),
        key: &place.join(format!("{name}.key")),
        alternative: &format!("IP:{PREFIX}::1"),
        extensions: &[],
    };
    made.make(host.command("openssl")).unwrap();
}

#[test]
fn a_certificate_in_files_is_read_again_when_it_changes() {
    let far = Far::start("certificate = \"PLACE/api.pem\", key = \"PLACE/api.key\"");
    let place = far.daemon.place().to_owned();
    let condition = || {
        let (_, ready) = far.daemon.api("GET", "/v1/ready").unwrap();
        let mut conditions = ready["conditions"].as_array().unwrap().iter();
        conditions
            .find(|one| one["name"] == "api-certificate")
            .cloned()
            .unwrap()
    };
    let token = far.token(&["reader", "--role", "viewer"]);
    let install = |name: &str| {
        for end in ["key", "pem"] {
            fs::copy(place.join(format!("{name}.{end}")), place.join(format!("api.{end}"))).unwrap();
        }
    };
    let wait = |what: &str, name: &str| {
        let ca = place.join(format!("{name}.pem"));
        wait_for(what, PATIENCE, || {
            far.status(&ca, &token, "/v1/health").filter(|status| *status == 200)
        });
    };
    for name in ["one", "two"] {
        make_certificate(&far.host, &place, name);
    }
    // The daemon runs without any, and says what is missing.
    wait_for("the fault", PATIENCE, || {
        let reason = condition()["reason"].as_str().unwrap_or_default().to_owned();
        (reason.contains("api.pem") && reason.contains("nobody can connect")).then_some(())
    });
    install("one");
    wait("the first certificate", "one");
    install("two");
    wait("the second certificate", "two");
    fs::write(place.join("api.key"), "no key").unwrap();
    wait_for("the fault", PATIENCE, || {
        let reason = condition()["reason"].as_str().unwrap_or_default().to_owned();
        reason.contains("is still shown").then_some(())
    });
    wait("the second certificate", "two");
}

/// Asks from inside an instance, by curl.
fn curl(instance: &Value, arguments: &[&str]) -> String {
    let path = format!("/containers/{}/json", text(instance, "reference"));
    let container = Engine::shared().api("GET", &path, None).unwrap().json().unwrap();
    let netns = format!("--net=/proc/{}/ns/net", container["State"]["Pid"]);
    let asked = Engine::shared()
        .namespace()
        .lab()
        .command("nsenter")
        .arg(netns)
        .args(["curl", "--silent", "--globoff", "--max-time", "30"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(asked.status.success(), "{asked:?}");
    String::from_utf8(asked.stdout).unwrap()
}

#[test]
fn an_instance_reaches_the_keys_of_its_client_with_its_own_token_from_its_own_address() {
    let site = Site::start(&Plan::default());
    let machines = ["one", "two"].map(|name| site.machine(name));
    let mut clients = machines
        .each_ref()
        .map(|machine| Dhclient::boot(machine, "eth0").unwrap());
    let leased = clients.each_mut().map(|client| client.address(PATIENCE).unwrap());
    let [one, two] = leased.map(|leased| site.wait_ready_for(leased));
    let base = "http://[fd00:6d65:7461::1]";
    let shown = |instance: &Value, what: &str| {
        curl(instance, &[&format!("{base}/v1/instance/{what}")])
            .trim()
            .to_owned()
    };
    let (token, keys) = (shown(&one, "token"), shown(&one, "kv"));
    assert_eq!(keys, format!("/v1/kv/client:{}", text(&one, "client")));
    let header = format!("Authorization: Bearer {token}");
    let set = curl(
        &one,
        &[
            "--request",
            "PUT",
            "--header",
            &header,
            "--data-binary",
            "here",
            &format!("{base}{keys}/node?cas=0&bound"),
        ],
    );
    assert!(set.contains(&text(&one, "id")), "{set}");
    let read = curl(&one, &["--header", &header, &format!("{base}{keys}/node?raw")]);
    assert_eq!(read, "here");
    let status = |instance: &Value, header: &str, path: &str| {
        let format = [
            "--output",
            "/dev/null",
            "--write-out",
            "%{http_code}",
            "--header",
            header,
        ];
        curl(instance, &[&format[..], &[&format!("{base}{path}")]].concat())
    };
    // Neither the address without the token, nor the token from another address, nor other keys.
    assert_eq!(status(&one, "X: y", &format!("{keys}/node")), "401");
    assert_eq!(status(&two, &header, &format!("{keys}/node")), "401");
    let other = format!("Authorization: Bearer {}", shown(&two, "token"));
    assert_eq!(status(&two, &other, &format!("{keys}/node")), "403");
    assert_eq!(status(&one, &header, "/v1/kv"), "403");
    assert_eq!(
        status(&one, &header, &format!("{keys}/node?instance={}", text(&two, "id"))),
        "400"
    );
    let events = site.daemon.items("/v1/events").unwrap();
    let by = format!("instance {}", text(&one, "id"));
    assert!(
        events
            .iter()
            .any(|event| event["kind"] == "kv-set" && event["by"] == by.as_str()),
        "{events:?}"
    );

    // The key goes with the instance that it is bound to.
    assert_eq!(
        site.daemon
            .api("DELETE", &format!("/v1/instances/{}", text(&one, "id")))
            .unwrap()
            .0,
        202
    );
    wait_for("the key to go", PATIENCE, || {
        let (status, _) = site.daemon.api("GET", &format!("{keys}/node")).unwrap();
        (status == 404).then_some(())
    });
}
