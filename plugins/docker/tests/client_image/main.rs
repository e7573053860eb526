//! The image `orchestrator/client`, built from packages and run as an instance without any capability.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::OnceLock;
use std::time::Duration;
use std::{fs, str};

use orchestrator_lab::{Engine, wait_for};
use orchestrator_plugin::{Container, ContainerSpec, Engine as _, Found, FoundState, Id, Mark, NetworkMode, Resources};
use orchestrator_plugin_docker::{DockerEngine, DockerSettings};

const PATIENCE: Duration = Duration::from_secs(60);

/// The shared engine with the image on it, built once for all tests.
struct Client {
    engine: &'static Engine,
    /// The private half of the key that was built in.
    key: PathBuf,
}

impl Client {
    fn shared() -> &'static Self {
        static SHARED: OnceLock<Client> = OnceLock::new();
        SHARED.get_or_init(|| {
            let engine = Engine::shared();
            let key = new_key(engine, "built-in");
            build(
                engine,
                &["--key", &format!("{}.pub", key.display()), "--host", &engine.url()],
            );
            Self { engine, key }
        })
    }
}

fn run(engine: &Engine, program: &str, arguments: &[&str]) -> Output {
    engine
        .namespace()
        .lab()
        .command(program)
        .args(arguments)
        .output()
        .expect("the program starts")
}

fn new_key(engine: &Engine, name: &str) -> PathBuf {
    let key = engine.namespace().lab().place(name).unwrap().join("key");
    let made = run(
        engine,
        "ssh-keygen",
        &["-q", "-t", "ed25519", "-N", "", "-f", key.to_str().unwrap()],
    );
    assert!(made.status.success(), "{made:?}");
    key
}

#[track_caller]
fn build(engine: &Engine, arguments: &[&str]) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docker/client/build");
    let built = run(engine, script, arguments);
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}

/// An instance of the image with these variables, as a template without capabilities makes it.
async fn instance(environment: &[(&str, &str)]) -> u32 {
    let client = Client::shared();
    let host = client.engine.url().parse().unwrap();
    let mark = Mark {
        site: Id::random().unwrap(),
    };
    let plugin = DockerEngine::new(
        "docker",
        DockerSettings {
            host,
            ..DockerSettings::default()
        },
        mark,
    );
    let spec = ContainerSpec {
        image: "orchestrator/client".to_owned(),
        hostname: "lamp".to_owned(),
        environment: environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        resources: Resources {
            memory: Some(128 << 20),
            millicpus: Some(500),
            pids: Some(128),
            disk: None,
        },
        ..ContainerSpec::default()
    };
    let container = Container::main(Id::random().unwrap());
    match plugin
        .ensure(&container, &spec, &NetworkMode::EngineNamespace)
        .await
        .unwrap()
    {
        Found {
            state: FoundState::Running(running),
            ..
        } => running.pid,
        other => panic!("{other:?}"),
    }
}

/// Runs a program of this machine on the network of the instance.
fn within(pid: u32, program: &str, arguments: &[&str]) -> Output {
    let network = format!("--net=/proc/{pid}/ns/net");
    run(
        Client::shared().engine,
        "nsenter",
        &[&[network.as_str(), program], arguments].concat(),
    )
}

/// The page at `url`, as soon as the instance serves it.
fn page(pid: u32, url: &str) -> String {
    let got = wait_for(url, PATIENCE, || {
        let got = within(pid, "curl", &["--silent", "--fail", "--max-time", "5", url]);
        got.status.success().then_some(got.stdout)
    });
    String::from_utf8(got).unwrap()
}

/// Tries to log in with `key` and run `command`, once sshd listens.
fn ssh(pid: u32, key: &Path, options: &[&str], command: &str) -> Output {
    wait_for("sshd", PATIENCE, || {
        let probe = within(pid, "ssh-keyscan", &["-t", "ed25519", "::1"]);
        (!probe.stdout.is_empty()).then_some(())
    });
    let settings = [
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "BatchMode=yes",
        "IdentitiesOnly=yes",
    ];
    let settings: Vec<_> = settings.iter().flat_map(|setting| ["-o", setting]).collect();
    let key = ["-F", "/dev/null", "-i", key.to_str().unwrap()];
    within(
        pid,
        "ssh",
        &[&key, settings.as_slice(), options, &["client@::1", command]].concat(),
    )
}

#[track_caller]
fn said(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().replace('\r', "")
}

#[tokio::test]
async fn the_page_says_whose_machine_it_is() {
    let pid = instance(&[
        ("ORCHESTRATOR_INSTANCE", "3f9a2c01d2e4"),
        ("ORCHESTRATOR_CLIENT_DUID", "00:03:00:01:02:00:5e:00:53:01"),
        ("ORCHESTRATOR_ADDRESS", "fd39:9706:2786:6333::2:1"),
        ("ORCHESTRATOR_LINK", "br0"),
        ("ORCHESTRATOR_HOSTNAME", "lamp"),
    ])
    .await;
    for url in ["http://[::1]/", "http://127.0.0.1/"] {
        let page = page(pid, url);
        for claim in ["3f9a2c01d2e4", "client@fd39:9706:2786:6333::2:1", "br0", "lamp"] {
            assert!(page.contains(claim), "{claim} is not in {page}");
        }
        // Whoever reads the page could act in the client's name.
        assert!(!page.contains("00:03:00:01"), "the DUID is in {page}");
    }
    assert_eq!(
        page(pid, "http://[::1]/instance.txt"),
        "instance 3f9a2c01d2e4\nhostname lamp\n\
         address fd39:9706:2786:6333::2:1\nlink br0\n"
    );
}

#[tokio::test]
async fn a_stranger_s_claims_are_text_and_nothing_else() {
    let pid = instance(&[
        (
            "ORCHESTRATOR_HOSTNAME",
            "<script>alert('1' & \"2\")</script>\\0&\n@INSTANCE@",
        ),
        ("ORCHESTRATOR_INSTANCE", "3f9a2c01d2e4"),
    ])
    .await;
    let page = page(pid, "http://[::1]/");
    assert!(!page.contains("<script"), "{page}");
    let escaped = "<dd>&lt;script&gt;alert(&#39;1&#39; &amp; &quot;2&quot;)&lt;/script&gt;\\0&amp;?@INSTANCE@</dd>";
    assert!(page.contains(escaped), "{page}");
    assert!(
        page.contains("<dt>Link</dt><dd>&mdash;</dd>"),
        "what is not known is told as such: {page}"
    );
}

#[tokio::test]
async fn the_key_that_was_built_in_logs_in() {
    let pid = instance(&[]).await;
    let key = &Client::shared().key;
    assert_eq!(said(ssh(pid, key, &[], "id -un && hostname")), "client\nlamp");
    assert_eq!(said(ssh(pid, key, &["-tt"], "tty -s && echo terminal")), "terminal");
    // Whoever is in has no more than the template gave.
    assert_eq!(
        said(ssh(pid, key, &[], "grep CapEff /proc/self/status")),
        "CapEff:\t0000000000000000"
    );
    // The machine is the client's own: what it writes, it serves.
    said(ssh(pid, key, &[], "echo mine >www/index.html"));
    assert_eq!(page(pid, "http://[::1]/"), "mine\n");
}

#[tokio::test]
async fn the_template_s_keys_log_in_and_no_others() {
    let engine = Client::shared().engine;
    let (given, unknown) = (new_key(engine, "given"), new_key(engine, "unknown"));
    let public = fs::read_to_string(given.with_extension("pub")).unwrap();
    let pid = instance(&[("ORCHESTRATOR_SSH_KEYS", &public)]).await;
    assert_eq!(said(ssh(pid, &given, &[], "id -un")), "client");
    let refused = ssh(pid, &unknown, &[], "id -un");
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("Permission denied"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn the_same_inputs_make_the_same_image() {
    let client = Client::shared();
    let place = client.engine.namespace().lab().place("archives").unwrap();
    let key = format!("{}.pub", client.key.display());
    let archives = ["one.tar", "two.tar"].map(|name| place.join(name));
    for archive in &archives {
        build(client.engine, &["--key", &key, "--output", archive.to_str().unwrap()]);
    }
    let [one, two] = archives.map(|archive| fs::read(archive).unwrap());
    assert!(one == two);
}

#[tokio::test]
async fn a_private_key_is_never_built_in() {
    let client = Client::shared();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docker/client/build");
    let refused = run(client.engine, script, &["--key", client.key.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(65));
    assert!(
        str::from_utf8(&refused.stderr).unwrap().contains("is a private key"),
        "{refused:?}"
    );
}
