//! Code that grows piece by piece. Its layout is left to rustfmt, but for what rustfmt keeps as it is: blank
//! lines, comments and attributes.

/// The width of a comment, so that one in a block fits on a line too.
const COMMENT_WIDTH: usize = 96;
/// How long an attribute's parts may be on one line, as with rustfmt.
const ATTRIBUTE_WIDTH: usize = 70;

#[derive(Debug, Default)]
pub(super) struct Code {
    pub(super) text: String,
}

impl Code {
    /// Adds whole lines.
    pub(super) fn add(&mut self, lines: &str) {
        self.text.push_str(lines);
        self.text.push('\n');
    }

    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }

    pub(super) fn doc(&mut self, text: &str) {
        self.comment("///", text);
    }

    pub(super) fn inner_doc(&mut self, text: &str) {
        self.comment("//!", text);
    }

    /// `#[name(part, part)]`, unless there is no part. rustfmt leaves one with a type in it as it is.
    pub(super) fn attribute(&mut self, name: &str, parts: &[String]) {
        let list = parts.join(", ");
        if list.len() > ATTRIBUTE_WIDTH {
            let list = parts.join(",\n    ");
            self.add(&format!("#[{name}(\n    {list}\n)]"));
        } else if !list.is_empty() {
            self.add(&format!("#[{name}({list})]"));
        }
    }

    fn comment(&mut self, mark: &str, text: &str) {
        for (index, paragraph) in text.trim().split("\n\n").enumerate() {
            if index > 0 {
                self.add(mark);
            }
            let mut line = mark.to_owned();
            for word in paragraph.split_whitespace() {
                let width = line.chars().count() + 1 + word.chars().count();
                if line != mark && width > COMMENT_WIDTH {
                    self.add(&line);
                    mark.clone_into(&mut line);
                }
                line.push(' ');
                line.push_str(word);
            }
            self.add(&line);
        }
    }
}
