//! A random call, and the answer that it tells its script to give.

use std::collections::BTreeMap;
use std::fmt::Write;

use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, Engine as _};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::json;
use tonic::Code;

pub(super) type Entries = Vec<(String, String)>;

#[derive(Clone, Debug)]
pub(super) struct RandomCall {
    pub(super) service: String,
    pub(super) method: String,
    pub(super) content: Vec<u8>,
    pub(super) metadata: Entries,
    pub(super) status: ScriptStatus,
    initial: Entries,
    trailing: Entries,
}

/// How the script ends the call.
#[derive(Clone, Debug)]
pub(super) enum ScriptStatus {
    Grpc {
        code: Code,
        text: String,
        /// Whether only the characters that require it are percent-encoded.
        sparse: bool,
        details: Option<Vec<u8>>,
    },
    Http(u16),
}

pub(super) fn random_call() -> impl Strategy<Value = RandomCall> {
    let content = prop_oneof![
        4 => vec(any::<u8>(), 0..200),
        // More than a FastCGI record.
        1 => (any::<u8>(), 60_000..200_000usize).prop_map(|(byte, count)| vec![byte; count]),
    ];
    let method = (
        "[a-z]{1,5}(\\.[a-z0-9_]{1,5}){0,2}\\.[A-Z][A-Za-z0-9]{0,9}",
        "[A-Z][A-Za-z0-9_]{0,9}",
    );
    let sent = prop_oneof![4 => entry(), 1 => known()];
    (
        method,
        content,
        vec(sent, 0..6),
        script_status(),
        vec(entry(), 0..4),
        vec(entry(), 0..4),
    )
        .prop_map(
            |((service, method), content, metadata, status, initial, trailing)| RandomCall {
                service,
                method,
                content,
                metadata,
                status,
                initial,
                trailing,
            },
        )
}

fn script_status() -> impl Strategy<Value = ScriptStatus> {
    let text = vec(any::<char>(), 0..40).prop_map(String::from_iter);
    let details = option::of(vec(any::<u8>(), 1..40));
    let grpc = (
        prop_oneof![Just(0), 0..=16].prop_map(Code::from),
        text,
        any::<bool>(),
        details,
    );
    let http = vec![200, 301, 400, 401, 403, 404, 429, 500, 502, 503, 504];
    prop_oneof![
        4 => grpc.prop_map(|(code, text, sparse, details)| ScriptStatus::Grpc { code, text, sparse, details }),
        1 => prop::sample::select(http).prop_map(ScriptStatus::Http),
    ]
}

/// Some keys are the same, and some become the same variable.
fn entry() -> impl Strategy<Value = (String, String)> {
    let key = || prop_oneof!["x-[ab][._-][ab]", "x-[a-z0-9._-]{1,8}"];
    let bytes = vec(any::<u8>(), 0..20);
    let base64 = (bytes, any::<bool>()).prop_map(|(bytes, padded)| match padded {
        true => BASE64_STANDARD.encode(bytes),
        false => BASE64_STANDARD_NO_PAD.encode(bytes),
    });
    let joined = vec(base64, 1..3).prop_map(|values| values.join(","));
    let binary = (key(), joined).prop_map(|(key, value)| (format!("{key}-bin"), value));
    let ascii = (key(), "[!-~]([ -~]{0,20}[!-~])?");
    prop_oneof![ascii, binary].prop_filter("a binary key with an invalid value", |(key, value)| {
        !key.ends_with("-bin") || (!value.is_empty() && value.split(',').all(is_base64))
    })
}

fn is_base64(text: &str) -> bool {
    BASE64_STANDARD.decode(text).is_ok() || BASE64_STANDARD_NO_PAD.decode(text).is_ok()
}

/// Header fields with a meaning in HTTP.
fn known() -> impl Strategy<Value = (String, String)> {
    let keys = vec![
        "authorization",
        "user-agent",
        "traceparent",
        "cookie",
        "accept",
        "accept-encoding",
        "proxy",
    ];
    (
        prop::sample::select(keys).prop_map(String::from),
        "[a-z]{1,8}",
    )
}

impl ScriptStatus {
    pub(super) fn code(&self) -> Code {
        match self {
            Self::Grpc { code, .. } => *code,
            Self::Http(status) => code_of_http(*status),
        }
    }

    /// For an HTTP status alone the proxy chooses the text.
    pub(super) fn text<'a>(&'a self, otherwise: &'a str) -> &'a str {
        match self {
            Self::Grpc { text, .. } => text,
            Self::Http(_) => otherwise,
        }
    }

    pub(super) fn details(&self) -> Vec<u8> {
        match self {
            Self::Grpc { details, .. } => details.clone().unwrap_or_default(),
            Self::Http(_) => Vec::new(),
        }
    }

    fn fields(&self) -> Entries {
        let Self::Grpc {
            code,
            text,
            sparse,
            details,
        } = self
        else {
            return Vec::new();
        };
        let mut fields = vec![("Grpc-Status".to_owned(), i32::from(*code).to_string())];
        if !text.is_empty() {
            fields.push(("Grpc-Message".to_owned(), percent_encoded(text, *sparse)));
        }
        if let Some(details) = details {
            let details = BASE64_STANDARD.encode(details);
            fields.push(("Grpc-Status-Details-Bin".to_owned(), details));
        }
        fields
    }
}

/// http-grpc-status-mapping; 200 is OK.
pub(super) fn code_of_http(status: u16) -> Code {
    match status {
        200 => Code::Ok,
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502..=504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

/// Encodes every space, since those at the ends of a field's value are lost.
fn percent_encoded(text: &str, sparse: bool) -> String {
    text.chars().fold(String::new(), |mut encoded, c| {
        if sparse && !c.is_ascii_control() && c != ' ' && c != '%' {
            encoded.push(c);
        } else {
            for byte in c.to_string().bytes() {
                write!(encoded, "%{byte:02X}").unwrap();
            }
        }
        encoded
    })
}

/// The values of each key, binary ones as bytes, in base64.
fn told(entries: &Entries) -> Entries {
    let mut told = Entries::new();
    for (key, value) in entries {
        if key.ends_with("-bin") {
            told.extend(value.split(',').map(|part| (key.clone(), padded(part))));
        } else {
            told.push((key.clone(), BASE64_STANDARD.encode(value)));
        }
    }
    told
}

fn padded(base64: &str) -> String {
    let bytes = BASE64_STANDARD_NO_PAD.decode(base64.trim_end_matches('='));
    BASE64_STANDARD.encode(bytes.unwrap())
}

impl RandomCall {
    pub(super) fn path(&self) -> String {
        format!("/{}/{}", self.service, self.method)
    }

    /// The initial metadata that the script is told, each value as base64 of what the client is to get.
    pub(super) fn initial(&self) -> Entries {
        told(&self.initial)
    }

    pub(super) fn trailing(&self) -> Entries {
        told(&self.trailing)
    }

    /// The instructions for the script, and the content of its answer.
    pub(super) fn message(&self) -> Vec<u8> {
        let prefixed = |prefix, entries: &Entries| -> Entries {
            let named = |(key, value): &(String, String)| (format!("{prefix}{key}"), value.clone());
            entries.iter().map(named).collect()
        };
        let fields = [
            self.status.fields(),
            prefixed("", &self.initial),
            prefixed("Grpc-Trailer-", &self.trailing),
        ];
        let fields = fields.concat().into_iter();
        let fields: Entries = fields
            .map(|(name, value)| (name, BASE64_STANDARD.encode(value)))
            .collect();
        let http_status = match self.status {
            ScriptStatus::Http(status) => status,
            ScriptStatus::Grpc { .. } => 200,
        };
        let instructions = json!({"http_status": http_status, "fields": fields}).to_string();
        let length = u32::try_from(instructions.len()).unwrap().to_be_bytes();
        [&length, instructions.as_bytes(), &self.content].concat()
    }

    /// GRPC_METADATA.
    pub(super) fn metadata_list(&self) -> String {
        let mut list = String::new();
        for (key, value) in &self.metadata {
            let values = if key.ends_with("-bin") {
                value.split(',').collect()
            } else {
                vec![value.as_str()]
            };
            for value in values {
                writeln!(list, "{key}: {value}").unwrap();
            }
        }
        list
    }

    /// The variables that begin with `HTTP_`.
    pub(super) fn header_variables(&self) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::<String, String>::new();
        for (key, value) in &self.metadata {
            if matches!(key.as_str(), "accept-encoding" | "proxy") || key.contains(['_', '.']) {
                continue;
            }
            let separator = if key == "cookie" { "; " } else { ", " };
            let name = format!("HTTP_{}", key.to_uppercase().replace('-', "_"));
            variables
                .entry(name)
                .and_modify(|joined| *joined += &format!("{separator}{value}"))
                .or_insert_with(|| value.clone());
        }
        variables
    }
}
