//! The text of a daemon's settings, made of named pieces. What most tests need is the default.
//!
//! ```
//! use orchestrator_lab::{Link, Settings};
//!
//! let text = Settings::new("/tmp/place")
//!     .engine("unix:///tmp/docker.sock")
//!     .link(Link::new("br0").lines("client_rate = 0").template("grace = \"1s\""))
//!     .text();
//! assert!(text.contains("pool = \"fd39:9706:2786:6333::1:0/112\""));
//! ```

mod link;
mod section;

pub use link::Link;

use section::Section;

/// The prefix of a test's first link, but for its last groups.
pub const PREFIX: &str = "fd39:9706:2786:6333";

/// The settings of one daemon.
#[derive(Debug, Clone)]
pub struct Settings {
    place: String,
    /// Lines before the first section.
    top: String,
    store: Section,
    api: Section,
    /// All other sections, in the order in which they were given.
    more: String,
}

impl Settings {
    /// A daemon that keeps its state in the directory `place`: a SQLite file and its identity. Its API listens on
    /// `api.sock` there, which is where [`Daemon`](crate::Daemon) asks it.
    pub fn new(place: &str) -> Self {
        let store = Section::new("[store]")
            .text("url", &format!("sqlite://{place}/orchestrator.db"))
            .text("identity", &format!("{place}/orchestrator.identity"));
        let api = Section::new("[api]").line("listen", &format!("[\"unix:{place}/api.sock\"]"));
        Self {
            place: place.to_owned(),
            top: String::new(),
            store,
            api,
            more: String::new(),
        }
    }

    /// Another database; its identity stays in the daemon's directory.
    pub fn store(mut self, url: &str) -> Self {
        self.store = self.store.text("url", url);
        self
    }

    /// Lines for `[api]`; each replaces the one of its key.
    pub fn api(mut self, lines: &str) -> Self {
        self.api = self.api.lines(lines);
        self
    }

    /// The Docker engine at this URL.
    pub fn engine(self, url: &str) -> Self {
        self.with(&format!("[engine.docker]\nhost = \"{url}\""))
    }

    /// A directory of its own for events that dnsmasq could not hand over.
    pub fn spool(self) -> Self {
        let spool = format!("[source.dnsmasq]\nspool = \"{}/spool\"", self.place);
        self.with(&spool)
    }

    /// A link, after those that were given before.
    pub fn link(self, link: Link) -> Self {
        let text = link.text();
        self.with(&text)
    }

    /// Further sections as they are, after those that were given before.
    pub fn with(mut self, sections: &str) -> Self {
        self.more.push_str(sections);
        self.more.push('\n');
        self
    }

    /// Lines that are in no section.
    pub fn top(mut self, lines: &str) -> Self {
        self.top.push_str(lines);
        self.top.push('\n');
        self
    }

    /// The text.
    pub fn text(&self) -> String {
        [
            self.top.as_str(),
            &self.store.to_string(),
            &self.api.to_string(),
            &self.more,
        ]
        .concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_a_daemon_with_its_state_in_its_directory() {
        let text = Settings::new("/p").text();
        let expected = "[store]\nurl = \"sqlite:///p/orchestrator.db\"\nidentity = \"/p/orchestrator.identity\"\n\
                        [api]\nlisten = [\"unix:/p/api.sock\"]\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn pieces_come_in_the_order_in_which_they_were_given() {
        let text = Settings::new("/p")
            .with("[log]\nlevel = \"warn\"")
            .store("postgres:///x")
            .api("group = \"games\"")
            .top("colour = \"blue\"")
            .link(Link::new("br0"))
            .text();
        let places = [
            "colour = ",
            "url = \"postgres:///x\"",
            "identity = ",
            "listen = ",
            "group = ",
            "[log]",
            "[[link]]",
        ];
        let at: Vec<_> = places.iter().map(|piece| text.find(piece).unwrap()).collect();
        assert!(at.is_sorted(), "{text}");
        assert!(!text.contains("sqlite"), "{text}");
    }
}
