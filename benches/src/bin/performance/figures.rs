//! The figures of one picture, and as JSON.

use serde_json::{Value, json};

/// What was measured for one picture.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figures {
    /// The name of its file.
    pub(crate) file: String,
    /// Its heading.
    pub(crate) heading: String,
    /// What it shows.
    pub(crate) sentence: String,
    /// What the horizontal axis counts.
    pub(crate) n_is: String,
    /// Its parts.
    pub(crate) panels: Vec<Panel>,
}

/// The sides on one runtime.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Panel {
    /// Which runtime.
    pub(crate) title: String,
    /// Ours first.
    pub(crate) lines: Vec<Line>,
}

/// One side.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    /// Its name.
    pub(crate) name: String,
    /// By `n`.
    pub(crate) points: Vec<Point>,
}

/// One figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    /// How many.
    pub(crate) n: u64,
    /// Nanoseconds an operation: the median of the rounds.
    pub(crate) ns: f64,
    /// Ours by this: the median of the rounds' ratios.
    pub(crate) ratio: f64,
}

impl Figures {
    /// Returns it as JSON.
    pub(crate) fn to_json(&self) -> Value {
        let points = |line: &Line| -> Value {
            line.points.iter().map(|p| json!([p.n, rounded(p.ns), rounded(p.ratio)])).collect()
        };
        let lines = |panel: &Panel| -> Value {
            let lines = panel.lines.iter();
            lines.map(|line| json!({"name": line.name, "points": points(line)})).collect()
        };
        let panels = self.panels.iter();
        let panels: Value =
            panels.map(|panel| json!({"title": panel.title, "lines": lines(panel)})).collect();
        json!({
            "file": self.file,
            "heading": self.heading,
            "sentence": self.sentence,
            "n_is": self.n_is,
            "panels": panels,
        })
    }

    /// Reads what [`to_json`](Figures::to_json) made. Returns `None` for anything else.
    pub(crate) fn from_json(value: &Value) -> Option<Figures> {
        Some(Figures {
            file: text(value, "file")?,
            heading: text(value, "heading")?,
            sentence: text(value, "sentence")?,
            n_is: text(value, "n_is")?,
            panels: each(&value["panels"], |panel| {
                let lines = each(&panel["lines"], |line| {
                    let points = each(&line["points"], point)?;
                    Some(Line { name: text(line, "name")?, points })
                })?;
                Some(Panel { title: text(panel, "title")?, lines })
            })?,
        })
    }
}

fn point(value: &Value) -> Option<Point> {
    let (n, ns, ratio) = (value[0].as_u64()?, value[1].as_f64()?, value[2].as_f64()?);
    Some(Point { n, ns, ratio })
}

fn text(value: &Value, key: &str) -> Option<String> {
    value[key].as_str().map(str::to_string)
}

fn each<T>(value: &Value, read: impl FnMut(&Value) -> Option<T>) -> Option<Vec<T>> {
    value.as_array()?.iter().map(read).collect()
}

/// Three decimals: a file that people can compare.
fn rounded(figure: f64) -> f64 {
    (figure * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_back() {
        let points = vec![Point { n: 10, ns: 1.25, ratio: 0.5 }];
        let lines = vec![Line { name: "ours".into(), points }];
        let figures = Figures {
            file: "f".into(),
            heading: "H".into(),
            sentence: "S.".into(),
            n_is: "children".into(),
            panels: vec![Panel { title: "t".into(), lines }],
        };
        assert_eq!(Figures::from_json(&figures.to_json()), Some(figures));
        assert_eq!(Figures::from_json(&json!({"file": 1})), None);
    }
}
