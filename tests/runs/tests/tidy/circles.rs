//! Circles of a graph: R. E. Tarjan, "Depth-first search and linear graph algorithms" (1972).

use std::collections::BTreeSet;

/// Returns the strongly connected components that have more than one node, the largest first. The
/// nodes are numbered from 0.
pub(crate) fn circles(nodes: usize, arrows: &BTreeSet<(usize, usize)>) -> Vec<Vec<usize>> {
    let mut search = Search {
        arrows,
        number: vec![None; nodes],
        low: vec![0; nodes],
        stack: Vec::new(),
        next: 0,
        circles: Vec::new(),
    };
    for node in 0..nodes {
        if search.number[node].is_none() {
            search.visit(node);
        }
    }
    search.circles.sort_by_key(|circle| (usize::MAX - circle.len(), circle.clone()));
    search.circles
}

struct Search<'a> {
    arrows: &'a BTreeSet<(usize, usize)>,
    /// The order in which the nodes were reached.
    number: Vec<Option<usize>>,
    /// The first node in that order that can be reached from this one and is on the stack.
    low: Vec<usize>,
    stack: Vec<usize>,
    next: usize,
    circles: Vec<Vec<usize>>,
}

impl Search<'_> {
    fn visit(&mut self, node: usize) {
        let own = self.next;
        self.next += 1;
        self.number[node] = Some(own);
        self.low[node] = own;
        self.stack.push(node);
        let arrows = self.arrows;
        for (_, to) in arrows.range((node, 0)..=(node, usize::MAX)) {
            match self.number[*to] {
                None => {
                    self.visit(*to);
                    self.low[node] = self.low[node].min(self.low[*to]);
                }
                Some(number) if self.stack.contains(to) => {
                    self.low[node] = self.low[node].min(number);
                }
                Some(_) => {}
            }
        }
        if self.low[node] == own {
            let start = self.stack.iter().position(|at| *at == node).expect("it is on the stack");
            let mut circle = self.stack.split_off(start);
            if circle.len() > 1 {
                circle.sort_unstable();
                self.circles.push(circle);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_found_and_nothing_else() {
        for (arrows, expected) in [
            (&[(0, 1), (1, 2), (0, 2), (3, 4)][..], vec![]),
            (&[(0, 1), (1, 2), (2, 0), (2, 3), (3, 4)], vec![vec![0, 1, 2]]),
            (&[(0, 1), (1, 0), (1, 2), (2, 3), (3, 4), (4, 2)], vec![vec![2, 3, 4], vec![0, 1]]),
            (&[(4, 3), (3, 2), (2, 1), (1, 0), (0, 4)], vec![vec![0, 1, 2, 3, 4]]),
        ] {
            assert_eq!(circles(5, &arrows.iter().copied().collect()), expected, "of {arrows:?}");
        }
    }
}
