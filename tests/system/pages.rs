//! Pages in a real browser: what goes on by itself, what is clicked, and how it looks.
//!
//! With `ORCHESTRATOR_PICTURES=DIRECTORY`, pictures of all pages are left there.

use std::env;
use std::path::PathBuf;

use orchestrator_lab::{Browser, Dhclient, wait_for};

use crate::images::succeeds;
use crate::site::{PATIENCE, PREFIX, Plan, Site};

/// The screens that pages are for, in CSS pixels: a phone, and a desktop.
const SCREENS: [(&str, u32, u32); 2] = [("phone", 390, 844), ("desktop", 1280, 800)];

/// A link with isolation and both addresses. Its instances are web servers at port 80.
fn start(template: &str) -> Site {
    start_on("", template)
}

/// The same with lines for the link.
fn start_on(link: &str, template: &str) -> Site {
    let site = Site::start(&Plan {
        link: format!("isolation = true\n{link}\nfront_door = \"{PREFIX}::d0\"\nportal = \"{PREFIX}::d1\""),
        template: Some(format!(
            "grace = \"1s\"\ncommand = [\"httpd\", \"-f\", \"-p\", \"[::]:80\", \"-h\", \"/www\"]\n{template}"
        )),
        ready: Some("{ tcp = 80, within = \"30s\" }".to_owned()),
        ..Plan::default()
    });
    site.host.sysctl("net.ipv6.conf.all.forwarding", "1").unwrap();
    site
}

fn front_door() -> String {
    format!("http://[{PREFIX}::d0]/")
}

fn portal() -> String {
    format!("http://[{PREFIX}::d1]/")
}

/// The text of the present page, once it has this in it.
fn wait_text(browser: &Browser, part: &str) -> String {
    wait_for(&format!("a page with {part:?}"), PATIENCE, || {
        browser.text().ok().filter(|text| text.contains(part))
    })
}

/// The page fits every screen, light and dark; a picture of each is kept where somebody wants to see them.
fn look_at(browser: &Browser, name: &str) {
    for (screen, width, height) in SCREENS {
        for (light, is_dark) in [("light", false), ("dark", true)] {
            browser.become_screen(width, height, is_dark).unwrap();
            assert!(!browser.is_too_wide().unwrap(), "{name} is too wide for a {screen}");
            if let Some(directory) = env::var_os("ORCHESTRATOR_PICTURES").map(PathBuf::from) {
                browser
                    .picture(&directory.join(format!("{name}-{screen}-{light}.png")))
                    .unwrap();
            }
        }
    }
}

#[test]
fn the_page_at_the_front_door_goes_on_by_itself_to_the_instance() {
    let site = start("");
    let cli = |verb: &str| succeeds(&site.daemon.cli(&[verb]).unwrap());
    cli("pause");
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    client.address(PATIENCE).unwrap();
    let browser = Browser::start(&machine).unwrap();
    // Whoever listens at the front door may just be about to.
    wait_for("an answer at the front door", PATIENCE, || {
        browser.open(&front_door()).ok()
    });
    wait_text(&browser, "This page goes on by itself.");
    look_at(&browser, "waiting");
    cli("resume");
    // Nobody touches the browser.
    assert_eq!(wait_text(&browser, "an instance").trim(), "an instance");
}

#[test]
fn a_client_extends_its_instance_and_starts_it_anew_by_its_page() {
    let site = start(
        "client_may = [\"restart\", \"extend\", \"keys\"]\nlifetime = \"2h\"\nextend_by = \"1h\"\nextend_times = 2",
    );
    let machine = site.machine("client");
    let mut client = Dhclient::boot_with(&machine, "eth0", "send fqdn.fqdn \"annas-phone\";").unwrap();
    let instance = site.wait_ready_for(client.address(PATIENCE).unwrap());
    let browser = Browser::start(&machine).unwrap();
    browser.open(&portal()).unwrap();
    let text = browser.text().unwrap();
    assert!(
        text.contains("It is ready.") && text.contains("This is possible 2 more times."),
        "{text}"
    );
    look_at(&browser, "portal");
    browser.click("form[action='/extend'] button").unwrap();
    wait_text(&browser, "This is possible once more.");
    browser.click("summary").unwrap();
    browser.click("form[action='/restart'] button").unwrap();
    let again = wait_for("another instance", PATIENCE, || {
        let [one] = site.in_phase("ready").try_into().ok()?;
        (one["id"] != instance["id"]).then_some(one)
    });
    assert_eq!(again["address"], instance["address"]);
    // The page has followed by itself, to the new one with its own time.
    wait_text(&browser, "This is possible 2 more times.");
}

#[test]
fn who_has_no_lease_and_who_gets_no_instance_read_why() {
    // Where the packet filter drops what strangers send, they read nothing at all.
    let site = start_on("enforce = false", "");
    let stranger = site.machine("stranger");
    stranger
        .ip(&format!("addr add {PREFIX}::77/64 dev eth0 nodad"))
        .unwrap();
    let browser = Browser::start(&stranger).unwrap();
    wait_for("an answer at the portal", PATIENCE, || browser.open(&portal()).ok());
    wait_text(&browser, "This device is not known here");
    look_at(&browser, "stranger");
    drop(browser);
    // An instance that somebody removed does not come back by itself.
    let machine = site.machine("client");
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let instance = site.wait_ready_for(client.address(PATIENCE).unwrap());
    succeeds(&site.daemon.cli(&["expire", instance["id"].as_str().unwrap()]).unwrap());
    site.wait_none();
    let browser = Browser::start(&machine).unwrap();
    browser.open(&front_door()).unwrap();
    wait_text(&browser, "The time of your machine is over.");
    look_at(&browser, "none");
}
