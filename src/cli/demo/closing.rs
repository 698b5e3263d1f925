//! The demo's last words: what the comparison says, what there is now and what to try next. Pure text.

use std::fmt;
use std::path::Path;

/// Everything that the words are about.
#[derive(Debug)]
pub(super) struct Closing<'a> {
    pub(super) url: &'a str,
    pub(super) key: &'a str,
    /// The comparison for a terminal.
    pub(super) verdict: &'a str,
    /// A completion that a thumb can be given to.
    pub(super) completion_id: &'a str,
    /// The id of that thumb.
    pub(super) feedback_id: &'a str,
    pub(super) dpo: &'a Path,
    pub(super) sft: &'a Path,
    pub(super) report: &'a Path,
    /// Whether the service goes on.
    pub(super) stays: bool,
}

impl fmt::Display for Closing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, key, report, .. } = self;
        let (dpo, sft) = (absolute(self.dpo), absolute(self.sft));
        writeln!(f, "\n{}", self.verdict.trim_end())?;
        writeln!(
            f,
            "\nWhat only the simulation knows: the candidate satisfies about as often as the control, except at code.\n"
        )?;
        writeln!(f, "Report     {}", absolute(report))?;
        writeln!(f, "DPO set    {dpo}")?;
        writeln!(f, "SFT set    {sft}")?;
        writeln!(f, "In Python  datasets.load_dataset({dpo:?})")?;
        writeln!(
            f,
            "To train   trl dpo --dataset_name {} --dataset_config dpo …  (see README.md there)",
            quoted(&dpo)
        )?;
        if !self.stays {
            writeln!(f, "\nThe service has stopped. To have it stay: afterword demo, without --exit")?;
            return Ok(());
        }
        writeln!(f, "\nChat       {url}/demo   press, copy, edit, regenerate, and watch the rows arrive")?;
        writeln!(f, "API        {url}/v1")?;
        writeln!(f, "Key        {key}")?;
        writeln!(f, "\nGive a thumb:\n")?;
        writeln!(f, "{}", self.thumb())?;
        writeln!(f, "\nCtrl-C stops everything; what was recorded stays for the next run.")
    }
}

impl Closing<'_> {
    /// Writes the command for a shell: it is pasted as it stands.
    fn thumb(&self) -> String {
        let Self { url, key, completion_id, feedback_id, .. } = self;
        let body = format!(
            "{{\"id\":\"{feedback_id}\",\"completion_id\":\"{completion_id}\",\"signal\":\"thumb\",\"value\":\"up\"}}"
        );
        format!(
            "curl -sS {url}/v1/feedback -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d '{body}'"
        )
    }
}

/// Writes a path that is right whatever directory it is pasted in.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

/// Quotes a path for a POSIX shell where that is needed.
fn quoted(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+,:@%=".contains(&byte);
    if path.bytes().all(is_plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closing(stays: bool) -> String {
        let closing = Closing {
            url: "http://127.0.0.1:8787",
            key: "aw_sec_k_s",
            verdict: "KEEP COLLECTING\n",
            completion_id: "demo1-u0001-c00-t0-a1",
            feedback_id: "0199aaaa-0000-7000-8000-000000000000",
            dpo: Path::new("/tmp/my demo/dpo"),
            sft: Path::new("/tmp/my demo/sft"),
            report: Path::new("/tmp/my demo/report.html"),
            stays,
        };
        closing.to_string()
    }

    #[test]
    fn the_thumb_is_one_line_that_a_shell_takes_as_it_stands() {
        let text = closing(true);

        let command = text.lines().find(|line| line.starts_with("curl ")).unwrap();
        assert_eq!(command.matches('\'').count(), 6);
        assert!(command.contains("-H 'Authorization: Bearer aw_sec_k_s'") && command.ends_with("}'"), "{command}");
        assert!(text.contains("Chat       http://127.0.0.1:8787/demo "));
        assert!(text.contains("--dataset_name '/tmp/my demo/dpo'"));
    }

    #[test]
    fn a_demo_that_leaves_offers_nothing_that_would_not_work() {
        let text = closing(false);

        assert!(
            !text.contains("curl") && !text.contains("/demo ") && !text.contains("aw_sec") && !text.contains("Ctrl-C"),
            "{text}"
        );
        assert!(text.contains("report.html") && text.contains("load_dataset"));
    }
}
