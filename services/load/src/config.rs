//! The flags, and the key, which no flag contains: every user of a machine sees the command lines.

use std::{env, fmt, fs, io, net::SocketAddr, path::PathBuf, time::Duration};

use chassis::config::duration;
use clap::Parser;
use http::{HeaderValue, Uri, uri::Scheme};

/// The variable with the key.
const KEY: &str = "LOAD_KEY";

/// Loads the shop with requests as users make them, at a given rate, whether or not they are answered in time.
///
/// Prints a line each second, and a summary at the end. Reads the report, items, users and orders; with a key it also creates
/// users, and places and deletes orders. At the end it removes what it has created. The variable `LOAD_KEY` contains the
/// key, unless --key-file names a file with it.
#[derive(Debug, Clone, Parser)]
#[command(name = "load", version)]
pub struct Config {
    /// The shop: http://HOST:PORT
    #[arg(long, value_name = "URL", default_value = "http://localhost:8080", value_parser = origin)]
    pub(crate) url: Uri,

    /// File with the key for requests that change something; without a key, the load only reads
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,

    /// Requests per second
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) rate: u32,

    /// How long to make requests; without it, until SIGINT or SIGTERM
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) duration: Option<Duration>,

    /// Clients that watch the stock
    #[arg(long, value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(crate) watchers: u32,

    /// How long a request may take, from the time at which it is due
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub(crate) timeout: Duration,

    /// Requests at the same time; a request that is due beyond them is not made, and counts as failed
    #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) max_in_flight: u32,

    /// Exit with 1 if more than this part of the requests failed
    #[arg(long, value_name = "PERCENT", default_value = "0.1", value_parser = percent)]
    pub(crate) max_failed: f64,

    /// Also write the summary to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Time between two lines
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = duration)]
    pub(crate) interval: Duration,

    /// Address of /healthz and /metrics; without it, there are none
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) aux_address: Option<SocketAddr>,
}

/// The key of a client that may write. Never printed.
#[derive(Clone)]
pub(crate) struct Key(HeaderValue);

/// The key cannot be used. No message repeats it.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("--key-file {}: {source}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is not the value of a header.
    #[error("the key is empty, or contains characters other than visible ASCII")]
    Characters,
}

impl Key {
    /// The key in the file, or else in the environment; `None` if there is neither.
    pub(crate) fn find(file: Option<PathBuf>) -> Result<Option<Self>, KeyError> {
        let text = match file {
            Some(file) => match fs::read_to_string(&file) {
                Ok(text) => Some(text),
                Err(source) => return Err(KeyError::File { file, source }),
            },
            None => env::var_os(KEY).map(|text| text.to_string_lossy().into_owned()),
        };
        text.map(|text| Self::parse(&text)).transpose()
    }

    fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(KeyError::Characters);
        }
        let mut value = HeaderValue::from_str(text).map_err(|_| KeyError::Characters)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    pub(crate) fn value(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

/// Parses a URL of a scheme, a host and a port.
fn origin(text: &str) -> Result<Uri, String> {
    let uri: Option<Uri> = text.parse().ok();
    uri.filter(|uri| {
        let userless = uri.authority().is_some_and(|it| !it.as_str().contains('@'));
        uri.scheme() == Some(&Scheme::HTTP)
            && userless
            && uri.path() == "/"
            && uri.query().is_none()
    })
    .ok_or_else(|| "expected http://HOST:PORT, such as http://localhost:8080".to_owned())
}

fn percent(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
        _ => Err("expected a number from 0 to 100, such as 0.1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

    use super::*;

    fn try_parse(args: &[&str]) -> Result<Config, clap::Error> {
        Config::try_parse_from([&["load"], args].concat())
    }

    #[test]
    fn wrong_flags_are_refused() {
        for args in [
            ["--url", "https://localhost"],
            ["--url", "localhost:8080"],
            ["--url", "http://localhost:8080/index"],
            ["--url", "http://user:password@localhost"],
            ["--rate", "0"],
            ["--rate", "10001"],
            ["--duration", "0s"],
            ["--duration", "10"],
            ["--watchers", "10001"],
            ["--max-in-flight", "0"],
            ["--max-failed", "101"],
            ["--max-failed", "NaN"],
            ["--interval", "0s"],
            ["--aux-address", "localhost"],
        ] {
            let error = try_parse(&args).unwrap_err();
            assert_eq!(
                error.kind(),
                ErrorKind::ValueValidation,
                "{args:?}: {error}"
            );
        }
    }

    #[test]
    fn a_key_is_never_a_flag() {
        assert!(try_parse(&["--key", "secret"]).is_err());
        assert!(try_parse(&["--url", "http://localhost:8080"]).is_ok());
    }

    #[test]
    fn a_key_is_visible_ascii_without_the_newline_of_its_file() {
        assert_eq!(Key::parse("0f\n").unwrap().value(), "0f");
        for text in ["", "\n", "a b", "a\nb", "ä"] {
            assert!(Key::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(format!("{:?}", Key::parse("0f").unwrap()), "Key");
    }

    #[test]
    fn a_missing_file_of_the_key_is_named() {
        let error = Key::find(Some("/nonexistent/key".into())).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/key"), "{error}");
    }
}
