//! Schemas of values that are one text or number. The types here stand for types of the model, which have no schemas.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

macro_rules! scalars {
    ($($(#[$doc:meta])* $name:ident = $schema:tt;)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy)]
            pub struct $name;

            impl JsonSchema for $name {
                fn schema_name() -> Cow<'static, str> {
                    stringify!($name).into()
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    json_schema!($schema)
                }
            }
        )+
    };
}

scalars! {
    /// The schema of [`orchestrator_model::Id`].
    Id = {
        "description": "An id: twelve hexadecimal digits.",
        "type": "string",
        "pattern": "^[0-9a-f]{12}$"
    };
    /// The schema of [`orchestrator_model::Timestamp`].
    Timestamp = {
        "description": "A moment as RFC 3339 writes it, in UTC with milliseconds; `never` for what has no end.",
        "type": "string",
        "pattern": "^(never|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\\.[0-9]+)?Z)$"
    };
    /// The schema of [`orchestrator_model::Duid`].
    Duid = {
        "description": "A DHCP unique identifier (RFC 9915, section 11): its bytes in hexadecimal, with colons.",
        "type": "string",
        "pattern": "^[0-9a-f]{2}(:[0-9a-f]{2})+$"
    };
    /// The schema of [`orchestrator_model::LinkLayerAddress`].
    LinkLayerAddress = {
        "description": "A link-layer address: its bytes in hexadecimal, with colons.",
        "type": "string",
        "pattern": "^[0-9a-f]{2}(:[0-9a-f]{2})+$"
    };
    /// The schema of [`orchestrator_model::OpaqueId`].
    OpaqueId = {
        "description": "Bytes that only their giver understands: text where they can be printed, else hexadecimal after 0x.",
        "type": "string",
        "minLength": 1
    };
    /// The schema of [`orchestrator_model::Iaid`].
    Iaid = {
        "description": "The number of an identity association of a client (RFC 9915, section 12).",
        "type": "integer",
        "minimum": 0,
        "maximum": 4294967295u32
    };
    /// The schema of [`ipnet::Ipv6Net`].
    Ipv6Prefix = {
        "description": "An IPv6 prefix with its length, as RFC 5952 writes it.",
        "type": "string",
        "pattern": "^[0-9a-f:.]+/[0-9]{1,3}$"
    };
    /// The schema of [`std::net::Ipv6Addr`].
    Ipv6Address = {
        "description": "An IPv6 address, as RFC 5952 writes it.",
        "type": "string",
        "format": "ipv6"
    };
}
