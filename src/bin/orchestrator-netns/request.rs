//! What the daemon asks for: one line.

use std::path::{Path, PathBuf};

/// The length of an id, in hexadecimal digits.
const ID: usize = 12;

/// A request for the namespace of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) verb: Verb,
    site: String,
    instance: String,
}

/// What is to become of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// It is to be there.
    Make,
    /// It is to be gone.
    Remove,
}

impl Request {
    /// Reads `make SITE INSTANCE` or `remove SITE INSTANCE`.
    ///
    /// # Errors
    ///
    /// What is wrong with the line.
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        let words: Vec<&str> = line.split(' ').collect();
        let [verb, site, instance] = words[..] else {
            return Err("a request is a verb, a site and an instance".to_owned());
        };
        let verb = match verb {
            "make" => Verb::Make,
            "remove" => Verb::Remove,
            _ => return Err(format!("{verb:?} is no verb; there are make and remove")),
        };
        Ok(Self {
            verb,
            site: id(site)?,
            instance: id(instance)?,
        })
    }

    /// The directory of its site.
    pub(crate) fn site_in(&self, directory: &Path) -> PathBuf {
        directory.join(&self.site)
    }

    /// The file of the namespace.
    pub(crate) fn path_in(&self, directory: &Path) -> PathBuf {
        self.site_in(directory).join(&self.instance)
    }
}

/// An id is of such a form that it names nothing but a file of its own.
fn id(text: &str) -> Result<String, String> {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    match text.len() == ID && text.bytes().all(digit) {
        true => Ok(text.to_owned()),
        false => Err(format!("{text:?} is no id of {ID} hexadecimal digits")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_a_file_of_its_own() {
        let request = Request::parse("make 0123456789ab ba9876543210").unwrap();
        assert_eq!(request.verb, Verb::Make);
        let path = request.path_in(Path::new("/run/x"));
        assert_eq!(path, Path::new("/run/x/0123456789ab/ba9876543210"));
        assert_eq!(
            Request::parse("remove 0123456789ab ba9876543210").unwrap().verb,
            Verb::Remove
        );
    }

    #[test]
    fn nothing_else_can_be_named() {
        let good = "0123456789ab";
        for line in [
            "",
            "make",
            &format!("make {good}"),
            &format!("make {good} {good} {good}"),
            &format!("mount {good} {good}"),
            &format!("make {good} ../../etc/pa"),
            &format!("make .. {good}"),
            &format!("make {good} 0123456789a/"),
            &format!("make {good} 0123456789aB"),
            &format!("make {good} 0123456789abc"),
            &format!("make  {good} {good}"),
            &format!("make {good} 0123456789a\n"),
        ] {
            assert!(Request::parse(line).is_err(), "{line:?}");
        }
    }
}
