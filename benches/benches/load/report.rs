//! Tables on standard output.

/// Prints a line.
#[expect(clippy::print_stdout, reason = "a bench reports on standard output")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Prints a Markdown table, its columns aligned.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let longest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        longest.max(head[column].chars().count())
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(n, (cell, width))| {
                if n == 0 {
                    format!("{cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                }
            })
            .collect();
        format!("| {} |", cells.join(" | "))
    };
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    say(&line(&head));
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    say(&line(&rule));
    for row in rows {
        say(&line(row));
    }
}

/// What was asked for beside what came of it.
pub(crate) fn goal(what: &str, is: f64, at_least: f64, unit: &str) {
    let verdict = if is >= at_least { "met" } else { "MISSED" };
    say(&format!(
        "goal: {what} at least {at_least}{unit}: {is:.2}{unit}, {verdict}"
    ));
}

/// Bytes as MB.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{:.0} MB", bytes as f64 / 1e6)
}

/// A rate without its fraction.
pub(crate) fn whole(rate: f64) -> String {
    format!("{rate:.0}")
}

/// The middle one of some figures.
pub(crate) fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
