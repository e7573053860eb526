//! Settings that cannot be right end the daemon before it touches anything.

use std::fs;
use std::process::Command;

use orchestrator_lab::Lab;

use crate::site::BINARY;

const WRONG: &str = r#"
[store]
url = "sqlite:///tmp/never-made.db"
[[link]]
bridge = "br0"
adress = "fd00::1/64"
address = "fd00::1/64"
pool = "fd01::/112"
instances = "fd00::2:0/112"
template = "defualt"
[template.default]
image = "orchestrator/client"
"#;

#[test]
fn all_faults_are_told_together_and_nothing_is_touched() {
    let lab = Lab::new().unwrap();
    let file = lab.directory().join("settings.toml");
    fs::write(&file, WRONG).unwrap();
    for verb in ["serve", "check"] {
        let output = Command::new(BINARY)
            .args([verb, "--settings"])
            .arg(&file)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "{said}");
        for part in [
            "link[0].adress",
            "address",
            "link[0].pool",
            "link[0].template",
            "default",
        ] {
            assert!(said.contains(part), "{verb} does not speak of {part}: {said}");
        }
    }
    assert!(!fs::exists("/tmp/never-made.db").unwrap());
}
