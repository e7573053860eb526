//! Client classes: what a client gets goes by what it says it is.

use orchestrator_lab::{Dhclient, TEST_IMAGE, TEST_PORT};

use crate::site::{PATIENCE, Plan, Site, address, text};

#[test]
fn the_template_follows_the_class() {
    let template = format!(
        "grace = \"1s\"\n[template.phone]\nimage = \"{TEST_IMAGE}\"\nmemory = \"64MiB\"\n\
         environment = {{ KIND = \"phone\" }}\nready = {{ tcp = {TEST_PORT}, within = \"30s\" }}\n\
         [[class]]\nname = \"phones\"\ntemplate = \"phone\"\nmatch = {{ user_class = \"phone*\" }}\n"
    );
    let site = Site::start(&Plan {
        template: Some(template),
        ..Plan::default()
    });
    // A user class of one text, "phone7".
    let says = "option dhcp6.our-class code 15 = string;\nsend dhcp6.our-class 00:06:70:68:6f:6e:65:37;";
    for (name, configuration, template, class) in
        [("plain", "", "default", None), ("phone", says, "phone", Some("phones"))]
    {
        let machine = site.machine(name);
        let mut client = Dhclient::boot_with(&machine, "eth0", configuration).unwrap();
        let leased = client.address(PATIENCE).unwrap();
        let instance = site.wait_ready_for(leased);
        assert_eq!(instance["template"], template);
        let shown = site
            .daemon
            .api("GET", &format!("/v1/clients/{}", text(&instance, "client")))
            .unwrap();
        assert_eq!(shown.1["class"].as_str(), class, "{shown:?}");
        assert_eq!(machine.get(address(&instance), TEST_PORT, "/").unwrap().status, 200);
        client.release().unwrap();
    }
}
