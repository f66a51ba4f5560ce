//! The messages, enums and methods of descriptor sets, as tables that a message is translated by.
//!
//! prost-reflect reads the sets, and translates what is rare: groups, extensions, and the well-known types, whose JSON is not
//! that of their fields.

use std::collections::HashMap;

use prost::encoding::WireType;
use prost_reflect::prost_types::method_options::IdempotencyLevel;
use prost_reflect::{
    Cardinality, DescriptorError, DescriptorPool, EnumDescriptor, FieldDescriptor, Kind,
    MessageDescriptor, MethodDescriptor,
};

/// What descriptor sets declare.
#[derive(Debug, Default)]
pub struct Schema {
    pool: DescriptorPool,
    messages: Vec<MessageType>,
    enums: Vec<EnumType>,
    methods: HashMap<String, MethodSchema>,
}

/// A message type of a [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageId(usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EnumId(usize);

/// A method and its messages.
#[derive(Debug)]
pub struct MethodSchema {
    /// What a call sends.
    pub request: MessageId,
    /// What it receives.
    pub response: MessageId,
    /// Whether a call changes nothing: `idempotency_level = NO_SIDE_EFFECTS`.
    pub no_side_effects: bool,
}

#[derive(Debug)]
pub(crate) struct MessageType {
    pub(crate) descriptor: MessageDescriptor,
    /// In ascending order of their numbers.
    pub(crate) fields: Vec<Field>,
    /// By the name in JSON, and by that in the .proto file.
    names: HashMap<Box<str>, usize>,
    pub(crate) form: Form,
    /// Whether prost-reflect translates it.
    pub(crate) delegated: bool,
}

/// What the JSON of a message is: <https://protobuf.dev/programming-guides/json/>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// An object of its fields.
    Object,
    /// That of its one field.
    Wrapper,
    /// A string, of two numbers: a Timestamp or a Duration.
    Time,
    /// A string: a FieldMask.
    Mask,
    /// Something else.
    Special,
}

impl Form {
    fn of(name: &str) -> Self {
        match name.strip_prefix("google.protobuf.") {
            Some(
                "BoolValue" | "BytesValue" | "DoubleValue" | "FloatValue" | "Int32Value"
                | "Int64Value" | "StringValue" | "UInt32Value" | "UInt64Value",
            ) => Self::Wrapper,
            Some("Duration" | "Timestamp") => Self::Time,
            Some("FieldMask") => Self::Mask,
            Some("Any" | "Empty" | "ListValue" | "Struct" | "Value") => Self::Special,
            _ => Self::Object,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) number: u32,
    /// The name in JSON.
    pub(crate) name: Box<str>,
    /// The name as JSON, encoded, with the colon behind it.
    pub(crate) key: Box<[u8]>,
    pub(crate) shape: Shape,
    pub(crate) value: ValueType,
    /// The oneof, by its number in the message.
    pub(crate) oneof: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// JSON omits its default.
    Implicit,
    /// JSON has it whenever the message has it.
    Explicit,
    Repeated {
        packed: bool,
    },
    /// Its value type is that of its entries.
    Map,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValueType {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    String,
    Bytes,
    Enum(EnumId),
    Message(MessageId),
}

#[derive(Debug)]
pub(crate) struct EnumType {
    names: HashMap<i32, Box<str>>,
    numbers: HashMap<Box<str>, i32>,
    /// Whether its one value is `null`: google.protobuf.NullValue.
    pub(crate) is_null: bool,
}

impl Schema {
    /// Reads encoded FileDescriptorSets. A file that several of them contain counts once.
    ///
    /// # Errors
    ///
    /// A set is malformed, or lacks a file that it imports.
    pub fn read<'a>(sets: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, DescriptorError> {
        let mut pool = DescriptorPool::new();
        for set in sets {
            pool.decode_file_descriptor_set(set)?;
        }
        Ok(Self::of(&pool))
    }

    fn of(pool: &DescriptorPool) -> Self {
        let ids = Ids::of(pool);
        let messages = pool.all_messages().map(|message| ids.message_type(message));
        let enums = pool.all_enums().map(|descriptor| EnumType::of(&descriptor));
        let methods = pool.services().flat_map(|service| {
            let methods: Vec<_> = service.methods().collect();
            methods
        });
        Self {
            pool: pool.clone(),
            messages: messages.collect(),
            enums: enums.collect(),
            methods: methods
                .map(|method| (path(&method), ids.method(&method)))
                .collect(),
        }
    }

    /// The method that a call's path names: `/package.Service/Method`.
    #[must_use]
    pub fn method(&self, path: &str) -> Option<&MethodSchema> {
        self.methods.get(path)
    }

    /// The message type of this full name.
    #[must_use]
    pub fn message(&self, name: &str) -> Option<MessageId> {
        let found = |message: &MessageType| message.descriptor.full_name() == name;
        self.messages.iter().position(found).map(MessageId)
    }

    pub(crate) fn pool(&self) -> &DescriptorPool {
        &self.pool
    }

    pub(crate) fn message_type(&self, MessageId(index): MessageId) -> &MessageType {
        &self.messages[index]
    }

    pub(crate) fn enum_type(&self, EnumId(index): EnumId) -> &EnumType {
        &self.enums[index]
    }
}

pub(crate) fn path(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

/// The positions of the types, by their full names.
struct Ids {
    messages: HashMap<String, usize>,
    enums: HashMap<String, usize>,
}

impl Ids {
    fn of(pool: &DescriptorPool) -> Self {
        let messages = pool.all_messages().enumerate();
        let enums = pool.all_enums().enumerate();
        Self {
            messages: messages
                .map(|(index, message)| (message.full_name().to_owned(), index))
                .collect(),
            enums: enums
                .map(|(index, descriptor)| (descriptor.full_name().to_owned(), index))
                .collect(),
        }
    }

    fn message(&self, descriptor: &MessageDescriptor) -> MessageId {
        MessageId(self.messages[descriptor.full_name()])
    }

    fn method(&self, method: &MethodDescriptor) -> MethodSchema {
        let options = method.method_descriptor_proto().options.as_ref();
        let level = options.map(|options| options.idempotency_level());
        MethodSchema {
            request: self.message(&method.input()),
            response: self.message(&method.output()),
            no_side_effects: level == Some(IdempotencyLevel::NoSideEffects),
        }
    }

    fn message_type(&self, descriptor: MessageDescriptor) -> MessageType {
        let form = Form::of(descriptor.full_name());
        let delegated = form != Form::Object
            || descriptor.extension_ranges().len() > 0
            || descriptor.fields().any(|field| field.is_group());
        let fields: Vec<_> = descriptor.fields().collect();
        let names = fields.iter().enumerate().flat_map(|(index, field)| {
            [
                (field.name().into(), index),
                (field.json_name().into(), index),
            ]
        });
        MessageType {
            names: names.collect(),
            fields: fields.iter().map(|field| self.field(field)).collect(),
            descriptor,
            form,
            delegated,
        }
    }

    fn field(&self, field: &FieldDescriptor) -> Field {
        let name = serde_json::Value::from(field.json_name());
        let oneof = field
            .containing_oneof()
            .map(|oneof| oneof.path().last().copied());
        Field {
            number: field.number(),
            name: field.json_name().into(),
            key: format!("{name}:").into_bytes().into(),
            shape: shape(field),
            value: self.value(&field.kind()),
            oneof: oneof
                .flatten()
                .and_then(|index| usize::try_from(index).ok()),
        }
    }

    fn value(&self, kind: &Kind) -> ValueType {
        match kind {
            Kind::Double => ValueType::Double,
            Kind::Float => ValueType::Float,
            Kind::Int32 => ValueType::Int32,
            Kind::Int64 => ValueType::Int64,
            Kind::Uint32 => ValueType::Uint32,
            Kind::Uint64 => ValueType::Uint64,
            Kind::Sint32 => ValueType::Sint32,
            Kind::Sint64 => ValueType::Sint64,
            Kind::Fixed32 => ValueType::Fixed32,
            Kind::Fixed64 => ValueType::Fixed64,
            Kind::Sfixed32 => ValueType::Sfixed32,
            Kind::Sfixed64 => ValueType::Sfixed64,
            Kind::Bool => ValueType::Bool,
            Kind::String => ValueType::String,
            Kind::Bytes => ValueType::Bytes,
            Kind::Message(message) => ValueType::Message(self.message(message)),
            Kind::Enum(descriptor) => ValueType::Enum(EnumId(self.enums[descriptor.full_name()])),
        }
    }
}

fn shape(field: &FieldDescriptor) -> Shape {
    if field.is_map() {
        Shape::Map
    } else if field.cardinality() == Cardinality::Repeated {
        Shape::Repeated {
            packed: field.is_packed(),
        }
    } else if field.supports_presence() {
        Shape::Explicit
    } else {
        Shape::Implicit
    }
}

impl MessageType {
    pub(crate) fn field(&self, number: u32) -> Option<usize> {
        // Most messages number their fields from 1 on.
        let guess = usize::try_from(number).ok()?.checked_sub(1)?;
        match self.fields.get(guess) {
            Some(field) if field.number == number => Some(guess),
            _ => self
                .fields
                .binary_search_by_key(&number, |field| field.number)
                .ok(),
        }
    }

    /// Whether the field is a group of proto2, which is not encoded as a message.
    pub(crate) fn is_group(&self, field: &Field) -> bool {
        let descriptor = self.descriptor.get_field(field.number);
        descriptor.is_some_and(|field| field.is_group())
    }

    pub(crate) fn field_of_name(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }
}

impl Field {
    pub(crate) fn is_repeated(&self) -> bool {
        matches!(self.shape, Shape::Repeated { .. } | Shape::Map)
    }
}

impl ValueType {
    pub(crate) fn wire_type(self) -> WireType {
        match self {
            Self::Double | Self::Fixed64 | Self::Sfixed64 => WireType::SixtyFourBit,
            Self::Float | Self::Fixed32 | Self::Sfixed32 => WireType::ThirtyTwoBit,
            Self::String | Self::Bytes | Self::Message(_) => WireType::LengthDelimited,
            _ => WireType::Varint,
        }
    }

    /// Whether JSON has it as a string, since its readers would round a number.
    pub(crate) fn is_64_bit_integer(self) -> bool {
        use ValueType::{Fixed64, Int64, Sfixed64, Sint64, Uint64};
        matches!(self, Fixed64 | Int64 | Sfixed64 | Sint64 | Uint64)
    }
}

impl EnumType {
    fn of(descriptor: &EnumDescriptor) -> Self {
        let mut names = HashMap::new();
        let mut numbers = HashMap::new();
        for value in descriptor.values() {
            // Of aliases, the first is the name.
            names
                .entry(value.number())
                .or_insert_with(|| value.name().into());
            numbers.insert(value.name().into(), value.number());
        }
        Self {
            names,
            numbers,
            is_null: descriptor.full_name() == "google.protobuf.NullValue",
        }
    }

    pub(crate) fn name(&self, number: i32) -> Option<&str> {
        self.names.get(&number).map(AsRef::as_ref)
    }

    pub(crate) fn number(&self, name: &str) -> Option<i32> {
        self.numbers.get(name).copied()
    }
}
