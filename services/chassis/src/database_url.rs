//! The URL of a database. It may contain a password, so it is never printed whole.

use std::{ffi::OsStr, fmt, path::Path};

use clap::builder::TypedValueParser;
use sqlx::{Error as SqlError, any::AnyConnectOptions};
use url::Url;

/// The URL of a database. Printed without the password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(Url);

impl DatabaseUrl {
    /// Parses a URL. The error never repeats the text, which may contain a password.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let expected = "expected sqlite:FILE, such as sqlite:/var/lib/data.sqlite, \
                        or postgres://USER:PASSWORD@HOST:PORT/DATABASE";
        let url = Url::parse(text).map_err(|_| expected)?;
        match url.scheme() {
            "postgres" | "postgresql" => {}
            "sqlite" if sqlite_file(&url).is_empty() => return Err(expected),
            "sqlite" if is_in_memory(&url) => {
                return Err("an in-memory database would not outlive the program: name a file");
            }
            "sqlite" => {}
            _ => return Err(expected),
        }
        let database = Self(url);
        AnyConnectOptions::try_from(&database).map_err(|_| expected)?;
        Ok(database)
    }

    /// Whether the folder of an SQLite file exists.
    pub(crate) fn folder_exists(&self) -> bool {
        if self.0.scheme() != "sqlite" {
            return true;
        }
        match Path::new(sqlite_file(&self.0)).parent() {
            None => true,
            Some(folder) => folder.as_os_str().is_empty() || folder.is_dir(),
        }
    }
}

impl TryFrom<&DatabaseUrl> for AnyConnectOptions {
    type Error = SqlError;

    fn try_from(database: &DatabaseUrl) -> Result<Self, SqlError> {
        let mut url = database.0.clone();
        if url.scheme() == "sqlite" && !url.query_pairs().any(|(name, _)| name == "mode") {
            url.query_pairs_mut().append_pair("mode", "rwc");
        }
        url.as_str().parse()
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.scheme() == "sqlite" {
            return write!(f, "sqlite:{}", sqlite_file(&self.0));
        }
        // Neither the user part nor the query: either can contain a password.
        let host = self.0.host_str().unwrap_or("localhost");
        let port = self.0.port().unwrap_or(5432);
        write!(f, "postgres://{host}:{port}{}", self.0.path())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Parses a [`DatabaseUrl`] flag. clap's own error would repeat an invalid value, including the password.
#[derive(Debug, Clone, Copy)]
pub struct DatabaseUrlParser;

impl TypedValueParser for DatabaseUrlParser {
    type Value = DatabaseUrl;

    fn parse_ref(
        &self,
        cmd: &clap::Command,
        _arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<DatabaseUrl, clap::Error> {
        let text = value.to_str().unwrap_or_default();
        DatabaseUrl::parse(text).map_err(|reason| {
            let message = format!("invalid value for '--database-url': {reason}\n");
            clap::Error::raw(clap::error::ErrorKind::ValueValidation, message).with_cmd(cmd)
        })
    }
}

fn sqlite_file(url: &Url) -> &str {
    let rest = url.as_str().trim_start_matches("sqlite:");
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    rest.split(['?', '#']).next().unwrap_or(rest)
}

fn is_in_memory(url: &Url) -> bool {
    sqlite_file(url) == ":memory:"
        || url
            .query_pairs()
            .any(|(name, value)| name == "mode" && value == "memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_printed() {
        for text in [
            "postgres://me:s3cret@db:5432/users",
            "postgresql://db/users?user=me&password=s3cret",
        ] {
            let url = DatabaseUrl::parse(text).unwrap();
            assert_eq!(url.to_string(), "postgres://db:5432/users");
            assert_eq!(format!("{url:?}"), "postgres://db:5432/users");
        }
    }

    #[test]
    fn an_invalid_url_is_refused_and_not_repeated() {
        for text in [
            "",
            "user.sqlite",
            "sqlite:",
            "sqlite::memory:",
            "sqlite:x?mode=memory",
            "mysql://me:s3cret@db/users",
            "postgres//me:s3cret@db/users",
        ] {
            let error = DatabaseUrl::parse(text).expect_err(text);
            assert!(!error.contains("s3cret"));
        }
    }

    #[test]
    fn every_spelling_of_an_sqlite_file_is_accepted() {
        for (text, file) in [
            ("sqlite:user.db", "user.db"),
            ("sqlite://user.db", "user.db"),
            ("sqlite:///var/lib/x.db", "/var/lib/x.db"),
            ("sqlite:/var/lib/x.db?mode=rwc", "/var/lib/x.db"),
        ] {
            let url = DatabaseUrl::parse(text).unwrap();
            assert_eq!(sqlite_file(&url.0), file);
        }
    }
}
