//! Lines of Rust with the widths that rustfmt has.

/// The width of a line.
pub(super) const WIDTH: usize = 100;
/// The width of an attribute's list.
const ATTRIBUTE: usize = 70;
/// The width of an array on one line.
const ARRAY: usize = 60;
/// The width of a call's arguments on one line.
const CALL: usize = 60;
/// The width of a chain of calls on one line.
const CHAIN: usize = 60;
/// The width of a struct literal on one line.
const LITERAL: usize = 18;
/// How long an array's elements may be when several stand on a line.
const SHORT: usize = 10;

/// Code that grows line by line.
#[derive(Debug, Default)]
pub(super) struct Code {
    pub(super) text: String,
    indent: usize,
}

impl Code {
    pub(super) fn line(&mut self, line: &str) {
        for _ in 0..self.indent {
            self.text.push_str("    ");
        }
        self.text.push_str(line);
        self.text.push('\n');
    }

    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A line that opens a bracket; what follows is indented.
    pub(super) fn open(&mut self, line: &str) {
        self.line(line);
        self.indent += 1;
    }

    pub(super) fn close(&mut self, line: &str) {
        self.indent = self.indent.saturating_sub(1);
        self.line(line);
    }

    pub(super) fn doc(&mut self, text: &str) {
        self.comment("///", text);
    }

    pub(super) fn inner_doc(&mut self, text: &str) {
        self.comment("//!", text);
    }

    fn comment(&mut self, mark: &str, text: &str) {
        let width = WIDTH - 4 * self.indent;
        for (index, paragraph) in text.trim().split("\n\n").enumerate() {
            if index > 0 {
                self.line(mark);
            }
            let mut line = mark.to_owned();
            for word in paragraph.split_whitespace() {
                if line != mark && line.chars().count() + 1 + word.chars().count() > width {
                    self.line(&line);
                    mark.clone_into(&mut line);
                }
                line.push(' ');
                line.push_str(word);
            }
            self.line(&line);
        }
    }

    /// `#[name(part, part)]`.
    pub(super) fn attribute(&mut self, name: &str, parts: &[String]) {
        let list = parts.join(", ");
        if list.len() <= ATTRIBUTE {
            self.line(&format!("#[{name}({list})]"));
        } else {
            self.open(&format!("#[{name}("));
            self.lines(parts, false);
            self.close(")]");
        }
    }

    fn lines(&mut self, parts: &[String], last_comma: bool) {
        for (index, part) in parts.iter().enumerate() {
            let comma = last_comma || index + 1 < parts.len();
            self.line(&format!("{part}{}", if comma { "," } else { "" }));
        }
    }

    /// `head(parameters) tail {`, the parameters below one another if they are long.
    pub(super) fn function(&mut self, head: &str, parameters: &[String], tail: &str) {
        let line = format!("{head}({}){tail} {{", parameters.join(", "));
        if self.fits(&line) {
            self.open(&line);
        } else {
            self.open(&format!("{head}("));
            self.lines(parameters, true);
            self.close(&format!("){tail} {{"));
            self.indent += 1;
        }
    }

    /// `head mark tail`, the tail on a line of its own if they are long.
    pub(super) fn split(&mut self, head: &str, mark: &str, tail: &str) {
        let line = format!("{head}{mark} {tail}");
        if self.fits(&line) {
            self.line(&line);
        } else {
            self.open(&format!("{head}{mark}"));
            self.line(tail);
            self.indent = self.indent.saturating_sub(1);
        }
    }

    /// `part,`, where a call at its end stands on a line of its own if it is long.
    fn part(&mut self, part: &str) {
        let line = format!("{part},");
        match part.strip_suffix(".into()") {
            Some(receiver) if !self.fits(&line) => {
                self.open(receiver);
                self.line(".into(),");
                self.indent = self.indent.saturating_sub(1);
            }
            _ => self.line(&line),
        }
    }

    fn fits(&self, line: &str) -> bool {
        4 * self.indent + line.len() <= WIDTH
    }

    /// `head { part, part }`, the parts below one another unless they are short.
    pub(super) fn literal(&mut self, head: &str, parts: &[String]) {
        let list = parts.join(", ");
        if list.len() <= LITERAL {
            self.line(&format!("{head} {{ {list} }}"));
        } else {
            self.open(&format!("{head} {{"));
            for part in parts {
                self.part(part);
            }
            self.close("}");
        }
    }

    /// `f.debug_struct(name).field(name, &chain).finish()`, the calls below one another if they are long.
    pub(super) fn debug_struct(&mut self, name: &str, fields: &[(&str, Vec<String>)]) {
        let head = format!("f.debug_struct({name:?})");
        let arguments = fields
            .iter()
            .map(|(name, chain)| format!("{name:?}, &{}", chain.concat()));
        let arguments: Vec<_> = arguments.collect();
        let calls = arguments.iter().map(|list| format!(".field({list})"));
        let line = format!("{head}{}.finish()", calls.collect::<String>());
        if line.len() <= CHAIN {
            self.line(&line);
            return;
        }
        self.open(&head);
        for ((name, chain), arguments) in fields.iter().zip(&arguments) {
            let line = format!(".field({arguments})");
            if arguments.len() <= CALL && self.fits(&line) {
                self.line(&line);
                continue;
            }
            self.open(".field(");
            self.line(&format!("{name:?},"));
            self.chain("&", chain, ",");
            self.close(")");
        }
        self.line(".finish()");
        self.indent = self.indent.saturating_sub(1);
    }

    /// `head receiver.call() tail`, the call on a line of its own if they are long.
    pub(super) fn called(&mut self, head: &str, receiver: &str, call: &str, tail: &str) {
        let line = format!("{head}{receiver}{call}{tail}");
        // Here rustfmt stops two columns earlier than elsewhere.
        let is_short = receiver.len() + call.len() <= CHAIN && self.fits(&format!("{line}  "));
        if is_short {
            self.line(&line);
        } else {
            self.open(&format!("{head}{receiver}"));
            self.line(&format!("{call}{tail}"));
            self.indent = self.indent.saturating_sub(1);
        }
    }

    /// `head chain tail`, the calls below one another if they are long.
    fn chain(&mut self, head: &str, chain: &[String], tail: &str) {
        let whole = chain.concat();
        let [first, calls @ .., last] = chain else {
            self.line(&format!("{head}{whole}{tail}"));
            return;
        };
        if whole.len() <= CHAIN || calls.is_empty() {
            self.line(&format!("{head}{whole}{tail}"));
            return;
        }
        self.open(&format!("{head}{first}"));
        for call in calls {
            self.line(call);
        }
        self.line(&format!("{last}{tail}"));
        self.indent = self.indent.saturating_sub(1);
    }

    /// `head => tail,`, in a block if it is long.
    pub(super) fn arm(&mut self, head: &str, tail: &str) {
        let line = format!("{head} => {tail},");
        if self.fits(&line) {
            self.line(&line);
        } else {
            self.open(&format!("{head} => {{"));
            self.line(tail);
            self.close("}");
        }
    }

    /// `name: &[part, part],`.
    pub(super) fn array(&mut self, name: &str, parts: &[String]) {
        let list = parts.join(", ");
        if list.len() <= ARRAY {
            self.line(&format!("{name}: &[{list}],"));
            return;
        }
        if let [only] = parts
            && let Some((head, arguments)) = call(only)
        {
            self.call(&format!("{name}: &[{head}"), arguments, ")],");
            return;
        }
        self.open(&format!("{name}: &["));
        if parts.iter().all(|part| part.len() <= SHORT) {
            self.packed(parts);
        } else {
            for part in parts {
                self.element(part);
            }
        }
        self.close("],");
    }

    /// `part,`, where the arguments of a call stand below one another if they are long.
    fn element(&mut self, part: &str) {
        match call(part).filter(|(_, arguments)| arguments.len() > CALL) {
            Some((head, arguments)) => self.call(head, arguments, "),"),
            None => self.line(&format!("{part},")),
        }
    }

    fn call(&mut self, head: &str, arguments: &str, close: &str) {
        self.open(&format!("{head}("));
        let arguments: Vec<_> = arguments.split(", ").map(str::to_owned).collect();
        self.lines(&arguments, true);
        self.close(close);
    }

    /// As many parts on a line as fit.
    pub(super) fn packed(&mut self, parts: &[String]) {
        let width = WIDTH - 4 * self.indent;
        let mut line = String::new();
        for part in parts {
            if !line.is_empty() && line.len() + part.len() + 2 > width {
                self.line(&line);
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(part);
            line.push(',');
        }
        self.line(&line);
    }
}

/// What is called, and with what.
fn call(part: &str) -> Option<(&str, &str)> {
    part.strip_suffix(')')?.split_once('(')
}
