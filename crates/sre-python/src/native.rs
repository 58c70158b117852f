//! Native skills: processes in the jail, where the caller allows them.
//!
//! The jail is made by a small process, the launcher, that must be started afresh and have one
//! thread. Here it is the interpreter, started with nothing but this module: see
//! [`become_launcher`].

use std::path::{Path, PathBuf};

use pyo3::prelude::*;
use serde_json::Value;

use crate::failure::Failure;
use crate::json::from_python;
use crate::order;

/// How many jails may be kept made ahead.
const WARM_LIMIT: u32 = 64;

/// Loads this module from its file, without the package around it, and becomes the launcher.
#[cfg(target_os = "linux")]
const PROGRAM: &str = "import importlib.util, sys; \
spec = importlib.util.spec_from_file_location('_native', sys.argv[1]); \
module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module); module.become_launcher()";

/// A `NativeConfig`.
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "native skills run on Linux only")
)]
pub(crate) struct Native {
    interpreter: PathBuf,
    module: PathBuf,
    root: Option<PathBuf>,
    without: Vec<String>,
    warm_jails: u32,
}

impl Native {
    /// Reads a `NativeConfig`. Every error names the field.
    pub(crate) fn read(config: &Bound<'_, PyAny>) -> Result<Self, Failure> {
        if !cfg!(target_os = "linux") {
            return Err(Failure::of_value(
                "native",
                "native skills run on Linux only",
            ));
        }
        let get = |name: &str, field: &str| order::attribute(config, name, field);
        let path =
            |name: &str, field: &str| order::text(&get(name, field)?, field).map(PathBuf::from);
        let root = get("root", "native.root")?;
        let root = if root.is_none() {
            None
        } else {
            Some(PathBuf::from(order::text(&root, "native.root")?))
        };
        if root.as_ref().is_some_and(|root| !root.is_absolute()) {
            return Err(Failure::of_value("native.root", "must be an absolute path"));
        }
        let warm_jails = order::count(
            &get("warm_jails", "native.warm_jails")?,
            "native.warm_jails",
        )?;
        if warm_jails > WARM_LIMIT {
            let message = format!("must be between 0 and {WARM_LIMIT}, found {warm_jails}");
            return Err(Failure::of_value("native.warm_jails", message));
        }
        Ok(Self {
            interpreter: path("_interpreter", "native")?,
            module: path("_module", "native")?,
            root,
            without: layers(&get("without", "native.without")?)?,
            warm_jails,
        })
    }

    /// How the sandbox runs them. Images are unpacked below `cache_folder`.
    #[cfg(target_os = "linux")]
    pub(crate) fn options(
        &self,
        cache_folder: Option<&Path>,
    ) -> sre_sandbox::native::NativeOptions {
        use sre_sandbox::native::{LauncherProgram, Layer, NativeOptions, Root};

        let arguments = ["-I", "-S", "-B", "-c", PROGRAM].map(std::ffi::OsString::from);
        NativeOptions {
            launcher: LauncherProgram::Other {
                path: self.interpreter.clone(),
                arguments: arguments
                    .into_iter()
                    .chain([self.module.clone().into_os_string()])
                    .collect(),
            },
            root: self.root.clone().map_or(Root::Host, Root::Folder),
            may_lack: self
                .without
                .iter()
                .filter_map(|name| Layer::from_name(name))
                .collect(),
            warm_jails: usize::try_from(self.warm_jails).unwrap_or_default(),
            images_folder: cache_folder.map(|folder| folder.join("images")),
        }
    }
}

/// The names of layers that may be missing.
fn layers(value: &Bound<'_, PyAny>) -> Result<Vec<String>, Failure> {
    let field = "native.without";
    let Value::Array(names) = from_python(value, field)? else {
        return Err(Failure::of_type(
            field,
            "must be a tuple or a list of names",
        ));
    };
    let mut layers = Vec::new();
    for (index, name) in names.into_iter().enumerate() {
        let field = format!("{field}[{index}]");
        match name {
            Value::String(name) if is_layer(&name) => layers.push(name),
            Value::String(name) => {
                let known = "memory_limit, cpu_limit, process_limit and landlock";
                let shown: String = name.chars().take(40).collect();
                return Err(Failure::of_value(
                    &field,
                    format!("{shown:?} is not a layer; the layers are {known}"),
                ));
            }
            _ => return Err(Failure::of_type(&field, "must be a str")),
        }
    }
    Ok(layers)
}

#[cfg(target_os = "linux")]
fn is_layer(name: &str) -> bool {
    sre_sandbox::native::Layer::from_name(name).is_some()
}

#[cfg(not(target_os = "linux"))]
fn is_layer(_name: &str) -> bool {
    false
}

/// Makes this process the launcher of jails, and never returns, if it was started as one; else does
/// nothing.
#[pyfunction]
pub(crate) fn become_launcher() {
    #[cfg(target_os = "linux")]
    sre_sandbox::native::enter_if_asked();
}
