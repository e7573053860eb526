//! The schema of the protocol.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::{Added, Answer, Done, FoundOne, ImageFound, Listed, Request, Version};

/// The schema of requests and of the answer to each verb (JSON Schema 2020-12).
pub fn schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let request = named::<Request>(&mut generator);
    let mut answers = Map::new();
    let mut answer = |verb: &str, schema: Value| drop(answers.insert(verb.to_owned(), schema));
    answer("VERSION", named::<Answer<Version>>(&mut generator));
    answer("CHECK", named::<Answer<Done>>(&mut generator));
    answer("CHECK_IMAGE", named::<Answer<ImageFound>>(&mut generator));
    answer("ADD", named::<Answer<Added>>(&mut generator));
    answer("STOP", named::<Answer<Done>>(&mut generator));
    answer("FIND", named::<Answer<FoundOne>>(&mut generator));
    answer("DELETE", named::<Answer<Done>>(&mut generator));
    answer("LIST", named::<Answer<Listed>>(&mut generator));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The protocol between orchestrator and the executable of an engine of kind exec, version 1",
        "description": "The executable reads one request on its standard input, and writes one answer on its standard output.",
        "properties": {
            "request": request,
            "answers": { "type": "object", "properties": answers },
        },
        "$defs": generator.take_definitions(true),
    })
}

fn named<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    generator.subschema_for::<T>().to_value()
}
