//! What PHP sees of a client's TLS connection and certificate, which rustls has verified.

use std::fmt::Write as _;

use tokio_rustls::rustls::{ProtocolVersion, ServerConnection};
use x509_parser::asn1_rs::ToDer;
use x509_parser::extensions::GeneralName;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::binding::tls_variables::TlsVariables;

/// The variables of a certificate together; each call by itself carries them.
const MAX_SIZE: usize = 8 * 1024;

type Pairs = Vec<(String, String)>;

/// The variables of a connection whose handshake is complete.
pub(crate) fn variables(connection: &ServerConnection) -> TlsVariables {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut pairs = vec![pair("HTTPS", "on")];
    match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => pairs.push(pair("SSL_PROTOCOL", "TLSv1.2")),
        Some(ProtocolVersion::TLSv1_3) => pairs.push(pair("SSL_PROTOCOL", "TLSv1.3")),
        _ => {}
    }
    // Only verified ones get here, since a client with another is refused.
    match connection.peer_certificates().and_then(<[_]>::first) {
        None => pairs.push(pair("SSL_CLIENT_VERIFY", "NONE")),
        Some(certificate) => {
            pairs.push(pair("SSL_CLIENT_VERIFY", "SUCCESS"));
            match names(certificate) {
                Some(names) => pairs.extend(names),
                None => tracing::warn!(
                    "scripts see no name of a client's certificate: it is malformed, or its names exceed {MAX_SIZE} bytes"
                ),
            }
        }
    }
    TlsVariables::new(pairs)
}

/// All or none: a script must not take a part for the whole.
fn names(certificate: &[u8]) -> Option<Pairs> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let mut pairs = vec![
        (
            "SSL_CLIENT_S_DN".to_owned(),
            distinguished(certificate.subject())?,
        ),
        (
            "SSL_CLIENT_I_DN".to_owned(),
            distinguished(certificate.issuer())?,
        ),
    ];
    if let Some(extension) = certificate.subject_alternative_name().ok()? {
        alternative(&extension.value.general_names, &mut pairs);
    }
    let size = |(name, value): &(String, String)| name.len() + value.len();
    (pairs.iter().map(size).sum::<usize>() <= MAX_SIZE).then_some(pairs)
}

/// Of each kind, the first has the number 0. One with a character other than those of ASCII that can be printed is left out.
fn alternative(names: &[GeneralName<'_>], pairs: &mut Pairs) {
    let is_printable = |name: &&str| name.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
    for (kind, of_kind) in [
        ("DNS", dns as fn(&GeneralName<'_>) -> Option<String>),
        ("URI", uri),
        ("Email", email),
    ] {
        let values = names.iter().filter_map(of_kind);
        let values = values.filter(|value| is_printable(&value.as_str()));
        let numbered = values.enumerate();
        pairs.extend(
            numbered.map(|(number, value)| (format!("SSL_CLIENT_SAN_{kind}_{number}"), value)),
        );
    }
}

fn dns(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    }
}

fn uri(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::URI(name) => Some((*name).to_owned()),
        _ => None,
    }
}

fn email(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::RFC822Name(name) => Some((*name).to_owned()),
        _ => None,
    }
}

/// RFC 4514, section 2: the last part comes first, and no value can look like several.
fn distinguished(name: &X509Name<'_>) -> Option<String> {
    let parts: Vec<_> = name.iter_rdn().collect();
    let mut text = String::new();
    for part in parts.into_iter().rev() {
        for (index, attribute) in part.iter().enumerate() {
            if !text.is_empty() {
                text.push(if index == 0 { ',' } else { '+' });
            }
            write_attribute(attribute, &mut text)?;
        }
    }
    Some(text)
}

/// Section 2.4: a value that is not text, or whose type has no name, is written as the hexadecimal digits of its encoding.
fn write_attribute(attribute: &AttributeTypeAndValue<'_>, text: &mut String) -> Option<()> {
    let kind = attribute.attr_type();
    match (oid2abbrev(kind, oid_registry()), attribute.as_str()) {
        (Ok(kind), Ok(value)) => {
            text.push_str(kind);
            text.push('=');
            write_escaped(value, text);
        }
        (name, _) => {
            match name {
                Ok(name) => text.push_str(name),
                Err(_) => text.push_str(&kind.to_id_string()),
            }
            text.push_str("=#");
            for byte in attribute.attr_value().to_der_vec().ok()? {
                write!(text, "{byte:02x}").ok()?;
            }
        }
    }
    Some(())
}

fn write_escaped(value: &str, text: &mut String) {
    let last = value.chars().count().saturating_sub(1);
    for (index, character) in value.chars().enumerate() {
        let is_special = match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => true,
            '#' => index == 0,
            ' ' => index == 0 || index == last,
            _ => false,
        };
        if character.is_ascii_control() {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\{:02X}", u32::from(character));
            continue;
        }
        if is_special {
            text.push('\\');
        }
        text.push(character);
    }
}

#[cfg(test)]
mod tests {
    use rcgen::string::Ia5String;
    use rcgen::{CertificateParams, CustomExtension, DnType, DnValue, KeyPair, SanType};

    use super::*;

    fn of(change: impl FnOnce(&mut CertificateParams)) -> Option<Vec<String>> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        change(&mut params);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let pairs = names(certificate.der())?;
        let lines = pairs.iter().map(|(name, value)| format!("{name}={value}"));
        Some(lines.collect())
    }

    fn subject(parts: &[(DnType, DnValue)]) -> String {
        let lines = of(|params| {
            for (kind, value) in parts {
                params.distinguished_name.push(kind.clone(), value.clone());
            }
        });
        lines.unwrap()[0].clone()
    }

    #[test]
    fn a_distinguished_name_begins_with_its_last_part() {
        let parts = [
            (DnType::CountryName, "DE".into()),
            (DnType::OrganizationName, "Shop ä".into()),
            (DnType::CommonName, "till".into()),
        ];
        assert_eq!(subject(&parts), "SSL_CLIENT_S_DN=CN=till,O=Shop ä,C=DE");
    }

    #[test]
    fn no_value_can_look_like_several() {
        for (value, escaped) in [
            ("a,O=admin", "a\\,O=admin"),
            ("a+b;c<d>e\"f\\", "a\\+b\\;c\\<d\\>e\\\"f\\\\"),
            (" a b ", "\\ a b\\ "),
            ("#a#", "\\#a#"),
            ("a\nSSL_CLIENT_VERIFY=b\0", "a\\0ASSL_CLIENT_VERIFY=b\\00"),
        ] {
            let subject = subject(&[(DnType::CommonName, DnValue::Utf8String(value.into()))]);
            assert_eq!(subject, format!("SSL_CLIENT_S_DN=CN={escaped}"));
        }
    }

    #[test]
    fn what_is_not_text_is_written_as_bytes() {
        let bmp = rcgen::string::BmpString::try_from("a").unwrap();
        let bmp = subject(&[(DnType::CommonName, DnValue::BmpString(bmp))]);
        assert_eq!(bmp, "SSL_CLIENT_S_DN=CN=#1e020061");
        let custom = DnType::CustomDnType(vec![1, 2, 3, 4]);
        let custom = subject(&[(custom, DnValue::Utf8String("a".into()))]);
        assert_eq!(custom, "SSL_CLIENT_S_DN=1.2.3.4=#0c0161");
    }

    fn ia5(text: &str) -> Ia5String {
        Ia5String::try_from(text).unwrap()
    }

    #[test]
    fn alternative_names_are_numbered_by_kind() {
        let lines = of(|params| {
            params.subject_alt_names = vec![
                SanType::URI(ia5("spiffe://shop/till")),
                SanType::DnsName(ia5("a.example")),
                SanType::DnsName(ia5("b\nc.example")),
                SanType::DnsName(ia5("d.example")),
                SanType::Rfc822Name(ia5("till@shop.example")),
            ];
        });
        assert_eq!(
            lines.unwrap()[2..],
            [
                "SSL_CLIENT_SAN_DNS_0=a.example",
                "SSL_CLIENT_SAN_DNS_1=d.example",
                "SSL_CLIENT_SAN_URI_0=spiffe://shop/till",
                "SSL_CLIENT_SAN_Email_0=till@shop.example",
            ]
        );
    }

    #[test]
    fn too_many_names_are_none() {
        let named = |count: usize| {
            of(|params| {
                let name = |number| SanType::DnsName(ia5(&format!("{number}.example")));
                params.subject_alt_names = (0..count).map(name).collect();
            })
        };
        assert_eq!(named(200).unwrap().len(), 202);
        assert_eq!(named(300), None);
        let oid = [2, 5, 29, 17];
        let twice = of(|params| {
            params.subject_alt_names = vec![SanType::DnsName(ia5("a.example"))];
            let empty = CustomExtension::from_oid_content(&oid, vec![0x30, 0x00]);
            params.custom_extensions = vec![empty];
        });
        assert_eq!(twice, None);
        assert_eq!(names(b"no certificate"), None);
    }
}
