//! Aligned rows of a name and a value.

use super::{Style, escape};

/// Width of the column of names, in characters.
const LABEL_WIDTH: usize = 11;

/// `text` made safe, with line feeds spelled out.
fn one_line(text: &str) -> String {
    escape(text).replace('\n', "\\n")
}

/// Text for people, built row by row. Values are escaped here, so that no caller forgets it.
#[derive(Debug)]
pub struct Sheet {
    style: Style,
    text: String,
}

impl Sheet {
    /// An empty sheet.
    #[must_use]
    pub fn new(style: Style) -> Self {
        Self {
            style,
            text: String::new(),
        }
    }

    /// The colours.
    #[must_use]
    pub fn style(&self) -> Style {
        self.style
    }

    /// A line in bold, with an addition in plain.
    pub fn title(&mut self, title: &str, addition: &str) {
        let title = self.style.title(&one_line(title));
        self.text
            .push_str(format!("{title}  {}", one_line(addition)).trim_end());
        self.text.push('\n');
    }

    /// A row.
    pub fn row(&mut self, label: &str, value: &str) {
        self.painted_row(label, value, |_, value| value.to_owned());
    }

    /// A row whose value has a colour.
    pub fn painted_row(&mut self, label: &str, value: &str, paint: impl Fn(Style, &str) -> String) {
        let label = self.style.label(&format!("{label:<LABEL_WIDTH$}"));
        let mut lines = escape(value);
        // Further lines stand below the first.
        if lines.contains('\n') {
            lines = lines
                .trim_end()
                .replace('\n', &format!("\n  {:LABEL_WIDTH$} ", ""));
        }
        self.text
            .push_str(&format!("  {label} {}\n", paint(self.style, &lines)));
    }

    /// A line with a mark before it. It stays one line: what others wrote must not look like the
    /// next mark.
    pub fn marked(&mut self, mark: &str, text: &str) {
        self.text
            .push_str(&format!("  {mark} {}\n", one_line(text)));
    }

    /// Lines of a text from elsewhere, set off by a bar.
    pub fn quote(&mut self, label: &str, text: &str) {
        self.text
            .push_str(&format!("  {}\n", self.style.label(label)));
        for line in escape(text).trim_end_matches('\n').split('\n') {
            self.text.push_str(format!("  │ {line}").trim_end());
            self.text.push('\n');
        }
    }

    /// A hint.
    pub fn hint(&mut self, hint: &str) {
        self.text
            .push_str(&format!("{} {}\n", self.style.hint("hint:"), escape(hint)));
    }

    /// Text that is safe already, set off by an empty line.
    pub fn block(&mut self, safe: &str) {
        self.text.push_str(&format!("\n{}\n", safe.trim_end()));
    }

    /// The text.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }
}
