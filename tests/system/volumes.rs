//! Volumes on a real engine: what is written inside outlives the instance, and goes when its owner's rule or a person says
//! so.

use std::fs;
use std::net::Ipv6Addr;

use orchestrator_lab::{
    Btrfs, Daemon, Dhclient, Engine, Lab, Link, Namespace, Oci, Settings, TEST_IMAGE, TEST_PORT, oci_program, wait_for,
};
use serde_json::{Value, json};

use crate::site::{BINARY, PATIENCE, Plan, Site, address, text};

/// A template with a volume at `/www/data`, and a script that adds a line to a file there and shows the file.
fn template(keep: &str, image: &str) -> String {
    let script =
        "#!/bin/sh\\necho Content-Type: text/plain\\necho\\necho line >> /www/data/file\\ncat /www/data/file\\n";
    format!(
        "grace = \"0s\"\nimage = \"{image}\"\n\
         [[template.default.file]]\ntarget = \"/www/cgi-bin/write\"\nmode = \"0755\"\ntext = \"{script}\"\n\
         [[template.default.volume]]\nname = \"data\"\ntarget = \"/www/data\"\nkeep = {keep}\n"
    )
}

fn plan(keep: &str, image: &str) -> Plan {
    Plan {
        template: Some(template(keep, image)),
        ..Plan::default()
    }
}

/// How many lines the file in the volume has, after one was added.
fn write(machine: &Namespace, server: Ipv6Addr) -> usize {
    let answer = wait_for("the instance to write", PATIENCE, || {
        let answer = machine.get(server, 80, "/cgi-bin/write").ok()?;
        (answer.status == 200).then(|| answer.text())
    });
    answer.lines().filter(|line| *line == "line").count()
}

fn volumes(site: &Site) -> Vec<Value> {
    site.daemon.items("/v1/volumes").unwrap()
}

fn directories(site: &Site) -> Vec<String> {
    let found = fs::read_dir(site.daemon.place().join("volumes")).unwrap();
    found
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn cli(site: &Site, arguments: &[&str]) -> (i32, String) {
    let output = site.daemon.cli(arguments).unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code().unwrap(), said)
}

/// The instance of a client that boots again, as the same client.
fn come_back(site: &Site, machine: &Namespace, client: &mut Dhclient) -> Value {
    *client = Dhclient::boot(machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    site.wait_ready_for(leased)
}

#[test]
fn a_file_outlives_the_instance_its_image_and_the_daemon_and_goes_when_somebody_says_so() {
    // The same image under another name: another image, as far as the template says.
    let other = "orchestrator/test-other";
    let tag = format!("/images/{TEST_IMAGE}/tag?repo={other}&tag=latest");
    assert_eq!(Engine::shared().api("POST", &tag, None).unwrap().status, 201);
    let mut site = Site::start(&plan("\"forever\"", TEST_IMAGE));
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let first = site.wait_ready_for(leased);
    assert_eq!(
        (write(&machine, address(&first)), write(&machine, address(&first))),
        (1, 2)
    );
    let volume = volumes(&site).remove(0);
    let id = text(&volume, "id");
    assert_eq!((&volume["holder"], &volume["name"]), (&first["id"], &json!("data")));
    assert_eq!(directories(&site), [id.as_str()], "it is named after its id alone");
    let mode = |path: &std::path::Path| {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode(&site.daemon.place().join("volumes")), 0o700);
    // A held volume is not removed.
    let (code, said) = cli(&site, &["volume", "rm", &id]);
    assert!(code != 0 && said.contains("holds volume"), "{said}");
    // An export has the file, whoever holds the volume.
    let archive = site.daemon.place().join("export.tar");
    let (code, said) = cli(&site, &["volume", "export", &id[..6], &archive.display().to_string()]);
    assert_eq!(code, 0, "{said}");
    let listed = site
        .host
        .run("tar", &["-xOf", &archive.display().to_string(), "file"])
        .unwrap();
    assert_eq!(listed, "line\nline\n");
    // The same by HTTP, as docs/toolkit.md has it.
    let script = format!(
        r#"curl --silent --fail-with-body --unix-socket {} http://localhost/v1/shell --form line='volume export {id} -' |
            sed -n 's/.*"base64":"\([^"]*\)".*/\1/p' | base64 -d | tar -xOf - file"#,
        site.daemon.socket().display()
    );
    assert_eq!(site.host.run("sh", &["-c", &script]).unwrap(), "line\nline\n");

    // The lease ends, and comes back.
    client.release().unwrap();
    site.wait_none();
    assert_eq!(
        (&volumes(&site)[0]["holder"], directories(&site)),
        (&Value::Null, vec![id.clone()])
    );
    let second = come_back(&site, &machine, &mut client);
    assert_ne!(second["id"], first["id"]);
    assert_eq!(write(&machine, address(&second)), 3);

    // Another image.
    let settings = plan("\"forever\"", other).settings(&site.daemon.place().display().to_string());
    fs::write(site.daemon.place().join("settings.toml"), settings).unwrap();
    assert_eq!(cli(&site, &["reload"]).0, 0);
    client.release().unwrap();
    site.wait_none();
    let third = come_back(&site, &machine, &mut client);
    assert_eq!(third["containers"][0]["image"], other);
    assert_eq!(write(&machine, address(&third)), 4);

    // Another daemon, after a crash.
    site.daemon.kill9();
    site.daemon.resume().unwrap();
    site.daemon.wait_until_ready(PATIENCE).unwrap();
    client.release().unwrap();
    site.wait_none();
    let fourth = come_back(&site, &machine, &mut client);
    assert_eq!(write(&machine, address(&fourth)), 5);

    // It is removed: the next instance gets a new one.
    client.release().unwrap();
    site.wait_none();
    let (code, said) = cli(&site, &["volume", "rm", &id]);
    assert_eq!(
        (code, said.as_str()),
        (0, format!("volume {id} is on its way out\n").as_str())
    );
    wait_for("the volume to be gone", PATIENCE, || {
        (volumes(&site).is_empty() && directories(&site).is_empty()).then_some(())
    });
    let fifth = come_back(&site, &machine, &mut client);
    assert_eq!(write(&machine, address(&fifth)), 1);
    let (_, listed) = cli(&site, &["volume", "ls"]);
    assert!(
        listed.contains(&text(&fifth, "id")) && listed.contains("for ever"),
        "{listed}"
    );
    client.release().unwrap();
    site.wait_none();
    let kinds = site.event_kinds();
    for kind in ["volume-created", "volume-destroyed", "volume-removed"] {
        assert!(kinds.iter().any(|other| other == kind), "{kind}: {kinds:?}");
    }
}

#[test]
fn a_volume_whose_time_is_over_is_removed_with_all_that_an_instance_left_in_it() {
    let site = Site::start(&plan("{ after_lease = \"0s\" }", TEST_IMAGE));
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let instance = site.wait_ready_for(leased);
    assert_eq!(write(&machine, address(&instance)), 1);
    let id = text(&volumes(&site)[0], "id");
    // What an instance may leave: links out of it, and directories that nobody may enter.
    let volume = site.daemon.place().join("volumes").join(&id);
    let outside = site.daemon.place().join("outside");
    fs::write(&outside, "stays").unwrap();
    std::os::unix::fs::symlink(&outside, volume.join("link")).unwrap();
    site.host
        .run("mkdir", &["-p", &volume.join("a/b/c").display().to_string()])
        .unwrap();
    site.host
        .run("chmod", &["000", &volume.join("a/b").display().to_string()])
        .unwrap();
    client.release().unwrap();
    site.wait_none();
    wait_for("the volume to be gone", PATIENCE, || {
        (volumes(&site).is_empty() && directories(&site).is_empty()).then_some(())
    });
    assert_eq!(fs::read_to_string(outside).unwrap(), "stays");
    let kinds = site.event_kinds();
    assert!(kinds.iter().any(|kind| kind == "volume-expired"), "{kinds:?}");
}

#[test]
fn a_volume_is_no_larger_than_its_size_on_a_file_system_that_can_limit_it() {
    let btrfs = Btrfs::mount(true).unwrap();
    let directory = btrfs.path().join("volumes");
    let lab = Lab::new().unwrap();
    let oci = Oci::start(&lab, &oci_program(BINARY.as_ref()).unwrap()).unwrap();
    oci.import_test_image().unwrap();
    let host = lab.namespace("host").unwrap();
    let script = "#!/bin/sh\\necho Content-Type: text/plain\\necho\\n\
                  dd if=/dev/zero of=/www/data/file bs=1M count=12 conv=fsync 2>&1\\necho done\\n";
    let settings = |place: &str| {
        let template = format!(
            "engine = \"oci\"\nready = {{ tcp = {TEST_PORT}, within = \"30s\" }}\ngrace = \"0s\"\n\
             [[template.default.file]]\ntarget = \"/www/cgi-bin/fill\"\nmode = \"0755\"\ntext = \"{script}\"\n\
             [[template.default.volume]]\nname = \"data\"\ntarget = \"/www/data\"\nsize = \"8MiB\"\n"
        );
        let volumes = format!("[volumes]\ndirectory = \"{}\"\n", directory.display());
        let link = Link::new("br0").template(&template);
        Settings::new(place)
            .with(&oci.section(""))
            .with(&volumes)
            .link(link)
            .text()
    };
    let mut daemon = Daemon::start(&host, BINARY.as_ref(), settings).unwrap();
    daemon.wait_until_ready(PATIENCE).unwrap();
    let site = Site { lab, host, daemon };
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let instance = site.wait_ready_for(leased);
    let said = machine.get(address(&instance), 80, "/cgi-bin/fill").unwrap().text();
    assert!(said.contains("quota") && said.contains("done"), "{said}");
    let volume = wait_for("the volume to be measured", PATIENCE, || {
        let volume = volumes(&site).remove(0);
        volume["bytes"].as_u64().filter(|bytes| *bytes > 4 << 20)?;
        Some(volume)
    });
    assert_eq!(
        (&volume["limit"], &volume["not_enforced"]),
        (&json!(8 << 20), &Value::Null)
    );
    let (_, listed) = cli(&site, &["volume", "ls"]);
    assert!(
        listed.contains("8.0 MiB") && !listed.contains("not enforced"),
        "{listed}"
    );
    let settings = site.daemon.place().join("settings.toml").display().to_string();
    let (_, checked) = cli(&site, &["check", "--settings", &settings]);
    assert!(
        checked.contains("the sizes of its volumes are enforced in"),
        "{checked}"
    );

    client.release().unwrap();
    site.wait_none();
    let id = text(&volume, "id");
    let (code, said) = cli(&site, &["volume", "rm", &id]);
    assert_eq!(code, 0, "{said}");
    wait_for("the volume to be gone", PATIENCE, || {
        (volumes(&site).is_empty() && fs::read_dir(&directory).unwrap().next().is_none()).then_some(())
    });
    let subvolumes = btrfs.run(&["subvolume", "list", &btrfs.path().display().to_string()]);
    assert_eq!(subvolumes.unwrap(), "");
}
