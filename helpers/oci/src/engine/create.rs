//! Records a container, before anything is made for it.

use std::io;
use std::sync::Arc;

use orchestrator_plugin::{ContainerSpec, File, FileContent, InstanceId};
use orchestrator_plugin_oci::protocol::{Fault, LogBounds, Verb};

use super::entry::Now;
use super::{Entry, Helper, blocking};
use crate::state::{Directory, NetworkRecord, Owner, Record, write_json};

/// A container that is to be made.
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) owner: Option<Owner>,
    pub(super) replaces: Option<String>,
    /// Name or digest of the image.
    pub(super) image: String,
    pub(super) network: NetworkRecord,
    pub(super) spec: ContainerSpec,
    pub(super) log: LogBounds,
}

impl Helper {
    /// Records a container. Nothing is made for it yet. Its image is kept for as long as it is there.
    pub(super) async fn create(&self, plan: Plan) -> Result<Arc<Entry>, Fault> {
        let name = plan.name.clone();
        let failed = |error: io::Error| Fault::failed(Verb::Create, &name, error);
        let instance = plan.owner.as_ref().map(|owner| owner.instance.to_string());
        let random = || InstanceId::random().map_err(failed);
        let reference = match instance {
            Some(instance) => format!("{instance}-{}-{}", plan.owner_name(), random()?),
            None => format!("none-{}-{}", random()?, random()?),
        };
        let image = self.hold_image(&plan.image, &reference).await?;
        let directory = self.0.place.container(&reference);
        let files = plan.spec.files.clone();
        let record = Record {
            name: plan.name,
            owner: plan.owner,
            replaces: plan.replaces,
            created: self.moment(),
            image,
            network: plan.network,
            spec: without_contents(plan.spec),
            log: plan.log,
        };
        let made = directory.clone();
        let written = blocking(Verb::Create, &name, move || write(&made, record, &files)).await;
        let record = match written {
            Ok(record) => record,
            Err(fault) => {
                self.release_image(&reference);
                return Err(fault);
            }
        };
        let entry = Entry::new(directory, record, Now::Created, self.0.commands.each());
        self.index().insert(entry.clone());
        Ok(entry)
    }
}

impl Plan {
    fn owner_name(&self) -> &str {
        self.owner.as_ref().map_or("main", |owner| owner.container.as_str())
    }
}

fn write(directory: &Directory, record: Record, files: &[File]) -> io::Result<Record> {
    let written = directory.make(record.spec.resources.disk).and_then(|()| {
        if !files.is_empty() {
            write_json(&directory.files(), &files)?;
        }
        // The last: a directory without a record is none of a container.
        write_json(&directory.record(), &record)
    });
    match written {
        Ok(()) => Ok(record),
        Err(error) => {
            let _ = super::remove::remove_all(directory);
            Err(error)
        }
    }
}

/// The specification as it is kept: what its files hold may be secret, and is needed once.
fn without_contents(mut spec: ContainerSpec) -> ContainerSpec {
    for file in &mut spec.files {
        file.content = FileContent::Text(String::new());
    }
    spec
}

/// Refuses files whose content is not there.
pub(super) fn check_files(name: &str, spec: &ContainerSpec) -> Result<(), Fault> {
    for file in &spec.files {
        let reason = match (&file.content, file.target.is_absolute()) {
            (FileContent::From(source), _) => format!("{}: its {source} was not read", file.target.display()),
            (_, false) => format!("{}: it is not an absolute path", file.target.display()),
            _ => continue,
        };
        return Err(Fault::refused(Verb::WriteFiles, name, reason));
    }
    Ok(())
}
