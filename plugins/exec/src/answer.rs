//! The other side of the protocol: answers a request by an engine.
//!
//! An executable that is written in Rust, or a server behind one that only passes requests on, implements the engine trait
//! and answers with this.

use std::sync::Arc;

use orchestrator_plugin::{Engine, EngineError, Mark};
use serde::Serialize;
use serde_json::{Value, json};

use crate::capabilities::KNOWN;
use crate::convert;
use crate::errors::fault;
use crate::protocol::{
    Added, Answer, Call, Code, Done, Fault, FoundOne, ImageFound, Listed, Named, PROTOCOLS, Request, Version,
};

/// The answer to a request, by the engine that `make` makes for its site. Whether it is an error, its key `error` says.
pub async fn answer(make: impl Fn(Mark) -> Arc<dyn Engine>, request: &[u8]) -> Value {
    let request: Request = match serde_json::from_slice(request) {
        Ok(request) => request,
        Err(reason) => return refused::<Done>(Fault::new(Code::Unreadable, reason.to_string())),
    };
    let site = match request.site.parse() {
        Ok(site) => site,
        Err(reason) => return refused::<Done>(Fault::new(Code::Unreadable, format!("{reason}"))),
    };
    let engine = make(Mark { site });
    match request.call {
        Call::Version { .. } => written(version(engine.as_ref()).await),
        _ if !PROTOCOLS.contains(&request.protocol) => {
            let reason = format!("protocol {} is not spoken here", request.protocol);
            refused::<Done>(Fault::new(Code::Protocol, reason))
        }
        call => change(engine.as_ref(), call).await,
    }
}

async fn change(engine: &dyn Engine, call: Call) -> Value {
    match call {
        Call::Version { .. } => written(version(engine).await),
        Call::Check => written(engine.check_equipment().await.map(done).map_err(|error| fault(&error))),
        Call::CheckImage { image } => {
            let found = engine.check_image(&image).await.map(|facts| ImageFound {
                id: facts.id,
                has_health_check: facts.has_health_check,
            });
            written(found.map_err(|error| fault(&error)))
        }
        Call::Add {
            container,
            spec,
            network,
        } => {
            let added = async {
                let container = named(&container)?;
                let spec = convert::container_spec(&spec).map_err(unreadable)?;
                let mode = convert::mode(&network).map_err(unreadable)?;
                let found = engine.ensure(&container, &spec, &mode).await;
                let container = convert::reported(&found.map_err(|error| fault(&error))?);
                Ok(Added { container })
            };
            written(added.await)
        }
        Call::Stop { container } => written(
            on(&container, |container| async move { engine.stop(&container).await })
                .await
                .map(done),
        ),
        Call::Delete { container } => written(
            on(&container, |container| async move { engine.remove(&container).await })
                .await
                .map(done),
        ),
        Call::Find { container } => {
            let found = on(&container, |container| async move { engine.find(&container).await }).await;
            written(found.map(|found| FoundOne {
                container: found.as_ref().map(convert::reported),
            }))
        }
        Call::List => {
            let listed = engine.list().await.map(|listed| Listed {
                containers: listed.iter().map(convert::reported).collect(),
            });
            written(listed.map_err(|error| fault(&error)))
        }
    }
}

async fn version(engine: &dyn Engine) -> Result<Version, Fault> {
    let facts = engine.check().await.map_err(|error| fault(&error))?;
    let capabilities = KNOWN.into_iter().filter(|one| engine.capabilities().has(*one));
    Ok(Version {
        protocols: PROTOCOLS.to_vec(),
        name: facts.name,
        version: facts.version,
        capabilities: capabilities.map(|one| one.code().to_owned()).collect(),
    })
}

async fn on<T, F>(container: &Named, act: impl FnOnce(orchestrator_plugin::Container) -> F) -> Result<T, Fault>
where
    F: Future<Output = Result<T, EngineError>>,
{
    act(named(container)?).await.map_err(|error| fault(&error))
}

fn named(container: &Named) -> Result<orchestrator_plugin::Container, Fault> {
    convert::container(container).map_err(unreadable)
}

fn unreadable(reason: String) -> Fault {
    Fault::new(Code::Unreadable, reason)
}

fn done((): ()) -> Done {
    Done {}
}

fn refused<T: Serialize>(fault: Fault) -> Value {
    written::<T>(Err(fault))
}

fn written<T: Serialize>(outcome: Result<T, Fault>) -> Value {
    let written = serde_json::to_value(Answer::from(outcome));
    // These types have no keys but text, and no numbers but whole ones.
    written.unwrap_or_else(|fault| json!({ "error": { "code": Code::Other.number(), "message": fault.to_string() } }))
}
