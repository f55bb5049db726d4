//! A Rust file, and the same without its comments and strings.

/// A Rust file.
pub(crate) struct Source {
    /// Relative to the workspace's root.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text with every comment, and what is inside of every literal, blanked out. Line breaks
    /// and quotes stay, so a line number is a line number in the text.
    code: String,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into(), code: code_of(text) }
    }

    /// The lines of code, each with where it stands (`file:line`).
    pub(crate) fn code(&self) -> impl Iterator<Item = (String, &str)> {
        self.code.lines().enumerate().map(|(at, line)| (self.place(at), line))
    }

    /// What is not code: the comments, and what is inside of every literal. Line breaks stay.
    pub(crate) fn prose(&self) -> String {
        let both = self.text.chars().zip(self.code.chars());
        both.map(|(text, code)| if code == ' ' || text == '\n' { text } else { ' ' }).collect()
    }

    /// The whole code, for what goes over lines.
    pub(crate) fn whole_code(&self) -> &str {
        &self.code
    }

    /// Where the line with this index stands.
    pub(crate) fn place(&self, index: usize) -> String {
        format!("{}:{}", self.path, index + 1)
    }

    /// Returns `true` if clauses of the specification are tested in this file.
    pub(crate) fn holds_clause_tests(&self) -> bool {
        ["tests/runs/", "core/tests/", "tests/conformance/src/"]
            .iter()
            .any(|folder| self.path.starts_with(folder))
    }
}

/// Returns `true` if `word` stands in the line, and not as part of a longer word.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(inside) && !line[at + word.len()..].starts_with(inside)
    })
}

fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(c) = rest.chars().next() {
        let (kept, length) = token(rest, c, before);
        let (token, after) = rest.split_at(length);
        if kept {
            code.push_str(token);
        } else {
            code.extend(token.chars().map(|c| if matches!(c, '\n' | '"') { c } else { ' ' }));
        }
        before = token.chars().last().unwrap_or(' ');
        rest = after;
    }
    code
}

/// Returns `true` if the token at the start of `rest` is code, and its length in bytes.
fn token(rest: &str, first: char, before: char) -> (bool, usize) {
    let line = || rest.find('\n').unwrap_or(rest.len());
    let in_word = before.is_alphanumeric() || before == '_';
    match first {
        '/' if rest.starts_with("//") => (false, line()),
        '/' if rest.starts_with("/*") => (false, block_comment(rest)),
        '"' => (false, string(rest)),
        'r' if !in_word || before == 'b' || before == 'c' => match raw_string(rest) {
            Some(length) => (false, length),
            None => (true, 1),
        },
        '\'' => match char_literal(rest) {
            Some(length) => (false, length),
            None => (true, 1),
        },
        _ => (true, first.len_utf8()),
    }
}

fn block_comment(rest: &str) -> usize {
    let (mut at, mut depth) = (0, 0);
    loop {
        let tail = &rest[at..];
        let Some(c) = tail.chars().next() else { return at };
        at += if tail.starts_with("/*") {
            depth += 1;
            2
        } else if tail.starts_with("*/") {
            depth -= 1;
            2
        } else {
            c.len_utf8()
        };
        if depth == 0 {
            return at;
        }
    }
}

fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    rest.len()
}

fn raw_string(rest: &str) -> Option<usize> {
    let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
    let start = 1 + hashes;
    if !rest[start..].starts_with('"') {
        return None;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let inside = start + 1;
    Some(rest[inside..].find(&end).map_or(rest.len(), |at| inside + at + end.len()))
}

/// `None` for a lifetime.
fn char_literal(rest: &str) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1);
    let (_, first) = chars.next()?;
    if first == '\\' {
        chars.next();
        return chars.find(|(_, c)| *c == '\'').map(|(at, _)| at + 1);
    }
    chars.next().filter(|(_, c)| *c == '\'').map(|(at, _)| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked() {
        let quote = '"';
        for (text, code) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            (r#"f("b\"c") d"#, r#"f("  " ") d"#),
            ("r#\"a\"b\"# c", &format!("  {quote} {quote} {quote}  c")),
            ("br\"a\\\" c", &format!("b {quote}  {quote} c")),
            (r"'a' '\'' '\u{61}' <'a> b", "                  <'a> b"),
            ("'\"' a", &format!(" {quote}  a")),
            ("for r in var\"", &format!("for r in var{quote}")),
        ] {
            assert_eq!(code_of(text), code, "of {text}");
        }
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("x(unsafe{", "unsafe"));
        assert!(!has_word("deny(unsafe_code)", "unsafe"));
        assert!(has_word("unsafe_code unsafe", "unsafe"));
    }
}
