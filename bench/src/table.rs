//! Tables for people and for Markdown.

pub struct Table {
    rows: Vec<Vec<String>>,
    left: usize,
}

impl Table {
    pub fn new(head: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut table = Table { rows: Vec::new(), left: 2 };
        table.row(head);
        table
    }

    /// So many columns lie left, instead of two.
    pub fn left(mut self, columns: usize) -> Self {
        self.left = columns;
        self
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Nothing, if there is nothing but the head.
    pub fn print(&self, title: &str) {
        if self.rows.len() < 2 {
            return;
        }
        println!("\n### {title}\n");
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        for (at, row) in self.rows.iter().enumerate() {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| match column {
                column if column < self.left => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            println!("| {} |", cells.collect::<Vec<_>>().join(" | "));
            if at == 0 {
                let rules = widths.iter().enumerate().map(|(column, &width)| match column {
                    column if column < self.left => "-".repeat(width),
                    _ => format!("{}:", "-".repeat(width.saturating_sub(1))),
                });
                println!("| {} |", rules.collect::<Vec<_>>().join(" | "));
            }
        }
    }
}

/// Three digits that count.
pub fn figure(value: f64) -> String {
    let digits = match value {
        v if v < 10.0 => 2,
        v if v < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$}")
}

/// A size as people say it.
pub fn bytes(n: usize) -> String {
    match n {
        n if n >= 1 << 20 && n % (1 << 20) == 0 => format!("{} MiB", n >> 20),
        n if n >= 1 << 10 && n % (1 << 10) == 0 => format!("{} KiB", n >> 10),
        n => format!("{n} B"),
    }
}

/// What [`bytes`] said.
pub fn parse_bytes(text: &str) -> Option<f64> {
    let (number, unit) = text.split_once(' ')?;
    let factor = match unit {
        "B" => 1.0,
        "KiB" => 1024.0,
        "MiB" => 1048576.0,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|number| number * factor)
}

/// Whether a target holds.
pub fn verdict(holds: bool) -> &'static str {
    if holds { "yes" } else { "**NO**" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_they_are_said() {
        for size in [16, 1000, 1 << 10, 64 << 10, 1 << 20] {
            assert_eq!(parse_bytes(&bytes(size)), Some(size as f64));
        }
        assert_eq!(parse_bytes("5 apples"), None);
    }
}
