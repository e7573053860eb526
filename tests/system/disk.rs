//! What an instance may write.

use orchestrator_lab::{Dhclient, TEST_IMAGE, wait_for};

use crate::site::{PATIENCE, Plan, Site, address, text};

#[test]
fn an_instance_that_wrote_more_than_its_disk_is_removed_with_the_reason() {
    let script = "#!/bin/sh\\necho Content-Type: text/plain\\necho\\n\
                  dd if=/dev/zero of=/www/file bs=1M count=3\\necho done\\n";
    let site = Site::start(&Plan {
        template: Some(format!(
            "grace = \"0s\"\nimage = \"{TEST_IMAGE}\"\ndisk = \"2MiB\"\n\
             [[template.default.file]]\ntarget = \"/www/cgi-bin/fill\"\nmode = \"0755\"\ntext = \"{script}\"\n"
        )),
        ..Plan::default()
    });
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    let instance = site.wait_ready_for(leased);
    let said = machine.get(address(&instance), 80, "/cgi-bin/fill").unwrap().text();
    assert!(said.contains("done"), "{said}");
    let settings = site.daemon.place().join("settings.toml").display().to_string();
    let checked = site.daemon.cli(&["check", "--settings", &settings]).unwrap();
    let checked = String::from_utf8(checked.stdout).unwrap();
    assert!(checked.contains("its `disk` is measured"), "{checked}");
    let detail = wait_for("the instance to be removed", PATIENCE, || {
        let events = site.daemon.items("/v1/events?limit=1000").ok()?;
        let ended = events.into_iter().find(|event| event["kind"] == "instance-destroyed")?;
        Some(text(&ended, "detail"))
    });
    assert!(
        detail.contains("its container main wrote") && detail.contains("allows 2097152"),
        "{detail}"
    );
    site.wait_none();
}
