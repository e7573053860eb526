//! What copies much says at a terminal how much it has copied, and nothing in a pipe.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use orchestrator::store::Store;

use crate::at::AtTerminal;

/// A directory that goes with its case.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("orchestrator-copying-{}-{count}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn a_backup_and_a_restore_show_how_much_is_copied_at_a_terminal_alone() {
    let place = Directory::new();
    let at = |name: &str| place.path().join(name).display().to_string();
    let url = format!("sqlite://{}", at("orchestrator.db"));
    let settings = format!(
        "[store]\nurl = \"{url}\"\nidentity = \"{}\"\n[secrets]\nkey_file = \"{}\"\n",
        at("identity"),
        at("key")
    );
    fs::write(at("settings.toml"), settings).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let store = Store::open_with(&url, &place.path().join("identity")).await.unwrap();
        store.close().await;
    });
    let run = |words: &[&str]| {
        let file = at("settings.toml");
        let words = [words, &["--settings", file.as_str()]].concat();
        let mut terminal = AtTerminal::start(&place.path().join("none.sock"), &words, place.path(), false);
        assert_eq!(terminal.ends(), 0, "{}", terminal.seen());
        terminal.seen()
    };
    let seen = run(&["backup", &at("copy")]);
    assert!(seen.contains("backup: ") && seen.contains("0 services"), "{seen:?}");
    let seen = run(&["restore", "--check", &at("copy")]);
    assert!(
        seen.contains("restore: ") && seen.contains("whole; it holds"),
        "{seen:?}"
    );
    let seen = run(&["restore", "--force", &at("copy")]);
    assert!(seen.contains("restore: ") && seen.contains("restored: "), "{seen:?}");
    // In a pipe nobody sees it.
    let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrator"));
    let output = command
        .args(["backup", &at("again"), "--settings", &at("settings.toml")])
        .output()
        .unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
