//! Services, their endpoints, and operations on them.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use orchestrator_model::{Id, InstanceId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::scalar;

/// A service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// It rises with every change that somebody asked for. Give it as `expect` to change only what you have read.
    pub generation: u64,
    /// The version that its instances are to have.
    pub version: u64,
    /// The last version of which all instances served; `null` while there was none.
    pub good_version: Option<u64>,
    /// The number of its instances; `null` for one for each client.
    pub instances: Option<u32>,
    /// The number of instances that serve.
    pub serving: u32,
    /// `active`, or `removing` until its last instance is gone.
    pub state: String,
    /// Since when nothing is rolled; `null` while it is not paused.
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub paused: Option<Timestamp>,
    /// Why the last change of its version failed; `null` after one that did not.
    pub reason: Option<String>,
    /// Failures of instances of its version in a row. At `strategy.failures`, a version that is not the last good one is given
    /// up.
    pub failures: u32,
    /// The earliest moment at which the next instance that fails is replaced; `null` if none has failed.
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub next_try: Option<Timestamp>,
    /// When it was first deployed.
    #[schemars(with = "scalar::Timestamp")]
    pub created: Timestamp,
    /// When somebody last changed it.
    #[schemars(with = "scalar::Timestamp")]
    pub changed: Timestamp,
    /// Who changed it last.
    pub by: Option<String>,
    /// The keys of its file, with defaults. Values of variables and contents of files are hidden.
    pub spec: Map<String, Value>,
    /// Its slots, by number.
    pub slots: Vec<ServiceSlot>,
    /// The operation that runs on it.
    pub operation: Option<Operation>,
}

/// A slot of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceSlot {
    /// Its number.
    pub number: u32,
    /// The version that its instance is made from.
    pub version: u64,
    /// `wanted`, `draining`, or `closed` until its instance is gone.
    pub state: String,
    /// `unknown`, `passing` or `failing`.
    pub health: String,
    /// Its instance.
    #[schemars(with = "Option<scalar::Id>")]
    pub instance: Option<InstanceId>,
    /// When it was opened.
    #[schemars(with = "scalar::Timestamp")]
    pub opened: Timestamp,
    /// When it last began or ceased to serve, or began to drain.
    #[schemars(with = "scalar::Timestamp")]
    pub since: Timestamp,
    /// Without an instance: why no host can have it. With one: what the last failed check found.
    pub detail: Option<String>,
}

/// All services.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Services {
    /// The number of the snapshot of endpoints; of one service that is asked for, that in which it last changed. Give it as
    /// `index` to wait for the next one.
    pub index: u64,
    /// The services, by name.
    pub items: Vec<Service>,
}

/// What became of a service that was deployed, or what would become of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Deployment {
    /// The name of the service.
    pub name: String,
    /// Its generation now. Give it as `expect` to have exactly the planned change made.
    pub generation: u64,
    /// What changes. Nothing if the service is as the file says already.
    pub changes: Vec<ServiceChange>,
    /// Whether its instances are replaced.
    pub replaces: bool,
    /// The reasons why instances will wait, though nothing is wrong: such as a role that no host has.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The operation that can be waited for; `null` if nothing is under way, and for a plan.
    pub operation: Option<Operation>,
}

/// A key of a service that changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceChange {
    /// The key.
    pub key: String,
    /// Its value before; `null` for none.
    pub before: Option<Value>,
    /// Its value after; `null` for none.
    pub after: Option<Value>,
}

/// Something that somebody started on a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Operation {
    /// Its id.
    #[schemars(with = "scalar::Id")]
    pub id: Id,
    /// `deploy`, `scale`, `bump`, `rollback` or `remove`.
    pub kind: String,
    /// The service.
    pub service: String,
    /// The version that the service is to have.
    pub version: u64,
    /// The generation of the service that it made.
    pub generation: u64,
    /// `running`, `done`, `failed`, or `replaced` by a later one.
    pub state: String,
    /// While it runs: what it waits for, such as a host for an instance; `null` for nothing that somebody has to do. Once it has
    /// ended: why it failed, or what replaced it.
    pub detail: Option<String>,
    /// When it was asked for.
    #[schemars(with = "scalar::Timestamp")]
    pub created: Timestamp,
    /// When it ended; `null` while it runs.
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub ended: Option<Timestamp>,
    /// Who asked for it.
    pub by: Option<String>,
}

/// Where services are reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Endpoints {
    /// The number of this snapshot; of one service that is asked for, that in which it last changed. Give it as `index` to
    /// wait for the next one.
    pub index: u64,
    /// The services, by name.
    pub services: BTreeMap<String, ServiceEndpoints>,
}

/// Where a service is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceEndpoints {
    /// The number of the snapshot in which it last changed.
    pub index: u64,
    /// The numbers of its ports, by name, with the transport: `8080/tcp`.
    pub ports: BTreeMap<String, String>,
    /// Its instances, by slot.
    pub members: Vec<Endpoint>,
}

/// An instance of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Endpoint {
    /// The slot.
    pub slot: String,
    /// The instance.
    #[schemars(with = "scalar::Id")]
    pub instance: InstanceId,
    /// The version of the service that it was made from.
    pub version: u64,
    /// The address on which it serves.
    #[schemars(with = "scalar::Ipv6Address")]
    pub address: Ipv6Addr,
    /// The link or network of that address.
    pub network: String,
    /// The machine that it runs on.
    pub host: String,
    /// `starting`, `serving`, `failing` or `draining`. Only one that serves is led to.
    pub state: String,
}

/// How a service is deployed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeployQuery {
    /// Whether to answer only what would change.
    #[serde(default)]
    pub plan: bool,
    /// The generation that the service must have; 0 if there must be none of this name.
    pub expect: Option<u64>,
}

/// What the service must be like.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectQuery {
    /// The generation that the service must have.
    pub expect: Option<u64>,
}

/// Another number of instances.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScaleService {
    /// The number: `@5`, or by how much it changes: `+1`, `-2`, `x0.75`.
    pub to: String,
    /// Whether the oldest instances end first when there are to be fewer.
    #[serde(default)]
    pub oldest_first: bool,
    /// The generation that the service must have.
    pub expect: Option<u64>,
}

/// Another image for new instances. Without either, they have the same content as those before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BumpService {
    /// The tag that takes the place of the recorded image's: `1.2`.
    pub tag: Option<String>,
    /// The image that takes the place of the recorded one: `registry.example/web:1.2`.
    pub image: Option<String>,
}

/// An earlier version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackService {
    /// The version; the one before the present one if it is not given.
    pub version: Option<u64>,
    /// The generation that the service must have.
    pub expect: Option<u64>,
}

/// Selects endpoints, and waits for them to change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointQuery {
    /// Only those of this service.
    pub service: Option<String>,
    /// Wait until `index` of the answer is another one than this.
    pub index: Option<u64>,
    /// How long to wait: `30s`, which is also what is waited without it. At most `10m`.
    pub wait: Option<String>,
}

/// Selects operations of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationQuery {
    /// Only those of this service.
    pub service: Option<String>,
    /// Only those that run.
    #[serde(default)]
    pub running: bool,
    /// The cursor to continue at: `next` of the page before.
    pub after: Option<String>,
    /// The largest number of items on the page.
    #[schemars(range(min = 1, max = 5000))]
    pub limit: Option<u32>,
}

/// Waits for an operation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitQuery {
    /// How long to wait for its end, like `30s`; not at all if it is not given. At most `10m`.
    pub wait: Option<String>,
}
