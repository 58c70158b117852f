//! Puts its input into an object under "echo".

use std::io::{Read, Write};

fn main() -> std::io::Result<()> {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input)?;
    // The runtime has checked that the input is a JSON object. Use a library such as serde_json to
    // look inside.
    write!(std::io::stdout(), "{{\"echo\":{input}}}")
}
