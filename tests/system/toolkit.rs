//! The toolkit with a real engine: commands with their exit codes, a terminal, output, and processes that end and start.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Child;
use std::thread;

use orchestrator_lab::{Dhclient, Pty, wait_for};
use serde_json::Value;

use crate::oci::site;
use crate::site::{BINARY, PATIENCE, Site, text};

/// What a line printed to standard output and error, and its exit code.
fn line(site: &Site, words: &[&str]) -> (String, String, i32) {
    let output = site.daemon.cli(words).unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        text(&output.stdout),
        text(&output.stderr),
        output.status.code().unwrap(),
    )
}

/// A program at a terminal of its own.
struct AtTerminal {
    child: Child,
    pty: Pty,
}

impl AtTerminal {
    fn start(site: &Site, words: &[&str], home: &PathBuf) -> Self {
        let pty = Pty::open(80, 24).unwrap();
        let mut command = site.daemon.command("setsid");
        command
            .args(["--ctty", "--wait", BINARY, "--api"])
            .arg(format!("unix:{}", site.daemon.socket().display()))
            .args(words)
            .env("XDG_STATE_HOME", home)
            .env("TERM", "xterm");
        let child = pty.give(&mut command).unwrap().spawn().unwrap();
        Self { child, pty }
    }

    fn types(&mut self, text: &str) {
        self.pty.types(text).unwrap();
    }

    fn seen(&self) -> String {
        self.pty.seen()
    }

    /// Waits until something was shown.
    fn wait_for(&self, text: &str) {
        wait_for(&format!("{text:?} at the terminal"), PATIENCE, || {
            self.seen().contains(text).then_some(())
        });
    }

    /// Waits for the end of the program, and returns its exit code.
    fn ends(&mut self) -> i32 {
        wait_for("the program to end", PATIENCE, || self.child.try_wait().unwrap())
            .code()
            .unwrap()
    }
}

impl Drop for AtTerminal {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn commands_output_terminals_and_the_shell_reach_what_runs() {
    let (_oci, site) = site("");
    let machines = [site.machine("one"), site.machine("two")];
    let mut clients: Vec<Dhclient> = machines
        .iter()
        .map(|machine| Dhclient::boot(machine, "eth0").unwrap())
        .collect();
    let leased: Vec<_> = clients
        .iter_mut()
        .map(|client| client.address(PATIENCE).unwrap())
        .collect();
    let instances: Vec<Value> = leased.iter().map(|leased| site.wait_ready_for(*leased)).collect();
    let ids: Vec<String> = instances.iter().map(|instance| text(instance, "id")).collect();
    let one = ids[0].as_str();

    // A command is passed on as it is, and so is its exit code.
    let (out, err, code) = line(
        &site,
        &["exec", one, "--", "sh", "-c", "printf 'a\\nb'; echo oops >&2; exit 7"],
    );
    assert_eq!((out.as_str(), err.as_str(), code), ("a\nb", "oops\n", 7));
    assert_eq!(line(&site, &["exec", one, "--", "sh", "-c", "kill -9 $$"]).2, 137);
    let (_, err, code) = line(&site, &["exec", one, "--", "/no/such/program"]);
    assert!(code != 0, "{err}");
    // In both at once: an exit code for each.
    let asks = line(&site, &["exec", "*", "--", "true"]);
    assert_eq!(asks.2, 2, "{asks:?}");
    let both = [
        "exec",
        "*",
        "--force",
        "--",
        "sh",
        "-c",
        "echo here; test \"$(cat /www/id)\" = x",
    ];
    let (out, err, code) = line(&site, &both);
    assert_eq!((out.matches("| here").count(), code), (2, 1), "{out}{err}");
    assert_eq!(err.matches("exit code 1").count(), 2, "{err}");
    // A file goes with it.
    let script = site.daemon.place().join("say.sh");
    fs::write(&script, "#!/bin/sh\necho \"said $1\"\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let file = format!("{}:/say.sh", script.display());
    let (out, err, code) = line(&site, &["exec", one, "--file", &file, "--", "/say.sh", "it"]);
    assert_eq!((out.as_str(), code), ("said it\n", 0), "{err}");
    assert!(site.event_kinds().iter().any(|kind| kind == "instance-exec"));

    the_terminal(&site, one);
    the_log(&site, &ids);
    the_processes(&site, one);
    the_shell(&site, one);

    let words = ["exec", one, "--", "sh", "-c", "echo last words > /proc/1/fd/1"];
    assert_eq!(line(&site, &words).2, 0);
    let (out, err, code) = line(&site, &["kill", "*", "--force"]);
    assert_eq!((out.matches("is gone").count(), code), (2, 0), "{out}{err}");
    let (out, err, code) = line(&site, &["log", one]);
    assert!(out.ends_with("last words\n") && code == 0, "{out:?} {err}");
    for mut client in clients {
        client.release().unwrap();
    }
    site.wait_none();
}

/// A terminal passes keys on, follows the window, and is as it was afterwards.
fn the_terminal(site: &Site, one: &str) {
    let home = site.daemon.place().join("home");
    let mut at = AtTerminal::start(site, &["exec", "-it", one, "sh"], &home);
    let before = at.pty.modes().unwrap();
    at.types("stty size; tty\r");
    at.wait_for("24 80");
    at.wait_for("/dev/pts/");
    at.pty.resize(132, 50).unwrap();
    wait_for("the size to follow", PATIENCE, || {
        at.types("stty size\r");
        thread::sleep(std::time::Duration::from_millis(100));
        at.seen().contains("50 132").then_some(())
    });
    // Ctrl-C ends what runs in the instance, not the verb.
    at.types("echo be''gun; sleep 1000\r");
    // Before that, the line editor of the shell would take the key.
    at.wait_for("\nbegun");
    at.types("\u{3}");
    at.types("exit 5\r");
    assert_eq!(at.ends(), 5);
    let after = at.pty.modes().unwrap();
    assert!(
        after.contains(before) || before.is_empty(),
        "the terminal is as it was: {before:?}, {after:?}"
    );
}

/// Lines of both instances, in order, and as they are written.
fn the_log(site: &Site, ids: &[String]) {
    let write = |id: &str, what: &str| {
        let command = format!("echo {what} > /proc/1/fd/1");
        let (_, err, code) = line(site, &["exec", id, "--", "sh", "-c", &command]);
        assert_eq!(code, 0, "{err}");
    };
    for (id, what) in [(0, "first"), (1, "second"), (0, "third")] {
        write(&ids[id], what);
    }
    let shown = || line(site, &["log", "*"]).0;
    let log = wait_for("all lines", PATIENCE, || {
        Some(shown()).filter(|log| log.contains("third"))
    });
    let place = |word: &str| log.find(word).unwrap_or_else(|| panic!("{word} is not in {log}"));
    assert!(
        place("first") < place("second") && place("second") < place("third"),
        "{log}"
    );
    let home = site.daemon.place().join("home");
    let at = AtTerminal::start(site, &["log", "-f", "*"], &home);
    at.wait_for("third");
    write(&ids[1], "fourth");
    at.wait_for("fourth");
}

/// The processes end and start; the container and its files stay.
fn the_processes(site: &Site, one: &str) {
    let begun = |site: &Site| {
        // The moment at which the first process began, which no other of the container has.
        let (out, err, code) = line(
            site,
            &["exec", one, "--", "sh", "-c", "cut -d' ' -f22 /proc/1/stat; cat /kept"],
        );
        assert_eq!(code, 0, "{err}");
        let (begun, kept) = out.split_once('\n').unwrap();
        (begun.to_owned(), kept.trim().to_owned())
    };
    line(site, &["exec", one, "--", "sh", "-c", "echo this > /kept"]);
    let before = begun(site);
    let (out, err, code) = line(site, &["reset", one]);
    assert_eq!(code, 0, "{out}{err}");
    let after = begun(site);
    assert!(after.0 != before.0 && after.1 == "this", "{before:?} {after:?}");
    let (out, err, code) = line(site, &["off", one]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(line(site, &["grep", one]).0.contains("off"));
    let (_, err, code) = line(site, &["exec", one, "--", "true"]);
    assert!(code == 1 && err.contains("run"), "{err}");
    let (out, err, code) = line(site, &["on", one]);
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(begun(site).1, "this");
    let (out, err, code) = line(site, &["poll", one, "-o", "json"]);
    let used: Value = serde_json::from_str(&out).unwrap();
    assert!(code == 0 && used[0]["memory"].as_u64().unwrap() > 0, "{out}{err}");
}

/// Lines at a prompt: completion, Ctrl-C, history.
fn the_shell(site: &Site, one: &str) {
    let home = site.daemon.place().join("home");
    let mut at = AtTerminal::start(site, &["shell"], &home);
    at.wait_for("orchestrator> ");
    at.types(&format!("exec {} -- echo complete\r", &one[..11]));
    at.wait_for("complete");
    // The name is completed from the daemon.
    at.types(&format!("exec {}\t", &one[..11]));
    at.types(" -- sh -c 'echo com''pleted; sleep 1000'\r");
    at.wait_for("\ncompleted");
    // Ctrl-C ends the line only.
    at.types("\u{3}");
    at.types("ls -o name\r");
    at.wait_for(&format!("\n{one}"));
    at.types("nonsense\r");
    at.wait_for("unrecognized subcommand");
    at.types("exit\r");
    assert_eq!(at.ends(), 2, "the code of the last line");
    let file = home.join("orchestrator/history");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::read_to_string(&file).unwrap().contains("echo complete"));
}
