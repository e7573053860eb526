//! Loads the rules: the one place where `nft` runs.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use netlink_sys::Socket;

use super::element::Family;
use super::{Filter, codec, skeleton};
use crate::netfilter::nftables::{GET_RULE, GET_TABLE, SUBSYSTEM};
use crate::netfilter::{Attributes, Message, attributes, dump};
use crate::{NetworkError, thread};

/// Where distributions have it.
const PLACES: [&str; 3] = ["/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"];
const LOADING: &str = "loading the packet filter's rules with nft";

impl Filter {
    /// Whether both tables are there, of this version, with as many rules in each chain as they are to have.
    ///
    /// # Errors
    ///
    /// As [`ensure`](Self::ensure).
    pub async fn is_whole(&self) -> Result<bool, NetworkError> {
        let table = self.table.clone();
        self.socket
            .run("looking for the packet filter's rules", move |socket| {
                for (family, wanted) in Family::ALL.into_iter().zip(skeleton::rules()) {
                    if version_of(socket, &table, family)? != Some(skeleton::version())
                        || rules_of(socket, &table, family)? != wanted
                    {
                        return Ok(false);
                    }
                }
                Ok(true)
            })
            .await
    }

    /// Whether one of both tables is there, of whatever version.
    ///
    /// # Errors
    ///
    /// As [`ensure`](Self::ensure).
    pub async fn is_there(&self) -> Result<bool, NetworkError> {
        let table = self.table.clone();
        self.socket
            .run("looking for the packet filter's tables", move |socket| {
                for family in Family::ALL {
                    if has_table(socket, &table, family)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            })
            .await
    }

    /// Loads the rules in place of those that are there. All sets are empty then.
    pub(super) async fn load(&self) -> Result<(), NetworkError> {
        let text = skeleton::text(&self.table);
        // The child is born into the network namespace of the thread.
        thread::run(&self.network.own, move || run(&text)).await
    }
}

/// Loads the rules in the network namespace of the calling thread, as the tables of no site. They go with the namespace.
pub(crate) fn load_for_a_try() -> Result<(), NetworkError> {
    run(&skeleton::text("try"))
}

/// Has `nft` load constant rules in the network namespace of the calling thread.
pub(crate) fn run(text: &str) -> Result<(), NetworkError> {
    let refused = |source| NetworkError::Refused {
        doing: LOADING.into(),
        source,
    };
    let missing = || NetworkError::NoFilter {
        reason: format!("there is no nft at {}", PLACES.join(", ")),
    };
    let nft = PLACES
        .iter()
        .find(|place| Path::new(place).exists())
        .ok_or_else(missing)?;
    let mut child = Command::new(nft)
        .args(["-f", "-"])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(refused)?;
    // It reads all of its input before it writes anything.
    let written = child.stdin.take().map(|mut input| input.write_all(text.as_bytes()));
    let output = child.wait_with_output().map_err(refused)?;
    if output.status.success() {
        return written.transpose().map(drop).map_err(refused);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().next().unwrap_or_default();
    match first.contains("Operation not permitted") {
        true => Err(NetworkError::NotPermitted { doing: LOADING.into() }),
        // The rules are constant: what does not know them never will.
        false => Err(NetworkError::NoFilter {
            reason: format!("nft refuses the rules ({}): {first}", output.status),
        }),
    }
}

/// Whether there is a table of this name.
pub(crate) fn has_table(socket: &Socket, table: &str, family: Family) -> io::Result<bool> {
    const NAME: u16 = 1;
    let question = Message::new(SUBSYSTEM, GET_TABLE).for_family(family.number()).for_all();
    let mut found = false;
    dump(socket, &question, |body| {
        let name = attributes(body).find(|(kind, _)| *kind == NAME);
        found |= name.is_some_and(|(_, name)| codec::text(name) == table);
    })?;
    Ok(found)
}

/// The comment of a table; `None` when there is none.
pub(crate) fn version_of(socket: &Socket, table: &str, family: Family) -> io::Result<Option<String>> {
    const NAME: u16 = 1;
    const USER_DATA: u16 = 6;
    let question = Message::new(SUBSYSTEM, GET_TABLE).for_family(family.number()).for_all();
    let mut found = None;
    dump(socket, &question, |body| {
        let all: BTreeMap<u16, &[u8]> = attributes(body).collect();
        let named = all.get(&NAME).is_some_and(|name| codec::text(name) == table);
        if let Some(data) = all.get(&USER_DATA).filter(|_| named) {
            // A kind, a length, and the text of the comment.
            found = data.get(2..).map(codec::text);
        }
    })?;
    Ok(found)
}

/// How many rules each chain of a table has.
pub(crate) fn rules_of(socket: &Socket, table: &str, family: Family) -> io::Result<BTreeMap<String, usize>> {
    const CHAIN: u16 = 2;
    let question = Message::new(SUBSYSTEM, GET_RULE)
        .for_family(family.number())
        .for_all()
        .having(Attributes::default().with_text(1, table));
    let mut rules = BTreeMap::new();
    dump(socket, &question, |body| {
        let chain = attributes(body).find(|(kind, _)| *kind == CHAIN);
        if let Some((_, name)) = chain {
            *rules.entry(codec::text(name)).or_default() += 1;
        }
    })?;
    Ok(rules)
}
