//! Summarises a CSV table column by column: type, missing values, range, mean, median, spread and
//! outliers.
//!
//! Definitions. Standard deviation: of the sample (n − 1). Quartiles: linear interpolation between
//! the two nearest values, as in spreadsheets and NumPy. Outlier: beyond 1.5 interquartile ranges
//! below the first or above the third quartile, looked for in columns of at least four numbers.
//! Rows are counted from 1 without the header.

use std::collections::BTreeSet;
use std::error::Error;
use std::io;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};

/// 2⁵³: from here on different integers are the same double.
const INTEGER_LIMIT: f64 = 9_007_199_254_740_992.0;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    csv: String,
    #[serde(default = "comma")]
    delimiter: char,
    #[serde(default = "yes")]
    has_header: bool,
    /// Cells with one of these texts count as missing, besides empty ones. Upper and lower case are
    /// the same.
    #[serde(default = "usual_marks")]
    missing_marks: Vec<String>,
}

fn comma() -> char {
    ','
}

fn yes() -> bool {
    true
}

fn usual_marks() -> Vec<String> {
    ["na", "n/a", "nan", "null", "-"].map(String::from).into()
}

#[derive(Debug, Serialize)]
struct Report {
    rows: usize,
    columns: Vec<Column>,
}

#[derive(Debug, Serialize)]
struct Column {
    name: String,
    r#type: Type,
    /// Cells with a value.
    count: usize,
    missing: usize,
    distinct: usize,
    /// Smallest and largest number, or first and last date.
    min: Option<Bound>,
    max: Option<Bound>,
    mean: Option<f64>,
    median: Option<f64>,
    stddev: Option<f64>,
    lower_fence: Option<f64>,
    upper_fence: Option<f64>,
    outliers: Vec<Outlier>,
}

/// The narrowest type that fits every value of a column.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    Empty,
    Integer,
    Number,
    Boolean,
    Date,
    Text,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum Bound {
    Number(f64),
    Date(String),
}

#[derive(Debug, PartialEq, Serialize)]
struct Outlier {
    row: usize,
    value: f64,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let input: Input = serde_json::from_str(&io::read_to_string(io::stdin())?)?;
    println!("{}", serde_json::to_string(&report(&input)?)?);
    Ok(())
}

fn report(input: &Input) -> Result<Report, Box<dyn Error>> {
    let delimiter =
        u8::try_from(input.delimiter).map_err(|_| "the delimiter must be one ASCII character")?;
    let text = input.csv.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(input.has_header)
        .from_reader(text.as_bytes());
    let names: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    if names.is_empty() {
        return Err("the table is empty".into());
    }
    let records = reader.records().collect::<Result<Vec<_>, _>>()?;

    let is_missing = |cell: &str| {
        cell.is_empty()
            || input
                .missing_marks
                .iter()
                .any(|m| m.eq_ignore_ascii_case(cell))
    };
    let columns = names.iter().enumerate().map(|(index, name)| {
        let cells = records
            .iter()
            .map(|record| record[index].trim())
            .enumerate();
        let values: Vec<_> = cells
            .map(|(row, cell)| (row + 1, cell))
            .filter(|(_, cell)| !is_missing(cell))
            .collect();
        let name = match name.trim() {
            name if input.has_header && !name.is_empty() => name.to_owned(),
            _ => format!("column {}", index + 1),
        };
        summarise(name, &values, records.len() - values.len())
    });
    Ok(Report {
        rows: records.len(),
        columns: columns.collect(),
    })
}

/// `values` are the cells that are not missing, with their rows.
fn summarise(name: String, values: &[(usize, &str)], missing: usize) -> Column {
    let distinct = values.iter().map(|(_, cell)| cell).collect::<BTreeSet<_>>();
    let mut column = Column {
        name,
        r#type: type_of(values.iter().map(|(_, cell)| *cell)),
        count: values.len(),
        missing,
        distinct: distinct.len(),
        min: None,
        max: None,
        mean: None,
        median: None,
        stddev: None,
        lower_fence: None,
        upper_fence: None,
        outliers: Vec::new(),
    };
    match column.r#type {
        // ISO dates sort as text.
        Type::Date => {
            column.min = distinct
                .first()
                .map(|date| Bound::Date((**date).to_owned()));
            column.max = distinct.last().map(|date| Bound::Date((**date).to_owned()));
        }
        Type::Integer | Type::Number => {
            let numbers: Vec<_> = values
                .iter()
                .filter_map(|(row, cell)| Some((*row, number(cell)?)))
                .collect();
            add_statistics(&mut column, &numbers);
        }
        Type::Boolean | Type::Text | Type::Empty => {}
    }
    column
}

/// `numbers` is not empty.
fn add_statistics(column: &mut Column, numbers: &[(usize, f64)]) {
    let mut sorted: Vec<f64> = numbers.iter().map(|(_, x)| *x).collect();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let mean = sorted.iter().sum::<f64>() / n;

    column.min = sorted.first().copied().map(Bound::Number);
    column.max = sorted.last().copied().map(Bound::Number);
    column.mean = rounded(mean);
    column.median = rounded(quantile(&sorted, 0.5));
    if sorted.len() >= 2 {
        let squares: f64 = sorted.iter().map(|x| (x - mean) * (x - mean)).sum();
        column.stddev = rounded((squares / (n - 1.0)).sqrt());
    }
    if sorted.len() >= 4 {
        let (q1, q3) = (quantile(&sorted, 0.25), quantile(&sorted, 0.75));
        let (lower, upper) = (q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1));
        // Fences beyond what the result can hold are left out, and the outliers with them.
        if lower.abs() < INTEGER_LIMIT && upper.abs() < INTEGER_LIMIT {
            column.lower_fence = rounded(lower);
            column.upper_fence = rounded(upper);
            let outside = numbers.iter().filter(|(_, x)| *x < lower || *x > upper);
            column.outliers = outside
                .map(|&(row, value)| Outlier { row, value })
                .collect();
        }
    }
}

/// The value at `fraction` of the way through `sorted`, which is not empty.
fn quantile(sorted: &[f64], fraction: f64) -> f64 {
    let position = fraction * (sorted.len() - 1) as f64;
    let (below, above) = (
        sorted[position.floor() as usize],
        sorted[position.ceil() as usize],
    );
    below + (above - below) * position.fract()
}

/// Six decimals; none when the computation left the range that canonical JSON can hold.
fn rounded(x: f64) -> Option<f64> {
    match x.abs() {
        // Beyond this a double has no six decimals to round.
        size if size < 1e9 => Some((x * 1e6).round() / 1e6 + 0.0),
        size => (size < INTEGER_LIMIT).then_some(x),
    }
}

fn type_of<'a>(mut cells: impl Iterator<Item = &'a str> + Clone) -> Type {
    let fits = |test: fn(&str) -> bool| cells.clone().all(test);
    if fits(|_| false) {
        // Only where there is no value can all of them fit nothing.
        Type::Empty
    } else if fits(is_integer) {
        Type::Integer
    } else if fits(|cell| number(cell).is_some()) {
        Type::Number
    } else if fits(is_boolean) {
        Type::Boolean
    } else if cells.all(is_date) {
        Type::Date
    } else {
        Type::Text
    }
}

/// A decimal number. What starts with a superfluous zero, and what lies beyond the integers that a
/// double holds exactly, is a code (a postcode, an account number) and not a number.
fn number(cell: &str) -> Option<f64> {
    let digits = cell.trim_start_matches(['+', '-']);
    let has_leading_zero =
        digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
    // Rust also reads "inf" and "nan".
    let is_decimal = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    cell.parse()
        .ok()
        .filter(|x: &f64| is_decimal && !has_leading_zero && x.abs() < INTEGER_LIMIT)
}

fn is_integer(cell: &str) -> bool {
    number(cell).is_some()
        && cell
            .trim_start_matches(['+', '-'])
            .bytes()
            .all(|b| b.is_ascii_digit())
}

fn is_boolean(cell: &str) -> bool {
    ["true", "false", "yes", "no"]
        .iter()
        .any(|word| word.eq_ignore_ascii_case(cell))
}

/// `YYYY-MM-DD`, a day that exists.
fn is_date(cell: &str) -> bool {
    let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<&str> = cell.split('-').collect();
    let [year, month, day] = parts[..] else {
        return false;
    };
    if (year.len(), month.len(), day.len()) != (4, 2, 2)
        || !parts.iter().all(|part| is_digits(part))
    {
        return false;
    }
    let [year, month, day] = [year, month, day].map(|part| part.parse::<u32>().unwrap_or(0));
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=days).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(csv: &str) -> Report {
        let input = Input {
            csv: csv.into(),
            delimiter: ',',
            has_header: true,
            missing_marks: usual_marks(),
        };
        report(&input).expect("a well-formed table")
    }

    fn types(csv: &str) -> Vec<Type> {
        read(csv)
            .columns
            .iter()
            .map(|column| column.r#type)
            .collect()
    }

    #[test]
    fn the_narrowest_type_that_fits_all_values_wins() {
        use Type::*;
        assert_eq!(
            types("a,b,c,d,e,f\n1,1,yes,2024-02-29,x,\n-2,2.5e3,No,1999-12-31,1,NA\n"),
            [Integer, Number, Boolean, Date, Text, Empty]
        );
        assert_eq!(
            types("a,b,c,d,e\n007,2023-02-29,inf,1-2,9007199254740993\n"),
            [Text; 5]
        );
    }

    #[test]
    fn quoted_cells_hold_delimiters_quotes_and_line_ends() {
        let report = read("name,n\n\"Doe, \"\"Jo\"\"\nJr\",1\nx,2\n");
        assert_eq!(
            (
                report.rows,
                report.columns[0].distinct,
                report.columns[1].mean
            ),
            (2, 2, Some(1.5))
        );
    }

    #[test]
    fn statistics_follow_their_definitions() {
        let column = &read("x\n2\n4\n4\n4\n5\n5\n7\n9\n40\n").columns[0];
        assert_eq!(
            (column.mean, column.median, column.stddev),
            (Some(8.888889), Some(5.0), Some(11.836854))
        );
        assert_eq!(
            (column.lower_fence, column.upper_fence),
            (Some(-0.5), Some(11.5))
        );
        assert_eq!(
            column.outliers,
            [Outlier {
                row: 9,
                value: 40.0
            }]
        );
    }

    #[test]
    fn what_canonical_json_cannot_hold_is_text_or_left_out() {
        let column = &read("x\n1e308\n1e18\n9007199254740992\n").columns[0];
        assert_eq!((&column.r#type, &column.max), (&Type::Text, &None));
        let column = &read("x\n9e15\n-9e15\n9e15\n-9e15\n").columns[0];
        assert_eq!(
            (column.mean, &column.max),
            (Some(0.0), &Some(Bound::Number(9e15)))
        );
        assert_eq!(
            (column.stddev, column.lower_fence, column.outliers.len()),
            (None, None, 0)
        );
    }
}
