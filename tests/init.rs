//! A project that `orchestrator init` lays out builds an image, the same one each time.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn succeeds(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn a_project_builds_the_same_image_each_time() {
    let place = std::env::temp_dir().join(format!("orchestrator-init-{}", std::process::id()));
    fs::create_dir(&place).unwrap();
    let made = Command::new(env!("CARGO_BIN_EXE_orchestrator"))
        .args(["init", "web", "--name", "shop", "--port", "8080", "--within"])
        .arg(&place)
        .output()
        .unwrap();
    assert!(succeeds(&made).contains("shop is laid out"));
    let build = |archive: &Path| {
        let built = Command::new(place.join("shop/build"))
            .arg("--output")
            .arg(archive)
            .output()
            .unwrap();
        assert!(succeeds(&built).contains("shop:1: written to"));
        fs::read(archive).unwrap()
    };
    assert!(
        build(&place.join("one.tar")) == build(&place.join("two.tar")),
        "the same files, another image"
    );
    fs::remove_dir_all(&place).unwrap();
}
