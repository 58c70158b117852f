//! From the command line to an order: flags, files and standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde_json::{Map, Value};
use sre_core::{ErrorCode, canonical_json};
use sre_orchestrator::OrderConfig;
use sre_skill::{LocalPaths, SkillPackage};

use crate::cli::{InputArgs, NewOrderArgs};
use crate::failure::Failure;

/// Longest input as text, in bytes: far more than an input may have once white space and escapes
/// are gone.
const INPUT_LIMIT_BYTES: u64 = 4 << 20;
/// Longest order as text, in bytes: the largest package as base64, and an input.
const ORDER_LIMIT_BYTES: u64 = 48 << 20;

/// Reads the order that the arguments describe.
///
/// # Errors
/// Bad usage or bad input; the message names the argument or the position.
pub fn read(args: NewOrderArgs) -> Result<OrderConfig, Failure> {
    let NewOrderArgs {
        skill,
        input,
        invocation,
        order_file,
        order,
        sandbox,
    } = args;
    if let Some(file) = order_file {
        return read_order(&file);
    }
    let skill = skill.ok_or_else(|| Failure::new(ErrorCode::Usage, "no SKILL was given"))?;
    let id = order.order_id.unwrap_or_else(OrderConfig::generate_id);
    let mut config = OrderConfig::new(id, SkillPackage::Path(skill));
    config.input_data = read_input(input)?;
    config.invocation = super::invocation::read(invocation)?;
    config.timeout_seconds = order
        .timeout_seconds
        .unwrap_or(OrderConfig::DEFAULT_TIMEOUT_SECONDS);
    config.max_retries = order.max_retries.unwrap_or(0);
    config.retry_on_timeout = order.retry_on_timeout;
    config.callback_url = order.callback_url;
    config.priority = order.priority.unwrap_or(0);
    config.sandbox_config = sandbox.config();
    Ok(config)
}

fn read_order(file: &Path) -> Result<OrderConfig, Failure> {
    let name = format!("the order in {}", shown(file));
    let mut value = parse(&name, &read_file(file, &name, ORDER_LIMIT_BYTES)?)?;
    if let Value::Object(members) = &mut value {
        members
            .entry("order_id")
            .or_insert_with(|| OrderConfig::generate_id().as_str().into());
    }
    Ok(OrderConfig::from_json(value, LocalPaths::Allowed)?)
}

/// Reads the input that the arguments name.
///
/// # Errors
/// Bad usage or bad input; the message names the argument or the position.
pub fn read_input(input: InputArgs) -> Result<Value, Failure> {
    let (name, text) = match input {
        InputArgs {
            input: Some(text), ..
        } => (String::from("--input"), text.into_bytes()),
        InputArgs {
            input_file: Some(file),
            ..
        } => {
            let name = format!("the input in {}", shown(&file));
            let text = read_file(&file, &name, INPUT_LIMIT_BYTES)?;
            (name, text)
        }
        InputArgs { stdin: Some(_), .. } => {
            let name = String::from("the input on standard input");
            let text = read_file(Path::new("-"), &name, INPUT_LIMIT_BYTES)?;
            (name, text)
        }
        _ => return Ok(Value::Object(Map::new())),
    };
    parse(&name, &text)
}

fn parse(name: &str, text: &[u8]) -> Result<Value, Failure> {
    canonical_json::parse(canonical_json::without_bom(text)).map_err(|error| {
        let failure = Failure::new(
            ErrorCode::JsonInvalid,
            format!("{name} is not valid JSON: {error}"),
        );
        if text.iter().all(u8::is_ascii_whitespace) {
            failure.hint("it is empty; an empty input is {}")
        } else {
            failure
        }
    })
}

/// The content of a file, or of standard input for `-`, read no further than the limit.
pub(super) fn read_file(file: &Path, name: &str, limit_bytes: u64) -> Result<Vec<u8>, Failure> {
    let read = |from: &mut dyn Read| -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        from.take(limit_bytes + 1).read_to_end(&mut text)?;
        Ok(text)
    };
    let text = if file == Path::new("-") {
        read(&mut io::stdin())
    } else {
        File::open(file).and_then(|mut f| read(&mut f))
    };
    match text {
        Ok(text) if text.len() as u64 > limit_bytes => Err(Failure::new(
            ErrorCode::InputTooLarge,
            format!("{name} is longer than {limit_bytes} bytes"),
        )),
        Ok(text) => Ok(text),
        Err(error) => Err(Failure::new(
            ErrorCode::InputUnreadable,
            format!("{name} cannot be read: {error}"),
        )),
    }
}

fn shown(file: &Path) -> String {
    if file == Path::new("-") {
        String::from("standard input")
    } else {
        file.display().to_string()
    }
}
