//! Pages of lists that may be long: how many rows, and where the next page begins.

use serde_json::{Value, json};

use crate::Problem;
use crate::openapi::query_parameter;
use sre_core::ErrorCode;

/// Rows on a page, at most.
const LIMIT: usize = 500;
/// Rows on a page without the parameter.
const DEFAULT: usize = 50;

/// Which rows were asked for.
pub(super) struct Page {
    /// Rows on the page, at most.
    pub(super) limit: usize,
    /// The place of the last row of the page before.
    pub(super) place: Option<i64>,
}

impl Page {
    /// Reads the parameters of [`Page::parameters`].
    ///
    /// # Errors
    /// 400 that names the parameter.
    pub(super) fn read(cursor: Option<&str>, limit: Option<usize>) -> Result<Self, Problem> {
        let limit = limit.unwrap_or(DEFAULT);
        if !(1..=LIMIT).contains(&limit) {
            return Err(Problem::new(
                ErrorCode::QueryInvalid,
                format!("limit: must be 1 to {LIMIT}"),
            ));
        }
        let place = cursor
            .map(|cursor| i64::from_str_radix(cursor, 16))
            .transpose();
        let refuse = |_| {
            Problem::new(
                ErrorCode::QueryInvalid,
                "cursor: must be the next_cursor of a page",
            )
        };
        Ok(Self {
            limit,
            place: place.map_err(refuse)?,
        })
    }

    /// How many rows to look for: one more than are shown tells whether there is another page.
    pub(super) fn wanted(&self) -> usize {
        self.limit + 1
    }

    /// The rows of the page, of those that were found, and the `next_cursor` behind them.
    pub(super) fn cut<T>(
        &self,
        mut found: Vec<T>,
        place: impl Fn(&T) -> i64,
    ) -> (Vec<T>, Option<String>) {
        let more = found.len() > self.limit;
        found.truncate(self.limit);
        let next = self.next(more, found.last().map(place));
        (found, next)
    }

    /// The `next_cursor` behind the row at `last`, if there are more.
    pub(super) fn next(&self, has_more: bool, last: Option<i64>) -> Option<String> {
        last.filter(|_| has_more).map(|place| format!("{place:x}"))
    }

    /// `cursor` and `limit`, as the API's description has them. `rows` begins a sentence.
    pub(super) fn parameters(rows: &str) -> [Value; 2] {
        let cursor = json!({ "type": "string", "pattern": "^[0-9a-f]{1,16}$" });
        let limit =
            json!({ "type": "integer", "minimum": 1, "maximum": LIMIT, "default": DEFAULT });
        [
            query_parameter("cursor", "`next_cursor` of the page before", &cursor),
            query_parameter("limit", &format!("{rows} on the page"), &limit),
        ]
    }
}
