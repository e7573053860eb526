//! Chooses things that are not instances by their names and patterns, and asks before more than one is changed.

use serde_json::Value;

use super::api::Api;
use super::failure::Failure;
use super::glob;
use super::local::Local;
use super::page;

/// How many things a question names.
const SHOWN: usize = 10;

/// Whether a verb asks before it changes more than one thing.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct Consent {
    /// Ask nothing, also for more than one
    #[arg(short, long, visible_alias = "yes")]
    pub force: bool,
}

/// A kind of things that have names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The word for one of them: `service`.
    pub one: &'static str,
    /// The word for several: `services`.
    pub several: &'static str,
    /// The command that lists them, without the name of the program.
    pub list: &'static str,
    /// The path of their list in the API.
    pub path: &'static str,
    /// The keys of an item under which its names stand. The first one is the name that the API takes.
    pub keys: &'static [&'static str],
}

/// Services, by name.
pub const SERVICE: Kind = Kind {
    one: "service",
    several: "services",
    list: "services",
    path: "/v1/services",
    keys: &["name"],
};

/// Clients, by id, host name or DUID.
pub const CLIENT: Kind = Kind {
    one: "client",
    several: "clients",
    list: "ls clients",
    path: "/v1/clients",
    keys: &["id", "hostname", "duid", "link_layer"],
};

/// Leases, by address or prefix, link, client or DUID.
pub const LEASE: Kind = Kind {
    one: "lease",
    several: "leases",
    list: "ls leases",
    path: "/v1/leases",
    keys: &["address", "prefix", "leased", "client", "duid", "hostname", "link"],
};

/// Instances that the database does not know, by id.
pub const ORPHAN: Kind = Kind {
    one: "orphan",
    several: "orphans",
    list: "ls orphans",
    path: "/v1/orphans",
    keys: &["id"],
};

/// Tokens, by name.
pub const TOKEN: Kind = Kind {
    one: "token",
    several: "tokens",
    list: "token ls",
    path: "/v1/tokens",
    keys: &["name", "id"],
};

/// Volumes, by id or by the name that their template gives them.
pub const VOLUME: Kind = Kind {
    one: "volume",
    several: "volumes",
    list: "volume ls",
    path: "/v1/volumes",
    keys: &["id", "name"],
};

/// Templates, by name.
pub const TEMPLATE: Kind = Kind {
    one: "template",
    several: "templates",
    list: "template list",
    path: "/v1/templates",
    keys: &["name"],
};

/// Images, by name or id.
pub const IMAGE: Kind = Kind {
    one: "image",
    several: "images",
    list: "image ls",
    path: "/v1/images",
    keys: &["names", "id"],
};

/// Registries, by host.
pub const REGISTRY: Kind = Kind {
    one: "registry",
    several: "registries",
    list: "registry ls",
    path: "/v1/registries",
    keys: &["host"],
};

/// Reservations, by id, address, prefix or link.
pub const RESERVATION: Kind = Kind {
    one: "reservation",
    several: "reservations",
    list: "reservation list",
    path: "/v1/reservations",
    keys: &["id", "address", "prefix", "link", "duid", "link_layer_address"],
};

/// Addresses in quarantine.
pub const QUARANTINE: Kind = Kind {
    one: "address in quarantine",
    several: "addresses",
    list: "quarantine ls",
    path: "/v1/quarantine",
    keys: &["address"],
};

/// Tasks of the daemon, by name.
pub const TASK: Kind = Kind {
    one: "task",
    several: "tasks",
    list: "tasks",
    path: "/v1/tasks",
    keys: &["name"],
};

/// Engines, by name or kind.
pub const ENGINE: Kind = Kind {
    one: "engine",
    several: "engines",
    list: "engines",
    path: "/v1/engines",
    keys: &["name", "kind"],
};

impl Kind {
    /// The failure of a word that means none of them.
    pub fn none(&self, pattern: &str) -> Failure {
        Failure::NoneMatches {
            kind: self.one,
            pattern: pattern.to_owned(),
            list: self.list,
        }
    }

    /// All names of an item.
    pub fn names(&self, item: &Value) -> Vec<String> {
        let mut names = Vec::new();
        for key in self.keys {
            match item.get(key) {
                Some(Value::String(name)) => names.push(name.clone()),
                Some(Value::Array(several)) => {
                    names.extend(several.iter().filter_map(Value::as_str).map(str::to_owned))
                }
                _ => {}
            }
        }
        names
    }

    /// Keeps the items that one of the words means; all of them where there is no word.
    ///
    /// # Errors
    ///
    /// When a word means none of them. `*` may.
    pub fn keep(&self, items: Vec<Value>, words: &[String]) -> Result<Vec<Value>, Failure> {
        self.keep_by(items, words, |item| self.names(item))
    }

    /// The same for items of any type, whose names `names` gives.
    ///
    /// # Errors
    ///
    /// Those of [`keep`](Self::keep).
    pub fn keep_by<T>(
        &self,
        mut items: Vec<T>,
        words: &[String],
        names: impl Fn(&T) -> Vec<String>,
    ) -> Result<Vec<T>, Failure> {
        let fits = |item: &T, word: &str| names(item).iter().any(|name| glob::matches(word, name));
        let idle = |word: &&String| *word != "*" && !items.iter().any(|item| fits(item, word));
        if let Some(word) = words.iter().find(idle) {
            return Err(self.none(word));
        }
        if !words.is_empty() {
            items.retain(|item| words.iter().any(|word| fits(item, word)));
        }
        Ok(items)
    }

    /// The names that the words mean, as [`expand`] has it, of the items in the API's list.
    ///
    /// # Errors
    ///
    /// When a pattern means none, or the API refuses or does not answer.
    pub async fn meant(&self, words: &[String], api: &dyn Api) -> Result<Vec<String>, Failure> {
        if !words.iter().any(|word| glob::is_pattern(word)) {
            return Ok(words.to_vec());
        }
        let items = page::all(api, self.path, &[]).await?;
        let matching = |word: &str| {
            let fits = |item: &&Value| self.names(item).iter().any(|name| glob::matches(word, name));
            let found = items.iter().filter(fits);
            // One that the API has no name for cannot be changed.
            let name = |item: &Value| item.get(*self.keys.first()?)?.as_str().map(str::to_owned);
            found.filter_map(name).collect()
        };
        expand(words, matching, |word| self.none(word))
    }

    /// The same for a verb that changes something. `doing` is what is asked: "remove".
    ///
    /// # Errors
    ///
    /// Those of [`meant`](Self::meant), and those of [`agree`].
    pub async fn meant_to(
        &self,
        doing: &str,
        words: &[String],
        consent: Consent,
        api: &dyn Api,
        local: &dyn Local,
    ) -> Result<Vec<String>, Failure> {
        let meant = self.meant(words, api).await?;
        agree(doing, self.several, words, &meant, consent, local).await?;
        Ok(meant)
    }
}

/// The names that words mean, each once: all that `matching` finds for a pattern, and every other word as it is.
///
/// # Errors
///
/// When a pattern means none: what `none` makes of it.
pub fn expand<F>(
    words: &[String],
    matching: impl Fn(&str) -> Vec<String>,
    none: impl Fn(&str) -> F,
) -> Result<Vec<String>, F> {
    let mut all: Vec<String> = Vec::new();
    for word in words {
        let found = match glob::is_pattern(word) {
            true => matching(word),
            false => vec![word.clone()],
        };
        if found.is_empty() {
            return Err(none(word));
        }
        for name in found {
            if !all.contains(&name) {
                all.push(name);
            }
        }
    }
    Ok(all)
}

/// Asks before a verb changes more than one thing, unless the words name each of them, or the line says yes.
///
/// # Errors
///
/// When somebody says no, or nobody can be asked.
pub async fn agree(
    doing: &str,
    several: &'static str,
    words: &[String],
    meant: &[String],
    consent: Consent,
    local: &dyn Local,
) -> Result<(), Failure> {
    match words.len() == meant.len() && !words.iter().any(|word| glob::is_pattern(word)) {
        true => Ok(()),
        false => ask(doing, several, meant, consent, local).await,
    }
}

/// Asks before a verb changes more than one thing, unless the line says yes.
///
/// # Errors
///
/// When somebody says no, or nobody can be asked.
pub(crate) async fn ask(
    doing: &str,
    several: &'static str,
    meant: &[String],
    consent: Consent,
    local: &dyn Local,
) -> Result<(), Failure> {
    if meant.len() < 2 || consent.force {
        return Ok(());
    }
    let shown: Vec<&str> = meant.iter().take(SHOWN).map(String::as_str).collect();
    let more = match meant.len().saturating_sub(shown.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let question = format!("{doing} {} {several}: {}{more}?", meant.len(), shown.join(", "));
    match local.confirm(&question).await {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::NotWanted),
        None => Err(Failure::NeedsForce {
            doing: doing.to_owned(),
            count: meant.len(),
            several,
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_name_of_a_thing_is_matched_and_a_word_that_means_none_is_said() {
        let items = vec![
            json!({"names": ["web:1", "web:2"], "id": "sha256:aa"}),
            json!({"names": ["db:1"], "id": "sha256:bb"}),
        ];
        let kept = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            IMAGE.keep(items.clone(), &words).map(|kept| kept.len())
        };
        assert_eq!(kept(&[]).unwrap(), 2);
        assert_eq!(kept(&["web:*"]).unwrap(), 1);
        assert_eq!(kept(&["db:1", "sha256:a*"]).unwrap(), 2);
        let failure = kept(&["web:*", "mail:*"]).unwrap_err();
        assert_eq!(
            (failure.to_string().as_str(), failure.code()),
            (
                "no image matches mail:*; `orchestrator image ls` shows those there are",
                3
            )
        );
        assert_eq!(IMAGE.keep(Vec::new(), &["*".to_owned()]).unwrap(), Vec::<Value>::new());
    }
}
