//! Addresses, URLs and networks as an operator writes them.

use std::net::SocketAddr;

use super::error::ConfigError;
use super::given;
use crate::domain::network::Network;

pub(super) fn parse_listen(text: &str) -> Result<SocketAddr, ConfigError> {
    let numeric = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    numeric
        .parse()
        .map_err(|_| ConfigError::Invalid { key: "listen", expected: "an address and a port, such as 127.0.0.1:8787" })
}

pub(super) fn parse_urls(text: &str) -> Result<Vec<String>, ConfigError> {
    let urls: Vec<&str> = text.split(',').map(str::trim).filter(|url| !url.is_empty()).collect();
    // No recipe may hold a password, so that an address with one could never be named.
    let is_url = |url: &&str| (url.starts_with("http://") || url.starts_with("https://")) && !url.contains('@');
    if urls.iter().all(is_url) {
        Ok(urls.into_iter().map(str::to_owned).collect())
    } else {
        let expected = "URLs with http or https and without a password, joined by commas";
        Err(ConfigError::Invalid { key: "exports.hook_urls", expected })
    }
}

pub(super) fn parse_public_url(text: String) -> Result<Option<String>, ConfigError> {
    let Some(text) = given(text) else { return Ok(None) };
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    // Links are put together by appending to it.
    if host.is_some_and(|host| !host.is_empty() && !host.starts_with('/') && !host.contains(['@', '?', '#', ' '])) {
        return Ok(Some(text.trim_end_matches('/').to_owned()));
    }
    let expected = "http:// or https:// and a host, such as https://feedback.example.org";
    Err(ConfigError::Invalid { key: "http.public_url", expected })
}

pub(super) fn parse_networks(text: &str) -> Result<Vec<Network>, ConfigError> {
    let written = text.split(',').map(str::trim).filter(|network| !network.is_empty());
    let expected = "networks joined by commas, such as 10.0.0.0/8, 2001:db8::1";
    written
        .map(|network| Network::parse(network).ok_or(ConfigError::Invalid { key: "http.trusted_proxies", expected }))
        .collect()
}
