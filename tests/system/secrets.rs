//! The key file beside a real daemon, and the verbs of `orchestrator secrets`, killed where it hurts.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::process::{Child, Output, Stdio};
use std::thread;
use std::time::Duration;

use orchestrator_lab::wait_for;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor, SqliteConnection};

use crate::site::{BINARY, PATIENCE, Plan, Site, text};

impl Site {
    fn key_file(&self) -> PathBuf {
        self.daemon.place().join("orchestrator.key")
    }

    fn settings_file(&self) -> String {
        self.daemon.place().join("settings.toml").display().to_string()
    }

    /// Runs `orchestrator secrets`.
    fn secrets(&self, arguments: &[&str]) -> Output {
        let settings = self.settings_file();
        let all = [&["secrets", "--settings", &settings][..], arguments].concat();
        self.daemon.cli(&all).unwrap()
    }

    /// What `orchestrator secrets` lists. It fails where the key file does not open it.
    #[track_caller]
    fn listed(&self) -> Value {
        serde_json::from_str(&said(&self.secrets(&["-o", "json"]))).unwrap()
    }

    fn begin_to_rotate_the_key(&self) -> Child {
        let mut command = self.host.command(BINARY);
        command.args(["secrets", "--settings", &self.settings_file(), "rotate-key"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// How many keys the key file holds.
    fn keys(&self) -> usize {
        let text = fs::read_to_string(self.key_file()).unwrap();
        text.lines().filter(|line| line.starts_with("key ")).count()
    }

    /// The condition of the secrets, once the daemon has looked.
    fn secrets_condition(&self) -> Option<Value> {
        let (_, ready) = self.daemon.api("GET", "/v1/ready").ok()?;
        let mut conditions = ready["conditions"].as_array()?.iter();
        let found = conditions.find(|condition| condition["name"] == "secrets")?;
        Some(found.clone()).filter(|found| found["reason"] != "it was not looked for yet")
    }
}

/// What went well, as text.
#[track_caller]
fn said(output: &Output) -> String {
    let [said, complained] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "{said}{complained}");
    said
}

/// What went wrong, as text.
#[track_caller]
fn complained(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn without_templates() -> Plan {
    Plan {
        template: None,
        ..Plan::default()
    }
}

fn check(site: &Site) -> String {
    let settings = site.settings_file();
    let output = site.daemon.cli(&["check", "--settings", &settings]).unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .find(|line| line.starts_with("key file"))
        .unwrap()
        .to_owned()
}

#[test]
fn the_daemon_makes_its_key_once_and_says_when_it_is_gone() {
    let mut site = Site::start(&without_templates());
    let condition = |site: &Site, ok: bool| {
        wait_for("the daemon to look at its key", PATIENCE, || {
            site.secrets_condition().filter(|condition| condition["ok"] == ok)
        })
    };
    condition(&site, true);
    let file = site.key_file();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
    let key = site.listed()["key"].as_str().unwrap().to_owned();
    let line = check(&site);
    assert!(line.contains("there") && line.contains(&key), "{line}");

    site.daemon.stop().unwrap();
    let aside = file.with_extension("aside");
    fs::rename(&file, &aside).unwrap();
    let line = check(&site);
    assert!(
        line.contains("missing") && line.contains("put back a copy") && line.contains(&key),
        "{line}"
    );
    site.daemon.resume().unwrap();
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    let gone = condition(&site, false);
    assert_eq!(gone["needed"], false, "leases go on without it");
    let reason = gone["reason"].as_str().unwrap();
    assert!(reason.contains("is missing") && reason.contains(&key), "{reason}");
    assert!(!file.exists(), "no other key is made");
    let counted = site.daemon.ask("GET", "/metrics").unwrap().text();
    assert!(
        counted.contains("orchestrator_secrets_failures_total{code=\"key-missing\"}"),
        "{counted}"
    );
    complained(&site.secrets(&[]));

    fs::rename(&aside, &file).unwrap();
    condition(&site, true);
    assert_eq!(site.listed()["key"], key.as_str());
}

#[test]
fn a_rotation_beside_the_daemon_may_be_killed_at_any_time() {
    let mut site = Site::start(&without_templates());
    wait_for("the daemon to make its key", PATIENCE, || site.secrets_condition());
    said(&site.secrets(&["rotate-ca"]));
    let authority = site.listed()["authorities"][0]["id"].clone();
    let first = site.listed()["key"].clone();
    for killed_after in 0..20 {
        let mut rotation = site.begin_to_rotate_the_key();
        thread::sleep(Duration::from_millis(killed_after * 4));
        rotation.kill().unwrap();
        rotation.wait().unwrap();
        let listed = site.listed();
        assert_eq!(listed["authorities"][0]["id"], authority);
    }
    // The file is open in nobody's way, and each secret opens: a rotation opens all of them.
    said(&site.secrets(&["rotate-key"]));
    let listed = site.listed();
    assert_ne!(listed["key"], first);
    // The authority, and the key that tokens are recorded with.
    let secrets = listed["secrets"].as_array().unwrap();
    let names: Vec<&str> = secrets.iter().filter_map(|secret| secret["name"].as_str()).collect();
    let of_authority = format!("ca/{}", text(&listed["authorities"][0], "id"));
    assert_eq!(names, [of_authority.as_str(), "token/key"], "{listed}");
    assert!(secrets.iter().all(|secret| secret["key"] == listed["key"]), "{listed}");
    assert_eq!(site.keys(), 1);
    let rotated = said(&site.secrets(&["rotate-ca", "--now"]));
    assert!(rotated.contains("is refused from now on"), "{rotated}");
    let pem = said(&site.secrets(&["ca"]));
    assert_eq!(pem.matches("BEGIN CERTIFICATE").count(), 1);
    // The daemon has found every new key by itself, and finds the last one at its next start.
    site.daemon.stop().unwrap();
    site.daemon.resume().unwrap();
    let condition = wait_for("the daemon to look at its key", PATIENCE, || site.secrets_condition());
    assert_eq!(condition["ok"], true, "{condition}");
}

/// Runs `work` on the daemon's database.
fn on_database(site: &Site, work: impl AsyncFnOnce(&mut SqliteConnection)) {
    let url = format!("sqlite://{}/orchestrator.db", site.daemon.place().display());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        work(&mut connection).await;
        connection.close().await.unwrap();
    });
}

/// Holds the database's write lock while `work` runs.
fn while_nobody_writes(site: &Site, work: impl FnOnce()) {
    on_database(site, async |connection| {
        connection.execute("begin immediate").await.unwrap();
        work();
        connection.execute("rollback").await.unwrap();
    });
}

#[test]
fn a_rotation_that_ends_before_or_behind_its_commit_is_taken_up_again() {
    let mut site = Site::start(&without_templates());
    wait_for("the daemon to make its key", PATIENCE, || site.secrets_condition());
    said(&site.secrets(&["rotate-ca"]));
    site.daemon.stop().unwrap();
    let old = site.listed()["key"].clone();
    // Before the commit: both keys are in the file, the rows are as they were.
    while_nobody_writes(&site, || {
        let mut rotation = site.begin_to_rotate_the_key();
        wait_for("both keys to be in the file", PATIENCE, || {
            (site.keys() == 2).then_some(())
        });
        rotation.kill().unwrap();
        rotation.wait().unwrap();
    });
    assert_eq!(site.listed()["key"], old);
    // Behind it: the rows are sealed anew, and the file still has both.
    let in_the_way = site.key_file().with_extension("key.new");
    let mut rotation = None;
    while_nobody_writes(&site, || {
        let before = fs::metadata(site.key_file()).unwrap().ino();
        rotation = Some(site.begin_to_rotate_the_key());
        // It writes the file once more with both keys, and waits for the database. Its second write meets the directory.
        wait_for("the file to be written", PATIENCE, || {
            (fs::metadata(site.key_file()).unwrap().ino() != before).then_some(())
        });
        fs::create_dir(&in_the_way).unwrap();
    });
    let ended = rotation.unwrap().wait().unwrap();
    assert!(!ended.success(), "the file could not be written behind the commit");
    fs::remove_dir(&in_the_way).unwrap();
    assert_eq!(site.keys(), 2);
    let new = site.listed()["key"].clone();
    assert_ne!(new, old);
    said(&site.secrets(&["rotate-key"]));
    assert_eq!(site.keys(), 1);
    assert!(![old, new].contains(&site.listed()["key"]));
}

/// Runs a statement on the database.
fn execute(site: &Site, statement: &str) {
    on_database(site, async |connection| {
        connection.execute(AssertSqlSafe(statement.to_owned())).await.unwrap();
    });
}

#[test]
fn secrets_are_removed_unless_something_uses_them() {
    let mut site = Site::start(&without_templates());
    let names = |site: &Site| -> Vec<String> {
        let listed = site.listed();
        let all = listed["secrets"].as_array().unwrap().iter();
        all.map(|secret| text(secret, "name").to_owned()).collect()
    };
    let has_key = |site: &Site| {
        wait_for("the key of the tokens", PATIENCE, || {
            names(site).contains(&"token/key".to_owned()).then_some(())
        });
    };
    has_key(&site);
    said(&site.secrets(&["rotate-ca"]));
    let authority = format!("ca/{}", text(&site.listed()["authorities"][0], "id"));
    let tables = said(&site.secrets(&[]));
    for header in ["key file ", "SECRET ", "AUTHORITY "] {
        assert!(tables.lines().any(|line| line.starts_with(header)), "{tables}");
    }
    for name in ["vpn/a", "vpn/b", "vpn/c"] {
        execute(
            &site,
            &format!(
                "insert into secrets (name, sealed, created)
                 select '{name}', sealed, created from secrets where name = 'token/key'"
            ),
        );
    }
    // A pattern that means several asks, and nobody can be asked here.
    let asked = complained(&site.secrets(&["rm", "vpn/*"]));
    assert!(asked.contains("this would remove 3 secrets; say --force"), "{asked}");
    let removed = said(&site.secrets(&["rm", "vpn/a", "vpn/b", "-o", "name"]));
    assert_eq!(removed.lines().collect::<Vec<_>>(), ["vpn/a", "vpn/b"]);
    let missing = site.secrets(&["rm", "vpn/a"]);
    assert_eq!(missing.status.code(), Some(3));
    assert!(complained(&missing).contains("no secret matches vpn/a"));
    // What is used stays, whatever else goes.
    let partly = site.secrets(&["rm", "*", "--force"]);
    assert_eq!(String::from_utf8_lossy(&partly.stdout), "removed vpn/c\n");
    let why = complained(&partly);
    assert!(why.contains("rotate-ca") && why.contains("--used"), "{why}");
    assert_eq!(names(&site), [authority.as_str(), "token/key"]);
    // The key of an authority has a verb of its own.
    assert!(complained(&site.secrets(&["rm", &authority, "--used"])).contains("rotate-ca"));
    let told = said(&site.secrets(&["rm", "token/key", "--used"]));
    assert!(
        told.contains("removed token/key: the tokens of now are refused"),
        "{told}"
    );
    assert_eq!(names(&site), [authority.as_str()]);
    // The daemon makes another one.
    site.daemon.stop().unwrap();
    site.daemon.resume().unwrap();
    has_key(&site);
}

#[test]
fn a_restore_wants_the_key_file_that_was_kept_with_the_backup() {
    let mut site = Site::start(&without_templates());
    wait_for("the daemon to make its key", PATIENCE, || site.secrets_condition());
    said(&site.secrets(&["rotate-ca"]));
    let settings = site.settings_file();
    let file = site.daemon.place().join("backup.jsonl").display().to_string();
    let told = said(&site.daemon.cli(&["backup", "--settings", &settings, &file]).unwrap());
    let key_file = site.key_file().display().to_string();
    assert!(told.contains(&format!("{key_file} (the sealing key")), "{told}");
    site.daemon.stop().unwrap();
    let aside = site.key_file().with_extension("aside");
    fs::rename(site.key_file(), &aside).unwrap();
    let restore = |more: &[&str]| {
        let all = [&["restore", "--settings", &settings, "--force"][..], more, &[&file]].concat();
        site.daemon.cli(&all).unwrap()
    };
    let refused = complained(&restore(&[]));
    assert!(
        refused.contains(&format!("{key_file} is missing")) && refused.contains("--without-secrets"),
        "{refused}"
    );
    let left_out = said(&restore(&["--without-secrets"]));
    assert!(left_out.contains("its secrets were left out"), "{left_out}");
    assert_eq!(site.listed()["authorities"], Value::Array(Vec::new()));
    fs::rename(&aside, site.key_file()).unwrap();
    said(&restore(&[]));
    assert_eq!(site.listed()["authorities"].as_array().unwrap().len(), 1);
    // Who has the key gives nothing up by mistake.
    assert!(complained(&site.secrets(&["discard"])).contains("--force"));
    fs::remove_file(site.key_file()).unwrap();
    said(&site.secrets(&["discard"]));
    site.daemon.resume().unwrap();
    let condition = wait_for("the daemon to make another key", PATIENCE, || site.secrets_condition());
    assert_eq!(condition["ok"], true, "{condition}");
    assert!(site.key_file().exists());
}
