use orchestrator_dhcp6::ClassId;

use crate::{Faults, Settings, parse};

const LINK: &str = "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\n\
                    instances = \"fd39::2:0/112\"\n";
const CLASSES: &str = "[[class]]\nname = \"phones\"\nmatch = { user_class = \"phone*\" }\ncaptive_portal = \"https://p\"\n\
                       [[class]]\nname = \"boot\"\nmatch = { architecture = [7, 9] }\ntemplate = \"boot\"\n\
                       [template.boot]\nimage = \"boot\"\n";

fn settings(text: &str) -> Result<Settings, Faults> {
    parse(text, std::iter::empty())
}

fn faults_of(text: &str) -> String {
    settings(text).unwrap_err().to_string()
}

#[test]
fn classes_keep_their_order_and_pools_name_them() {
    let pools = "[[link.class_pool]]\nclass = \"boot\"\npool = \"fd39::3:0/112\"\n\
                 [[link.delegation]]\npool = \"fd40::/48\"\nclass = \"phones\"\n";
    let settings = settings(&format!("{CLASSES}{LINK}{pools}")).unwrap();
    let names: Vec<_> = settings.classes.iter().map(|class| class.name.as_str()).collect();
    assert_eq!(names, ["phones", "boot"]);
    let link = &settings.links[0];
    assert_eq!(link.class_pools[0].class, ClassId(1));
    assert_eq!(link.delegation[0], link.delegation[0].for_class(ClassId(0)));
}

#[test]
fn a_class_goes_before_the_link_and_the_link_before_all() {
    let all = "[options]\ncaptive_portal = \"https://a\"\nboot_file_url = \"tftp://a\"\n";
    let settings = settings(&format!(
        "{all}{CLASSES}{LINK}dns = false\nboot_file_url = \"tftp://b\"\n"
    ))
    .unwrap();
    let link = &settings.links[0];
    let expected = |portal: &str| {
        let mut options = orchestrator_dhcp6::OptionSet::new();
        options.set_captive_portal(portal);
        options.set_boot_file_url("tftp://b");
        options
    };
    assert_eq!(link.options, expected("https://a"));
    assert_eq!(link.classes[0].options, expected("https://p"));
    assert_eq!(link.classes[1].options, expected("https://a"));
}

#[test]
fn the_template_is_the_classs_else_the_links() {
    let of = |lines: &str| {
        let text = format!("{CLASSES}[template.all]\nimage = \"all\"\n{LINK}{lines}");
        let settings = settings(&text).unwrap();
        let template = |class| {
            settings
                .templates_of("br0", class)
                .map(|(name, _)| name.to_owned())
                .next()
        };
        let provides = settings.provides(&settings.links[0]);
        (
            template(None),
            template(Some("phones")),
            template(Some("boot")),
            provides,
        )
    };
    let some = |name: &str| Some(name.to_owned());
    assert_eq!(of("template = \"all\""), (some("all"), some("all"), some("boot"), true));
    assert_eq!(of(""), (None, None, some("boot"), true));
}

#[test]
fn several_templates_are_a_list_and_each_is_named_once() {
    let of = |lines: &str| {
        let text = format!("{CLASSES}[template.web]\nimage = \"w\"\n[template.all]\nimage = \"all\"\n{LINK}{lines}");
        let settings = settings(&text)?;
        let names = |class| -> Vec<String> {
            let templates = settings.templates_of("br0", class);
            templates.map(|(name, _)| name.to_owned()).collect()
        };
        let in_use: Vec<String> = settings.templates_in_use().into_iter().map(str::to_owned).collect();
        Ok::<_, Faults>((names(None), names(Some("boot")), in_use))
    };
    let (link, boot, in_use) = of("template = [\"web\", \"all\"]").unwrap();
    assert_eq!(
        (link, boot),
        (vec!["web".to_owned(), "all".to_owned()], vec!["boot".to_owned()])
    );
    assert_eq!(in_use, ["all", "boot", "web"]);
    let none = of("template = []").unwrap();
    assert_eq!(none.0, Vec::<String>::new());
    for (lines, fault) in [
        (
            "template = [\"web\", \"all\", \"web\"]",
            "link[0].template: names \"web\" twice; a client gets one instance of each template; name it once",
        ),
        (
            "template = [\"web\", 1]",
            "link[0].template[1]: is a whole number, not text in quotes",
        ),
        (
            "template = [\"web\", \"al\"]",
            "link[0].template: there is no template \"al\"",
        ),
    ] {
        let told = of(lines).unwrap_err().to_string();
        assert!(told.contains(fault), "{told}");
    }
}

#[test]
fn a_class_provides_nothing_where_instances_have_no_addresses() {
    let link = LINK.replace("instances = \"fd39::2:0/112\"\n", "");
    let settings = settings(&format!("{CLASSES}{link}")).unwrap();
    assert_eq!(settings.templates_of("br0", Some("boot")).count(), 0);
    assert!(!settings.provides(&settings.links[0]));
}

#[test]
fn faults_tell_what_to_write() {
    for (text, faults) in [
        (
            format!("{LINK}[[link.class_pool]]\nclass = \"phons\"\npool = \"fd39::3:0/112\"\n{CLASSES}"),
            "link[0].class_pool[0].class: there is no class \"phons\"; did you mean \"phones\"?",
        ),
        (
            format!("{LINK}[[link.delegation]]\nclass = \"x\"\npool = \"fd40::/48\""),
            "link[0].delegation[0].class: there is no class \"x\"; describe it under [[class]] with name = \"x\"",
        ),
        (
            format!("{LINK}[[link.class_pool]]\nclass = \"boot\"\npool = \"fd39::1:8000/113\"\n{CLASSES}"),
            "link[0].class_pool[0].pool: fd39::1:8000/113 overlaps the pool fd39::1:0/112; \
             take a range that is in no other pool",
        ),
        (
            format!("{LINK}[[link.class_pool]]\nclass = \"boot\"\npool = \"fd39::2:0/116\"\n{CLASSES}"),
            "link[0].instances: fd39::2:0/112 overlaps the pool fd39::2:0/116; \
             take a range for instances that clients are not given",
        ),
        (
            "[[class]]\nname = \"a\"".to_owned(),
            "class[0].match: has no condition, so that every client would be in the class; \
             give what the clients of the class have in common",
        ),
        (
            "[[class]]\nname = \"A\"\nmatch = { vendor_enterprise = 1 }".to_owned(),
            "class[0].name: \"A\" cannot be the name of a class; \
             take a small letter and then at most 31 small letters, digits, \"-\" and \"_\"",
        ),
        (
            "class = [{ name = \"a\", match = { vendor_enterprise = 1 } }, \
             { name = \"a\", match = { vendor_enterprise = 2 } }]"
                .to_owned(),
            "class[1].name: is the name of an earlier class; give each class a name of its own",
        ),
        (
            "[[class]]\nname = \"a\"\ntemplate = \"b\"\nmatch = { user_class = \"0x0\", link_layer_address = \"2\" }"
                .to_owned(),
            "class[0].match.user_class: \"0x0\" does not have two hexadecimal digits for each byte; \
             write text, or hexadecimal digits like \"0x00ff\"; with \"*\" at its end for what begins like it\n\
             class[0].match.link_layer_address: \"2\" is not hexadecimal bytes; \
             write how it begins, 1 to 20 bytes like \"02:00:5e\"\n\
             class[0].match: has no condition, so that every client would be in the class; \
             give what the clients of the class have in common\n\
             class[0].template: there is no template \"b\"; describe it under [template.b]",
        ),
        (
            "[[class]]\nname = \"a\"\nmatch = { vendor = 1, user_class = \"a\" }".to_owned(),
            "class[0].match.vendor: is not a key that is known here; did you mean \"vendor_class\"?",
        ),
    ] {
        assert_eq!(faults_of(&text), faults);
    }
}
