//! Writing for people and for programs.
//!
//! | file | holds |
//! |---|---|
//! | `escape` | what makes foreign text safe on a terminal |
//! | `style` | colours, where they are wanted |
//! | `format` | for people or for programs |
//! | `failure` | why a command has nothing to print |
//! | `progress` | the spinner on standard error |
//! | `streams` | the two streams; a reader that went away is not an error |
//! | `sheet` | aligned rows |
//! | `order` | an order's result for people |
//! | `verdict` | a verification for people |

mod escape;
mod failure;
mod format;
mod order;
mod progress;
mod sheet;
mod streams;
mod style;
mod units;
mod verdict;

pub use escape::{escape, escape_json};
pub use failure::report;
pub use format::Format;
pub use order::{command, order};
pub use progress::Progress;
pub use sheet::Sheet;
pub use streams::{json_line, stderr, stdout};
pub use style::Style;
pub use units::{bytes, duration, number, plural};
pub use verdict::verification;
