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
        let indent = columns(label);
        let mut line = painted;
        let mut length = indent;
        let mut is_empty = true;
        for word in harmless(words).split_whitespace() {
            let n_columns = columns(word);
            if !is_empty && length + 1 + n_columns > self.width {
                self.line(&line);
                (line, length, is_empty) = (" ".repeat(indent), indent, true);
            }
            if !is_empty {
                line.push(' ');
                length += 1;
            }
            line.push_str(word);
            length += n_columns;
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

/// Returns how many columns a terminal gives to a text.
///
/// Combining marks and joiners take none, East Asian wide characters and most emoji take two (UAX #11, in ranges that
/// leave out what no model is named by).
pub(super) fn columns(words: &str) -> usize {
    words.chars().map(columns_of).sum()
}

fn columns_of(character: char) -> usize {
    match u32::from(character) {
        0x0300..=0x036f | 0x200b..=0x200f | 0x20d0..=0x20ff | 0xfe00..=0xfe0f | 0x1f3fb..=0x1f3ff => 0,
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// Fills up on the right, or cuts; nothing in it moves a cursor.
pub(super) fn pad(words: &str, width: usize) -> String {
    let mut kept = String::new();
    let mut length = 0;
    for character in harmless(words).chars() {
        let n_columns = columns_of(character);
        if length + n_columns > width {
            break;
        }
        kept.push(character);
        length += n_columns;
    }
    kept.push_str(&" ".repeat(width - length));
    kept
}

/// Fills up on the left.
pub(super) fn pad_left(words: &str, width: usize) -> String {
    format!("{}{words}", " ".repeat(width.saturating_sub(columns(words))))
}

/// Writes a number with its sign, to two decimals; what rounds to nothing has no sign.
pub(super) fn signed(number: f64) -> String {
    let told = format!("{number:+.2}");
    if told == "-0.00" || told == "+0.00" { "0.00".to_owned() } else { told.replace('-', "−") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_take_the_columns_that_a_terminal_gives_them() {
        for (words, expected) in [("llama", 5), ("日本", 4), ("e\u{301}", 1), ("👍", 2), ("├──┤", 4), ("한글", 4)]
        {
            assert_eq!(columns(words), expected, "{words}");
        }
    }

    #[test]
    fn a_padded_text_has_its_width_even_where_a_wide_character_does_not_fit() {
        for (words, width) in [("日本語", 4), ("日本語", 5), ("a\u{1b}b", 6), ("", 3)] {
            assert_eq!(columns(&pad(words, width)), width, "{words}");
            assert!(!pad(words, width).contains('\u{1b}'));
        }
    }
}
