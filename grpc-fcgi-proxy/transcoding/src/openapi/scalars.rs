//! The schemas of numbers and bytes, whose names no message can have.

use serde_json::{Value, json};

/// A type that JSON has as numbers or strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scalar {
    Int32,
    Int64,
    Uint32,
    Uint64,
    Float,
    Double,
    Bytes,
}

impl Scalar {
    /// A full name of protobuf contains no hyphen.
    pub(super) fn component(self) -> &'static str {
        match self {
            Self::Int32 => "proto-int32",
            Self::Int64 => "proto-int64",
            Self::Uint32 => "proto-uint32",
            Self::Uint64 => "proto-uint64",
            Self::Float => "proto-float",
            Self::Double => "proto-double",
            Self::Bytes => "proto-bytes",
        }
    }

    pub(super) fn schema(self) -> Value {
        match self {
            Self::Int32 => json!({
                "description": "A 32 bit integer. Responses have it as a number, requests may have it as a string.",
                "type": ["integer", "string"],
                "format": "int32",
                "minimum": i32::MIN,
                "maximum": i32::MAX,
                "pattern": signed("2147483648", "2147483647"),
            }),
            Self::Int64 => json!({
                "description": "A 64 bit integer. Responses have it as a string, requests may have it as a number.",
                "type": ["string", "integer"],
                "format": "int64",
                "minimum": i64::MIN,
                "maximum": i64::MAX,
                "pattern": signed("9223372036854775808", "9223372036854775807"),
            }),
            Self::Uint32 => json!({
                "description": "A 32 bit integer that is not negative. Responses have it as a number, requests may have it as a string.",
                "type": ["integer", "string"],
                "minimum": 0,
                "maximum": u32::MAX,
                "pattern": format!("^{}$", up_to("4294967295")),
            }),
            Self::Uint64 => json!({
                "description": "A 64 bit integer that is not negative. Responses have it as a string, requests may have it as a number.",
                "type": ["string", "integer"],
                "minimum": 0,
                "maximum": u64::MAX,
                "pattern": format!("^{}$", up_to("18446744073709551615")),
            }),
            Self::Float => json!({
                "description": "A number of single precision, also as a string.",
                "type": ["number", "string"],
                "format": "float",
                "minimum": -f64::from(f32::MAX),
                "maximum": f64::from(f32::MAX),
                "pattern": float(38),
            }),
            Self::Double => json!({
                "description": "A number of double precision, also as a string.",
                "type": ["number", "string"],
                "format": "double",
                "pattern": float(308),
            }),
            Self::Bytes => json!({
                "description": "Bytes in base64, of either alphabet, with or without padding. Responses have the standard alphabet and padding.",
                "type": "string",
                "contentEncoding": "base64",
                "pattern": format!("^(?:{}|{})$", base64("A-Za-z0-9+/"), base64("A-Za-z0-9_-")),
            }),
        }
    }
}

/// The numbers of enum values, which are never strings.
pub(super) fn enum_number() -> Value {
    json!({"type": "integer", "format": "int32", "minimum": i32::MIN, "maximum": i32::MAX})
}

pub(super) fn signed(least: &str, most: &str) -> String {
    format!("^(?:{}|-{})$", up_to(most), up_to(least))
}

/// A regular expression of the decimal numbers up to `most`, which may begin with zeros.
pub(super) fn up_to(most: &str) -> String {
    let shorter = most.len() - 1;
    let mut choices = vec![format!("[0-9]{{1,{shorter}}}")];
    for (index, digit) in most.char_indices() {
        let (prefix, rest) = (&most[..index], shorter - index);
        // A number with a smaller digit here may have any digits behind it. The first digit is no zero.
        let least = if index == 0 { '1' } else { '0' };
        let smaller = char::from_u32(u32::from(digit) - 1).filter(|smaller| *smaller >= least);
        if let Some(smaller) = smaller {
            choices.push(format!("{prefix}[{least}-{smaller}][0-9]{{{rest}}}"));
        }
    }
    choices.push(most.to_owned());
    format!("0*(?:{})", choices.join("|"))
}

/// The integer part is short enough to be in range whatever its digits are.
fn float(digits: usize) -> String {
    let rest = digits - 1;
    format!("^(?:NaN|-?Infinity|-?(?:0|[1-9][0-9]{{0,{rest}}})(?:\\.[0-9]+)?)$")
}

fn base64(alphabet: &str) -> String {
    format!("(?:[{alphabet}]{{4}})*(?:[{alphabet}]{{2}}={{0,2}}|[{alphabet}]{{3}}=?)?")
}
