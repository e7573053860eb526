//! What this program can see and mend by itself while no daemon answers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use futures_util::future::join_all;
use orchestrator_api_types::{Doctor, Mended};
use orchestrator_catalog::{Declared, facts_of_others};
use orchestrator_doctor::{
    DaemonFacts, DaemonState, DatabaseFacts, EngineFacts, Fact, Facts, Fix, MachineRequest, OtherFacts, PolicyFacts,
    Wanted, diagnose, examine_engine, examine_images, examine_machine, mend_machine,
};
use orchestrator_model::{Clock, Id, Mark};
use orchestrator_network::{Network, RouteMark};
use orchestrator_runtime::causes::with_causes;
use orchestrator_settings::Settings;
use orchestrator_store::{Found, Store, StoreError};

use crate::check::SettingsFile;
use crate::failure::Failure;

/// The root of the files of this machine.
const ROOT: &str = "/";

/// Examines what can be seen without a daemon, and mends the machine's own settings if that is wanted. `reason` says how
/// asking the daemon failed.
pub(super) async fn examine(file: &SettingsFile, reason: String, is_to_mend: bool) -> Doctor {
    let state = DaemonState::Stopped { reason };
    let facts = facts(file, &state).await;
    let diagnosis = diagnose(&facts);
    if !is_to_mend {
        return diagnosis.report(&state, Vec::new());
    }
    let findings = diagnosis.findings();
    let fixes: BTreeSet<&Fix> = findings.iter().filter_map(|finding| finding.fix.as_ref()).collect();
    let done: Vec<Mended> = fixes
        .into_iter()
        .filter(|fix| fix.is_of_machine())
        .flat_map(mend)
        .collect();
    match done.is_empty() {
        true => diagnosis.report(&state, done),
        false => diagnose(&self::facts(file, &state).await).report(&state, done),
    }
}

fn mend(fix: &Fix) -> Vec<Mended> {
    match mend_machine(Path::new(ROOT), fix) {
        Ok(done) => done.into_iter().map(|what| Mended { what, failed: None }).collect(),
        Err(fault) => vec![Mended {
            what: "change a setting of the kernel".to_owned(),
            failed: Some(fault.to_string()),
        }],
    }
}

async fn facts(file: &SettingsFile, state: &DaemonState) -> Facts {
    let daemon = DaemonFacts {
        state: state.clone(),
        unmet: Vec::new(),
        clock_offset: None,
    };
    let marks = Err("what bears our mark, because only the daemon knows what is to be there".to_owned());
    let declared = match declared(file).await {
        Ok(declared) => declared,
        Err(fault) => {
            let reason = format!("the settings cannot be read ({fault}); `orchestrator check` lists their faults");
            return Facts {
                daemon,
                wanted: Err(reason.clone()),
                machine: machine(None, &MachineRequest::default()).await,
                engines: Err(reason.clone()),
                database: Err(reason.clone()),
                policy: Err(reason.clone()),
                others: Err(reason),
                marks,
            };
        }
    };
    let settings = declared.settings().clone();
    let pins = Store::look_for_image_pins(settings.store.url.as_str()).await;
    let wanted = declared.wanted(&pins.unwrap_or_default(), 0, &BTreeMap::new());
    let request = declared.machine_request(&wanted);
    let (mut machine, engines, database, policy, others) = tokio::join!(
        machine(site(&settings), &request),
        engines(&settings, &wanted),
        database(&settings),
        policy(&settings, &wanted),
        others(&settings)
    );
    if let Ok(machine) = &mut machine {
        machine.disks.extend(examine_images(&engines).await);
    }
    Facts {
        daemon,
        wanted: Ok(wanted),
        machine,
        engines: Ok(engines),
        database: Ok(database),
        policy,
        others,
        marks,
    }
}

/// The settings with the templates of the API.
async fn declared(file: &SettingsFile) -> Result<Declared, Failure> {
    let settings = file.load()?;
    let recorded = Store::look_for_templates(settings.store.url.as_str()).await;
    Ok(Declared::new(Arc::new(settings), recorded.unwrap_or_default()))
}

fn site(settings: &Settings) -> Option<Id> {
    Store::look_for_site(&settings.store.identity).ok().flatten()
}

async fn machine(site: Option<Id>, request: &MachineRequest) -> Fact<orchestrator_doctor::MachineFacts> {
    let network = Network::open().map_err(|fault| with_causes(&fault))?;
    let request = MachineRequest {
        site: site.map(|site| site.to_string()),
        mark: site.map(|site| RouteMark::of_site(site.bytes()).route_metric()),
        ..request.clone()
    };
    examine_machine(&network, Path::new(ROOT), &request).await
}

/// Asks each engine that a template uses.
async fn engines(settings: &Settings, wanted: &Wanted) -> Vec<EngineFacts> {
    let images = wanted.images();
    // Nothing is made or listed here, so the mark does not matter.
    let built = settings.engines.build(Mark {
        site: Id::from_bytes([0; 6]),
    });
    let asked = built.iter().filter_map(|engine| {
        let images = images.get(engine.name())?;
        Some(examine_engine(engine.as_ref(), images))
    });
    join_all(asked).await
}

async fn database(settings: &Settings) -> DatabaseFacts {
    let url = &settings.store.url;
    let files = Store::files_of(url.as_str());
    let (commits, intact) = match Store::look(url.as_str()).await {
        Ok(Found::Database) => (Ok(()), Ok(Some(()))),
        Ok(Found::NoFileYet) => (Ok(()), Ok(Some(()))),
        Err(fault @ StoreError::Damaged { .. }) => (Ok(()), Err(with_causes(&fault))),
        Err(fault) => (Err(with_causes(&fault)), Ok(None)),
    };
    DatabaseFacts {
        url: url.to_string(),
        commits,
        intact,
        size: files.as_ref().map(|files| files.size),
        log: files.map(|files| files.log),
        schema: Err("the version of its schema, which the daemon brings up to date when it starts".to_owned()),
    }
}

/// Whether the rules of the site are loaded. What they are to allow, only the daemon knows.
async fn policy(settings: &Settings, wanted: &Wanted) -> Fact<Option<PolicyFacts>> {
    if wanted.isolated.is_empty() {
        return Ok(None);
    }
    let Some(site) = site(settings) else {
        return Ok(Some(PolicyFacts::default()));
    };
    let is_loaded = async {
        let network = Network::open()?;
        network.filter(&site.to_string()).await?.is_whole().await
    };
    let is_loaded = is_loaded.await.map_err(|fault| with_causes(&fault))?;
    Ok(Some(PolicyFacts {
        is_loaded,
        ..PolicyFacts::default()
    }))
}

/// Others on the links, as the daemon recorded them before it stopped.
async fn others(settings: &Settings) -> Fact<Vec<OtherFacts>> {
    let now = Clock::start().now();
    let others = Store::look_for_others(settings.store.url.as_str(), now).await;
    others.map_err(|fault| with_causes(&fault)).map(facts_of_others)
}
