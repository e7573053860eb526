//! `orchestrator kv`: reads, sets, removes, lists and watches keys.

use std::time::Duration;

use clap::Subcommand;
use orchestrator_api_types::{KvChange, KvEntry, KvNamespace, KvPage};
use orchestrator_model::{InstanceId, Timestamp};
use serde_json::Value;

use super::ages::age;
use super::api::{CallError, Stream};
use super::choose::{Consent, agree};
use super::failure::Failure;
use super::glob;
use super::page::{self, parse, read};
use super::printable::escape_json;
use super::select::Each;
use super::session::{Output, Session};
use super::sse;
use super::table::{Column, Width, columns};

/// The pause before the next try to reach the daemon.
const PAUSE: Duration = Duration::from_secs(1);
/// Arguments of `kv`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Print the value of a key
    Get {
        /// NAMESPACE/KEY; of a pattern like 'web/*', each key is printed with its value
        path: String,
    },
    /// Set a key
    Put {
        /// NAMESPACE/KEY
        path: String,
        /// Its value
        value: String,
        /// Set it only if it has this version; 0 if there may be no such key
        #[arg(long, value_name = "VERSION")]
        cas: Option<i64>,
        /// Remove it when this instance ends
        #[arg(long, value_name = "ID", conflicts_with = "lease")]
        instance: Option<InstanceId>,
        /// Remove it when this lease ends
        #[arg(long, value_name = "LINK/ADDRESS")]
        lease: Option<String>,
    },
    /// Remove a key, or all keys below a path
    #[command(visible_alias = "remove")]
    Rm {
        /// NAMESPACE/KEY, or NAMESPACE with -r; also a pattern like 'web/lock-*'
        path: String,
        /// Remove all keys at and below the path
        #[arg(short, long)]
        recurse: bool,
        /// Remove it only if it has this version
        #[arg(long, value_name = "VERSION", conflicts_with = "recurse")]
        cas: Option<i64>,
        #[command(flatten)]
        consent: Consent,
    },
    /// List the keys at and below a path, or the namespaces
    #[command(visible_alias = "list")]
    Ls {
        /// NAMESPACE or NAMESPACE/KEY; also a pattern like 'web/*'
        path: Option<String>,
    },
    /// Print changes of the keys at and below a path as they happen
    Watch {
        /// NAMESPACE or NAMESPACE/KEY
        path: String,
    },
}

pub(super) async fn run(args: &Args, session: &mut Session<'_>) -> Result<(), Failure> {
    match &args.verb {
        Verb::Get { path } if glob::is_pattern(path) => get_each(path, session).await,
        Verb::Get { path } => get(path, session).await,
        Verb::Put {
            path,
            value,
            cas,
            instance,
            lease,
        } => {
            let (cas, instance) = (cas.map(|cas| cas.to_string()), instance.map(|id| id.to_string()));
            let query = [("cas", &cas), ("instance", &instance), ("lease", lease)];
            let answer = session.api.put(&at(path, &query), value.clone().into_bytes()).await?;
            let entry: Value = parse(&answer, "a key")?;
            show(&[entry], session)
        }
        Verb::Rm { path, consent, .. } if glob::is_pattern(path) => {
            let meant = matching(path, session).await?;
            let words = std::slice::from_ref(path);
            let names: Vec<String> = meant.iter().map(name_of).collect();
            agree("remove", "keys", words, &names, *consent, session.local).await?;
            remove_each(&names, session).await
        }
        Verb::Rm { path, recurse, cas, .. } => {
            let recurse = recurse.then(|| "true".to_owned());
            let cas = cas.map(|cas| cas.to_string());
            let answer = session
                .api
                .delete(&at(path, &[("recurse", &recurse), ("cas", &cas)]))
                .await?;
            let removed: Value = parse(&answer, "keys")?;
            show(items(&removed), session)
        }
        Verb::Ls { path: Some(path) } if glob::is_pattern(path) => {
            let keys = matching(path, session).await?;
            show(&keys, session)
        }
        Verb::Ls { path: Some(path) } => {
            let answer = session
                .api
                .get(&at(path, &[("keys", &Some("true".to_owned()))]))
                .await?;
            let keys: Value = parse(&answer, "keys")?;
            show(items(&keys), session)
        }
        Verb::Ls { path: None } => {
            let items = page::all(session.api, "/v1/kv", &[]).await?;
            show_namespaces(&items, session)
        }
        Verb::Watch { path } => watch(path, session).await,
    }
}

/// The path of a request for a key. Its slashes stay.
fn at(path: &str, query: &[(&str, &Option<String>)]) -> String {
    let segments: Vec<String> = path.split('/').map(page::encode).collect();
    let given = query
        .iter()
        .filter_map(|(name, value)| Some((*name, value.as_deref()?)));
    page::with_query(&format!("/v1/kv/{}", segments.join("/")), &given.collect::<Vec<_>>())
}

fn items(page: &Value) -> &[Value] {
    page["items"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn name_of(item: &Value) -> String {
    item["path"].as_str().unwrap_or_default().to_owned()
}

/// The keys that a pattern matches, of all namespaces that it may mean.
async fn matching(pattern: &str, session: &Session<'_>) -> Result<Vec<Value>, Failure> {
    let api = session.api;
    let within = pattern.split('/').next().unwrap_or(pattern);
    let namespaces = match glob::is_pattern(within) {
        true => {
            let all = page::all(api, "/v1/kv", &[]).await?;
            let names = all.iter().filter_map(|item| item["name"].as_str().map(str::to_owned));
            names.filter(|name| may_begin(pattern, name)).collect()
        }
        false => vec![within.to_owned()],
    };
    let mut found = Vec::new();
    for namespace in namespaces {
        let answer = api.get(&at(&namespace, &[("keys", &Some("true".to_owned()))])).await?;
        let keys: Value = parse(&answer, "keys")?;
        let fits = |item: &&Value| glob::matches(pattern, &name_of(item));
        found.extend(items(&keys).iter().filter(fits).cloned());
    }
    match found.is_empty() {
        true => Err(Failure::NoneMatches {
            kind: "key",
            pattern: pattern.to_owned(),
            list: "kv ls",
        }),
        false => Ok(found),
    }
}

/// Whether a key of this namespace may match: `*` and `{a,b}` may go over a slash.
fn may_begin(pattern: &str, namespace: &str) -> bool {
    let within = pattern.split('/').next().unwrap_or(pattern);
    within.contains('{') || within.contains('*') || glob::matches(within, namespace)
}

/// Removes each key. A failure does not stop the others; the last failure is the result.
async fn remove_each(names: &[String], session: &mut Session<'_>) -> Result<(), Failure> {
    let mut all = Each::new(names.len());
    let mut removed = Vec::new();
    for name in names {
        let answer = session.api.delete(&at(name, &[])).await.map_err(Failure::from);
        match answer.and_then(|answer| parse::<Value>(&answer, "keys")) {
            Ok(page) => removed.extend(items(&page).iter().cloned()),
            Err(failure) => all.failed(name, failure, session),
        }
    }
    show(&removed, session)?;
    all.end()
}

/// Prints every key that a pattern matches with its value: `web/leader = a`.
async fn get_each(pattern: &str, session: &mut Session<'_>) -> Result<(), Failure> {
    let mut entries: Vec<Value> = Vec::new();
    for item in matching(pattern, session).await? {
        let answer = session.api.get(&at(&name_of(&item), &[])).await?;
        let page: Value = parse(&answer, "a key")?;
        entries.extend(items(&page).iter().cloned());
    }
    if session.output.is_data() {
        return session.print_json(&entries);
    }
    for item in &entries {
        let entry: KvEntry = read(item, "a key")?;
        let value = entry.value.or(entry.base64).unwrap_or_default();
        session.print(&format!("{} = {value}", entry.path))?;
    }
    Ok(())
}

async fn get(path: &str, session: &mut Session<'_>) -> Result<(), Failure> {
    let answer = session.api.get(&at(path, &[])).await?;
    if session.output.is_data() {
        let page: Value = parse(&answer, "a key")?;
        return session.print_json(&page["items"][0]);
    }
    let page: KvPage = parse(&answer, "a key")?;
    for entry in page.items {
        match (entry.value, entry.base64) {
            (Some(text), _) => session.print(&text)?,
            (None, base64) => {
                session.sink.warn("the value is no text; this is its base64");
                session.print(&base64.unwrap_or_default())?;
            }
        }
    }
    Ok(())
}

fn show(items: &[Value], session: &mut Session<'_>) -> Result<(), Failure> {
    if session.output.is_data() {
        return session.print_json(&items);
    }
    let entries = items.iter().map(|item| read(item, "a key"));
    let entries: Vec<KvEntry> = entries.collect::<Result<_, Failure>>()?;
    session.print(&render(&entries, session.now, session.output.width()))
}

/// A table of keys.
fn render(entries: &[KvEntry], now: Timestamp, width: Width) -> String {
    let header = [
        Column::new("KEY").at_most(80),
        Column::new("VERSION"),
        Column::new("BYTES"),
        Column::new("CHANGED"),
        Column::new("BOUND TO"),
    ];
    let row = |entry: &KvEntry| {
        let instance = entry.instance.map(|id| format!("instance {id}"));
        let lease = entry.lease.as_ref().map(|lease| format!("lease {lease}"));
        vec![
            entry.path.clone(),
            entry.version.to_string(),
            entry.size.to_string(),
            format!("{} ago", age(entry.changed, now)),
            instance.or(lease).unwrap_or_default(),
        ]
    };
    columns(&header, entries.iter().map(row).collect::<Vec<_>>(), width)
}

fn show_namespaces(items: &[Value], session: &mut Session<'_>) -> Result<(), Failure> {
    if session.output.is_data() {
        return session.print_json(&items);
    }
    let header = [
        Column::new("NAMESPACE").at_most(64),
        Column::new("KEYS"),
        Column::new("BYTES"),
    ];
    let row = |item| {
        let namespace: KvNamespace = read(item, "a namespace")?;
        Ok(vec![
            namespace.name,
            namespace.keys.to_string(),
            namespace.bytes.to_string(),
        ])
    };
    let rows: Vec<Vec<String>> = items.iter().map(row).collect::<Result<_, Failure>>()?;
    session.print(&columns(&header, rows, session.output.width()))
}

/// Follows the changes for as long as somebody reads. It waits for a daemon that restarts, and misses nothing meanwhile.
async fn watch(path: &str, session: &mut Session<'_>) -> Result<(), Failure> {
    let mut last: Option<String> = None;
    loop {
        match session.api.follow(&at(path, &[("index", &last)])).await {
            Ok(stream) => follow(stream, &mut last, session).await?,
            Err(error @ CallError::Problem(_)) => return Err(error.into()),
            Err(error) => session.warn(&error),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Shows what comes, until the stream ends or is silent.
async fn follow(stream: Stream, last: &mut Option<String>, session: &mut Session<'_>) -> Result<(), Failure> {
    let mut stream = sse::Following::new(stream);
    while let Some(all) = stream.next_or_again(session).await {
        for data in all {
            let item: Value = parse(&data.into(), "a change of a key")?;
            if let Some(index) = item.get("index") {
                *last = Some(index.to_string());
                session
                    .sink
                    .warn("changes were missed, because the timeline has them no more; read the keys again");
                continue;
            }
            let change: KvChange = read(&item, "a change of a key")?;
            *last = Some(change.version.to_string());
            show_change(&item, &change, session)?;
        }
    }
    Ok(())
}

/// One line a change, also in JSON: so it can be read while it is written.
fn show_change(item: &Value, change: &KvChange, session: &mut Session<'_>) -> Result<(), Failure> {
    if matches!(session.output, Output::Json | Output::Yaml) {
        return session.print(&escape_json(&item.to_string()));
    }
    let what = if change.removed { "removed" } else { "set" };
    session.print(&format!("{}  {what:7}  {}  {}", change.at, change.path, change.version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_keep_their_slashes_and_nothing_else() {
        let none = None;
        let version = Some("7".to_owned());
        assert_eq!(at("web/a b/ü", &[("cas", &none)]), "/v1/kv/web/a%20b/%C3%BC");
        assert_eq!(at("web/a?b", &[("cas", &version)]), "/v1/kv/web/a%3Fb?cas=7");
    }

    #[test]
    fn keys_as_a_table() {
        let entry = KvEntry {
            path: "web/leader".to_owned(),
            value: None,
            base64: None,
            size: 3,
            version: 17,
            created: Timestamp(0),
            changed: Timestamp(0),
            instance: None,
            lease: Some("br0/fd39::1".to_owned()),
        };
        let shown = render(&[entry], Timestamp(60_000), Width::Narrow);
        let words: Vec<&str> = shown.lines().last().unwrap().split_whitespace().collect();
        assert_eq!(words[..3], ["web/leader", "17", "3"]);
        assert_eq!(words[words.len() - 2..], ["lease", "br0/fd39::1"]);
    }
}
