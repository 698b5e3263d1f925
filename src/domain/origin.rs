//! Web origins: where a page comes from, exactly as a browser says it. Nothing is matched by pattern or suffix.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The longest origin: a scheme, a host name of 253 bytes and a port.
const MAX_BYTES: usize = 270;

/// A serialised origin, `scheme://host[:port]`, in the one spelling that browsers send.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);

/// A text that no browser would send as the origin of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be an origin as browsers send it: http or https, a host in lower case and a port unless it is the usual one, \
     such as https://shop.example; no path, no wildcard"
)]
pub struct OriginError;

impl Origin {
    /// Reads an origin. `null`, wildcards, user names, paths, default ports and capital letters are none.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        if text.len() > MAX_BYTES {
            return Err(OriginError);
        }
        let (scheme, authority) = text.split_once("://").ok_or(OriginError)?;
        let usual_port = match scheme {
            "https" => 443,
            "http" => 80,
            _ => return Err(OriginError),
        };
        let (host, port) = split_port(authority).ok_or(OriginError)?;
        let port_ok = port.is_none_or(|port| is_port(port, usual_port));
        if port_ok && is_host(host) { Ok(Self(text.to_owned())) } else { Err(OriginError) }
    }

    /// Returns the origin as a browser sends it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells whether nobody on the way can pretend to be it: TLS, or a page of the same machine.
    pub fn is_secure(&self) -> bool {
        let Some(authority) = self.0.strip_prefix("http://") else { return true };
        let host = split_port(authority).map_or(authority, |(host, _)| host);
        matches!(host, "localhost" | "127.0.0.1" | "[::1]") || host.ends_with(".localhost")
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Splits at the colon before the port; the colons of an IPv6 address stand in brackets.
fn split_port(authority: &str) -> Option<(&str, Option<&str>)> {
    let end = if authority.starts_with('[') { authority.find(']')? + 1 } else { 0 };
    match authority.get(end..)?.find(':') {
        Some(colon) => Some((&authority[..end + colon], Some(&authority[end + colon + 1..]))),
        None => Some((authority, None)),
    }
}

fn is_port(text: &str, usual: u16) -> bool {
    let digits_ok = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    digits_ok && text.parse::<u16>().is_ok_and(|port| port != 0 && port != usual)
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        // Browsers spell an IPv4 address in IPv6 otherwise than we would; nobody serves pages there.
        return address.parse::<Ipv6Addr>().is_ok_and(|parsed| parsed.to_string() == address && !address.contains('.'));
    }
    let last_label = host.rsplit('.').next().unwrap_or_default();
    if last_label.starts_with(|first: char| first.is_ascii_digit()) {
        // What ends in a number is an address to a browser, and is spelt as one.
        return host.parse::<Ipv4Addr>().is_ok_and(|parsed| parsed.to_string() == host);
    }
    host.len() <= 253 && host.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let letters_ok = label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
    (1..=63).contains(&label.len()) && letters_ok && !label.starts_with('-') && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_read_only_in_the_spelling_of_browsers() {
        for good in [
            "https://shop.example",
            "https://shop.example:8443",
            "http://shop.example:443",
            "https://xn--bcher-kva.example",
            "https://a_b.example",
            "http://localhost:3000",
            "https://192.0.2.7",
            "https://[2001:db8::1]:8443",
            "https://intranet",
        ] {
            assert_eq!(Origin::parse(good).map(|origin| origin.to_string()).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "null",
            "*",
            "https://*",
            "https://*.example",
            "https://shop.example/",
            "https://shop.example/path",
            "https://shop.example?x",
            "https://shop.example#x",
            "https://shop.example:443",
            "http://shop.example:80",
            "https://shop.example:0443",
            "https://shop.example:0",
            "https://shop.example:65536",
            "https://shop.example:",
            "https://shop.example:+8",
            "https://user@shop.example",
            "https://user:pass@shop.example",
            "https://Shop.example",
            "HTTPS://shop.example",
            "ftp://shop.example",
            "file://",
            "https://",
            "https:///",
            "https://shop.example.",
            "https://.example",
            "https://shop..example",
            "https://-shop.example",
            "https://bücher.example",
            "https://shop.example ",
            " https://shop.example",
            "https://shop.example\0",
            "https://shop.example, https://other.example",
            "https://shop.example https://other.example",
            "https://192.0.2.07",
            "https://192.0.2",
            "https://0x7f.1",
            "https://[2001:DB8::1]",
            "https://[2001:db8:0:0:0:0:0:1]",
            "https://[::ffff:192.0.2.7]",
            "https://[::1",
            "https://[::1]x",
            "shop.example",
            "//shop.example",
            "https:shop.example",
            "https:\\\\shop.example",
        ] {
            assert_eq!(Origin::parse(bad), Err(OriginError), "{bad}");
        }
        assert!(Origin::parse(&format!("https://{}.example", "a".repeat(64))).is_err());
    }

    #[test]
    fn plain_http_is_safe_on_ones_own_machine_only() {
        let is_secure = |text: &str| Origin::parse(text).unwrap().is_secure();

        assert!(is_secure("https://shop.example") && is_secure("http://localhost:5173"));
        assert!(
            is_secure("http://127.0.0.1:8080") && is_secure("http://[::1]:8080") && is_secure("http://a.localhost")
        );
        assert!(!is_secure("http://shop.example") && !is_secure("http://localhost.example"));
        assert!(!is_secure("http://127.0.0.2"));
    }
}
