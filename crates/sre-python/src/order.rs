//! Orders as Python gives them: objects with the fields of `OrderConfig` and `SandboxConfig`.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyString};
use serde_json::{Map, Value};
use sre_core::{CommitResult, OrderId, SandboxConfig};
use sre_orchestrator::OrderConfig;
use sre_skill::{LocalPaths, SkillPackage};
use url::Url;

use crate::failure::Failure;
use crate::json::{from_python, type_name};

/// The fields of an `OrderConfig` but `sandbox_config`.
const ORDER_FIELDS: [&str; 9] = [
    "order_id",
    "skill_package",
    "input_data",
    "timeout_seconds",
    "max_retries",
    "retry_on_timeout",
    "priority",
    "verdicts_required",
    "callback_url",
];

/// The fields of a `SandboxConfig`, in the order of its documentation.
const SANDBOX_FIELDS: [&str; 12] = [
    "mem_limit",
    "cpu_period",
    "cpu_quota",
    "timeout_seconds",
    "network_disabled",
    "fuel",
    "output_limit",
    "pids_limit",
    "backend",
    "clock_start",
    "random_seed",
    "min_isolation",
];

/// Reads an `OrderConfig`. Every error names the field.
pub(crate) fn read(config: &Bound<'_, PyAny>) -> Result<OrderConfig, Failure> {
    let get = |field: &str| attribute(config, field, field);
    let mut order = OrderConfig::new(
        id(&get("order_id")?)?,
        skill_package(&get("skill_package")?)?,
    );
    order.input_data = dict(&get("input_data")?, "input_data")?;
    order.timeout_seconds = number(&get("timeout_seconds")?, "timeout_seconds")?;
    order.max_retries = count(&get("max_retries")?, "max_retries")?;
    order.retry_on_timeout = truth(&get("retry_on_timeout")?, "retry_on_timeout")?;
    order.priority = priority(&get("priority")?)?;
    order.verdicts_required = count(&get("verdicts_required")?, "verdicts_required")?;
    let callback_url = get("callback_url")?;
    if !callback_url.is_none() {
        let url = text(&callback_url, "callback_url")?;
        order.callback_url =
            Some(Url::parse(&url).map_err(|error| Failure::of_value("callback_url", error))?);
    }
    let sandbox = get("sandbox_config")?;
    if !sandbox.is_none() {
        order.sandbox_config = Some(sandbox_config(&sandbox)?);
    }
    order.invocation = invocation(config)?
        .map(|fields| {
            serde_json::from_value(fields).map_err(|error| Failure::of_value("invocation", error))
        })
        .transpose()?;
    Ok(order)
}

/// The `invocation` in its JSON form: a dict, or an `Invocation`, which reads the folders it names.
fn invocation(config: &Bound<'_, PyAny>) -> Result<Option<Value>, Failure> {
    let invocation = attribute(config, "invocation", "invocation")?;
    if invocation.is_none() {
        return Ok(None);
    }
    if invocation.cast_exact::<PyDict>().is_ok() {
        return dict(&invocation, "invocation").map(Some);
    }
    let wire = invocation
        .getattr("_wire")
        .map_err(|_| wrong(&invocation, "invocation", "an Invocation or a dict"))?;
    let wire = wire
        .call0()
        .map_err(|error| Failure::of_value("invocation", error))?;
    dict(&wire, "invocation").map(Some)
}

/// Reads an `OrderConfig` for a service: its JSON form. Every error names the field.
pub(crate) fn wire(config: &Bound<'_, PyAny>) -> Result<Value, Failure> {
    // What is refused here would be refused there.
    read(config)?;
    let mut order = Map::new();
    for field in ORDER_FIELDS {
        let value = from_python(&attribute(config, field, field)?, field)?;
        if !value.is_null() {
            order.insert(field.to_owned(), value);
        }
    }
    let sandbox = attribute(config, "sandbox_config", "sandbox_config")?;
    if !sandbox.is_none() {
        order.insert(
            String::from("sandbox_config"),
            Value::Object(sandbox_fields(&sandbox)?),
        );
    }
    if let Some(invocation) = invocation(config)? {
        order.insert(String::from("invocation"), invocation);
    }
    Ok(Value::Object(order))
}

/// Reads the fields of a `CommitResult`: as JSON, and as what they mean.
pub(crate) fn claim(fields: &Bound<'_, PyAny>) -> Result<(Value, CommitResult), Failure> {
    let mut claim = dict(fields, "commit_result")?;
    // A missing field is named, a null one is not.
    if let Some(fields) = claim.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    let read = serde_json::from_value(claim.clone())
        .map_err(|error| Failure::of_value("commit_result", error))?;
    Ok((claim, read))
}

/// Reads an order's id.
pub(crate) fn id(value: &Bound<'_, PyAny>) -> Result<OrderId, Failure> {
    text(value, "order_id")?
        .parse()
        .map_err(|error| Failure::of_value("order_id", error))
}

/// Reads a package: a dict in the object form, or `{"path": …}`.
fn skill_package(value: &Bound<'_, PyAny>) -> Result<SkillPackage, Failure> {
    Ok(SkillPackage::from_json(
        dict(value, "skill_package")?,
        LocalPaths::Allowed,
    )?)
}

/// Reads a `SandboxConfig`.
fn sandbox_config(config: &Bound<'_, PyAny>) -> Result<SandboxConfig, Failure> {
    let fields = Value::Object(sandbox_fields(config)?);
    serde_json::from_value(fields).map_err(|error| Failure::of_value("sandbox_config", error))
}

/// The fields of a `SandboxConfig`, checked. One that is `None` has the default.
fn sandbox_fields(config: &Bound<'_, PyAny>) -> Result<Map<String, Value>, Failure> {
    let mut fields = Map::new();
    for field in SANDBOX_FIELDS {
        let name = format!("sandbox_config.{field}");
        let value = attribute(config, field, &name)?;
        if value.is_none() {
            continue;
        }
        let value = from_python(&value, &name)?;
        // One by one, so that the error belongs to a field.
        let alone = Value::Object([(field.to_owned(), value.clone())].into_iter().collect());
        if let Err(error) = serde_json::from_value::<SandboxConfig>(alone) {
            let mismatch = error.to_string().starts_with("invalid type");
            return Err(if mismatch {
                Failure::of_type(&name, error)
            } else {
                Failure::of_value(&name, error)
            });
        }
        fields.insert(field.to_owned(), value);
    }
    Ok(fields)
}

/// An attribute of a configuration object; `field` is what it is called in errors.
pub(crate) fn attribute<'py>(
    object: &Bound<'py, PyAny>,
    name: &str,
    field: &str,
) -> Result<Bound<'py, PyAny>, Failure> {
    object.getattr(name).map_err(|_| {
        Failure::of_type(
            field,
            format!(
                "cannot be read from an object of type {}",
                type_name(object)
            ),
        )
    })
}

/// A `str`, and no subclass of it.
pub(crate) fn text(value: &Bound<'_, PyAny>, field: &str) -> Result<String, Failure> {
    if value.cast_exact::<PyString>().is_err() {
        return Err(wrong(value, field, "a str"));
    }
    match from_python(value, field)? {
        Value::String(text) => Ok(text),
        _ => Err(wrong(value, field, "a str")),
    }
}

/// A `dict` of JSON values, and no subclass of it.
pub(crate) fn dict(value: &Bound<'_, PyAny>, field: &str) -> Result<Value, Failure> {
    if value.cast_exact::<PyDict>().is_ok() {
        return from_python(value, field);
    }
    if value.is_instance_of::<PyDict>() {
        // Says that it is a subclass, and how to convert it.
        from_python(value, field)?;
    }
    Err(wrong(value, field, "a dict"))
}

/// A number, and no bool.
pub(crate) fn number(value: &Bound<'_, PyAny>, field: &str) -> Result<f64, Failure> {
    match from_python(value, field)? {
        Value::Number(number) => number
            .as_f64()
            .ok_or_else(|| wrong(value, field, "a number")),
        _ => Err(wrong(value, field, "an int or a float")),
    }
}

/// An integer from 0 on.
pub(crate) fn count(value: &Bound<'_, PyAny>, field: &str) -> Result<u32, Failure> {
    match from_python(value, field)? {
        Value::Number(number) if number.is_f64() => Err(wrong(value, field, "an int")),
        Value::Number(number) => number
            .as_u64()
            .and_then(|count| u32::try_from(count).ok())
            .ok_or_else(|| {
                Failure::of_value(
                    field,
                    format!("must be between 0 and {}, found {number}", u32::MAX),
                )
            }),
        _ => Err(wrong(value, field, "an int")),
    }
}

fn priority(value: &Bound<'_, PyAny>) -> Result<i32, Failure> {
    let field = "priority";
    match from_python(value, field)? {
        Value::Number(number) if number.is_f64() => Err(wrong(value, field, "an int")),
        Value::Number(number) => number
            .as_i64()
            .and_then(|priority| i32::try_from(priority).ok())
            .ok_or_else(|| {
                Failure::of_value(
                    field,
                    format!("must lie between -100 and 100, found {number}"),
                )
            }),
        _ => Err(wrong(value, field, "an int")),
    }
}

/// A bool.
pub(crate) fn truth(value: &Bound<'_, PyAny>, field: &str) -> Result<bool, Failure> {
    value
        .cast_exact::<PyBool>()
        .map(|truth| truth.is_true())
        .map_err(|_| wrong(value, field, "a bool"))
}

fn wrong(value: &Bound<'_, PyAny>, field: &str, wanted: &str) -> Failure {
    Failure::of_type(
        field,
        format!("must be {wanted}, found {}", type_name(value)),
    )
}
