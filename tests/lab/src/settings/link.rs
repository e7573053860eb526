//! The settings of one link.

use std::fmt::Write as _;

use super::PREFIX;
use super::section::Section;
use crate::TEST_IMAGE;

/// A link, and the template that is its own.
#[derive(Debug, Clone)]
pub struct Link {
    prefix: String,
    section: Section,
    /// Lines of the template named `default`.
    template: Option<Section>,
}

impl Link {
    /// A bridge that the daemon makes, with the prefix [`PREFIX`], and our listener with a pool that no test fills. No
    /// template: a lease gives no instance.
    pub fn new(bridge: &str) -> Self {
        Self::with_prefix(bridge, PREFIX)
    }

    /// The same with another prefix: its first groups.
    pub fn with_prefix(bridge: &str, prefix: &str) -> Self {
        let section = Section::new("[[link]]")
            .text("bridge", bridge)
            .line("create", "true")
            .text("address", &format!("{prefix}::1/64"))
            .text("source", "listener")
            .text("pool", &format!("{prefix}::1:0/112"));
        Self {
            prefix: prefix.to_owned(),
            section,
            template: None,
        }
    }

    /// A link that is elsewhere and reached through relays: it has a name and a prefix, and no bridge.
    pub fn elsewhere(name: &str, prefix: &str) -> Self {
        let section = Section::new("[[link]]")
            .text("name", name)
            .text("prefix", &format!("{prefix}::/64"))
            .text("pool", &format!("{prefix}::1:0/112"));
        Self {
            prefix: prefix.to_owned(),
            section,
            template: None,
        }
    }

    /// The bridge is there; the daemon does not make it.
    pub fn existing(mut self) -> Self {
        self.section = self.section.without("create");
        self
    }

    /// Leases come from another source than our listener, which has the pool then.
    pub fn source(mut self, source: &str) -> Self {
        self.section = self.section.text("source", source).without("pool");
        self
    }

    /// Another pool.
    pub fn pool(mut self, pool: &str) -> Self {
        self.section = self.section.text("pool", pool);
        self
    }

    /// Lines of the link; each replaces the one of its key. Sections of the link may follow the keys.
    pub fn lines(mut self, lines: &str) -> Self {
        self.section = self.section.lines(lines);
        self
    }

    /// What a lease gives: an instance of the test image, at an address of the second /112 of the prefix. Each line
    /// replaces the one of its key.
    pub fn template(mut self, lines: &str) -> Self {
        self.section = self
            .section
            .text("instances", &format!("{}::2:0/112", self.prefix))
            .text("template", "default");
        let template = self.template.take().unwrap_or_else(|| {
            Section::new("[template.default]")
                .text("engine", "docker")
                .text("image", TEST_IMAGE)
                .text("memory", "64MiB")
        });
        self.template = Some(template.lines(lines));
        self
    }

    /// The text.
    pub fn text(&self) -> String {
        let mut text = self.section.to_string();
        if let Some(template) = &self.template {
            // Writing to a text does not fail.
            let _ = write!(text, "{template}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_replaces_the_one_of_its_key() {
        let text = Link::new("br0").lines("pool = \"x\"\nclient_rate = 0\n").text();
        let expected = format!(
            "[[link]]\nbridge = \"br0\"\ncreate = true\naddress = \"{PREFIX}::1/64\"\nsource = \"listener\"\n\
             pool = \"x\"\nclient_rate = 0\n"
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn a_link_with_a_template_has_addresses_for_instances() {
        let text = Link::with_prefix("br1", "fd01")
            .existing()
            .source("dnsmasq")
            .template("image = \"web\"")
            .text();
        let expected = "[[link]]\nbridge = \"br1\"\naddress = \"fd01::1/64\"\nsource = \"dnsmasq\"\n\
                        instances = \"fd01::2:0/112\"\ntemplate = \"default\"\n[template.default]\n\
                        engine = \"docker\"\nimage = \"web\"\nmemory = \"64MiB\"\n";
        assert_eq!(text, expected);
    }
}
