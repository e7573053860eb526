//! Users of a container, as its own files name them.

use std::io;
use std::path::Path;

use super::Root;

/// More than any file of users should have, in bytes.
const LARGEST: u64 = 4 << 20;

/// The numbers behind a user's name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct User {
    /// Number of the user.
    pub(crate) uid: u32,
    /// Number of the group.
    pub(crate) gid: u32,
    /// Numbers of the other groups.
    pub(crate) groups: Vec<u32>,
    /// The home directory, where one is known.
    pub(crate) home: Option<String>,
}

impl User {
    /// Looks a user up: `name`, `number`, either with `:group` or `:number`. Empty is root.
    ///
    /// # Errors
    ///
    /// The name that the container does not know.
    pub(crate) fn find(root: &Root, text: &str) -> io::Result<Result<Self, String>> {
        let file = |path| -> io::Result<String> {
            let bytes = root.read(Path::new(path), LARGEST)?.unwrap_or_default();
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        Ok(look_up(&file("/etc/passwd")?, &file("/etc/group")?, text))
    }
}

fn look_up(passwd: &str, group: &str, text: &str) -> Result<User, String> {
    let (name, group_name) = match text.split_once(':') {
        Some((name, group)) => (name, Some(group)),
        None => (text, None),
    };
    let name = if name.is_empty() { "0" } else { name };
    let entry = passwd.lines().map(fields).find(|fields| {
        let number = name.parse::<u32>().ok();
        fields.first() == Some(&name) || number.is_some() && fields.get(2).and_then(|uid| uid.parse().ok()) == number
    });
    let of_entry = |place: usize| entry.as_ref().and_then(|fields| fields.get(place).copied());
    let uid = of_entry(2).or(Some(name)).and_then(|uid| uid.parse().ok());
    let uid = uid.ok_or_else(|| format!("the container has no user {name:?} in /etc/passwd"))?;
    let mut user = User {
        uid,
        gid: of_entry(3).and_then(|gid| gid.parse().ok()).unwrap_or_default(),
        groups: Vec::new(),
        home: of_entry(5).filter(|home| home.starts_with('/')).map(str::to_owned),
    };
    match group_name {
        Some(wanted) => {
            let found = group.lines().map(fields).find(|fields| fields.first() == Some(&wanted));
            let gid = found
                .and_then(|fields| fields.get(2).copied())
                .unwrap_or(wanted)
                .parse();
            user.gid = gid.map_err(|_| format!("the container has no group {wanted:?} in /etc/group"))?;
        }
        None => {
            let member = of_entry(0).unwrap_or(name);
            let others = group.lines().map(fields).filter(|fields| {
                fields
                    .get(3)
                    .is_some_and(|members| members.split(',').any(|name| name == member))
            });
            user.groups = others.filter_map(|fields| fields.get(2)?.parse().ok()).collect();
        }
    }
    Ok(user)
}

fn fields(line: &str) -> Vec<&str> {
    line.split(':').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nweb:x:101:102::/srv/web:/bin/sh\nbroken\n";
    const GROUP: &str = "root:x:0:\nweb:x:102:\nlog:x:4:web,root\nnumbers:x:x:web\n";

    fn user(uid: u32, gid: u32, groups: &[u32], home: Option<&str>) -> User {
        User {
            uid,
            gid,
            groups: groups.to_vec(),
            home: home.map(str::to_owned),
        }
    }

    #[test]
    fn names_and_numbers_are_looked_up() {
        let find = |text| look_up(PASSWD, GROUP, text);
        assert_eq!(find(""), Ok(user(0, 0, &[4], Some("/root"))));
        assert_eq!(find("web"), Ok(user(101, 102, &[4], Some("/srv/web"))));
        assert_eq!(find("101"), Ok(user(101, 102, &[4], Some("/srv/web"))));
        assert_eq!(find("web:log"), Ok(user(101, 4, &[], Some("/srv/web"))));
        assert_eq!(find("7:8"), Ok(user(7, 8, &[], None)), "numbers need no entry");
        assert!(find("nobody").unwrap_err().contains("nobody"));
        assert!(find("web:nowhere").unwrap_err().contains("nowhere"));
        assert_eq!(look_up("", "", ""), Ok(user(0, 0, &[], None)), "root needs no entry");
    }
}
