//! One section of settings: a head, its keys, and what follows them.

use std::fmt;

/// A section. A key that is given again takes the place of the one before.
#[derive(Debug, Clone)]
pub(super) struct Section {
    head: &'static str,
    /// Keys and their values as TOML.
    keys: Vec<(String, String)>,
    /// Sections inside of it.
    inside: String,
}

impl Section {
    pub(super) fn new(head: &'static str) -> Self {
        Self {
            head,
            keys: Vec::new(),
            inside: String::new(),
        }
    }

    /// A key with a value as TOML.
    pub(super) fn line(mut self, key: &str, value: &str) -> Self {
        match self.keys.iter_mut().find(|(known, _)| known == key) {
            Some((_, before)) => *before = value.to_owned(),
            None => self.keys.push((key.to_owned(), value.to_owned())),
        }
        self
    }

    /// A key with a text.
    pub(super) fn text(self, key: &str, value: &str) -> Self {
        self.line(key, &format!("\"{value}\""))
    }

    /// Takes a key out.
    pub(super) fn without(mut self, key: &str) -> Self {
        self.keys.retain(|(known, _)| known != key);
        self
    }

    /// Lines of TOML: keys, and after them any sections inside of this one.
    pub(super) fn lines(mut self, lines: &str) -> Self {
        let inside = lines.lines().position(|line| line.trim_start().starts_with('['));
        let keys = inside.unwrap_or(usize::MAX);
        let mut last: Option<String> = None;
        for line in lines.lines().take(keys).filter(|line| !line.trim().is_empty()) {
            match (line.split_once(" = "), &last) {
                (Some((key, value)), _) if is_key(key.trim()) => {
                    self = self.line(key.trim(), value);
                    last = Some(key.trim().to_owned());
                }
                // A value that goes on.
                (_, Some(key)) => {
                    if let Some((_, value)) = self.keys.iter_mut().find(|(known, _)| known == key) {
                        value.push('\n');
                        value.push_str(line);
                    }
                }
                (_, None) => self.inside.push_str(line),
            }
        }
        for line in lines.lines().skip(keys) {
            self.inside.push_str(line);
            self.inside.push('\n');
        }
        self
    }
}

fn is_key(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.head)?;
        for (key, value) in &self.keys {
            writeln!(f, "{key} = {value}")?;
        }
        f.write_str(&self.inside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_given_again_takes_the_place_of_the_one_before() {
        let section = Section::new("[a]")
            .line("x", "1")
            .text("y", "one")
            .lines("x = 2\nz = [\n  3,\n]");
        assert_eq!(section.to_string(), "[a]\nx = 2\ny = \"one\"\nz = [\n  3,\n]\n");
        assert_eq!(
            section.without("y").lines("[a.b]\nx = 9").to_string(),
            "[a]\nx = 2\nz = [\n  3,\n]\n[a.b]\nx = 9\n"
        );
    }
}
