//! Keys and tokens that software authenticates with, by the prefixes that their makers give them.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use super::scan::begins;

/// A prefix, the fewest characters behind it, and which ones they are beside letters and digits.
struct Form {
    prefix: &'static [u8],
    n_at_least: usize,
    also: &'static [u8],
}

const fn form(prefix: &'static str, n_at_least: usize, also: &'static str) -> Form {
    Form { prefix: prefix.as_bytes(), n_at_least, also: also.as_bytes() }
}

/// Documented prefixes of keys.
const FORMS: &[Form] = &[
    form("sk-", 20, "-_"),
    form("sk_live_", 16, "_"),
    form("sk_test_", 16, "_"),
    form("rk_live_", 16, "_"),
    form("rk_test_", 16, "_"),
    form("pk_live_", 16, "_"),
    form("whsec_", 20, "+/="),
    form("ghp_", 30, ""),
    form("gho_", 30, ""),
    form("ghu_", 30, ""),
    form("ghs_", 30, "._-"),
    form("ghr_", 30, ""),
    form("github_pat_", 22, "_"),
    form("glpat-", 20, "-_."),
    form("xoxb-", 10, "-"),
    form("xoxp-", 10, "-"),
    form("xoxa-", 10, "-"),
    form("xoxr-", 10, "-"),
    form("xoxs-", 10, "-"),
    form("xapp-", 10, "-"),
    form("AKIA", 16, ""),
    form("ASIA", 16, ""),
    form("AIza", 35, "-_"),
    form("ya29.", 20, "-_."),
    form("GOCSPX-", 20, "-_"),
    form("hf_", 30, ""),
    form("npm_", 36, ""),
    form("pypi-", 50, "-_"),
    form("dop_v1_", 60, ""),
    form("SG.", 40, "-_."),
    form("shpat_", 32, ""),
    form("gsk_", 40, ""),
    form("r8_", 37, ""),
    form("dapi", 32, ""),
    form("lsv2_", 30, "_"),
    form("aw_sec_", 40, "-_"),
];

/// Begins a key in PEM form.
const PEM: &[u8] = b"-----BEGIN ";
/// Begins a JWT: `{"` in base64url.
const JWT: &[u8] = b"eyJ";
/// Words that say that a token follows.
const SCHEMES: &[&[u8]] = &[b"Bearer ", b"bearer ", b"BEARER ", b"Basic ", b"basic "];
const MIN_CHARS_OF_TOKEN: usize = 20;
/// Bytes that a private key in PEM form may take: one of RSA with 16384 bits takes 13 KB.
const MAX_KEY_BYTES: usize = 16 << 10;
/// Each of the three parts of a JWT has more characters than this.
const MIN_CHARS_OF_PART: usize = 10;

/// Looks for all that a secret may begin with at once.
static BEGINS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let prefixes = FORMS.iter().map(|form| form.prefix).chain(SCHEMES.iter().copied()).chain([PEM, JWT]);
    AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(prefixes).ok()
});

/// Finds where secrets begin and end, in order and apart.
pub(super) fn find(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    let mut looking = Looking::default();
    // A handful of short constants can always be built.
    let Some(begins_with) = BEGINS.as_ref() else { return found };
    for begin in begins_with.find_iter(bytes).map(|begin| begin.start()) {
        let is_behind = found.last().is_none_or(|(_, end)| begin >= *end);
        if is_behind && begins(bytes, begin) {
            found.extend(looking.find(bytes, begin));
        }
    }
    found
}

/// What the search remembers, so that no part of a text is gone through over and over.
#[derive(Debug, Default)]
struct Looking {
    /// No JWT begins before this byte.
    no_jwt_before: usize,
}

impl Looking {
    /// Returns where the secret begins and ends that is introduced here, if it is one.
    fn find(&mut self, bytes: &[u8], at: usize) -> Option<(usize, usize)> {
        let text = &bytes[at..];
        if text.starts_with(PEM) {
            return private_key(bytes, at).map(|end| (at, end));
        }
        if text.starts_with(JWT) {
            return self.jwt(bytes, at).map(|end| (at, end));
        }
        if let Some(scheme) = SCHEMES.iter().find(|scheme| text.starts_with(scheme)) {
            let start = at + scheme.len();
            let n = run(bytes, start, b"-_.~+/=");
            let has_digit = bytes[start..start + n].iter().any(u8::is_ascii_digit);
            return (n >= MIN_CHARS_OF_TOKEN && has_digit).then_some((start, start + n));
        }
        let form = FORMS.iter().find(|form| text.starts_with(form.prefix))?;
        let start = at + form.prefix.len();
        // Behind a full stop that ends a sentence the token is over.
        let n = run(bytes, start, form.also);
        let n = n - bytes[start..start + n].iter().rev().take_while(|byte| b".-".contains(byte)).count();
        (n >= form.n_at_least).then_some((at, start + n))
    }

    /// Three parts in base64url between full stops, the first of which is an object in JSON.
    fn jwt(&mut self, bytes: &[u8], at: usize) -> Option<usize> {
        if at < self.no_jwt_before {
            return None;
        }
        let mut end = at;
        for nth in 0..3 {
            let n = run(bytes, end, b"-_");
            if nth == 0 {
                // Whatever begins inside of this part goes on as this one does.
                self.no_jwt_before = end + n;
            }
            if n < MIN_CHARS_OF_PART {
                return None;
            }
            end += n;
            if nth < 2 {
                end = (bytes.get(end) == Some(&b'.')).then_some(end + 1)?;
            }
        }
        Some(end)
    }
}

fn run(bytes: &[u8], start: usize, also: &[u8]) -> usize {
    bytes[start..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || also.contains(byte)).count()
}

/// Returns where a private key in PEM form ends that begins here; one that is cut off ends with its last line.
fn private_key(bytes: &[u8], at: usize) -> Option<usize> {
    const MARK: &[u8] = b"PRIVATE KEY";
    const END: &[u8] = b"-----END ";
    let head = &bytes[at..bytes.len().min(at + 64)];
    let mark = head.windows(MARK.len()).position(|window| window == MARK)? + MARK.len();
    // Everything between the marks is made of these, so that no byte is gone through for two keys.
    let is_key = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+/=-:,\\ \r\n".contains(byte);
    let n_body = bytes[at + mark..].iter().take(MAX_KEY_BYTES).take_while(is_key).count();
    let body = &bytes[at + mark..at + mark + n_body];
    let end = body.windows(END.len()).position(|window| window == END).map(|end| {
        let label = &body[end + END.len()..];
        let n_label = label.windows(5).take(64).position(|window| window == b"-----").map_or(0, |label| label + 5);
        end + END.len() + n_label
    });
    Some(at + mark + end.unwrap_or(n_body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        find(text.as_bytes()).first().map(|(start, end)| &text[*start..*end])
    }

    /// Put together, so that nobody's scanner takes the test for a leak.
    fn key(prefix: &str, n: usize) -> String {
        format!("{prefix}{}", "aB3dE5".repeat(n.div_ceil(6)).split_at(n).0)
    }

    #[test]
    fn keys_with_a_known_prefix_are_found_to_their_end() {
        for form in FORMS {
            let key = key(std::str::from_utf8(form.prefix).unwrap(), form.n_at_least);

            assert_eq!(found(&format!("{key}, and")), Some(key.as_str()));
            assert_eq!(found(&format!("{key}.")), Some(key.as_str()), "the full stop is the sentence's");
            assert_eq!(found(&key[..key.len() - 1]), None);
        }
    }

    #[test]
    fn tokens_are_found_by_their_form_or_by_the_word_before() {
        let jwt = format!("{}.{}.{}", key("eyJ", 20), key("eyJ", 30), key("", 43));
        assert_eq!(found(&format!("{jwt} x")), Some(jwt.as_str()));
        assert_eq!(found("eyJhbGciOiJI.short.x"), None);
        let token = key("", 24);
        assert_eq!(found(&format!("Bearer {token}\n")), Some(token.as_str()));
        assert_eq!(found("Bearer of the very-long-standing-tradition-of-old"), None);
    }

    #[test]
    fn a_private_key_is_one_secret_even_where_it_is_cut_off() {
        let (begin, end) =
            (concat!("-----BEGIN RSA PRIV", "ATE KEY-----"), concat!("-----END RSA PRIV", "ATE KEY-----"));
        let whole = format!("{begin}\nMIIEpAIBAAKCAQEA\nabc=\n{end}");
        assert_eq!(private_key(format!("{whole}\nBye").as_bytes(), 0), Some(whole.len()));
        let cut = format!("{begin}\nMIIEpAIBAAKCAQEA");
        assert_eq!(private_key(format!("{cut}\u{2026} and so on").as_bytes(), 0), Some(cut.len()));
        assert_eq!(private_key(b"-----BEGIN CERTIFICATE-----\nabc", 0), None);
    }
}
