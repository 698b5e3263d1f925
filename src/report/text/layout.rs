//! Lines of a fixed width: wrapping, padding, and colour where it is wanted.

/// How a word is set off; without colour nothing is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Paint {
    Strong,
    Good,
    Bad,
    Alarm,
}

impl Paint {
    /// Blue and yellow, which colour-blind people tell apart; an alarm is inverted.
    fn code(self) -> &'static str {
        match self {
            Self::Strong => "1",
            Self::Good => "1;34",
            Self::Bad => "1;33",
            Self::Alarm => "1;7",
        }
    }
}

/// A page that is written line by line.
#[derive(Debug)]
pub(super) struct Page {
    width: usize,
    colour: bool,
    text: String,
}

impl Page {
    pub(super) fn new(width: usize, colour: bool) -> Self {
        Self { width, colour, text: String::new() }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    pub(super) fn paint(&self, words: &str, paint: Paint) -> String {
        if self.colour { format!("\u{1b}[{}m{words}\u{1b}[0m", paint.code()) } else { words.to_owned() }
    }

    /// Writes a line of our own making.
    pub(super) fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    pub(super) fn blank(&mut self) {
        self.line("");
    }

    pub(super) fn strong(&mut self, line: &str) {
        let line = self.paint(line.trim_end(), Paint::Strong);
        self.line(&line);
    }

    /// Writes a paragraph behind a label; its further lines are indented as far.
    pub(super) fn wrap(&mut self, label: &str, words: &str) {
        self.paragraph(label, label.to_owned(), words);
    }

    /// Writes a paragraph behind a painted label.
    pub(super) fn wrap_painted(&mut self, label: &str, paint: Paint, words: &str) {
        let painted = self.paint(label, paint);
        self.paragraph(label, painted, words);
    }

    fn paragraph(&mut self, label: &str, painted: String, words: &str) {
        let indent = label.chars().count();
        let mut line = painted;
        let mut length = indent;
        let mut is_empty = true;
        for word in harmless(words).split_whitespace() {
            let n_chars = word.chars().count();
            if !is_empty && length + 1 + n_chars > self.width {
                self.line(&line);
                (line, length, is_empty) = (" ".repeat(indent), indent, true);
            }
            if !is_empty {
                line.push(' ');
                length += 1;
            }
            line.push_str(word);
            length += n_chars;
            is_empty = false;
        }
        self.line(&line);
    }
}

/// Replaces what would move a cursor or turn the direction of writing.
fn harmless(words: &str) -> String {
    let moves = |c: char| {
        c.is_control() || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    words.chars().map(|c| if moves(c) { '\u{fffd}' } else { c }).collect()
}

/// Fills up on the right, or cuts.
pub(super) fn pad(words: &str, width: usize) -> String {
    let n_chars = words.chars().count();
    if n_chars > width {
        return words.chars().take(width).collect();
    }
    format!("{words}{}", " ".repeat(width - n_chars))
}

/// Fills up on the left.
pub(super) fn pad_left(words: &str, width: usize) -> String {
    format!("{}{words}", " ".repeat(width.saturating_sub(words.chars().count())))
}

/// Writes a number with its sign, to two decimals; what rounds to nothing has no sign.
pub(super) fn signed(number: f64) -> String {
    let told = format!("{number:+.2}");
    if told == "-0.00" || told == "+0.00" { "0.00".to_owned() } else { told.replace('-', "−") }
}
