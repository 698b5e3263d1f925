//! `afterword key`: makes, lists and revokes secret, publishable and signing keys.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use chrono::TimeDelta;
use comfy_table::{Table, presets};

use super::UsageError;
use super::connect::{self, Connected, DEFAULT_PROJECT, Project};
use crate::config::{Config, is_project_name};
use crate::domain::clock::Timestamp;
use crate::domain::credential::PublishableKey;
use crate::domain::origin::{Origin, OriginError};
use crate::domain::principal::{Role, SecretKey};
use crate::domain::signing::{Algorithm, PublicKey, SigningSecret};
use crate::service::key_ring::{self, KeyRequest, ListedKind, MadeKey, Purpose};
use crate::service::keys::{self, NewKey};
use crate::service::{ServiceError, bootstrap};

/// Arguments of `afterword key`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  KEY=$(afterword key create --role ingest --name backend --expires-in 90d)
  afterword key create --publishable --origin https://shop.example --name shop
  afterword key create --signing hs256 --name tokens
  afterword key create --signing eddsa --name tokens > signing-key.pem
  afterword key list
  afterword key revoke 7hq2mzt4x5c3b6ka")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a key and print it; this is the only time that it is seen.
    #[command(after_help = "\
Examples:
  KEY=$(afterword key create --role ingest --name backend --expires-in 90d)
  afterword key create --publishable --origin https://shop.example --name shop
  afterword key create --signing eddsa --name tokens > signing-key.pem")]
    Create(Create),
    /// List a project's keys, without their secrets.
    #[command(after_help = "\
Examples:
  afterword key list
  afterword key list --project support")]
    List(List),
    /// Revoke a key for good.
    #[command(after_help = "\
Examples:
  afterword key revoke 7hq2mzt4x5c3b6ka")]
    Revoke(Revoke),
}

#[derive(Debug, clap::Args)]
struct Create {
    /// Project that the key acts on; made where it is absent. Not needed where there is at most one.
    #[arg(long, value_name = "NAME", value_parser = parse_project)]
    project: Option<String>,
    /// What the key may do: write (ingest), read numbers (viewer), read text, export and compare (analyst), or all.
    #[arg(long, value_name = "ROLE", default_value = "ingest", value_parser = parse_role)]
    role: Role,
    /// Make a publishable key instead, which pages of the origins may show and which writes unverified feedback only.
    #[arg(long, requires = "origin", conflicts_with_all = ["role", "signing"])]
    publishable: bool,
    /// Origin that a publishable key may come from, exactly as browsers send it; may be repeated.
    #[arg(long, value_name = "ORIGIN", value_parser = parse_origin, requires = "publishable")]
    origin: Vec<Origin>,
    /// Take origins of plain http too, whose pages anybody on the way can change.
    #[arg(long, requires = "publishable")]
    allow_http: bool,
    /// Make a key that signs feedback tokens instead; of eddsa the private part is printed and kept nowhere.
    #[arg(long, value_name = "ALGORITHM", value_parser = parse_algorithm, conflicts_with = "role")]
    signing: Option<Algorithm>,
    /// File with the PEM of an Ed25519 public key whose private part never was here.
    #[arg(long, value_name = "FILE", requires = "signing")]
    public_key: Option<PathBuf>,
    /// What you call the key.
    #[arg(long, value_name = "NAME", default_value = "unnamed", value_parser = parse_name)]
    name: String,
    /// How long it is valid, such as 12h, 90d or 52w; for ever if left out.
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    expires_in: Option<TimeDelta>,
}

#[derive(Debug, clap::Args)]
struct List {
    /// Project whose keys are listed; not needed where there is only one.
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Revoke {
    /// The 16 characters after the prefix, as `key list` shows them; the whole key is taken too.
    #[arg(value_name = "KEY_ID", value_parser = parse_key_id)]
    key_id: String,
}

/// Runs the subcommand.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<ExitCode> {
    connect::with(config, async |connected: &Connected| match args.command {
        Command::Create(args) => create(connected, args).await,
        Command::List(args) => list(connected, args).await,
        Command::Revoke(args) => revoke(connected, args).await,
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}

async fn create(connected: &Connected, args: Create) -> anyhow::Result<()> {
    let project = match args.project.clone() {
        Some(name) => name,
        None if bootstrap::list_projects(&connected.app).await?.is_empty() => DEFAULT_PROJECT.to_owned(),
        None => connected.project(None).await?.name,
    };
    let now = connected.app.clock.now();
    let expires_at = args
        .expires_in
        .as_ref()
        .map(|life| now.checked_add_signed(*life).ok_or_else(|| UsageError("--expires-in is too far away".to_owned())));
    let expires_at = expires_at.transpose()?;
    if let Some(purpose) = purpose(&args)? {
        let request = KeyRequest { name: args.name, expires_at, purpose };
        return create_for_pages_or_tokens(connected, &project, request).await;
    }
    let new = NewKey { project, name: args.name, role: args.role, expires_at };
    let note = format!("made a key with role {} for project `{}`", new.role.as_str(), new.project);
    let key = keys::create(&connected.app, new).await?;
    writeln!(std::io::stdout().lock(), "{}", key.reveal())?;
    writeln!(std::io::stderr().lock(), "{note}; it is shown only now")?;
    Ok(())
}

/// Tells what a key is for that is no secret key.
fn purpose(args: &Create) -> anyhow::Result<Option<Purpose>> {
    if args.publishable {
        if let Some(open) = args.origin.iter().find(|origin| !origin.is_secure() && !args.allow_http) {
            let refusal =
                format!("{open} is plain http, where anybody on the way can change the page; --allow-http takes it");
            return Err(UsageError(refusal).into());
        }
        return Ok(Some(Purpose::Publishable(args.origin.clone())));
    }
    Ok(match (args.signing, &args.public_key) {
        (None, _) => None,
        (Some(Algorithm::Hs256), None) => Some(Purpose::Hs256),
        (Some(Algorithm::EdDsa), None) => Some(Purpose::EdDsa),
        (Some(Algorithm::Hs256), Some(_)) => return Err(UsageError("hs256 has no public key".to_owned()).into()),
        (Some(Algorithm::EdDsa), Some(path)) => {
            let pem = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            let key = PublicKey::parse_pem(&pem).map_err(|error| UsageError(format!("{} {error}", path.display())))?;
            Some(Purpose::EdDsaOf(key))
        }
    })
}

async fn create_for_pages_or_tokens(connected: &Connected, project: &str, request: KeyRequest) -> anyhow::Result<()> {
    let id = bootstrap::ensure(&connected.app, project, None).await?;
    let operator = Project { id, name: project.to_owned() }.operator();
    let made = key_ring::make(&connected.app, &operator, request).await?;
    let (mut out, mut notes) = (std::io::stdout().lock(), std::io::stderr().lock());
    match &made {
        MadeKey::Secret(key) => writeln!(out, "{}", key.reveal())?,
        MadeKey::Publishable(key) => {
            writeln!(out, "{key}")?;
            writeln!(notes, "made a publishable key for project `{project}`; it is no secret")?;
        }
        MadeKey::Hs256(secret) => {
            writeln!(out, "{}", secret.reveal())?;
            writeln!(notes, "made an HS256 signing key for project `{project}`; it is shown only now")?;
        }
        MadeKey::EdDsa { private_pem, .. } => {
            if let Some(pem) = private_pem {
                write!(out, "{}", pem.reveal())?;
            }
            writeln!(notes, "made an EdDSA signing key for project `{project}`; a private part is shown only now")?;
        }
    }
    if matches!(made, MadeKey::Hs256(_) | MadeKey::EdDsa { .. }) {
        writeln!(notes, "tokens have kid {} and iss {id}", made.id())?;
    }
    Ok(())
}

async fn list(connected: &Connected, args: List) -> anyhow::Result<()> {
    let project = connected.project(args.project.as_deref()).await?;
    let keys = key_ring::list(&connected.app, project.id).await?;
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["KEY ID", "NAME", "KIND", "CREATED", "LAST USED", "STATE"]);
    let now = connected.app.clock.now();
    for key in keys {
        let state = match (key.life.revoked_at, key.life.expires_at) {
            (Some(at), _) => format!("revoked {}", minute(at)),
            (None, Some(at)) if at <= now => format!("expired {}", minute(at)),
            (None, Some(at)) => format!("valid until {}", minute(at)),
            (None, None) => "valid".to_owned(),
        };
        let last_used = key.life.last_used_at.map_or_else(|| "never".to_owned(), minute);
        table.add_row([&key.id, &key.life.name, &kind(&key.kind), &minute(key.life.created_at), &last_used, &state]);
    }
    writeln!(std::io::stdout().lock(), "{}", table.trim_fmt())?;
    Ok(())
}

async fn revoke(connected: &Connected, args: Revoke) -> anyhow::Result<()> {
    match keys::revoke(&connected.app, &args.key_id).await {
        Err(ServiceError::NotFound) => {
            return Err(anyhow!("there is no valid key with the id `{}`; see `afterword key list`", args.key_id));
        }
        done => done?,
    }
    writeln!(std::io::stderr().lock(), "revoked key {}; running services refuse it within seconds", args.key_id)?;
    Ok(())
}

fn kind(kind: &ListedKind) -> String {
    match kind {
        ListedKind::Secret(role) => role.as_str().to_owned(),
        ListedKind::Signing(algorithm) => format!("signing {algorithm}"),
        ListedKind::Publishable(origins) => {
            let origins: Vec<&str> = origins.iter().map(Origin::as_str).collect();
            format!("publishable {}", origins.join(" "))
        }
    }
}

fn minute(at: Timestamp) -> String {
    at.format("%Y-%m-%d %H:%MZ").to_string()
}

fn parse_role(word: &str) -> Result<Role, String> {
    let words = || Role::WORDS.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
    Role::parse(word).ok_or_else(|| format!("must be one of {}", words()))
}

fn parse_algorithm(word: &str) -> Result<Algorithm, &'static str> {
    match word {
        "hs256" => Ok(Algorithm::Hs256),
        "eddsa" => Ok(Algorithm::EdDsa),
        _ => Err("must be hs256 or eddsa"),
    }
}

fn parse_origin(text: &str) -> Result<Origin, OriginError> {
    Origin::parse(text)
}

fn parse_project(text: &str) -> Result<String, &'static str> {
    if is_project_name(text) { Ok(text.to_owned()) } else { Err("must be 1 to 256 bytes") }
}

fn parse_name(text: &str) -> Result<String, &'static str> {
    if (1..=256).contains(&text.len()) { Ok(text.to_owned()) } else { Err("must be 1 to 256 bytes") }
}

fn parse_key_id(text: &str) -> Result<String, &'static str> {
    if let Some(key) = SecretKey::parse(text) {
        return Ok(key.id().to_owned());
    }
    if let Some(id) = SigningSecret::parse(text).map(|secret| secret.id().clone()) {
        return Ok(id.as_str().to_owned());
    }
    if let Some(key) = PublishableKey::parse(text) {
        return Ok(key.id().as_str().to_owned());
    }
    let is_id = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if is_id { Ok(text.to_owned()) } else { Err("must be 16 characters of a-z and 0-9") }
}

fn parse_duration(text: &str) -> Result<TimeDelta, &'static str> {
    const EXPECTED: &str = "must be a whole number with m, h, d or w, such as 90d";
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or(EXPECTED)?;
    let number: i64 = number.parse().map_err(|_| EXPECTED)?;
    let life = match unit {
        "m" => TimeDelta::try_minutes(number),
        "h" => TimeDelta::try_hours(number),
        "d" => TimeDelta::try_days(number),
        "w" => TimeDelta::try_weeks(number),
        _ => None,
    };
    life.filter(|life| *life > TimeDelta::zero()).ok_or(EXPECTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_a_number_and_a_unit() {
        for (text, minutes) in
            [("5m", Some(5)), ("12h", Some(720)), ("90d", Some(129_600)), ("2w", Some(20_160)), ("0d", None)]
        {
            assert_eq!(parse_duration(text).ok().map(|life| life.num_minutes()), minutes, "{text}");
        }
        for bad in ["", "d", "90", "-1d", "1.5h", "1é", "9223372036854775807w"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_id_is_taken_alone_or_from_the_whole_key() {
        let whole = format!("aw_sec_abcdefgh01234567_{}", "s".repeat(43));

        assert_eq!(parse_key_id(&whole).unwrap(), "abcdefgh01234567");
        assert_eq!(parse_key_id("abcdefgh01234567").unwrap(), "abcdefgh01234567");
        assert!(parse_key_id("ABCDEFGH01234567").is_err() && parse_key_id("short").is_err());
    }
}
