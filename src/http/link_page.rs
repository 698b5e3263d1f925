//! The page behind a feedback link, as text: a form that works without a script, and what stands in its place where a link
//! cannot be used. It knows no request; nothing on it comes from a user or a model.

use std::fmt::Write as _;
use std::sync::LazyLock;

use actix_web::HttpResponseBuilder;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest as _, Sha256};

use crate::domain::feedback::Thumb;
use crate::domain::link::{REASONS, Recorded};

/// What every page is served as.
pub(crate) const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// What each of [`REASONS`] is called, in their order.
const REASON_WORDS: [&str; REASONS.len()] =
    ["It is wrong", "Something is missing", "It does not answer the question", "It is hard to understand"];

/// The most characters of a comment: as bytes they are fewer than a reaction may hold, whatever the script.
const MAX_COMMENT_CHARS: usize = 4000;

const STYLE: &str = ":root{color-scheme:light dark;--ink:#1b1f24;--faint:#57606a;--page:#fff;--line:#8c959f;--soft:#eef2f6;\
--act:#0b57d0;--on-act:#fff}\
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ec;--faint:#a8b1bb;--page:#15191e;--line:#78828d;--soft:#222932;\
--act:#8ab8ff;--on-act:#0b1a30}}\
*{box-sizing:border-box}\
body{margin:0;background:var(--page);color:var(--ink);font:1.0625rem/1.5 system-ui,sans-serif}\
main{max-width:34rem;margin:0 auto;padding:1.5rem 1rem 2.5rem;overflow-wrap:anywhere}\
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .75rem}\
legend{padding:0;margin:0 0 .25rem;font-weight:600}\
fieldset{border:0;margin:0 0 1.25rem;padding:0;min-width:0}\
.thumbs{display:flex;flex-wrap:wrap;gap:.75rem}\
.thumbs label{flex:1 1 8rem;display:flex;align-items:center;gap:.5rem;min-height:3rem;padding:.5rem .75rem;\
border:1px solid var(--line);border-radius:.5rem}\
.thumbs label:has(:checked){background:var(--soft);border-color:var(--act);box-shadow:inset 0 0 0 1px var(--act)}\
.reasons label{display:flex;align-items:center;gap:.5rem;min-height:2.5rem}\
form:has([value=up]:checked) .reasons{display:none}\
input{inline-size:1.25rem;block-size:1.25rem;flex:none;margin:0;accent-color:var(--act)}\
textarea{display:block;width:100%;margin:.25rem 0 1.25rem;padding:.5rem;font:inherit;color:inherit;\
background:var(--page);border:1px solid var(--line);border-radius:.5rem}\
button{font:inherit;font-weight:600;min-height:2.75rem;padding:.5rem 1.25rem;border-radius:.5rem;\
border:1px solid var(--act);background:var(--act);color:var(--on-act);cursor:pointer}\
button.plain{background:transparent;color:var(--act);font-weight:400}\
.status{background:var(--soft);border-inline-start:4px solid var(--act);padding:.75rem 1rem;margin:0 0 1.25rem}\
.note{color:var(--faint);font-size:.9375rem}\
:focus-visible{outline:3px solid var(--act);outline-offset:2px}\
@media(forced-colors:active){.thumbs label:has(:checked){outline:2px solid Highlight}}";

/// Lets a page use its own style, known by its hash, and send its form back to where it came from; nothing else.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = BASE64.encode(Sha256::digest(STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
});

/// Headers of every page of a link. That none is kept and that its address is told to nobody holds for every answer.
fn headers() -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let policy = HeaderValue::from_str(&POLICY).ok().map(|policy| (header::CONTENT_SECURITY_POLICY, policy));
    let robots = (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow, noarchive"));
    [Some((header::CONTENT_TYPE, HTML)), policy, Some(robots)].into_iter().flatten()
}

/// Gives an answer the headers of a page.
pub(crate) fn dress(response: &mut HttpResponseBuilder) {
    for header in headers() {
        response.insert_header(header);
    }
}

/// Gives the answer to a failure the headers of a page.
pub(crate) fn dress_failure(of: &mut HeaderMap) {
    for (name, value) in headers() {
        of.insert(name, value);
    }
}

/// Writes the page with the form: what is recorded, and `chosen` where the link or the record chose already.
pub(crate) fn form(recorded: Option<&Recorded>, chosen: Option<Thumb>) -> String {
    let recorded = recorded.filter(|recorded| recorded.value != Thumb::None);
    let chosen = chosen.or(recorded.map(|recorded| recorded.value));
    let mut html = head("Was the answer helpful?");
    html.push_str("<h1 id=\"question\">Was the answer helpful?</h1>\n");
    if let Some(recorded) = recorded {
        let word = if recorded.value == Thumb::Up { "Yes, it was helpful." } else { "No, it was not helpful." };
        let comment = if recorded.comment.is_some() { " Your comment is recorded, too." } else { "" };
        let _infallible = writeln!(
            html,
            "<p class=\"status\" role=\"status\">Thank you. Your answer is recorded: <strong>{word}</strong>{comment} You can \
             change it: what you send replaces it whole.</p>"
        );
    }
    html.push_str("<form method=\"post\" action=\"?\" accept-charset=\"utf-8\">\n");
    html.push_str("<fieldset class=\"thumbs\" role=\"radiogroup\" aria-labelledby=\"question\">\n");
    for (value, word) in [(Thumb::Up, "Yes"), (Thumb::Down, "No")] {
        let checked = if chosen == Some(value) { " checked" } else { "" };
        let value = value.as_str();
        let _infallible = writeln!(
            html,
            "<label><input type=\"radio\" name=\"value\" value=\"{value}\" required{checked}> {word}</label>"
        );
    }
    html.push_str("</fieldset>\n<fieldset class=\"reasons\"><legend>If not: what was wrong? (optional)</legend>\n");
    for (code, words) in REASONS.iter().zip(REASON_WORDS) {
        let _infallible =
            writeln!(html, "<label><input type=\"checkbox\" name=\"reason\" value=\"{code}\"> {words}</label>");
    }
    let _infallible = write!(
        html,
        "</fieldset>\n<label for=\"comment\">Anything else? (optional)</label>\n\
         <textarea id=\"comment\" name=\"comment\" rows=\"4\" maxlength=\"{MAX_COMMENT_CHARS}\"></textarea>\n\
         <button>Send</button>\n</form>\n"
    );
    if recorded.is_some() {
        html.push_str(
            "<form method=\"post\" action=\"?\"><p><input type=\"hidden\" name=\"value\" value=\"none\">\
             <button class=\"plain\">Take my answer back</button></p></form>\n",
        );
    }
    html.push_str("<p class=\"note\">Nothing is recorded until you press the button.</p>\n</main>\n</body>\n</html>\n");
    html
}

/// Writes the page that says why a link, or what was sent through it, cannot be used.
pub(crate) fn failure(title: &str, detail: &str) -> String {
    let mut html = head(title);
    let (title, detail) = (escaped(title), escaped(detail));
    let _infallible =
        write!(html, "<h1>{title}</h1>\n<p class=\"status\" role=\"alert\">{detail}.</p>\n</main>\n</body>\n</html>\n");
    html
}

fn head(title: &str) -> String {
    let title = escaped(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"robots\" content=\"noindex, nofollow, noarchive\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
    )
}

/// Problems are told in words of ours, which may hold signs that are markup here.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::ids::FeedbackId;

    fn recorded(value: Thumb) -> Recorded {
        Recorded { id: FeedbackId(Uuid::nil()), value, reasons: vec![], comment: Some("CANARY".to_owned()) }
    }

    #[test]
    fn a_page_tells_what_is_recorded_and_never_what_was_written() {
        let (fresh, up) = (form(None, None), form(Some(&recorded(Thumb::Up)), None));
        let withdrawn = form(Some(&recorded(Thumb::None)), None);

        assert!(!fresh.contains("checked>") && !fresh.contains("recorded:") && !fresh.contains("Take my answer back"));
        assert!(up.contains("recorded: <strong>Yes") && up.contains("value=\"up\" required checked>"), "{up}");
        assert!(up.contains("Your comment is recorded") && !up.contains("CANARY"));
        assert_eq!(withdrawn, fresh, "what was taken back is as if it had never been");
    }

    #[test]
    fn a_link_may_choose_and_what_it_chose_goes_before_what_is_recorded() {
        let page = form(Some(&recorded(Thumb::Up)), Some(Thumb::Down));

        assert!(page.contains("value=\"down\" required checked>") && !page.contains("value=\"up\" required checked>"));
    }

    #[test]
    fn the_policy_admits_the_style_of_the_page_and_no_other() {
        let page = form(None, None);
        let style = page.split("<style>").nth(1).and_then(|rest| rest.split("</style>").next()).unwrap();

        let hash = BASE64.encode(Sha256::digest(style.as_bytes()));
        assert!(POLICY.contains(&format!("style-src 'sha256-{hash}';")), "{}", *POLICY);
        assert!(!page.contains("<script") && !page.contains("style=") && !page.contains("http"));
    }

    #[test]
    fn what_failed_is_told_as_text_and_not_as_markup() {
        assert!(
            failure("A <b>", "x & y").contains("<h1>A &lt;b&gt;</h1>") && failure("A", "x & y").contains("x &amp; y.")
        );
    }
}
