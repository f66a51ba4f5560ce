//! The flag of spans, and OpenTelemetry's environment variables beside it.

use std::fmt::Display;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use http::Uri;
use percent_encoding::percent_decode_str;
use tonic::metadata::{AsciiMetadataKey, AsciiMetadataValue, MetadataMap};

use crate::spans::{QueueLimits, Sampler, SpanSettings};

const TIMEOUT: Duration = Duration::from_secs(10);
const SERVICE_NAME: &str = "service.name";
const DEFAULT_SERVICE: &str = "grpc-fcgi-proxy";

/// Spans of calls.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct OtlpFlags {
    /// Send a span of each call to a collector, by OTLP over gRPC, as in http://127.0.0.1:4317. The rest is set by OpenTelemetry's
    /// variables: OTEL_SERVICE_NAME [default: grpc-fcgi-proxy], OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER [default:
    /// parentbased_always_on], OTEL_TRACES_SAMPLER_ARG, OTEL_EXPORTER_OTLP_HEADERS, OTEL_EXPORTER_OTLP_CERTIFICATE,
    /// OTEL_EXPORTER_OTLP_TIMEOUT (those of OTLP with _TRACES_ too), OTEL_BSP_SCHEDULE_DELAY, OTEL_BSP_MAX_QUEUE_SIZE,
    /// OTEL_BSP_MAX_EXPORT_BATCH_SIZE. Without this flag, OTEL_EXPORTER_OTLP_ENDPOINT counts if OTEL_EXPORTER_OTLP_PROTOCOL is
    /// grpc
    #[arg(long, value_name = "URL", value_parser = endpoint)]
    pub(crate) otlp_endpoint: Option<Uri>,
}

impl OtlpFlags {
    /// How spans are sent, if they are. `variable` reads an environment variable.
    pub(crate) fn settings(
        &self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<SpanSettings>, String> {
        let variables = Variables(variable);
        let endpoint = match &self.otlp_endpoint {
            Some(endpoint) => endpoint.clone(),
            None => match variables.endpoint()? {
                Some(endpoint) => endpoint,
                None => return Ok(None),
            },
        };
        Ok(Some(SpanSettings {
            endpoint,
            certificate: variables.otlp("CERTIFICATE", PathBuf::from_str)?,
            headers: variables.otlp("HEADERS", headers)?.unwrap_or_default(),
            timeout: variables.otlp("TIMEOUT", milliseconds)?.unwrap_or(TIMEOUT),
            resource: variables.resource()?,
            sampler: variables.sampler()?,
            queue: variables.queue()?,
        }))
    }
}

/// OpenTelemetry's environment variables. An empty one counts as absent.
struct Variables<F>(F);

impl<F: Fn(&str) -> Option<String>> Variables<F> {
    fn text(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    fn parsed<T, E: Display>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<T>, String> {
        let value = self.text(name).map(|text| parse(text.trim()));
        // Not the value: it may be a secret.
        let value = value.map(|result| result.map_err(|error| format!("{name}: {error}")));
        value.transpose()
    }

    /// A variable of the exporter: that of traces, or else that of all signals.
    fn otlp<T, E: Display>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<T>, String> {
        let of_traces = self.parsed(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}"), &parse)?;
        match of_traces {
            Some(value) => Ok(Some(value)),
            None => self.parsed(&format!("OTEL_EXPORTER_OTLP_{name}"), parse),
        }
    }

    /// The default protocol is HTTP, so an endpoint alone, perhaps of another program in the container, is not meant.
    fn endpoint(&self) -> Result<Option<Uri>, String> {
        let text = |text: &str| Ok::<_, String>(text.to_owned());
        let is = |name: &str, value: &str| self.text(name).is_some_and(|text| text == value);
        if self.otlp("PROTOCOL", text)?.as_deref() != Some("grpc")
            || is("OTEL_SDK_DISABLED", "true")
            || is("OTEL_TRACES_EXPORTER", "none")
        {
            return Ok(None);
        }
        self.otlp("ENDPOINT", endpoint)
    }

    fn resource(&self) -> Result<Vec<(String, String)>, String> {
        let attributes = self.parsed("OTEL_RESOURCE_ATTRIBUTES", pairs)?;
        let mut attributes = attributes.unwrap_or_default();
        if let Some(name) = self.text("OTEL_SERVICE_NAME") {
            attributes.retain(|(key, _)| key != SERVICE_NAME);
            attributes.push((SERVICE_NAME.to_owned(), name));
        }
        if !attributes.iter().any(|(key, _)| key == SERVICE_NAME) {
            attributes.push((SERVICE_NAME.to_owned(), DEFAULT_SERVICE.to_owned()));
        }
        Ok(attributes)
    }

    fn sampler(&self) -> Result<Sampler, String> {
        let Some(name) = self.text("OTEL_TRACES_SAMPLER") else {
            return Ok(Sampler::DEFAULT);
        };
        let (parent_based, root) = match name.strip_prefix("parentbased_") {
            Some(root) => (true, root),
            None => (false, &*name),
        };
        let ratio = match root {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => self
                .parsed("OTEL_TRACES_SAMPLER_ARG", ratio)?
                .unwrap_or(1.0),
            _ => {
                return Err(
                    "OTEL_TRACES_SAMPLER: expected always_on, always_off or traceidratio, or one of these with \
                     parentbased_ before it"
                        .to_owned(),
                );
            }
        };
        Ok(Sampler {
            parent_based,
            ratio,
        })
    }

    fn queue(&self) -> Result<QueueLimits, String> {
        let default = QueueLimits::DEFAULT;
        let spans = self.parsed("OTEL_BSP_MAX_QUEUE_SIZE", count)?;
        let spans = spans.unwrap_or(default.spans);
        let batch = self.parsed("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", count)?;
        let delay = self.parsed("OTEL_BSP_SCHEDULE_DELAY", milliseconds)?;
        Ok(QueueLimits {
            spans,
            batch: batch.unwrap_or(default.batch).min(spans),
            delay: delay.unwrap_or(default.delay),
        })
    }
}

/// Without a path: gRPC has its own.
fn endpoint(text: &str) -> Result<Uri, String> {
    let invalid = || "expected http://HOST:PORT or https://HOST:PORT, as in http://127.0.0.1:4317";
    let uri: Uri = text.parse().map_err(|_| invalid())?;
    let is_host = uri.authority().is_some_and(|authority| {
        let valid_port = authority == authority.host() || authority.port_u16().is_some();
        !authority.host().is_empty() && !authority.as_str().contains('@') && valid_port
    });
    let has_scheme = matches!(uri.scheme_str(), Some("http" | "https"));
    if has_scheme && is_host && uri.path() == "/" && uri.query().is_none() {
        Ok(uri)
    } else {
        Err(invalid().to_owned())
    }
}

fn headers(text: &str) -> Result<MetadataMap, String> {
    let mut headers = MetadataMap::new();
    for (name, value) in pairs(text)? {
        let invalid = || "expected NAME=VALUE,... with names and values of gRPC metadata";
        let name = AsciiMetadataKey::from_bytes(name.to_lowercase().as_bytes());
        let value = AsciiMetadataValue::try_from(value);
        match (name, value) {
            (Ok(name), Ok(mut value)) => {
                value.set_sensitive(true);
                headers.append(name, value)
            }
            _ => return Err(invalid().to_owned()),
        };
    }
    Ok(headers)
}

/// `KEY=VALUE,...`, the values percent-encoded, as in W3C Baggage.
fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    let entries = text.split(',').map(str::trim);
    let pairs = entries.filter(|entry| !entry.is_empty()).map(|entry| {
        let (key, value) = entry.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        let key = key.trim();
        (!key.is_empty()).then(|| (key.to_owned(), value.into_owned()))
    });
    let pairs: Option<_> = pairs.collect();
    pairs.ok_or_else(|| "expected KEY=VALUE,... with percent-encoded values".to_owned())
}

fn ratio(text: &str) -> Result<f64, &'static str> {
    match text.parse() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
        _ => Err("expected a number from 0 to 1"),
    }
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    super::values::count(1, 3_600_000)(text)
        .map(|number| Duration::from_millis(number as u64))
        .map_err(|error| format!("{error} (milliseconds)"))
}

fn count(text: &str) -> Result<usize, String> {
    super::values::count(1, 1_000_000)(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(
        endpoint: Option<&str>,
        variables: &[(&str, &str)],
    ) -> Result<Option<SpanSettings>, String> {
        let flags = OtlpFlags {
            otlp_endpoint: endpoint.map(|url| super::endpoint(url).unwrap()),
        };
        flags.settings(|name| {
            let mut variables = variables.iter();
            let variable = variables.find(|(known, _)| *known == name);
            variable.map(|(_, value)| (*value).to_owned())
        })
    }

    const ENDPOINT: Option<&str> = Some("http://127.0.0.1:4317");

    #[test]
    fn spans_are_off_by_default_and_nothing_is_read_then() {
        for variables in [
            &[][..],
            &[("OTEL_TRACES_SAMPLER", "jaeger_remote")],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318")],
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318"),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ],
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4317"),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
                ("OTEL_SDK_DISABLED", "true"),
            ],
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4317"),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
                ("OTEL_TRACES_EXPORTER", "none"),
            ],
        ] {
            assert!(
                settings(None, variables).unwrap().is_none(),
                "{variables:?}"
            );
        }
    }

    #[test]
    fn the_endpoint_is_that_of_the_flag_or_of_traces_or_of_all_signals() {
        let all = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4317");
        let traces = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://traces");
        let grpc = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc");
        for (flag, variables, expected) in [
            (ENDPOINT, &[all, grpc][..], "http://127.0.0.1:4317/"),
            (None, &[all, traces, grpc], "https://traces/"),
            (None, &[all, grpc], "http://all:4317/"),
        ] {
            let settings = settings(flag, variables).unwrap().unwrap();
            assert_eq!(settings.endpoint.to_string(), expected);
        }
    }

    #[test]
    fn opentelemetrys_variables_set_the_rest() {
        let settings = settings(
            ENDPOINT,
            &[
                ("OTEL_SERVICE_NAME", "item"),
                ("OTEL_RESOURCE_ATTRIBUTES", "service.name=x, a=b%2Cc ,"),
                ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer%20t,x=y"),
                ("OTEL_EXPORTER_OTLP_TIMEOUT", "2000"),
                ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "/ca.pem"),
                ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
                ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
                ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
                ("OTEL_BSP_SCHEDULE_DELAY", "10"),
            ],
        );
        let settings = settings.unwrap().unwrap();
        let resource = [("a", "b,c"), (SERVICE_NAME, "item")];
        let resource = resource.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(settings.resource, resource);
        assert_eq!(settings.headers.get("authorization").unwrap(), "Bearer t");
        assert_eq!(settings.headers.get("x").unwrap(), "y");
        assert_eq!(settings.timeout, Duration::from_secs(2));
        assert_eq!(settings.certificate.unwrap().to_str(), Some("/ca.pem"));
        assert_eq!(
            settings.sampler,
            Sampler {
                parent_based: true,
                ratio: 0.25
            }
        );
        let queue = QueueLimits {
            spans: 100,
            batch: 100,
            delay: Duration::from_millis(10),
        };
        assert_eq!(settings.queue, queue);
    }

    #[test]
    fn the_defaults_are_those_of_the_specification() {
        let settings = settings(ENDPOINT, &[("OTEL_TRACES_SAMPLER", "")]);
        let settings = settings.unwrap().unwrap();
        assert_eq!(settings.sampler, Sampler::DEFAULT);
        assert_eq!(settings.queue, QueueLimits::DEFAULT);
        let service = (SERVICE_NAME.to_owned(), DEFAULT_SERVICE.to_owned());
        assert_eq!(settings.resource, [service]);
    }

    #[test]
    fn an_invalid_value_is_refused_without_showing_it() {
        for (name, value, expected) in [
            ("OTEL_TRACES_SAMPLER", "often", "expected always_on"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "s3cret", "expected KEY=VALUE"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a b=s3cret", "gRPC metadata"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=s3cret%0a", "gRPC metadata"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "(milliseconds)"),
            ("OTEL_RESOURCE_ATTRIBUTES", "=b", "expected KEY=VALUE"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0", "from 1 to 1000000"),
        ] {
            let error = settings(ENDPOINT, &[(name, value)]).unwrap_err();
            assert!(error.starts_with(&format!("{name}: ")), "{error}");
            assert!(
                error.contains(expected) && !error.contains("s3cret"),
                "{error}"
            );
        }
        let sampler = ("OTEL_TRACES_SAMPLER", "traceidratio");
        for argument in ["2", "-0.1", "NaN", "x"] {
            let variables = [sampler, ("OTEL_TRACES_SAMPLER_ARG", argument)];
            let error = settings(ENDPOINT, &variables).unwrap_err();
            assert!(error.contains("from 0 to 1"), "{error}");
        }
    }

    #[test]
    fn an_endpoint_is_the_url_of_a_host() {
        for text in [
            "127.0.0.1:4317",
            "grpc://a:4317",
            "http://",
            "http://a:4318/v1/traces",
            "http://a?b",
            "http://user@a",
            "http://a:99999",
            "",
        ] {
            let error = endpoint(text).unwrap_err();
            assert!(error.contains("expected http://HOST:PORT"), "{text}");
        }
        assert!(endpoint("https://collector.example").is_ok());
    }
}
