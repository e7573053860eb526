//! The systemd unit, as systemd reads it.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The unit, with a program that is on this machine in place of the one that is installed.
fn unit() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/orchestrator.service");
    let text = fs::read_to_string(path).unwrap();
    let installed = "ExecStart=/usr/local/bin/orchestrator ";
    assert_eq!(text.matches(installed).count(), 1);
    text.replace(installed, &format!("ExecStart={} ", env!("CARGO_BIN_EXE_orchestrator")))
}

#[test]
fn systemd_accepts_the_unit() {
    let directory = std::env::temp_dir().join(format!("orchestrator-systemd-{}", std::process::id()));
    fs::create_dir(&directory).unwrap();
    let path = directory.join("orchestrator.service");
    fs::write(&path, unit()).unwrap();
    let output = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path).output();
    fs::remove_dir_all(&directory).unwrap();
    let output = output.expect("systemd-analyze runs; the package systemd has it");
    let said = String::from_utf8_lossy(&output.stderr);
    // It also reads units of the machine, which are none of ours.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("orchestrator")).collect();
    assert!(output.status.success() && ours.is_empty(), "{said}");
}
