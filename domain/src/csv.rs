//! A table read from comma-separated text with a header row: quoted fields, doubled quotes, either line end.

/// The text is no table, or it lacks a column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
    #[error("no header row")]
    NoHeader,
    #[error("no column {0:?}")]
    NoColumn(&'static str),
    #[error("line {line}: {found} fields, the header has {expected}")]
    FieldCount { line: usize, found: usize, expected: usize },
    #[error("line {line}: quote not closed, or text beside a quoted field")]
    Quote { line: usize },
}

/// All rows, each as wide as the header.
#[derive(Debug)]
pub(crate) struct Table {
    header: Vec<String>,
    rows: Vec<Row>,
}

#[derive(Debug)]
pub(crate) struct Row {
    /// Where the row begins in the text, from 1.
    pub(crate) line: usize,
    fields: Vec<String>,
}

/// A column that is known to exist, so that reading a field cannot fail.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column(usize);

impl Table {
    /// # Errors
    /// [`CsvError`] when there is no header, a row is wider or narrower than it, or a quote is misplaced.
    pub(crate) fn parse(text: &str) -> Result<Self, CsvError> {
        let mut rows = records(text.strip_prefix('\u{feff}').unwrap_or(text))?.into_iter();
        let header = rows.next().ok_or(CsvError::NoHeader)?.fields;
        let rows: Vec<Row> = rows.collect();
        match rows.iter().find(|row| row.fields.len() != header.len()) {
            Some(row) => Err(CsvError::FieldCount { line: row.line, found: row.fields.len(), expected: header.len() }),
            None => Ok(Self { header, rows }),
        }
    }

    pub(crate) fn column(&self, name: &'static str) -> Result<Column, CsvError> {
        self.header.iter().position(|h| h == name).map(Column).ok_or(CsvError::NoColumn(name))
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }
}

impl Row {
    pub(crate) fn get(&self, column: Column) -> &str {
        &self.fields[column.0]
    }
}

/// Splits the text into records; blank lines are no records.
fn records(text: &str) -> Result<Vec<Row>, CsvError> {
    let mut rows = Vec::new();
    let (mut line, mut start) = (1, 1);
    let (mut fields, mut field) = (Vec::new(), String::new());
    let (mut quoted, mut closed) = (false, false);
    let mut chars = text.chars().peekable();
    loop {
        let next = chars.next();
        if next == Some('\n') {
            line += 1;
        }
        match next {
            None if quoted => return Err(CsvError::Quote { line: start }),
            Some('"') if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            Some('"') if quoted => (quoted, closed) = (false, true),
            Some(c) if quoted => field.push(c),
            Some('"') if field.is_empty() && !closed => quoted = true,
            Some('"') => return Err(CsvError::Quote { line: start }),
            Some('\r') if chars.peek() == Some(&'\n') => {}
            Some(',') => {
                fields.push(std::mem::take(&mut field));
                closed = false;
            }
            Some('\n') | None => {
                if !fields.is_empty() || !field.is_empty() || closed {
                    fields.push(std::mem::take(&mut field));
                    rows.push(Row { line: start, fields: std::mem::take(&mut fields) });
                }
                closed = false;
                start = line;
                if next.is_none() {
                    return Ok(rows);
                }
            }
            Some(_) if closed => return Err(CsvError::Quote { line: start }),
            Some(c) => field.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(text: &str) -> Result<Vec<Vec<String>>, CsvError> {
        Ok(Table::parse(text)?.rows.into_iter().map(|r| r.fields).collect())
    }

    #[test]
    fn quoted_fields_keep_commas_quotes_and_line_ends() {
        let text = "\u{feff}a,b\r\n\"x, \"\"y\"\"\",\"1\n2\"\r\n\n,\"\"\nlast,row";
        let want = [["x, \"y\"", "1\n2"], ["", ""], ["last", "row"]];
        assert_eq!(cells(text).expect("a table"), want);
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_line() {
        assert_eq!(cells("").err(), Some(CsvError::NoHeader));
        assert_eq!(cells("a,b\n1,2\n3\n").err(), Some(CsvError::FieldCount { line: 3, found: 1, expected: 2 }));
        assert_eq!(cells("a\n\"open\n").err(), Some(CsvError::Quote { line: 2 }));
        assert_eq!(cells("a\n\"x\"y\n").err(), Some(CsvError::Quote { line: 2 }));
        assert_eq!(cells("a\nx\"y\n").err(), Some(CsvError::Quote { line: 2 }));
    }
}
