//! What is done to containers by hand, whoever's they are: by their reference, without a mark.

use std::sync::Arc;

use orchestrator_plugin::{ContainerSpec, SiteId};
use orchestrator_plugin_oci::protocol::{Fault, FoundAnswer, LogBounds, Target, Verb};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use super::create::{Plan, check_files};
use super::{Entry, Helper, blocking};
use crate::state::{NetworkRecord, Owner, write_json};

/// What is to be done to the container of a reference.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Act {
    /// Its first process is killed.
    Kill,
    /// It is started.
    Start,
    /// It is frozen.
    Pause,
    /// It is removed, whatever it does.
    Remove,
    /// It gets this name.
    Rename(String),
    /// It is copied under this name with its mark, and the copy is started. The answer is the copy's reference.
    Copy(String),
}

/// A container that is made by hand, and not started.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ByHand {
    /// Its name.
    pub(crate) name: String,
    /// Its mark, if it is to bear one.
    pub(crate) mark: Option<(SiteId, Target)>,
    /// What it is to be.
    pub(crate) spec: ContainerSpec,
}

/// A container as it is listed for people.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Listed {
    /// Its name.
    name: String,
    /// Its image, as it was asked for.
    image: String,
    /// Whose it is.
    site: Option<SiteId>,
    /// Everything else.
    #[serde(flatten)]
    found: FoundAnswer,
}

impl Helper {
    /// Makes a container, and does not start it. Returns its reference.
    pub(crate) async fn create_by_hand(&self, request: ByHand) -> Result<String, Fault> {
        check_files(&request.name, &request.spec)?;
        let image = request.spec.image.clone();
        self.check_name(&request.name)?;
        let owner = request.mark.map(|(site, target)| Owner {
            site,
            instance: target.instance,
            container: target.name,
        });
        let plan = Plan {
            name: request.name,
            owner,
            replaces: None,
            image,
            network: NetworkRecord::Own,
            spec: request.spec,
            log: LogBounds::default(),
        };
        Ok(self.create(plan).await?.reference.clone())
    }

    /// Does something to the container of a reference. Returns the reference of what came of it.
    pub(crate) async fn act(&self, reference: &str, act: Act) -> Result<String, Fault> {
        let entry = self.index().by_reference(reference);
        let entry = entry.ok_or_else(|| Fault::not_running(Verb::Find, reference))?;
        let _turn = self.turn_of(&entry).await;
        match act {
            Act::Kill => match entry.alive() {
                Some(alive) => self.send(&entry, &alive, Signal::KILL)?,
                None => return Err(Fault::not_running(Verb::Stop, reference)),
            },
            Act::Start if entry.alive().is_some() => self.thaw(&entry)?,
            Act::Start => drop(self.start(&entry, None).await?),
            Act::Pause => self.freeze(&entry).await?,
            Act::Remove => self.remove_entry(&entry).await?,
            Act::Rename(name) => self.rename(&entry, name).await?,
            Act::Copy(name) => return self.copy(&entry, name).await,
        }
        Ok(reference.to_owned())
    }

    /// Every container that there is, whoever's it is, the oldest first.
    pub(crate) fn all(&self) -> Vec<Listed> {
        let entries = self.index().all();
        let listed = |entry: &Arc<Entry>| {
            let record = entry.record();
            Listed {
                name: record.name.clone(),
                image: record.spec.image.clone(),
                site: record.owner.as_ref().map(|owner| owner.site),
                found: self.found(entry),
            }
        };
        entries.iter().map(listed).collect()
    }

    /// Whether there is a container of this reference.
    pub(crate) fn has(&self, reference: &str) -> bool {
        self.index().by_reference(reference).is_some()
    }

    async fn rename(&self, entry: &Arc<Entry>, name: String) -> Result<(), Fault> {
        self.check_name(&name)?;
        let mut record = entry.record().as_ref().clone();
        record.name = name.clone();
        let (path, written) = (entry.directory.record(), record.clone());
        blocking(Verb::Rename, &name, move || write_json(&path, &written)).await?;
        let mut index = self.index();
        index.remove(entry);
        entry.set_record(record);
        index.insert(entry.clone());
        Ok(())
    }

    async fn copy(&self, entry: &Arc<Entry>, name: String) -> Result<String, Fault> {
        self.check_name(&name)?;
        let record = entry.record().as_ref().clone();
        let plan = Plan {
            name,
            owner: record.owner,
            replaces: record.replaces,
            // By its digest: the name may mean another image by now.
            image: record.image.digest,
            network: record.network,
            spec: record.spec,
            log: record.log,
        };
        let copy = self.create(plan).await?;
        self.start(&copy, None).await?;
        Ok(copy.reference.clone())
    }

    fn check_name(&self, name: &str) -> Result<(), Fault> {
        match self.index().has_name(name) {
            true => Err(Fault::refused(Verb::Create, name, "a container of that name is there")),
            false => Ok(()),
        }
    }
}
