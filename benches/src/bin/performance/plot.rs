//! A picture as SVG: panels in two columns, both axes logarithmic, a name at the end of each line.
//!
//! It has a background and colours of its own for light and for dark, so that it can be read on
//! any page. The colours are told apart by people that see no red or no green, and each line has
//! marks of its own shape.

use std::fmt::Write;

use crate::figures::{Figures, Line, Panel};

const COLUMNS: usize = 2;
const CELL: (f64, f64) = (430.0, 268.0);
/// What a panel leaves free around its lines: left, top, right, bottom.
const ROOM: (f64, f64, f64, f64) = (58.0, 34.0, 132.0, 44.0);
/// The least distance of two names.
const NAME_HEIGHT: f64 = 14.0;

const STYLE: &str = "
  text { font: 12px system-ui, sans-serif; fill: #333 }
  .page { fill: #fff } .title { font-weight: 600; font-size: 13px; fill: #111 }
  .tick { font-size: 11px; fill: #666 } .grid { stroke: #e4e4e4 } .own { font-weight: 700 }
  .line { fill: none; stroke: var(--c); stroke-width: 1.6 } .line.own { stroke-width: 3.2 }
  .mark { fill: var(--c) } .lead { stroke: var(--c); opacity: .6 } .name { fill: var(--c) }
  .s0 { --c: #0061b0 } .s1 { --c: #c24e00 } .s2 { --c: #007a5a } .s3 { --c: #a3447c }
  .s4 { --c: #8a6700 } .s5 { --c: #6b6b6b }
  @media (prefers-color-scheme: dark) {
    text { fill: #ccc } .page { fill: #15181c } .title { fill: #f2f2f2 } .tick { fill: #999 }
    .grid { stroke: #31363c }
    .s0 { --c: #62b8ff } .s1 { --c: #ff9a5c } .s2 { --c: #3fd0a4 } .s3 { --c: #ee9ccb }
    .s4 { --c: #e3bd4e } .s5 { --c: #a3a3a3 }
  }
";

/// Draws it.
pub(crate) fn draw(figures: &Figures) -> String {
    let columns = COLUMNS.min(figures.panels.len());
    let rows = figures.panels.len().div_ceil(COLUMNS);
    let (width, height) = (CELL.0 * columns as f64, CELL.1 * rows as f64);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" role=\"img\">\n<title>{}</title>\n<style>{STYLE}\
         </style>\n<rect class=\"page\" width=\"100%\" height=\"100%\" rx=\"6\"/>\n",
        escaped(&format!("{}. {}", figures.heading, figures.sentence)),
    );
    let scale = Scale::of(figures);
    for (index, panel) in figures.panels.iter().enumerate() {
        let at = (CELL.0 * (index % COLUMNS) as f64, CELL.1 * (index / COLUMNS) as f64);
        put(&mut svg, format_args!("<g transform=\"translate({} {})\">\n", at.0, at.1));
        draw_panel(&mut svg, panel, &scale, &figures.n_is);
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

/// Where a figure stands in a panel; the same in all panels of a picture, so that they compare.
struct Scale {
    /// Powers of ten.
    n: (f64, f64),
    ns: (f64, f64),
}

impl Scale {
    fn of(figures: &Figures) -> Scale {
        let points = || {
            let lines = figures.panels.iter().flat_map(|panel| &panel.lines);
            lines.flat_map(|line| &line.points)
        };
        let span = |figures: Vec<f64>| {
            let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
            (least, figures.iter().copied().fold(f64::NEG_INFINITY, f64::max))
        };
        let ns = span(points().map(|point| point.ns.log10()).collect());
        // A little room above and below.
        Scale {
            n: span(points().map(|point| (point.n as f64).log10()).collect()),
            ns: (ns.0 - 0.08, ns.1 + 0.08),
        }
    }

    fn x(&self, n: f64) -> f64 {
        let share = (n.log10() - self.n.0) / (self.n.1 - self.n.0).max(1.0);
        ROOM.0 + share * (CELL.0 - ROOM.0 - ROOM.2)
    }

    fn y(&self, ns: f64) -> f64 {
        let share = (ns.log10() - self.ns.0) / (self.ns.1 - self.ns.0);
        CELL.1 - ROOM.3 - share * (CELL.1 - ROOM.1 - ROOM.3)
    }

    /// The marks of the vertical axis: 1, 10, 100, or with 2 and 5 if that is too few.
    fn ticks(&self) -> Vec<f64> {
        let steps: &[f64] = if self.ns.1 - self.ns.0 > 2.5 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let powers = self.ns.0.floor() as i32..=self.ns.1.ceil() as i32;
        let all = powers.flat_map(|power| steps.iter().map(move |s| s * 10_f64.powi(power)));
        all.filter(|tick| (self.ns.0..=self.ns.1).contains(&tick.log10())).collect()
    }
}

fn draw_panel(svg: &mut String, panel: &Panel, scale: &Scale, n_is: &str) {
    let (left, right, bottom) = (ROOM.0, CELL.0 - ROOM.2, CELL.1 - ROOM.3);
    put(
        svg,
        format_args!(
            "<text class=\"title\" x=\"{left}\" y=\"20\">{}</text>\n",
            escaped(&panel.title)
        ),
    );
    for tick in scale.ticks() {
        let y = scale.y(tick);
        put(
            svg,
            format_args!(
                "<path class=\"grid\" d=\"M{left} {y:.1}H{right}\"/><text class=\"tick\" x=\"{:.1}\" \
             y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
                left - 6.0,
                y + 4.0,
                time(tick)
            ),
        );
    }
    for power in scale.n.0 as u32..=scale.n.1 as u32 {
        let n = 10_u64.pow(power);
        put(
            svg,
            format_args!(
                "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
                scale.x(n as f64),
                bottom + 16.0,
                count(n)
            ),
        );
    }
    put(
        svg,
        format_args!(
            "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
            (left + right) / 2.0,
            bottom + 32.0,
            escaped(n_is)
        ),
    );
    // Ours last: it lies above the others.
    for line in panel.lines.iter().rev() {
        draw_line(svg, line, scale);
    }
    draw_names(svg, panel, scale);
}

fn draw_line(svg: &mut String, line: &Line, scale: &Scale) {
    let at = line.points.iter().map(|point| (scale.x(point.n as f64), scale.y(point.ns)));
    let path: Vec<_> = at.clone().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    let (style, class) = style(&line.name);
    put(
        svg,
        format_args!(
            "<g class=\"s{style}\"><path class=\"line{class}\" d=\"M{}\"/>",
            path.join("L")
        ),
    );
    for (x, y) in at {
        put(svg, format_args!("<path class=\"mark\" d=\"{}\"/>", mark(style, x, y)));
    }
    svg.push_str("</g>\n");
}

/// The names stand where their lines end, and apart.
fn draw_names(svg: &mut String, panel: &Panel, scale: &Scale) {
    let mut names: Vec<_> = panel
        .lines
        .iter()
        .filter_map(|line| {
            let last = line.points.last()?;
            let (x, y) = (scale.x(last.n as f64), scale.y(last.ns));
            Some((line.name.as_str(), x, y))
        })
        .collect();
    names.sort_by(|a, b| a.2.total_cmp(&b.2));
    let ends: Vec<f64> = names.iter().map(|name| name.2).collect();
    for ((name, x, end), y) in names.iter().zip(spread(&ends)) {
        let (style, class) = style(name);
        let to = x + 16.0;
        put(
            svg,
            format_args!(
                "<g class=\"s{style}\"><path class=\"lead\" d=\"M{:.1} {end:.1}L{to:.1} {y:.1}\"/>\
             <text class=\"name{class}\" style=\"fill:var(--c)\" x=\"{:.1}\" y=\"{:.1}\">{}</text></g>\n",
                x + 5.0,
                to + 3.0,
                y + 4.0,
                escaped(name)
            ),
        );
    }
}

/// Moves positions in ascending order apart, each as little as may be, and none out of the panel.
fn spread(ends: &[f64]) -> Vec<f64> {
    let mut placed = ends.to_vec();
    for _ in 0..100 {
        for at in 1..placed.len() {
            let lacking = NAME_HEIGHT - (placed[at] - placed[at - 1]);
            if lacking > 0.0 {
                placed[at - 1] -= lacking / 2.0;
                placed[at] += lacking / 2.0;
            }
        }
    }
    let lowest = CELL.1 - ROOM.3;
    let over = placed.last().map_or(0.0, |last| (last - lowest).max(0.0));
    let under = placed.first().map_or(0.0, |first| (ROOM.1 - first).max(0.0));
    placed.iter().map(|y| y - over + under).collect()
}

/// The number of a side's colour and shape, the same in all pictures, and what else marks it.
fn style(name: &str) -> (usize, &'static str) {
    match name {
        "ours" => (0, " own"),
        "JoinSet" | "JoinSet (tokio)" | "DelayQueue" | "timeout (tokio)" | "tokio" => (1, ""),
        "TaskTracker" | "StaticExecutor" | "Sleep (tokio)" | "futures-timer"
        | "futures-intrusive" => (2, ""),
        "Vec<JoinHandle>" | "Executor" | "async-lock" => (3, ""),
        "bare spawn" => (5, ""),
        _ => (4, ""),
    }
}

fn mark(style: usize, x: f64, y: f64) -> String {
    match style {
        0 => format!("M{:.1} {y:.1}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0", x - 4.0),
        1 => format!("M{:.1} {:.1}h6v6h-6z", x - 3.0, y - 3.0),
        2 => format!("M{x:.1} {:.1}l4 7h-8z", y - 4.0),
        3 => format!("M{x:.1} {:.1}l4 4l-4 4l-4 -4z", y - 4.0),
        4 => format!("M{x:.1} {:.1}l4 -7h-8z", y + 4.0),
        _ => format!("M{:.1} {:.1}h8v2h-8z", x - 4.0, y - 1.0),
    }
}

fn time(ns: f64) -> String {
    match ns {
        1_000_000.0.. => format!("{} ms", ns / 1_000_000.0),
        1_000.0.. => format!("{} µs", ns / 1_000.0),
        _ => format!("{} ns", ns.round()),
    }
}

/// A power of ten.
pub(crate) fn count(n: u64) -> String {
    match n {
        1_000_000.. => format!("{}M", n / 1_000_000),
        1_000.. => format!("{}k", n / 1_000),
        _ => n.to_string(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn put(svg: &mut String, text: std::fmt::Arguments<'_>) {
    svg.write_fmt(text).expect("a string takes all");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Point;

    #[test]
    fn names_stand_apart_and_in_order() {
        let placed = spread(&[100.0, 101.0, 102.0, 220.0]);
        assert!(placed.windows(2).all(|two| two[1] - two[0] > NAME_HEIGHT - 0.1), "{placed:?}");
        assert_eq!(spread(&[50.0, 90.0]), [50.0, 90.0]);
    }

    #[test]
    fn a_picture_has_each_line_and_each_name() {
        let points: Vec<_> =
            [1, 10, 100].map(|n| Point { n, ns: 100.0 * n as f64, ratio: 1.0 }).into();
        let lines = ["ours", "Vec<JoinHandle>"]
            .map(|name| Line { name: name.into(), points: points.clone() });
        let figures = Figures {
            file: "f".into(),
            heading: "H".into(),
            sentence: "S.".into(),
            n_is: "children".into(),
            panels: vec![Panel { title: "one thread".into(), lines: lines.into() }],
        };
        let svg = draw(&figures);
        assert_eq!(svg.matches("class=\"mark\"").count(), 6);
        assert!(svg.contains(">Vec&lt;JoinHandle&gt;</text>") && svg.contains(">10 µs</text>"));
    }
}
