//! `[host]`: the name of this machine among hosts, and its roles.

use super::reader::{Entry, Table};

/// The largest number of roles.
const MOST_ROLES: usize = 32;

/// The name of this machine among hosts, and its roles. Services name both in their `placement`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostSettings {
    /// Its name; `None` for the name that its kernel has.
    pub name: Option<String>,
    /// Its roles, each once.
    pub roles: Vec<String>,
}

impl HostSettings {
    pub(super) fn read(mut table: Table<'_>) -> Self {
        let name = table.take("name").and_then(|entry| entry.parse(REMEDY, parse_host));
        let roles = table.take("roles");
        let role = |entry: Entry<'_>| entry.parse(REMEDY, parse_role);
        let mut roles = roles
            .and_then(|entry| entry.list_of(MOST_ROLES, role))
            .unwrap_or_default();
        roles.sort();
        roles.dedup();
        table.finish();
        Self { name, roles }
    }
}

/// The remedy for a name or a role that cannot be one.
pub const REMEDY: &str = "take at most 63 letters, digits, \"-\", \"_\" and \".\"";

/// Reads a role.
///
/// # Errors
///
/// That it cannot be one. [`REMEDY`] says what can.
pub fn parse_role(text: &str) -> Result<String, String> {
    parse_word(text, "role")
}

/// Reads the name of a host.
///
/// # Errors
///
/// That it cannot be one. [`REMEDY`] says what can.
pub fn parse_host(text: &str) -> Result<String, String> {
    parse_word(text, "host")
}

fn parse_word(text: &str, of: &str) -> Result<String, String> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    match (1..=63).contains(&text.len()) && text.bytes().all(known) {
        true => Ok(text.to_owned()),
        false => Err(format!("{text:?} cannot be the name of a {of}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<HostSettings, String> {
        let settings = crate::parse(text, std::iter::empty());
        settings
            .map(|settings| settings.host)
            .map_err(|faults| faults.to_string())
    }

    #[test]
    fn a_host_has_the_name_and_the_roles_that_are_written() {
        assert_eq!(read("").unwrap(), HostSettings::default());
        let written = read("[host]\nname = \"edge-1.example\"\nroles = [\"public\", \"batch\", \"public\"]").unwrap();
        assert_eq!(written.name.as_deref(), Some("edge-1.example"));
        assert_eq!(written.roles, ["batch", "public"]);
    }

    #[test]
    fn faults_name_their_key() {
        for (bad, key) in [
            ("name = \"a b\"", "host.name"),
            ("name = \"\"", "host.name"),
            ("roles = [\"public\", \"a/b\"]", "host.roles[1]"),
            ("role = \"public\"", "host.role"),
        ] {
            let fault = read(&format!("[host]\n{bad}")).unwrap_err();
            assert!(fault.starts_with(&format!("{key}: ")), "{bad}: {fault}");
        }
    }
}
