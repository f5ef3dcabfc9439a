//! Aligned columns.

/// Columns as wide as their widest cell; below a head that begins with `>` stand numbers, to the right. A cell without
/// text shows as `-`.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let is_number = head.map(|name| name.starts_with('>'));
    let head = head.map(|name| name.trim_start_matches('>').to_owned());
    let shown = |cell: &str| if cell.is_empty() { "-" } else { cell }.to_owned();
    let lines: Vec<[String; N]> = std::iter::once(head)
        .chain(rows.iter().map(|row| row.each_ref().map(|c| shown(c))))
        .collect();
    let mut widths = [0; N];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(widths).zip(is_number);
        let cells: Vec<String> = cells
            .map(|((cell, width), is_number)| match is_number {
                true => format!("{cell:>width$}"),
                false => format!("{cell:width$}"),
            })
            .collect();
        text += cells.join("  ").trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            ["splunk".into(), "1,000".into(), String::new()],
            ["elasticsearch".into(), "7".into(), "today".into()],
        ];
        assert_eq!(
            table(["EXPORTER", ">BEHIND", "SINCE"], &rows),
            "EXPORTER       BEHIND  SINCE\nsplunk          1,000  -\nelasticsearch       7  today\n"
        );
    }
}
