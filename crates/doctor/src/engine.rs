//! Asks an engine.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use futures_util::future::join_all;
use orchestrator_plugin::{Engine, EngineError};
use orchestrator_runtime::causes::with_causes;
use tokio::time::timeout;

use crate::{EngineFacts, EngineProduct, Fact};

/// How long an engine may take for one answer.
const LIMIT: Duration = Duration::from_secs(3);

/// Asks an engine what it is, what it can do, and whether it has these images. Nothing is changed.
pub async fn examine_engine(engine: &dyn Engine, images: &BTreeSet<String>) -> EngineFacts {
    let name = engine.name().to_owned();
    let product = match within(engine.check()).await {
        Ok(facts) => Ok(EngineProduct {
            name: facts.name,
            version: facts.version,
        }),
        Err(reason) => return silent(name, &reason),
    };
    let asked = images
        .iter()
        .map(|image| async move { (image.clone(), has_image(engine, image).await) });
    let (equipment, data, capabilities, images) = tokio::join!(
        within(engine.check_equipment()),
        within(engine.data_directory()),
        within(engine.learn_capabilities()),
        join_all(asked)
    );
    EngineFacts {
        name,
        product,
        equipment,
        data: data.ok().flatten().map(|path| path.display().to_string()),
        capabilities: capabilities
            .map(|can| can.iter().map(|one| one.code().to_owned()).collect())
            .unwrap_or_default(),
        images: images.into_iter().collect(),
    }
}

fn silent(name: String, reason: &str) -> EngineFacts {
    EngineFacts {
        name,
        product: Err(reason.to_owned()),
        equipment: Err(reason.to_owned()),
        data: None,
        capabilities: BTreeSet::new(),
        images: BTreeMap::new(),
    }
}

async fn has_image(engine: &dyn Engine, image: &str) -> Fact<bool> {
    match timeout(LIMIT, engine.check_image(image)).await {
        Ok(Ok(_)) => Ok(true),
        Ok(Err(EngineError::ImageMissing { .. })) => Ok(false),
        Ok(Err(fault)) => Err(with_causes(&fault)),
        Err(_elapsed) => Err(late()),
    }
}

async fn within<T>(question: impl Future<Output = Result<T, EngineError>>) -> Fact<T> {
    match timeout(LIMIT, question).await {
        Ok(answer) => answer.map_err(|fault| with_causes(&fault)),
        Err(_elapsed) => Err(late()),
    }
}

fn late() -> String {
    format!("it did not answer within {} s", LIMIT.as_secs())
}
