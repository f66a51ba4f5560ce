//! A long list, translated to JSON and back, by the proxy's own mapping and by prost-reflect.

use std::fs;
use std::path::Path;

use anyhow::Context;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use proto::grpc_testing::{ResponseParameters, StreamingOutputCallRequest};
use proto::item::{Item, ListItemsResponse};
use transcoding::json::Unknown;
use transcoding::{MessageId, Schema};

/// The bytes of its JSON.
const LENGTH: usize = 1 << 20;

/// The elements of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Elements {
    /// Items, which have strings.
    Items,
    /// Messages of two integers.
    Numbers,
}

/// The direction of a translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    ToJson,
    FromJson,
}

/// What translates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mapping {
    /// The crate transcoding.
    Own,
    Reflect,
}

/// A list, both as a message and as JSON.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) message: Vec<u8>,
    pub(crate) json: Vec<u8>,
    schema: Schema,
    id: MessageId,
    descriptor: MessageDescriptor,
}

impl Elements {
    pub(crate) const ALL: [Self; 2] = [Self::Items, Self::Numbers];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Items => "items",
            Self::Numbers => "numbers",
        }
    }

    /// The file with the descriptor set, and the message in it.
    fn descriptor(self) -> (&'static str, &'static str) {
        match self {
            Self::Items => ("php/generated", "item.ListItemsResponse"),
            Self::Numbers => (
                "php/interop/generated",
                "grpc.testing.StreamingOutputCallRequest",
            ),
        }
    }

    fn message(self, count: usize) -> Vec<u8> {
        let indexes = 0..count;
        match self {
            Self::Items => ListItemsResponse {
                items: indexes.map(item).collect(),
                next_page_token: String::new(),
            }
            .encode_to_vec(),
            Self::Numbers => StreamingOutputCallRequest {
                response_parameters: (0..).take(count).map(parameters).collect(),
                ..StreamingOutputCallRequest::default()
            }
            .encode_to_vec(),
        }
    }
}

fn item(index: usize) -> Item {
    Item {
        id: format!("6962f4ff-b752-4103-b90c-{index:012x}"),
        name: format!("item {index}"),
        description: format!("\"{index}\": one of many items for sale, größer than most"),
        ..Item::default()
    }
}

fn parameters(index: i32) -> ResponseParameters {
    ResponseParameters {
        size: 31 * index,
        interval_us: -index,
        ..ResponseParameters::default()
    }
}

impl Way {
    pub(crate) const BOTH: [Self; 2] = [Self::ToJson, Self::FromJson];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ToJson => "message to JSON",
            Self::FromJson => "JSON to message",
        }
    }
}

impl List {
    /// A list of about a MiB of JSON.
    pub(crate) fn new(root: &Path, elements: Elements) -> anyhow::Result<Self> {
        let (folder, name) = elements.descriptor();
        let set = fs::read(root.join(folder).join("descriptor-set.binpb"))?;
        let schema = Schema::read([set.as_slice()])?;
        let pool = DescriptorPool::decode(set.as_slice())?;
        let mut list = Self {
            message: elements.message(1000),
            json: Vec::new(),
            id: schema.message(name).context(name)?,
            descriptor: pool.get_message_by_name(name).context(name)?,
            schema,
        };
        let thousand = list.translate(Mapping::Own, Way::ToJson)?.len();
        list.message = elements.message(1000 * LENGTH / thousand);
        list.json = list.translate(Mapping::Reflect, Way::ToJson)?;
        Ok(list)
    }

    /// The result of one translation; with the own mapping, in a buffer of the capacity that the proxy gives it.
    pub(crate) fn translate(&self, mapping: Mapping, way: Way) -> anyhow::Result<Vec<u8>> {
        match (mapping, way) {
            (Mapping::Own, Way::ToJson) => {
                let mut json = Vec::with_capacity(self.message.len() * 3 / 2);
                self.schema.write_json(self.id, &self.message, &mut json)?;
                Ok(json)
            }
            (Mapping::Own, Way::FromJson) => {
                let mut message = Vec::with_capacity(self.json.len());
                self.schema
                    .read_json(self.id, &self.json, Unknown::Refuse, &mut message)?;
                Ok(message)
            }
            (Mapping::Reflect, Way::ToJson) => {
                let message = DynamicMessage::decode(self.descriptor.clone(), &*self.message)?;
                Ok(serde_json::to_vec(&message)?)
            }
            (Mapping::Reflect, Way::FromJson) => {
                let mut text = serde_json::Deserializer::from_slice(&self.json);
                let message = DynamicMessage::deserialize(self.descriptor.clone(), &mut text)?;
                text.end()?;
                Ok(message.encode_to_vec())
            }
        }
    }

    /// What a translation must result in.
    pub(crate) fn expected(&self, way: Way) -> &[u8] {
        match way {
            Way::ToJson => &self.json,
            Way::FromJson => &self.message,
        }
    }
}
