//! Tables: columns of one width, numbers to the right.

use std::fmt::Write;

use super::style::Style;
use crate::runtime::log_text::printable;

/// What stands in one place.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// Text in a style.
    pub(super) fn styled(text: impl Into<String>, style: Style) -> Self {
        Self { text: one_line(&text.into()), style }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text, Style::Plain)
    }
}

/// A text of others in one line, which moves no cursor.
fn one_line(text: &str) -> String {
    printable(text).replace('\n', "\\n").replace('\t', "\\t")
}

/// A column.
#[derive(Clone, Copy, Debug)]
enum Column {
    Text(&'static str),
    Number(&'static str),
}

impl Column {
    fn title(self) -> &'static str {
        match self {
            Self::Text(title) | Self::Number(title) => title,
        }
    }
}

/// A table.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with these columns. A title with `#` in front of it is that of numbers.
    pub(super) fn new(titles: &[&'static str]) -> Self {
        let column = |title: &&'static str| match title.strip_prefix('#') {
            Some(title) => Column::Number(title),
            None => Column::Text(title),
        };
        Self { columns: titles.iter().map(column).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Whether it has no row.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Leaves out the columns that say nothing: all their cells are empty.
    pub(super) fn without_empty_columns(mut self) -> Self {
        for index in (0..self.columns.len()).rev() {
            if self.rows.iter().all(|row| row.get(index).is_none_or(|cell| cell.text.is_empty())) {
                self.leave_out(index);
            }
        }
        self
    }

    /// Leaves out the last column if it says nothing.
    pub(super) fn without_empty_last(mut self) -> Self {
        let last = self.columns.len().saturating_sub(1);
        if self.rows.iter().all(|row| row.get(last).is_none_or(|cell| cell.text.is_empty())) {
            self.leave_out(last);
        }
        self
    }

    /// Leaves out the first column, which says whose a row is.
    pub(super) fn of_one(mut self) -> Self {
        self.leave_out(0);
        self
    }

    fn leave_out(&mut self, index: usize) {
        self.columns.remove(index);
        for row in self.rows.iter_mut().filter(|row| index < row.len()) {
            row.remove(index);
        }
    }

    /// Its lines. `paint` makes text of a style.
    pub(super) fn lines(&self, paint: impl Fn(Style, &str) -> String) -> Vec<String> {
        let titles: Vec<Cell> =
            self.columns.iter().map(|column| Cell::styled(column.title(), Style::Heading)).collect();
        let all: Vec<&Vec<Cell>> = std::iter::once(&titles).chain(&self.rows).collect();
        let width = |index: usize| {
            all.iter().filter_map(|row| row.get(index)).map(|cell| cell.text.chars().count()).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        all.iter().map(|row| self.line(row, &widths, &paint)).collect()
    }

    fn line(&self, row: &[Cell], widths: &[usize], paint: &impl Fn(Style, &str) -> String) -> String {
        let mut line = String::new();
        // Blanks are written when something follows.
        let mut blanks = 0;
        for ((cell, column), width) in row.iter().zip(&self.columns).zip(widths) {
            let missing = width - cell.text.chars().count();
            let (before, behind) = if matches!(column, Column::Number(_)) { (missing, 0) } else { (0, missing) };
            if cell.text.is_empty() {
                blanks += before;
            } else {
                let _ = write!(line, "{:1$}{2}", "", blanks + before, paint(cell.style, &cell.text));
                blanks = 0;
            }
            blanks += behind + 2;
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(table: &Table) -> String {
        table.lines(|style, text| style.paint(text).into_owned().replace('\x1b', "~")).join("\n")
    }

    fn plain(table: &Table) -> String {
        table.lines(|_, text| text.to_owned()).join("\n")
    }

    #[test]
    fn columns_are_aligned_and_nothing_stands_behind_a_line() {
        let mut table = Table::new(&["BMC", "NAME", "#VALUE", "UNIT"]);
        table.row(["a".into(), "Temperatur Ü".into(), "92.5".into(), "degrees C".into()]);
        table.row(["a".into(), "Fan".into(), "3000".into(), "".into()]);
        table.row(["a".into(), "Door".into(), "".into(), "".into()]);
        let expected = "BMC  NAME          VALUE  UNIT\n\
                        a    Temperatur Ü   92.5  degrees C\n\
                        a    Fan            3000\n\
                        a    Door";
        assert_eq!(plain(&table), expected);
        assert!(plain(&table.of_one()).starts_with("NAME          VALUE"));
    }

    #[test]
    fn what_others_named_moves_no_cursor_and_colour_takes_no_room() {
        let mut table = Table::new(&["NAME", "POWER", "X", "END"]);
        table.row(["a\x1b[2J\nb".into(), Cell::styled("on", Style::Good), "".into(), "x".into()]);
        table.row(["c".into(), Cell::styled("off", Style::Plain), "".into(), "y".into()]);
        let expected = "~[1mNAME~[0m           ~[1mPOWER~[0m  ~[1mEND~[0m\n\
                        a\\u{1b}[2J\\nb  ~[32mon~[0m     x\n\
                        c              off    y";
        assert_eq!(text(&table.without_empty_columns()), expected);
    }
}
