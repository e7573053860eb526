//! The schemas of all types that the routes name.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value};

/// Where OpenAPI keeps schemas that have a name.
const PLACE: &str = "/components/schemas";

/// Generates schemas, and collects those that have a name.
pub(crate) struct Schemas {
    /// Schemas of input, in which keys with a default may be left out.
    taken: SchemaGenerator,
    /// Schemas of output, in which all keys are present unless they are marked otherwise.
    given: SchemaGenerator,
}

impl Default for Schemas {
    fn default() -> Self {
        let settings = || {
            // OpenAPI 3.1 has JSON Schema 2020-12 as it is.
            SchemaSettings::draft2020_12().with(|settings| {
                settings.meta_schema = None;
                settings.definitions_path = PLACE.into();
            })
        };
        Self {
            taken: settings().for_deserialize().into_generator(),
            given: settings().for_serialize().into_generator(),
        }
    }
}

impl Schemas {
    /// The schema of a type in requests.
    pub(crate) fn taken<T: JsonSchema>(&mut self) -> Schema {
        self.taken.subschema_for::<T>()
    }

    /// The schema of a type in requests, written out instead of referred to by name.
    pub(crate) fn taken_in_place<T: JsonSchema>(&mut self) -> Schema {
        T::json_schema(&mut self.taken)
    }

    /// The schema of a type in answers.
    pub(crate) fn given<T: JsonSchema>(&mut self) -> Schema {
        self.given.subschema_for::<T>()
    }

    /// All schemas that have a name. If a type differs between requests and answers, this has the answers' schema.
    pub(crate) fn into_named(mut self) -> Map<String, Value> {
        let mut named = self.taken.take_definitions(true);
        named.extend(self.given.take_definitions(true));
        named
    }
}
