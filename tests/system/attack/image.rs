//! The image of attackers: the test image with Python and the program that tries.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use orchestrator_lab::{Engine, Lab, TEST_PORT, lay_out_test_image};

/// The program; Debian's Python runs it.
pub(super) const PYTHON: &str = "/usr/bin/python3";
/// Where it is inside.
pub(super) const ATTACKER: &str = "/attacker.py";
/// Instances whose processes belong to a user of their own.
pub(super) const AS_USER: &str = "orchestrator/attacker-user";
/// Instances whose processes belong to root.
pub(super) const AS_ROOT: &str = "orchestrator/attacker-root";

/// The text of the program.
pub(super) const SOURCE: &str = include_str!("attacker.py");

/// Makes both images on the shared engine, once.
pub(super) fn import() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| {
        let lab = Lab::new().unwrap();
        let place = lab.directory().to_owned();
        let (root, archive) = (place.join("root"), place.join("image.tar"));
        lay_out_test_image(&root).unwrap();
        fs::write(root.join(&ATTACKER[1..]), SOURCE).unwrap();
        // Python looks for it, and says so where it is missing.
        for file in files() {
            let target = root.join(file.trim_start_matches('/'));
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(&file, target).unwrap();
        }
        let mut tar = lab.command("tar");
        tar.arg("-C").arg(&root).arg("-cf").arg(&archive).arg(".");
        assert!(tar.status().unwrap().success());
        let command = format!(r#"CMD ["httpd", "-f", "-p", "[::]:{TEST_PORT}", "-h", "/www"]"#);
        let engine = Engine::shared();
        engine
            .import_image(&archive, AS_USER, &[&command, "USER 1000:1000"])
            .unwrap();
        engine.import_image(&archive, AS_ROOT, &[&command]).unwrap();
    });
}

/// Python, its libraries, and the modules that the program loads.
fn files() -> Vec<String> {
    let listed =
        "import socket, sys\nprint(*(m.__file__ for m in sys.modules.values() if getattr(m, '__file__', None)))";
    let modules = said(PYTHON, &["-I", "-S", "-c", listed]);
    let libraries = said("ldd", &[PYTHON]);
    let is_path = |word: &&str| word.starts_with('/');
    let mut all = vec![PYTHON.to_owned()];
    for text in [modules, libraries] {
        all.extend(text.split_whitespace().filter(is_path).map(str::to_owned));
    }
    // The decoders that it loads when it starts.
    all.retain(|file| Path::new(file).is_file());
    all
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}
