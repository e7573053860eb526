//! Selects instances: by names and patterns, by their numbers, and with a yes for more than one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use orchestrator_api_types::{InstanceView, Owner, Phase};
use orchestrator_model::{Id, parse_lifespan};
use serde_json::Value;

use super::api::Api;
use super::choose::{Consent, ask};
use super::failure::{Failure, LATE};
use super::glob;
use super::page;
use super::resolve::{Kind, resolve};
use super::session::Session;

/// Which of the selected instances are meant.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Numbers {
    /// Only these of them: numbers and ranges, like 0 2-4. A service's instances have the numbers of their slots; others
    /// are counted in the order in which they are listed, from 0
    #[arg(short, long = "instances", value_name = "NUMBER", num_args = 1..)]
    pub(crate) instances: Vec<String>,
}

/// Which of the selected instances are meant, and how something is done to them.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Which {
    #[command(flatten)]
    pub(crate) numbers: Numbers,
    /// Ask nothing, also for more than one instance
    #[arg(short, long, visible_alias = "yes")]
    pub(crate) force: bool,
}

/// Names of instances on a line.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Names {
    /// Instances: SERVICE-SLOT, or the ID, address or host name of an instance or its client, or the beginning of one;
    /// or a pattern over these, like 'web-*'
    #[arg(value_name = "INSTANCE", required = true)]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) which: Which,
}

/// A duration of a line.
pub(crate) fn span(text: &str) -> Result<Duration, String> {
    parse_lifespan(text).map_err(|fault| fault.to_string())
}

/// An instance that was selected.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Selected {
    /// Its id.
    pub(crate) id: Id,
    /// The name that people know it by.
    pub(crate) name: String,
    /// All of it.
    pub(crate) item: Value,
    /// The same as a type.
    pub(crate) view: InstanceView,
}

impl Selected {
    fn read(item: Value) -> Result<Self, Failure> {
        let view: InstanceView = page::read(&item, "an instance")?;
        let name = names(&view).into_iter().next().unwrap_or_default();
        Ok(Self {
            id: view.instance.id,
            name,
            item,
            view,
        })
    }

    /// Its path in the API.
    pub(crate) fn path(&self) -> String {
        format!("/v1/instances/{}", self.id)
    }

    /// The number of its slot, if its owner is a service.
    fn number(&self) -> Option<u32> {
        match self.view.instance.owner {
            Owner::Service(_) => self.view.instance.slot.parse().ok(),
            _ => None,
        }
    }
}

/// The names by which an instance is found. The first is the one that people know it by.
fn names(view: &InstanceView) -> Vec<String> {
    let instance = &view.instance;
    let mut names = Vec::new();
    match &instance.owner {
        Owner::Client(id) => {
            names.extend(view.hostname.clone());
            names.push(instance.id.to_string());
            names.push(id.to_string());
        }
        Owner::Service(name) | Owner::Pool(name) | Owner::Operator(name) => {
            names.push(format!("{name}-{}", instance.slot));
            names.push(instance.id.to_string());
        }
    }
    names.extend(instance.address.map(|address| address.to_string()));
    names
}

/// All live instances, in the order of their names.
///
/// A host name that several instances have stands with the instance's slot or, if that is the same, its id.
pub(crate) async fn all(session: &Session<'_>) -> Result<Vec<Selected>, Failure> {
    listed(session.api).await
}

async fn listed(api: &dyn Api) -> Result<Vec<Selected>, Failure> {
    let items = page::all(api, "/v1/instances", &[]).await?;
    let mut all: Vec<Selected> = items.into_iter().map(Selected::read).collect::<Result<_, Failure>>()?;
    tell_apart(&mut all, |one| format!("{}-{}", one.name, one.view.instance.slot));
    tell_apart(&mut all, |one| one.id.to_string());
    all.sort_by(|a, b| natural(&a.name).cmp(&natural(&b.name)).then(a.id.cmp(&b.id)));
    Ok(all)
}

/// The names of all live instances, for completion.
///
/// # Errors
///
/// When the API refuses or does not answer.
pub(crate) async fn names_of(api: &dyn Api) -> Result<Vec<String>, Failure> {
    Ok(listed(api).await?.into_iter().map(|one| one.name).collect())
}

/// Gives clients' instances that have the same name as others another one. Those of services keep theirs.
fn tell_apart(all: &mut [Selected], other: impl Fn(&Selected) -> String) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for one in all.iter() {
        *counts.entry(one.name.clone()).or_default() += 1;
    }
    for one in all.iter_mut() {
        let is_of_client = matches!(one.view.instance.owner, Owner::Client(_));
        if is_of_client && counts.get(&one.name).is_some_and(|count| *count > 1) {
            one.name = other(one);
        }
    }
}

/// A name so that `web-10` comes after `web-9`.
fn natural(name: &str) -> (String, u64) {
    let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (text, number) = name.split_at(name.len() - digits);
    (text.to_owned(), number.parse().unwrap_or_default())
}

/// The instances that the names mean. Each name means at least one.
///
/// A name is that of a service, or of one of its instances; else it is what a client or an instance goes by. So a client,
/// which chooses its host name, never gets what is meant for a service.
pub(crate) async fn named(names: &[String], session: &Session<'_>) -> Result<Vec<Selected>, Failure> {
    let mut all = all(session).await?;
    let mut chosen: Vec<Id> = Vec::new();
    for text in names {
        let found: Vec<Id> = all.iter().filter(|one| fits(one, text)).map(|one| one.id).collect();
        match found.is_empty() {
            false => chosen.extend(found),
            true if glob::is_pattern(text) || is_of_service(text, session).await? => return Err(none(text.clone())),
            true => {
                let (_, id) = resolve(text, &[(Kind::Instance, &[("all", "true")])], session.api).await?;
                chosen.push(id);
            }
        }
    }
    // Those that are gone are not in the list.
    let missing: Vec<Id> = chosen
        .iter()
        .copied()
        .filter(|id| all.iter().all(|one| one.id != *id))
        .collect();
    for id in missing {
        let item: Value = page::parse(&session.api.get(&format!("/v1/instances/{id}")).await?, "an instance")?;
        all.push(Selected::read(item)?);
    }
    all.retain(|one| chosen.contains(&one.id));
    Ok(all)
}

/// Whether this is the name of a service, or of a slot of one. If it has no instance now, no client's is meant by it.
///
/// An id or an address is none.
pub(crate) async fn is_of_service(text: &str, session: &Session<'_>) -> Result<bool, Failure> {
    if text.parse::<Id>().is_ok() || text.contains(':') {
        return Ok(false);
    }
    let answer: Value = page::parse(&session.api.get("/v1/services").await?, "services")?;
    let names = answer["items"].as_array().into_iter().flatten();
    let is_it = |name: &str| {
        let slot = text.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
        name == text || slot.is_some_and(|slot| slot.bytes().all(|byte| byte.is_ascii_digit()))
    };
    Ok(names.filter_map(|item| item["name"].as_str()).any(is_it))
}

/// Keeps the instances of a list that one of the words means; all of them where there is no word. Its order stays.
pub(crate) fn keep(items: Vec<Value>, words: &[String]) -> Result<Vec<Value>, Failure> {
    if words.is_empty() {
        return Ok(items);
    }
    let all: Vec<Selected> = items.into_iter().map(Selected::read).collect::<Result<_, Failure>>()?;
    let is_meant = |one: &Selected, word: &str| {
        fits(one, word) || names(&one.view).iter().any(|name| name.eq_ignore_ascii_case(word))
    };
    let idle = |word: &&String| *word != "*" && !all.iter().any(|one| is_meant(one, word));
    if let Some(word) = words.iter().find(idle) {
        return Err(none(word.clone()));
    }
    let meant = all
        .into_iter()
        .filter(|one| words.iter().any(|word| is_meant(one, word)));
    Ok(meant.map(|one| one.item).collect())
}

/// The instances that the names mean, also those that are gone: of each slot of a service the last one.
pub(crate) async fn named_also_gone(names: &[String], session: &Session<'_>) -> Result<Vec<Selected>, Failure> {
    match named(names, session).await {
        Err(Failure::NotFound { .. } | Failure::NoneMatches { .. }) => {}
        found => return found,
    }
    let items = page::all(session.api, "/v1/instances", &[("all", "true")]).await?;
    let mut all: Vec<Selected> = items.into_iter().map(Selected::read).collect::<Result<_, Failure>>()?;
    // The last one of a name comes first, and stands for it.
    all.sort_by_key(|one| std::cmp::Reverse((one.view.instance.phase != Phase::Removed, one.view.instance.created)));
    let mut taken = BTreeSet::new();
    // A client's host name stands for nobody else's.
    all.retain(|one| one.number().is_none() || taken.insert(one.name.clone()));
    let mut chosen: Vec<Selected> = Vec::new();
    for text in names {
        let found: Vec<&Selected> = all
            .iter()
            .filter(|one| fits(one, text) || one.id.to_string() == *text)
            .collect();
        match found.is_empty() {
            false => chosen.extend(found.into_iter().cloned()),
            // This says what is wrong with the name.
            true => chosen.extend(named(std::slice::from_ref(text), session).await?),
        }
    }
    chosen.sort_by(|a, b| natural(&a.name).cmp(&natural(&b.name)).then(a.id.cmp(&b.id)));
    chosen.dedup_by_key(|one| one.id);
    Ok(chosen)
}

/// Whether an instance is meant by a pattern, or by the name of its service or its own name within that.
fn fits(one: &Selected, text: &str) -> bool {
    if glob::is_pattern(text) {
        let mut names = names(&one.view);
        names.push(one.name.clone());
        return names.iter().any(|name| glob::matches(text, name));
    }
    match &one.view.instance.owner {
        Owner::Service(name) | Owner::Pool(name) => {
            name == text || format!("{name}-{}", one.view.instance.slot) == text
        }
        Owner::Client(_) | Owner::Operator(_) => false,
    }
}

/// The instances that the names mean, of these the numbers that are wanted.
pub(crate) async fn select(names: &[String], of: &Numbers, session: &Session<'_>) -> Result<Vec<Selected>, Failure> {
    numbered(named(names, session).await?, names, of)
}

/// Of instances the numbers that are wanted.
pub(crate) fn numbered(found: Vec<Selected>, names: &[String], of: &Numbers) -> Result<Vec<Selected>, Failure> {
    if of.instances.is_empty() {
        return Ok(found);
    }
    let wanted = numbers(&of.instances)?;
    let is_wanted = |(place, one): &(usize, Selected)| {
        let number = one.number().unwrap_or(u32::try_from(*place).unwrap_or(u32::MAX));
        wanted.iter().any(|(first, last)| (*first..=*last).contains(&number))
    };
    let chosen: Vec<Selected> = found
        .into_iter()
        .enumerate()
        .filter(is_wanted)
        .map(|(_, one)| one)
        .collect();
    match chosen.is_empty() {
        true => Err(none(format!("{} -i {}", names.join(" "), of.instances.join(" ")))),
        false => Ok(chosen),
    }
}

/// The same for a verb that changes something: more than one instance needs a yes. `doing` is what is asked: "remove".
pub(crate) async fn select_to(
    doing: &str,
    names: &[String],
    which: &Which,
    session: &mut Session<'_>,
) -> Result<Vec<Selected>, Failure> {
    let chosen = select(names, &which.numbers, session).await?;
    let meant: Vec<String> = chosen.iter().map(|one| one.name.clone()).collect();
    if !names_each(names, &chosen) {
        let consent = Consent { force: which.force };
        ask(doing, "instances", &meant, consent, session.local).await?;
    }
    Ok(chosen)
}

/// Whether the line names every instance by itself, so that nobody needs to ask. The name of a service names none.
fn names_each(names: &[String], chosen: &[Selected]) -> bool {
    let is_of_all = |name: &String| {
        let is_owner = |one: &Selected| match &one.view.instance.owner {
            Owner::Service(owner) | Owner::Pool(owner) => owner == name,
            Owner::Client(_) | Owner::Operator(_) => false,
        };
        glob::is_pattern(name) || chosen.iter().any(is_owner)
    };
    names.len() == chosen.len() && !names.iter().any(is_of_all)
}

/// The failure of a word that means no instance.
fn none(pattern: String) -> Failure {
    Failure::NoneMatches {
        kind: "instance",
        pattern,
        list: "grep '*'",
    }
}

/// What became of each of several instances: a failure does not stop the others.
#[derive(Debug)]
pub(crate) struct Each {
    of: usize,
    failed: usize,
    /// How many of those were not done in time.
    late: usize,
    /// The failure of the only instance.
    only: Option<Failure>,
}

impl Each {
    pub(crate) fn of(chosen: &[Selected]) -> Self {
        Self::new(chosen.len())
    }

    /// Of so many things.
    pub(crate) fn new(of: usize) -> Self {
        Self {
            of,
            failed: 0,
            late: 0,
            only: None,
        }
    }

    /// Reports a failure. That of the only instance is the result of the verb.
    pub(crate) fn failed(&mut self, name: &str, failure: Failure, session: &mut Session<'_>) {
        self.failed += 1;
        self.late += usize::from(failure.code() == LATE);
        match self.of {
            1 => self.only = Some(failure),
            _ => session.warn_about(name, &failure),
        }
    }

    /// The result of the verb.
    pub(crate) fn end(self) -> Result<(), Failure> {
        match (self.only, self.failed) {
            (Some(failure), _) => Err(failure),
            (None, 0) => Ok(()),
            (None, failed) => Err(Failure::Some {
                failed,
                of: self.of,
                code: if self.late == failed { LATE } else { 1 },
            }),
        }
    }
}

/// The ranges of numbers on a line: `0 2-4`, also `0,2-4`.
fn numbers(words: &[String]) -> Result<Vec<(u32, u32)>, Failure> {
    let parse = |word: &str| {
        let wrong = || Failure::Usage {
            what: format!("{word:?} is no number and no range of numbers; write it like 0 or 2-4"),
        };
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        let first: u32 = first.parse().map_err(|_| wrong())?;
        let last: u32 = last.parse().map_err(|_| wrong())?;
        (first <= last).then_some((first, last)).ok_or_else(wrong)
    };
    let words = words.iter().flat_map(|word| word.split(','));
    words.filter(|word| !word.is_empty()).map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_ranges_and_nonsense_is_not() {
        let read = |line: &str| numbers(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(read("0 2-4").unwrap(), [(0, 0), (2, 4)]);
        assert_eq!(read("0,7").unwrap(), [(0, 0), (7, 7)]);
        for line in ["x", "4-2", "-1", "1-", "1-2-3"] {
            assert_eq!(read(line).unwrap_err().code(), 2, "{line}");
        }
    }

    #[test]
    fn names_are_in_the_order_of_their_numbers() {
        let mut names = ["web-10", "web-9", "db-0", "web"];
        names.sort_by_key(|name| natural(name));
        assert_eq!(names, ["db-0", "web", "web-9", "web-10"]);
    }
}
