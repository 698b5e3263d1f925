//! `afterword sdk`: the element that loads the browser SDK from a service of this version.

use std::io::Write as _;
use std::process::ExitCode;

use super::UsageError;
use crate::domain::origin::Origin;
use crate::http::script_tag;

/// Arguments of `afterword sdk`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  afterword sdk                                       for pages of the service's own origin
  afterword sdk --endpoint https://feedback.example   for pages of any other

The address holds the script's hash: it may be cached for ever, and another version of the service does not have it.
Print the element anew with every upgrade, or load /sdk/v1/afterword.js, which stays, without `integrity`.")]
pub struct Args {
    /// Origin of the service as pages see it, and a path where a proxy puts one before it; the page's own if left out.
    #[arg(long, value_name = "URL", value_parser = parse_endpoint)]
    endpoint: Option<String>,
}

/// Runs the subcommand.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    writeln!(std::io::stdout().lock(), "{}", script_tag(args.endpoint.as_deref().unwrap_or_default()))?;
    Ok(ExitCode::SUCCESS)
}

/// Takes what may stand in an attribute as it is.
fn parse_endpoint(text: &str) -> Result<String, UsageError> {
    let refused =
        || UsageError("must be an origin such as https://feedback.example, and a plain path behind it".into());
    let after_scheme = text.find("://").map_or(0, |at| at + 3);
    let end = text[after_scheme..].find('/').map_or(text.len(), |at| after_scheme + at);
    let (origin, path) = text.split_at(end);
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    if Origin::parse(origin).is_ok() && path.bytes().all(is_plain) { Ok(text.to_owned()) } else { Err(refused()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_leave_the_attribute_is_refused() {
        for fine in
            ["https://feedback.example", "http://localhost:8787", "https://shop.example/aw/", "https://a.example/"]
        {
            assert!(parse_endpoint(fine).is_ok(), "{fine}");
        }
        for refused in
            ["feedback.example", "https://a.example/\"><b>", "https://a.example/?q", "https://A.example", "/a", ""]
        {
            assert!(parse_endpoint(refused).is_err(), "{refused}");
        }
    }
}
