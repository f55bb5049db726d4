//! The words of some texts, counted by one child for each text. The children borrow the texts, and
//! the table that they fill: nothing is cloned, and nothing is locked.
//!
//! ```sh
//! cargo run --example words -- README.md CHANGELOG.md
//! ```

use allhome::in_place::LocalScope;
use allhome::{block_on, scope, yield_now};
use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error;
use std::fs;

/// How often each word comes.
type Counts<'t> = HashMap<&'t str, u32>;

/// Adds the words of a paragraph.
fn add<'t>(paragraph: &'t str, counts: &mut Counts<'t>) {
    for word in paragraph.split(|c: char| !c.is_alphabetic()).filter(|word| word.len() > 3) {
        *counts.entry(word).or_default() += 1;
    }
}

/// Counts the words of a text, and lets the others have a turn after each paragraph.
async fn count<'t>(text: &'t str, counts: &RefCell<Counts<'t>>) {
    for paragraph in text.split("\n\n") {
        add(paragraph, &mut counts.borrow_mut());
        yield_now().await;
    }
}

async fn count_all<'t>(texts: &[&'t str]) -> Result<Counts<'t>, Box<dyn Error + Send + Sync>> {
    let counts = RefCell::new(Counts::new());
    let all = scope().local().run(async |s: LocalScope<'_>| {
        for &text in texts {
            s.go(count(text, &counts));
        }
        Ok(())
    });
    all.await?;
    Ok(counts.into_inner())
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut files = Vec::new();
    for name in std::env::args().skip(1) {
        files.push(fs::read_to_string(&name).map_err(|error| format!("{name}: {error}"))?);
    }
    if files.is_empty() {
        return Err("usage: words FILE...".into());
    }
    let texts: Vec<_> = files.iter().map(String::as_str).collect();
    let counts = block_on(count_all(&texts))?;
    let mut words: Vec<_> = counts.into_iter().collect();
    words.sort_unstable_by_key(|&(word, count)| (std::cmp::Reverse(count), word));
    for (word, count) in words.iter().take(10) {
        println!("{count:>6}  {word}");
    }
    Ok(())
}
