//! Who may use the API.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Stdio;

use nix::unistd::Group;
use orchestrator::settings::Listen;
use orchestrator_lab::Settings;
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::daemon::{Daemon, Directory, GROUP};
use crate::http::{Answer, ask};

/// The user `nobody` of Debian, and its group.
const NOBODY: u32 = 65534;

/// What curl, a process of its own, is answered as user `uid`, who is in `groups` beside `nogroup`; `None` where it cannot connect.
pub(crate) async fn ask_as(uid: u32, groups: &[u32], place: &Listen, method: &str, path: &str) -> Option<Answer> {
    let mut command = Command::new("setpriv");
    command.arg(format!("--reuid={uid}")).arg(format!("--regid={NOBODY}"));
    if groups.is_empty() {
        command.arg("--clear-groups");
    } else {
        let groups: Vec<String> = groups.iter().map(u32::to_string).collect();
        command.arg(format!("--groups={}", groups.join(",")));
    }
    command.args(["curl", "--silent", "--include", "--globoff", "--request", method]);
    match place {
        Listen::Unix(socket) => command
            .arg("--unix-socket")
            .arg(socket)
            .arg(format!("http://localhost{path}")),
        Listen::Tcp(address) => command.arg(format!("http://{address}{path}")),
        Listen::Tls(address) => command.arg(format!("https://{address}{path}")),
    };
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(crate::http::PATIENCE, output)
        .await
        .expect("curl ends")
        .expect("setpriv and curl run");
    (!output.stdout.is_empty()).then(|| Answer::parse(&String::from_utf8_lossy(&output.stdout)))
}

#[tokio::test]
async fn nobody_removes_an_instance_where_the_api_is_served_by_default() {
    let daemon = Daemon::start().await;
    daemon.instance(1, [1; 6]).await;
    let settings = orchestrator::settings::parse("", std::iter::empty()).expect("settings");
    for place in settings.api.listen {
        // The same kinds of places, where the test's daemon has them.
        let place = match place {
            Listen::Unix(_) => &daemon.unix,
            Listen::Tcp(_) => &daemon.tcp,
            Listen::Tls(_) => &daemon.tls,
        };
        let answer = ask_as(NOBODY, &[], place, "DELETE", "/v1/instances/010101010101?release=true").await;
        assert!(answer.as_ref().is_none_or(|answer| answer.status == 403), "{answer:?}");
    }
    assert_eq!(daemon.store.live_instances().await.unwrap()[0].phase.word(), "pending");
}

/// The number of the group whose members may use the API.
fn group() -> u32 {
    let group = Group::from_name(GROUP).expect("the groups are readable");
    group.expect("Debian has it").gid.as_raw()
}

/// Lets every user connect, as an operator may by mistake: credentials alone decide then.
pub(crate) fn open_wide(place: &Listen) -> &std::path::Path {
    let Listen::Unix(path) = place else {
        panic!("no unix socket")
    };
    fs::set_permissions(path, Permissions::from_mode(0o666)).expect("the socket's mode");
    path
}

#[tokio::test]
async fn members_of_the_group_do_everything_on_the_socket() {
    let daemon = Daemon::start().await;
    daemon.instance(1, [1; 6]).await;
    let Listen::Unix(path) = &daemon.unix else {
        panic!("no unix socket")
    };
    assert_eq!(fs::metadata(path).unwrap().gid(), group());
    // They connect by the socket's mode alone.
    for (method, path, status) in [
        ("GET", "/v1/clients", 200),
        ("POST", "/v1/settings/reload", 200),
        ("DELETE", "/v1/instances/010101010101", 202),
    ] {
        let answer = ask_as(NOBODY, &[100, group()], &daemon.unix, method, path).await;
        assert_eq!(answer.expect("an answer").status, status, "{method} {path}");
    }
}

#[tokio::test]
async fn others_are_refused_everything_and_told_what_to_do() {
    let daemon = Daemon::start().await;
    daemon.instance(1, [1; 6]).await;
    open_wide(&daemon.unix);
    for (method, path) in [
        ("GET", "/v1/health"),
        ("GET", "/v1/clients"),
        ("GET", "/metrics"),
        ("POST", "/v1/hooks/dnsmasq"),
        ("DELETE", "/v1/instances/010101010101"),
    ] {
        let answer = ask_as(NOBODY, &[100], &daemon.unix, method, path)
            .await
            .expect("an answer");
        assert_eq!(answer.problem(), (403, "not-allowed".to_owned()), "{method} {path}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(
            detail.contains("usermod -aG games NAME") && detail.contains("65534"),
            "{detail}"
        );
    }
    assert_eq!(daemon.store.live_instances().await.unwrap()[0].phase.word(), "pending");
    // Who may is not kept out by the mode.
    let answer = ask_as(0, &[], &daemon.unix, "GET", "/v1/health")
        .await
        .expect("an answer");
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn the_command_line_says_how_a_user_is_let_in() {
    let daemon = Daemon::start().await;
    let mut list = Command::new("setpriv");
    list.args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(env!("CARGO_BIN_EXE_orchestrator"))
        .args(["--api", &daemon.unix.to_string(), "ls"]);
    let said = list.output().await.expect("setpriv runs");
    let text = String::from_utf8_lossy(&said.stderr);
    assert!(text.contains("`usermod -aG games nobody`"), "{text}");
    assert_eq!(said.status.code(), Some(4));
    // By the socket's mode it may connect, and the daemon says it.
    open_wide(&daemon.unix);
    let said = list.output().await.expect("setpriv runs");
    let text = String::from_utf8_lossy(&said.stderr);
    assert!(
        text.contains("usermod -aG games NAME") && text.contains("(not-allowed)"),
        "{text}"
    );
    assert_eq!(said.status.code(), Some(1));
}

#[tokio::test]
async fn the_daemons_user_may_use_its_own_socket() {
    let directory = Directory::new();
    std::os::unix::fs::chown(directory.path(), Some(NOBODY), Some(NOBODY)).expect("a directory of its own");
    let place = directory.path().display();
    let settings = directory.path().join("settings.toml");
    let text = Settings::new(&place.to_string()).api("group = \"\"").text();
    fs::write(&settings, text).expect("settings");
    let mut daemon = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .args([env!("CARGO_BIN_EXE_orchestrator"), "serve", "--settings"])
        .arg(settings)
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("setpriv runs");
    let socket = Listen::Unix(directory.path().join("api.sock"));
    let answers = async {
        loop {
            if let Some(answer) = ask_as(NOBODY, &[], &socket, "GET", "/v1/health").await {
                return answer;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let answer = tokio::time::timeout(crate::http::PATIENCE, answers).await;
    assert_eq!(answer.expect("the daemon answers").status, 200);
    assert_eq!(
        ask_as(0, &[], &socket, "GET", "/v1/health")
            .await
            .expect("an answer")
            .status,
        200
    );
    open_wide(&socket);
    let other = ask_as(NOBODY - 1, &[], &socket, "GET", "/v1/health")
        .await
        .expect("an answer");
    assert_eq!(other.problem(), (403, "not-allowed".to_owned()));
    assert!(
        other.json()["detail"]
            .as_str()
            .is_some_and(|detail| detail.contains("api.group"))
    );
    daemon.kill().await.expect("the daemon ends");
}

#[tokio::test]
async fn strangers_crowd_nobody_out() {
    let daemon = Daemon::start().await;
    let path = open_wide(&daemon.unix).to_owned();
    // Idle connections of a process that may not use the API; it ends when its input does.
    let script = "use Socket; for (1..600) { socket(my $s, AF_UNIX, SOCK_STREAM, 0); \
                  connect($s, sockaddr_un($ARGV[0])) or die; push @all, $s } $| = 1; print 'there'; <STDIN>";
    let mut crowd = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "perl", "-e", script])
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("setpriv and perl run");
    let mut there = [0; 5];
    let mut output = crowd.stdout.take().expect("its output");
    tokio::time::timeout(crate::http::PATIENCE, output.read_exact(&mut there))
        .await
        .expect("they connect in time")
        .expect("they connect");
    assert_eq!(ask(&daemon.unix, "GET", "/v1/clients").await.status, 200);
    let closed = ask(&daemon.unix, "GET", "/metrics").await.body;
    assert!(
        closed.contains("api_connections_closed_total{reason=\"crowded\"} 584"),
        "{closed}"
    );
}
