//! Where the server programs are: looked for in a fixed order, fetched where there are none.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::account::Account;
use super::error::PostgresError;
use super::package;

/// The oldest major version that the schema works with.
pub const MIN_MAJOR: u32 = 15;

/// Where to look for Postgres.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// A directory with `initdb` and `postgres` that the operator named; nothing else is then looked at.
    pub bin_dir: Option<PathBuf>,
    /// Program that prints the directory of an installation, asked with `--bindir`.
    pub pg_config: Option<PathBuf>,
    /// Directories that hold one directory per version, each with a `bin`, and what a version directory starts with.
    pub installations: Vec<(PathBuf, &'static str)>,
    /// Where a fetched copy is kept.
    pub cache_dir: Option<PathBuf>,
    /// Program that fetches a copy.
    pub npm: Option<PathBuf>,
}

impl Search {
    /// Looks in the usual places; `env` reads an environment variable.
    pub fn usual(bin_dir: Option<PathBuf>, env: &dyn Fn(&str) -> Option<String>) -> Self {
        let cache_dir = if rustix::process::geteuid().is_root() {
            // Whoever runs Postgres for root must be able to read it, and /root/.cache is closed to everybody else.
            Some(PathBuf::from("/var/cache"))
        } else {
            env("XDG_CACHE_HOME").or_else(|| env("HOME").map(|home| format!("{home}/.cache"))).map(PathBuf::from)
        };
        let installations = [
            ("/usr/lib/postgresql", ""),
            ("/usr", "pgsql-"),
            ("/opt/homebrew/opt", "postgresql@"),
            ("/usr/local/opt", "postgresql@"),
            ("/Applications/Postgres.app/Contents/Versions", ""),
        ];
        Self {
            bin_dir,
            pg_config: Some("pg_config".into()),
            installations: installations.map(|(root, prefix)| (root.into(), prefix)).to_vec(),
            cache_dir: cache_dir.map(|cache| cache.join("afterword")),
            npm: Some("npm".into()),
        }
    }
}

/// A directory with server programs that were seen to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The directory that holds `initdb` and `postgres`.
    pub bin_dir: PathBuf,
    /// Major version, such as 17.
    pub major: u32,
    /// Version as the server names it, such as `17.10`.
    pub version: String,
}

impl Binaries {
    /// Finds server programs: of exactly one major version where a cluster exists already, else any that is new enough.
    pub(super) fn find(search: &Search, account: Account, major: Option<u32>) -> Result<Self, PostgresError> {
        let fits = |found: &Self| major.map_or(found.major >= MIN_MAJOR, |major| found.major == major);
        let wanted = major.map_or(format!("{MIN_MAJOR} or newer"), |major| format!("{major} (which the data are of)"));
        if let Some(bin_dir) = &search.bin_dir {
            return Self::try_dir(bin_dir, account)
                .filter(fits)
                .ok_or_else(|| PostgresError::BinDir { path: bin_dir.clone(), wanted });
        }
        let installed = search.candidates().into_iter().filter_map(|dir| Self::try_dir(&dir, account)).find(fits);
        if let Some(found) = installed {
            return Ok(found);
        }
        let cannot = |reason: String| PostgresError::NotFound { wanted: wanted.clone(), reason };
        if major.is_some_and(|major| major != package::MAJOR) {
            return Err(cannot(format!("only version {} can be", package::MAJOR)));
        }
        match package::provide(search) {
            Ok(dir) => Self::try_dir(&dir, account)
                .ok_or_else(|| cannot("the fetched one does not run on this system".to_owned())),
            Err(wrong @ PostgresError::WrongContent { .. }) => Err(wrong),
            Err(error) => Err(cannot(error.to_string())),
        }
    }

    /// Takes a directory if both programs are there and the server says its version.
    fn try_dir(bin_dir: &Path, account: Account) -> Option<Self> {
        if !bin_dir.join("initdb").is_file() {
            return None;
        }
        let output =
            account.command(&bin_dir.join("postgres")).arg("--version").stdout(Stdio::piped()).output().ok()?;
        let version = parse_version(&String::from_utf8(output.stdout).ok()?)?;
        let major = version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
        Some(Self { bin_dir: bin_dir.to_owned(), major, version })
    }
}

impl Search {
    /// Lists the directories where an installed or fetched Postgres may be, best first.
    fn candidates(&self) -> Vec<PathBuf> {
        let asked = self.pg_config.as_ref().and_then(|program| {
            let output = Command::new(program).arg("--bindir").stderr(Stdio::null()).output().ok()?;
            Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
        });
        let mut found: Vec<(u32, PathBuf)> = Vec::new();
        for (root, prefix) in &self.installations {
            let versions = std::fs::read_dir(root).into_iter().flatten().filter_map(Result::ok).filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let major = name.strip_prefix(prefix)?.split('.').next()?.parse().ok()?;
                Some((major, entry.path().join("bin")))
            });
            found.extend(versions);
        }
        found.sort_by_key(|(major, _)| std::cmp::Reverse(*major));
        let fetched = self.cache_dir.as_deref().and_then(package::kept_in);
        asked.into_iter().chain(found.into_iter().map(|(_, dir)| dir)).chain(fetched).collect()
    }
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian …)`.
fn parse_version(line: &str) -> Option<String> {
    let version = line.strip_prefix("postgres (PostgreSQL) ")?.split_whitespace().next()?;
    Some(version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nowhere() -> Search {
        Search { bin_dir: None, pg_config: None, installations: Vec::new(), cache_dir: None, npm: None }
    }

    #[test]
    fn the_servers_own_line_gives_its_version() {
        for (line, version) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", Some("15.18")),
            ("postgres (PostgreSQL) 18beta1\n", Some("18beta1")),
            ("initdb (PostgreSQL) 15.18\n", None),
            ("", None),
        ] {
            assert_eq!(parse_version(line).as_deref(), version, "{line}");
        }
    }

    #[test]
    fn where_there_is_no_postgres_the_error_names_three_ways_out() {
        let error = Binaries::find(&nowhere(), Account::Caller, None).unwrap_err().to_string();

        for words in ["15 or newer", "apt install postgresql", "export DATABASE_URL=postgres://", "apt install npm"] {
            assert!(error.contains(words), "{words} is missing in: {error}");
        }
    }

    #[test]
    fn a_named_directory_without_a_server_is_an_error_of_its_own() {
        let search = Search { bin_dir: Some("/nowhere/bin".into()), ..nowhere() };

        let error = Binaries::find(&search, Account::Caller, None).unwrap_err();

        assert!(matches!(error, PostgresError::BinDir { .. }), "{error}");
        assert!(error.to_string().contains("/nowhere/bin"));
    }

    #[test]
    fn data_of_an_old_version_are_not_opened_by_the_fetched_one() {
        let error = Binaries::find(&nowhere(), Account::Caller, Some(15)).unwrap_err().to_string();

        assert!(error.contains("no Postgres 15 (which the data are of)"), "{error}");
        assert!(error.contains("only version 17 can be"), "{error}");
    }

    #[test]
    fn versions_are_tried_newest_first_and_by_number() {
        let root = tempfile::tempdir().unwrap();
        for name in ["9.6", "15", "16", "100", "latest"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
        }
        let search = Search { installations: vec![(root.path().to_owned(), "")], ..nowhere() };

        let found = search.candidates();

        let expected: Vec<PathBuf> = ["100", "16", "15", "9.6"].map(|name| root.path().join(name).join("bin")).to_vec();
        assert_eq!(found, expected);
    }
}
