//! `afterword token`: mints feedback tokens and takes them back.

use std::io::Write as _;
use std::process::ExitCode;

use super::UsageError;
use super::connect::{self, Connected};
use crate::config::Config;
use crate::domain::credential::TokenText;
use crate::domain::fields::FieldError;
use crate::domain::json::Json;
use crate::domain::token::{NewToken, SignedToken, token_id};
use crate::http::LINK_PREFIX as PREFIX;
use crate::report::count::words_for;
use crate::service::tokens;

/// Arguments of `afterword token`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  TOKEN=$(afterword token mint --subject u-1 --completion-id chatcmpl-9f --signal thumb)
  afterword token mint --subject u-1 --conversation-id c-1 --ttl-s 3600
  afterword token link --subject u-1 --completion-id chatcmpl-9f --url https://feedback.example.org
  afterword token revoke \"$TOKEN\"")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Mint a token and print it.
    #[command(after_help = "\
Examples:
  TOKEN=$(afterword token mint --subject u-1 --completion-id chatcmpl-9f --signal thumb)
  afterword token mint --subject u-1 --conversation-id c-1 --ttl-s 3600")]
    Mint(Mint),
    /// Make a link to a page where one user says whether one completion was helpful, for a mail or a chat.
    #[command(after_help = "\
Whoever has the link can answer in the user's name, and change the answer, until it expires. Looking at the page records
nothing. With ?value=up or ?value=down at its end the thumb is chosen already; it is recorded when it is sent.

Examples:
  afterword token link --subject u-1 --completion-id chatcmpl-9f --url https://feedback.example.org
  afterword token link --subject u-1 --completion-id chatcmpl-9f --ttl-s 2592000")]
    Link(Link),
    /// Take tokens and links back before they expire.
    #[command(after_help = "\
Examples:
  afterword token revoke \"$TOKEN\"")]
    Revoke(Revoke),
}

#[derive(Debug, clap::Args)]
struct Mint {
    /// Project that the token acts on; not needed where there is only one.
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// User whose reactions it grants.
    #[arg(long, value_name = "USER")]
    subject: String,
    /// Completion that it grants reactions to; may be repeated.
    #[arg(long, value_name = "ID", required_unless_present = "conversation_id", conflicts_with = "conversation_id")]
    completion_id: Vec<String>,
    /// Conversation whose completions it grants reactions to.
    #[arg(long, value_name = "ID")]
    conversation_id: Option<String>,
    /// Signal that it grants; may be repeated, and any if left out.
    #[arg(long, value_name = "SIGNAL")]
    signal: Vec<String>,
    /// Seconds for which it is valid; 15 minutes if left out.
    #[arg(long, value_name = "SECONDS")]
    ttl_s: Option<i64>,
}

#[derive(Debug, clap::Args)]
struct Link {
    /// Project that the link acts on; not needed where there is only one.
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// User who is asked.
    #[arg(long, value_name = "USER")]
    subject: String,
    /// Completion that the user is asked about.
    #[arg(long, value_name = "ID")]
    completion_id: String,
    /// Seconds for which it is valid, at most 30 days; 7 days if left out.
    #[arg(long, value_name = "SECONDS")]
    ttl_s: Option<i64>,
    /// Where people reach the service; http.public_url of the configuration if left out, and otherwise the path alone is
    /// printed.
    #[arg(long, value_name = "URL", value_parser = super::import::url)]
    url: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Revoke {
    /// Project of the tokens; not needed where there is only one.
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// Tokens or links, or their ids (the claim `jti`).
    #[arg(value_name = "TOKEN", required = true, num_args = 1.., value_parser = parse_token_id)]
    tokens: Vec<String>,
}

/// Runs the subcommand.
pub async fn run(args: Args, config: &Config) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Mint(args) => {
            let asked = asked(&args)?;
            connect::with(config, async |connected: &Connected| mint(connected, args.project.as_deref(), asked).await)
                .await?;
        }
        Command::Link(args) => {
            let asked = asked_link(&args)?;
            let base = args.url.or_else(|| config.http.public_url.clone()).unwrap_or_default();
            connect::with(config, async |connected: &Connected| {
                link(connected, args.project.as_deref(), asked, &base).await
            })
            .await?;
        }
        Command::Revoke(args) => {
            connect::with(config, async |connected: &Connected| revoke(connected, args).await).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Takes the arguments through the same door as a request.
fn asked(args: &Mint) -> Result<NewToken, UsageError> {
    let text = |text: &String| Json::String(text.clone());
    let texts = |texts: &[String]| match texts {
        [] => Json::Null,
        texts => Json::Array(texts.iter().map(text).collect()),
    };
    let members = vec![
        ("subject".to_owned(), text(&args.subject)),
        ("completion_ids".to_owned(), texts(&args.completion_id)),
        ("conversation_id".to_owned(), args.conversation_id.as_ref().map_or(Json::Null, text)),
        ("signals".to_owned(), texts(&args.signal)),
        ("ttl_s".to_owned(), args.ttl_s.map_or(Json::Null, |seconds| Json::Integer(seconds.into()))),
    ];
    NewToken::from_json(Json::Object(members)).map_err(|errors| all_of(&errors))
}

/// Does the same for a link.
fn asked_link(args: &Link) -> Result<NewToken, UsageError> {
    let members = vec![
        ("subject".to_owned(), Json::String(args.subject.clone())),
        ("completion_id".to_owned(), Json::String(args.completion_id.clone())),
        ("ttl_s".to_owned(), args.ttl_s.map_or(Json::Null, |seconds| Json::Integer(seconds.into()))),
    ];
    NewToken::link_from_json(Json::Object(members)).map_err(|errors| all_of(&errors))
}

fn all_of(errors: &[FieldError]) -> UsageError {
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    UsageError(errors.join("; "))
}

async fn mint(connected: &Connected, project: Option<&str>, asked: NewToken) -> anyhow::Result<()> {
    let project = connected.project(project).await?;
    let minted = tokens::mint(&connected.app, &project.operator(), asked).await?;
    writeln!(std::io::stdout().lock(), "{}", minted.token)?;
    let expires_at = minted.expires_at.format("%Y-%m-%d %H:%M:%SZ");
    writeln!(std::io::stderr().lock(), "minted token {}, valid until {expires_at}", minted.token_id)?;
    Ok(())
}

async fn link(connected: &Connected, project: Option<&str>, asked: NewToken, base: &str) -> anyhow::Result<()> {
    let project = connected.project(project).await?;
    let minted = tokens::mint(&connected.app, &project.operator(), asked).await?;
    writeln!(std::io::stdout().lock(), "{base}{PREFIX}{}", minted.token)?;
    let expires_at = minted.expires_at.format("%Y-%m-%d %H:%M:%SZ");
    writeln!(std::io::stderr().lock(), "made link {}, valid until {expires_at}", minted.token_id)?;
    Ok(())
}

async fn revoke(connected: &Connected, args: Revoke) -> anyhow::Result<()> {
    let project = connected.project(args.project.as_deref()).await?;
    let n_revoked = tokens::revoke(&connected.app, &project.operator(), args.tokens).await?;
    let tokens = words_for(n_revoked, "token", "tokens");
    writeln!(std::io::stderr().lock(), "revoked {n_revoked} {tokens}; running services refuse them within seconds")?;
    Ok(())
}

/// Takes the id of a token, or finds it in the token or the link; what is wrong is not repeated, because it may be a credential.
fn parse_token_id(text: &str) -> Result<String, String> {
    let token = text.rsplit('/').next().and_then(|text| text.split('?').next()).and_then(TokenText::parse);
    if let Some(token) = token.and_then(|text| SignedToken::read(&text)) {
        return Ok(token.claims.grant.token_id);
    }
    token_id(&Json::String(text.to_owned())).map_err(|(_, detail)| detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_revoked_by_its_id_or_by_itself() {
        let token = "eyJ0eXAiOiJhdy1mZWVkYmFjaytqd3QiLCJhbGciOiJIUzI1NiIsImtpZCI6ImFiY2RlZmdoMDEyMzQ1NjcifQ.\
                     eyJpc3MiOiJwIiwiYXVkIjoiYWZ0ZXJ3b3JkIiwiaWF0IjoxMDAwLCJuYmYiOjEwMDAsImV4cCI6MTkwMCwianRpIjoidC03\
                     Iiwic3ViIjoidSIsImNvbnZlcnNhdGlvbl9pZCI6InYifQ.c2ln";

        assert_eq!(parse_token_id(token).as_deref(), Ok("t-7"));
        assert_eq!(parse_token_id(&format!("https://a.example/f/{token}?value=up")).as_deref(), Ok("t-7"));
        assert_eq!(parse_token_id("t-7").as_deref(), Ok("t-7"));
        assert!(parse_token_id("").is_err() && parse_token_id(&"t".repeat(65)).is_err());
    }
}
