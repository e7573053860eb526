//! What a template lets a client do with its instance.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::lease::words;

/// Something that a client may do with its own instance, on its page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientAction {
    /// Have the instance removed and made again.
    Restart,
    /// Put off the end of the instance.
    Extend,
    /// Say which SSH keys may log in.
    Keys,
}

impl ClientAction {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Restart, Self::Extend, Self::Keys];
}

/// By how much a client may extend the time of its instance, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientExtension {
    /// By how much each deadline comes later.
    pub by: Duration,
    /// How often in the life of one instance.
    pub times: u32,
}

words!(ClientAction {
    Restart = "restart",
    Extend = "extend",
    Keys = "keys",
});
