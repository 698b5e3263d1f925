//! The address that a request comes from. What a header says is believed only of proxies that the operator names.

use std::net::IpAddr;

use actix_web::http::header::HeaderMap;

use crate::domain::network::Network;

/// The proxies that are believed, and the header in which they write whom they speak for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// Their networks.
    pub trusted: Vec<Network>,
    /// The header; a client can send the other one, so that only one is read.
    pub header: ForwardedHeader,
}

/// A header in which a proxy writes whom it speaks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Finds the client: the nearest address that is not a trusted proxy's, walking from the peer outwards.
pub(crate) fn client_address(proxies: &Proxies, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
    let is_trusted = |address: IpAddr| proxies.trusted.iter().any(|network| network.contains(address));
    let peer = peer?;
    if !is_trusted(peer) {
        return Some(peer);
    }
    let name = match proxies.header {
        ForwardedHeader::XForwardedFor => "x-forwarded-for",
        ForwardedHeader::Forwarded => "forwarded",
    };
    let lines: Vec<&str> = headers.get_all(name).map(|value| value.to_str().unwrap_or_default()).collect();
    let mut nearest = peer;
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        let told = match proxies.header {
            ForwardedHeader::XForwardedFor => parse_node(hop.trim()),
            ForwardedHeader::Forwarded => forwarded_for(hop).and_then(parse_node),
        };
        // What cannot be read is no address; the proxy that passed it on answers for it.
        let Some(address) = told else { return Some(nearest) };
        nearest = address;
        if !is_trusted(address) {
            break;
        }
    }
    Some(nearest)
}

/// Returns the value of `for` in one element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
    })
}

/// Reads an address that may have a port and, for IPv6, brackets.
fn parse_node(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').and_then(|(address, _)| address.parse().ok()),
        None => text.rsplit_once(':').and_then(|(address, _)| address.parse().ok()),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn found(trusted: &[&str], header: ForwardedHeader, peer: &str, lines: &[(&'static str, &'static str)]) -> String {
        let trusted = trusted.iter().map(|text| Network::parse(text).unwrap()).collect();
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        client_address(&Proxies { trusted, header }, Some(peer.parse().unwrap()), &headers).unwrap().to_string()
    }

    #[test]
    fn a_header_is_believed_of_a_trusted_proxy_only() {
        let of = |trusted: &[&str], peer, line| {
            found(trusted, ForwardedHeader::XForwardedFor, peer, &[("x-forwarded-for", line)])
        };

        assert_eq!(of(&[], "10.0.0.1", "192.0.2.7"), "10.0.0.1");
        assert_eq!(of(&["10.0.0.0/8"], "10.0.0.1", "192.0.2.7"), "192.0.2.7");
        assert_eq!(of(&["10.0.0.0/8"], "10.0.0.1", "1.2.3.4, 192.0.2.7, 10.9.9.9"), "192.0.2.7", "what it adds itself");
        assert_eq!(of(&["10.0.0.0/8"], "203.0.113.5", "192.0.2.7"), "203.0.113.5");
        assert_eq!(of(&["10.0.0.0/8"], "10.0.0.1", "unknown, 10.0.0.2"), "10.0.0.2");
        assert_eq!(of(&["10.0.0.0/8"], "10.0.0.1", "[2001:db8::1]:443"), "2001:db8::1");
        assert_eq!(of(&["10.0.0.0/8"], "10.0.0.1", "192.0.2.7:5000"), "192.0.2.7");
    }

    #[test]
    fn the_other_header_is_not_read() {
        let lines =
            [("x-forwarded-for", "1.2.3.4"), ("forwarded", "for=\"[2001:db8::1]:1\";proto=https, for=192.0.2.9")];

        assert_eq!(found(&["::1/128"], ForwardedHeader::Forwarded, "::1", &lines), "192.0.2.9");
        assert_eq!(found(&["::1/128"], ForwardedHeader::XForwardedFor, "::1", &lines), "1.2.3.4");
    }
}
