//! The last resort: server programs from the npm registry, at one pinned version whose content is known beforehand.

use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use sha2::{Digest as _, Sha512};

use super::binaries::Search;
use super::error::PostgresError;

/// Major version of the pinned package.
pub(super) const MAJOR: u32 = 17;
const VERSION: &str = "17.10.0-beta.17";

/// A package for one kind of machine, with the SHA-512 of its tarball in base64.
struct Package {
    os: &'static str,
    arch: &'static str,
    name: &'static str,
    sha512: &'static str,
}

const PACKAGES: [Package; 4] = [
    Package {
        os: "linux",
        arch: "x86_64",
        name: "linux-x64",
        sha512: "hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==",
    },
    Package {
        os: "linux",
        arch: "aarch64",
        name: "linux-arm64",
        sha512: "mC+bQvaBEf0WDD0nPWW3eGUXDUVzoyCzMtgl+Fw6Jy9DkQFK+jcPtzkzqhhrS/fGzn5telNpKInl8xPqDh71Ig==",
    },
    Package {
        os: "macos",
        arch: "aarch64",
        name: "darwin-arm64",
        sha512: "E2dxhSllrcyAJBHuvgTrBTx2BaPlX2vvjXClPKHxfwBezk+nTZ01uAEraKiRJMpzHSCyN8J1dTjKh4q/uTsBLQ==",
    },
    Package {
        os: "macos",
        arch: "x86_64",
        name: "darwin-x64",
        sha512: "gXk65MIyttD/PWo6NDSmu/n4vzPcqZQmxVWjEKuecwlyGmWO984AZ3Ljb7F0bwPvXhqcovH4FGN4ydr0fGeJxg==",
    },
];

fn for_this_machine() -> Option<&'static Package> {
    PACKAGES.iter().find(|package| package.os == std::env::consts::OS && package.arch == std::env::consts::ARCH)
}

/// Returns where a fetched copy lies in a cache, whether or not it is there.
pub(super) fn kept_in(cache_dir: &Path) -> Option<PathBuf> {
    let package = for_this_machine()?;
    Some(cache_dir.join(format!("postgres-{VERSION}-{}", package.name)).join("bin"))
}

/// Fetches, checks and unpacks the package of this machine; returns the directory of its programs.
pub(super) fn provide(search: &Search) -> Result<PathBuf, PostgresError> {
    let failed = |reason: &str| PostgresError::Program { program: "npm pack", reason: reason.to_owned() };
    let package = for_this_machine().ok_or_else(|| failed("there is no package for this kind of machine"))?;
    let (Some(npm), Some(cache_dir)) = (&search.npm, &search.cache_dir) else {
        return Err(failed("it may not be used here"));
    };
    let bin_dir = kept_in(cache_dir).ok_or_else(|| failed("there is no package for this kind of machine"))?;
    std::fs::create_dir_all(cache_dir).map_err(PostgresError::file(cache_dir, "made"))?;
    let work_dir = cache_dir.join(format!("fetching-{}", std::process::id()));
    let done = fetch(npm, package, &work_dir).and_then(|tarball| {
        unpack(&tarball, &work_dir.join("native"))?;
        let kept = bin_dir.parent().unwrap_or(&bin_dir);
        // Another process may have been quicker; its copy is the same.
        match std::fs::rename(work_dir.join("native"), kept) {
            Err(_) if bin_dir.join("postgres").is_file() => Ok(bin_dir.clone()),
            moved => moved.map(|()| bin_dir.clone()).map_err(PostgresError::file(kept, "made")),
        }
    });
    // What is left of the work is of no use to anybody, and failing to remove it harms nobody.
    drop(std::fs::remove_dir_all(&work_dir));
    done
}

/// Lets npm download the tarball, from whatever registry it is set up for, and checks what came.
fn fetch(npm: &Path, package: &Package, work_dir: &Path) -> Result<Vec<u8>, PostgresError> {
    std::fs::create_dir_all(work_dir).map_err(PostgresError::file(work_dir, "made"))?;
    let name = format!("@embedded-postgres/{}@{VERSION}", package.name);
    tracing::info!(package = name, "no Postgres on this machine: fetching one with npm");
    let output = Command::new(npm)
        .args(["pack", "--silent", "--fetch-retries=2", "--fetch-timeout=120000"])
        .arg(&name)
        .current_dir(work_dir)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => program_failed("npm is not installed"),
            kind => program_failed(&kind.to_string()),
        })?;
    if !output.status.success() {
        return Err(program_failed("the registry could not be reached, or does not have the package"));
    }
    let path = work_dir.join(format!("embedded-postgres-{}-{VERSION}.tgz", package.name));
    let tarball = std::fs::read(&path).map_err(PostgresError::file(&path, "read"))?;
    check(&tarball, package.sha512, &name)?;
    Ok(tarball)
}

fn program_failed(reason: &str) -> PostgresError {
    PostgresError::Program { program: "npm pack", reason: reason.to_owned() }
}

fn check(tarball: &[u8], sha512: &str, name: &str) -> Result<(), PostgresError> {
    if STANDARD.encode(Sha512::digest(tarball)) == sha512 {
        Ok(())
    } else {
        Err(PostgresError::WrongContent { package: name.to_owned() })
    }
}

/// A link that npm cannot carry: the package lists them in a file.
#[derive(Deserialize)]
struct Link {
    /// The file that exists.
    source: PathBuf,
    /// The link to it, in the same directory.
    target: PathBuf,
}

/// Unpacks `package/native` of a tarball into a directory and makes the links that its list names.
fn unpack(tarball: &[u8], into: &Path) -> Result<(), PostgresError> {
    let unpacked = |error: std::io::Error| PostgresError::file(into, "unpacked")(error);
    let mut links: Vec<Link> = Vec::new();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(tarball));
    for entry in archive.entries().map_err(unpacked)? {
        let mut entry = entry.map_err(unpacked)?;
        let path = entry.path().map_err(unpacked)?.into_owned();
        let Ok(inner) = path.strip_prefix("package/native") else {
            continue;
        };
        if inner == Path::new("pg-symlinks.json") {
            links = serde_json::from_reader(&mut entry).map_err(|error| unpacked(error.into()))?;
            continue;
        }
        if !is_inside(inner) || !entry.header().entry_type().is_file() {
            continue;
        }
        let target = into.join(inner);
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).map_err(unpacked)?;
        }
        entry.unpack(&target).map_err(unpacked)?;
    }
    for link in links {
        let name = link.source.file_name().unwrap_or_default();
        if let Ok(inner) = link.target.strip_prefix("native")
            && is_inside(inner)
        {
            std::os::unix::fs::symlink(name, into.join(inner)).map_err(unpacked)?;
        }
    }
    Ok(())
}

/// Tells whether a path stays below the directory that it is joined to.
fn is_inside(path: &Path) -> bool {
    path.components().all(|component| matches!(component, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tarball(files: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o755);
            builder.append_data(&mut header, path, content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn a_package_is_unpacked_with_the_links_that_npm_cannot_carry() {
        let into = tempfile::tempdir().unwrap();
        let links = r#"[{"source":"native/lib/libpq.so.5.17","target":"native/lib/libpq.so.5"}]"#;
        let packed = tarball(&[
            ("package/package.json", "{}"),
            ("package/native/bin/postgres", "server"),
            ("package/native/lib/libpq.so.5.17", "library"),
            ("package/native/pg-symlinks.json", links),
        ]);

        unpack(&packed, into.path()).unwrap();

        assert_eq!(std::fs::read_to_string(into.path().join("bin/postgres")).unwrap(), "server");
        assert_eq!(std::fs::read_to_string(into.path().join("lib/libpq.so.5")).unwrap(), "library");
        assert!(!into.path().join("package.json").exists());
    }

    #[test]
    fn links_that_lead_out_of_the_package_are_not_made() {
        let root = tempfile::tempdir().unwrap();
        let links = r#"[{"source":"native/lib/x","target":"native/../../escaped"}]"#;
        let packed = tarball(&[("package/native/lib/x", "x"), ("package/native/pg-symlinks.json", links)]);

        unpack(&packed, &root.path().join("a/b")).unwrap();

        assert!(std::fs::symlink_metadata(root.path().join("escaped")).is_err());
        assert!(std::fs::symlink_metadata(root.path().join("a/escaped")).is_err());
    }

    #[test]
    fn a_tarball_of_another_content_is_refused() {
        let right = STANDARD.encode(Sha512::digest(b"right"));

        assert!(check(b"right", &right, "p").is_ok());
        assert!(matches!(check(b"wrong", &right, "p"), Err(PostgresError::WrongContent { .. })));
    }

    #[test]
    fn every_pinned_hash_has_the_length_of_a_sha512() {
        for package in &PACKAGES {
            assert_eq!(STANDARD.decode(package.sha512).unwrap().len(), 64, "{}", package.name);
        }
    }
}
