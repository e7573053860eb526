//! The platform in a box, as `make platform` shows it: real images, the real daemon, a balancer, and visitors.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use orchestrator_lab::Lab;
use orchestrator_lab::platform::{self, Given};
use orchestrator_lab::show::Terminal;

/// The top of the repository.
const TOP: &str = env!("CARGO_MANIFEST_DIR");

/// Builds an image by its script.
fn build(script: &str, version: &str, to: &Path) {
    // The packages of an image are kept between runs, as `make` keeps them.
    let script = Path::new(TOP).join(script);
    let built = Command::new(&script)
        .env("VERSION", version)
        .arg("--output")
        .arg(to)
        .output()
        .unwrap();
    assert!(
        built.status.success(),
        "{}: {}",
        script.display(),
        String::from_utf8_lossy(&built.stderr)
    );
}

#[test]
fn two_applications_are_opened_by_name_and_one_is_replaced_under_load_without_a_failed_request() {
    let lab = Lab::new().unwrap();
    let images = lab.directory().join("images");
    fs::create_dir(&images).unwrap();
    let archive = |name: &str| -> PathBuf { images.join(name) };
    build("docker/balancer/build", "", &archive("balancer.tar"));
    build("examples/python-web/build", "1", &archive("one.tar"));
    build("examples/python-web/build", "2", &archive("two.tar"));
    let given = Given {
        daemon: env!("CARGO_BIN_EXE_orchestrator").into(),
        balancer: archive("balancer.tar"),
        applications: [archive("one.tar"), archive("two.tar")],
        services: Path::new(TOP).join("examples/services"),
        engine: "oci".to_owned(),
    };
    let platform = platform::run(&lab, &given, &Terminal::open("platform")).unwrap();
    platform.check().unwrap();
    drop(platform);
    lab.remove().unwrap();
}
