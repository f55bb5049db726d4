// The programs in Markdown, with what they print. build.rs, the test and tidy each include this.

/// A program: a block ` ```rust,program=NAME `, and the block ` ```text ` after it.
pub(crate) struct Program {
    pub(crate) name: String,
    /// The line of its fence, counted from 1.
    pub(crate) line: usize,
    pub(crate) code: String,
    /// What it prints, if the chapter shows it.
    pub(crate) output: Option<Output>,
}

/// What a program prints.
pub(crate) struct Output {
    pub(crate) text: String,
    /// The first of its lines, and the one after its last, counted from 0.
    pub(crate) lines: (usize, usize),
    /// The program ends with an error: ` ```text,fails `.
    pub(crate) fails: bool,
}

/// Reads the programs of a chapter.
pub(crate) fn programs(chapter: &str) -> Vec<Program> {
    let mut programs: Vec<Program> = Vec::new();
    for block in blocks(chapter) {
        let mut words = block.info.split(',');
        match (words.next(), words.next().map(|word| word.split_once('=').unwrap_or((word, "")))) {
            (Some("rust"), Some(("program", name))) => programs.push(Program {
                name: name.to_string(),
                line: block.lines.0,
                code: block.text,
                output: None,
            }),
            (Some("text"), fails) => {
                if let Some(program) = programs.last_mut().filter(|last| last.output.is_none()) {
                    let (text, lines) = (block.text, block.lines);
                    program.output = Some(Output { text, lines, fails: fails == Some(("fails", "")) });
                }
            }
            _ => {}
        }
    }
    programs
}

/// A fenced block.
pub(crate) struct Block {
    pub(crate) info: String,
    pub(crate) text: String,
    /// The first of its lines, and the one after its last, counted from 0.
    pub(crate) lines: (usize, usize),
}

/// Reads all fenced blocks.
pub(crate) fn blocks(chapter: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for (number, line) in chapter.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(info) if !open => {
                let lines = (number + 1, number + 1);
                blocks.push(Block { info: info.trim().to_string(), text: String::new(), lines });
                open = true;
            }
            Some(_) => open = false,
            None if open => {
                let block = blocks.last_mut().expect("an open block");
                block.text += line;
                block.text.push('\n');
                block.lines.1 = number + 1;
            }
            None => {}
        }
    }
    blocks
}
