//! The table at the end, and the file for machines.

use std::fmt::Write as _;

#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    figure: String,
    value: f64,
    unit: &'static str,
    must: String,
    met: bool,
}

impl Report {
    /// A figure with the bound that it must not pass.
    pub(crate) fn at_most(&mut self, figure: &str, value: f64, unit: &'static str, must: f64) {
        self.push(figure, value, unit, format!("<= {must}"), value <= must);
    }

    pub(crate) fn at_least(&mut self, figure: &str, value: f64, unit: &'static str, must: f64) {
        self.push(figure, value, unit, format!(">= {must}"), value >= must);
    }

    /// A figure for orientation.
    pub(crate) fn tell(&mut self, figure: &str, value: f64, unit: &'static str) {
        self.push(figure, value, unit, String::new(), true);
    }

    fn push(&mut self, figure: &str, value: f64, unit: &'static str, must: String, met: bool) {
        eprintln!("  {figure}: {value:.3} {unit} {must}");
        self.rows.push(Row { figure: figure.to_owned(), value, unit, must, met });
    }

    pub(crate) fn print(&self) {
        println!("\n| figure | measured | must | met |\n|---|---|---|---|");
        for row in &self.rows {
            let met = if row.must.is_empty() {
                ""
            } else if row.met {
                "yes"
            } else {
                "NO"
            };
            println!("| {} | {:.3} {} | {} | {met} |", row.figure, row.value, row.unit, row.must);
        }
    }

    pub(crate) fn save(&self) {
        let mut json = String::from("[\n");
        for (n, row) in self.rows.iter().enumerate() {
            let comma = if n + 1 == self.rows.len() { "" } else { "," };
            let _ = writeln!(
                json,
                "  {{\"figure\": {:?}, \"value\": {}, \"unit\": {:?}, \"must\": {:?}, \"met\": {}}}{comma}",
                row.figure, row.value, row.unit, row.must, row.met
            );
        }
        json.push_str("]\n");
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench.json");
        std::fs::write(&path, json).expect("the report is written");
        println!("\nwritten to {}", path.display());
    }
}

/// The middle of some measurements.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
