//! Python values as JSON, strictly, and JSON as Python values.
//!
//! The rules are those of [`sre_core::canonical_json`], said in Python's terms: what would not come
//! back as it went is refused, with the field that holds it. Only exact built-in types are read. A
//! subclass may look different from what it stores; and reading exact types runs no Python code, so
//! nothing can change while it is read.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use serde_json::{Map, Number, Value};
use sre_core::canonical_json::{self, DEPTH_LIMIT};

use crate::failure::Failure;

/// Bytes of text in one field, every value counting for [`VALUE_SIZE`]. A package of 16 MiB as
/// base64 fits; a list that is small because it shares its parts, and would be huge written out,
/// does not.
const SIZE_LIMIT: usize = 32 << 20;

/// About what a value takes in memory, in bytes.
const VALUE_SIZE: usize = 32;

/// Reads `value`, which is called `field`.
pub(crate) fn from_python(value: &Bound<'_, PyAny>, field: &str) -> Result<Value, Failure> {
    let mut reader = Reader {
        field: field.to_owned(),
        open: Vec::new(),
        size: 0,
    };
    reader.read(value)
}

struct Reader {
    /// Where the reader is, as a Python programmer would write it.
    field: String,
    /// The containers around it, by identity.
    open: Vec<usize>,
    size: usize,
}

impl Reader {
    fn read(&mut self, value: &Bound<'_, PyAny>) -> Result<Value, Failure> {
        self.grow(VALUE_SIZE)?;
        if value.is_none() {
            return Ok(Value::Null);
        }
        if let Ok(text) = value.cast_exact::<PyString>() {
            return self.text(text).map(Value::String);
        }
        if let Ok(truth) = value.cast_exact::<PyBool>() {
            return Ok(Value::Bool(truth.is_true()));
        }
        if let Ok(integer) = value.cast_exact::<PyInt>() {
            return self.integer(integer);
        }
        if let Ok(float) = value.cast_exact::<PyFloat>() {
            return self.float(float.value());
        }
        if let Ok(dict) = value.cast_exact::<PyDict>() {
            return self.inside(value, |reader| reader.object(dict));
        }
        if let Ok(list) = value.cast_exact::<PyList>() {
            return self.inside(value, |reader| reader.array(list.iter()));
        }
        if let Ok(tuple) = value.cast_exact::<PyTuple>() {
            return self.inside(value, |reader| reader.array(tuple.iter()));
        }
        Err(Failure::of_type(&self.field, advice(value)))
    }

    fn inside(
        &mut self,
        container: &Bound<'_, PyAny>,
        read: impl FnOnce(&mut Self) -> Result<Value, Failure>,
    ) -> Result<Value, Failure> {
        let identity = container.as_ptr() as usize;
        if self.open.contains(&identity) {
            return Err(Failure::of_value(&self.field, "contains itself"));
        }
        if self.open.len() == DEPTH_LIMIT {
            return Err(Failure::of_value(
                &self.field,
                format!("is nested deeper than {DEPTH_LIMIT} levels"),
            ));
        }
        self.open.push(identity);
        let value = read(self)?;
        self.open.pop();
        Ok(value)
    }

    fn object(&mut self, dict: &Bound<'_, PyDict>) -> Result<Value, Failure> {
        let mut members = Map::new();
        for (key, value) in dict.iter() {
            let Ok(key) = key.cast_exact::<PyString>() else {
                let found = type_name(&key);
                return Err(Failure::of_type(
                    &self.field,
                    format!("has a key of type {found}, every key must be a str"),
                ));
            };
            let key = self.text(key)?;
            let length = self.field.len();
            if is_identifier(&key) {
                self.field.push('.');
                self.field.push_str(&key);
            } else {
                let shown: String = key.chars().take(40).collect();
                self.field.push_str(&format!("[{shown:?}]"));
            }
            let value = self.read(&value)?;
            self.field.truncate(length);
            members.insert(key, value);
        }
        Ok(Value::Object(members))
    }

    fn array<'py>(
        &mut self,
        items: impl Iterator<Item = Bound<'py, PyAny>>,
    ) -> Result<Value, Failure> {
        let mut read = Vec::new();
        for (index, item) in items.enumerate() {
            let length = self.field.len();
            self.field.push_str(&format!("[{index}]"));
            read.push(self.read(&item)?);
            self.field.truncate(length);
        }
        Ok(Value::Array(read))
    }

    fn text(&mut self, text: &Bound<'_, PyString>) -> Result<String, Failure> {
        let text = text.to_str().map_err(|_| {
            Failure::of_value(
                &self.field,
                "contains half of a surrogate pair, which no UTF-8 can hold",
            )
        })?;
        self.grow(text.len())?;
        Ok(text.to_owned())
    }

    fn integer(&self, integer: &Bound<'_, PyInt>) -> Result<Value, Failure> {
        match integer.extract::<i64>() {
            Ok(value) if canonical_json::is_exact_integer(&value.to_string()) => Ok(value.into()),
            // Not the number itself: it may have a million digits.
            _ => Err(Failure::of_value(
                &self.field,
                "is an integer beyond ±2**53 that no double holds exactly; write it as a str",
            )),
        }
    }

    fn float(&self, value: f64) -> Result<Value, Failure> {
        let Some(number) = Number::from_f64(value) else {
            return Err(Failure::of_value(
                &self.field,
                format!("is {value}, which JSON cannot hold"),
            ));
        };
        Ok(Value::Number(number))
    }

    fn grow(&mut self, by: usize) -> Result<(), Failure> {
        self.size = self.size.saturating_add(by);
        if self.size <= SIZE_LIMIT {
            return Ok(());
        }
        let root = self.field.split(['.', '[']).next().unwrap_or_default();
        Err(Failure::of_value(
            root,
            format!("is larger than {SIZE_LIMIT} bytes"),
        ))
    }
}

/// What a value of the wrong type should have been.
fn advice(value: &Bound<'_, PyAny>) -> String {
    let found = type_name(value);
    let base = [
        ("dict", value.is_instance_of::<PyDict>()),
        ("list", value.is_instance_of::<PyList>()),
        ("tuple", value.is_instance_of::<PyTuple>()),
        ("str", value.is_instance_of::<PyString>()),
        ("int", value.is_instance_of::<PyInt>()),
        ("float", value.is_instance_of::<PyFloat>()),
    ];
    match base.into_iter().find(|(_, is)| *is) {
        Some((base, _)) => {
            format!(
                "must be a plain {base}, found its subclass {found}; convert it with {base}(...)"
            )
        }
        None => format!("must be None, bool, int, float, str, list, tuple or dict, found {found}"),
    }
}

/// The name of a value's type; without asking the value, whose methods may do anything.
pub(crate) fn type_name(value: &Bound<'_, PyAny>) -> String {
    let name = value
        .get_type()
        .name()
        .ok()
        .and_then(|name| name.extract::<String>().ok());
    name.map_or_else(
        || String::from("another type"),
        |name| name.chars().take(80).collect(),
    )
}

fn is_identifier(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= 40
        && !key.starts_with(|c: char| c.is_ascii_digit())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The Python value of `value`: built-in types only.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(truth) => PyBool::new(py, *truth).to_owned().into_any(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => integer.into_pyobject(py)?.into_any(),
            (None, Some(integer)) => integer.into_pyobject(py)?.into_any(),
            (None, None) => PyFloat::new(py, number.as_f64().unwrap_or(f64::NAN)).into_any(),
        },
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(to_python(py, item)?)?;
            }
            list.into_any()
        }
        Value::Object(members) => {
            let dict = PyDict::new(py);
            for (key, member) in members {
                dict.set_item(PyString::intern(py, key), to_python(py, member)?)?;
            }
            dict.into_any()
        }
    })
}
