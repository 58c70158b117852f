//! From layers to one value per setting, each with where it came from.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{DEFAULT, Settings};
use crate::failure::Failure;
use sre_core::ErrorCode;

/// Every setting by name (`server.listen`).
#[derive(Debug)]
pub struct Config(BTreeMap<String, (Value, Origin)>);

/// Where a setting came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The program.
    Default,
    /// This file.
    File(PathBuf),
    /// This variable of the environment.
    Environment(String),
    /// The command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag => f.write_str("flag"),
        }
    }
}

impl Config {
    /// Reads all layers. `flags` are `NAME=VALUE`.
    ///
    /// # Errors
    /// A file that cannot be read, a setting that does not exist or has a value of another type;
    /// the message names it.
    pub fn read(
        file: Option<&Path>,
        environment: impl Iterator<Item = (OsString, OsString)>,
        flags: &[String],
    ) -> Result<Self, Failure> {
        let mut config = Self::defaults()?;
        if let Some(path) = file {
            let place = path.display();
            let text = std::fs::read_to_string(path)
                .map_err(|error| invalid(&format!("{place} cannot be read: {error}")))?;
            let table: Table = text
                .parse()
                .map_err(|error| invalid(&format!("{place} is no TOML: {error}")))?;
            for (name, value) in flatten(&table) {
                config.set(&name, value, Origin::File(path.to_path_buf()))?;
            }
        }
        config.read_environment(environment)?;
        for flag in flags {
            let Some((name, value)) = flag.split_once('=') else {
                return Err(invalid(&format!(
                    "--set {flag:?} is not of the form NAME=VALUE"
                )));
            };
            config.set_text(name, value, Origin::Flag)?;
        }
        Ok(config)
    }

    fn defaults() -> Result<Self, Failure> {
        let defaults: Table = DEFAULT
            .parse()
            .map_err(|error| invalid(&format!("the default settings: {error}")))?;
        Ok(Self(
            flatten(&defaults)
                .into_iter()
                .map(|(name, value)| (name, (value, Origin::Default)))
                .collect(),
        ))
    }

    /// Every setting, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value, &Origin)> {
        self.0
            .iter()
            .map(|(name, (value, origin))| (name.as_str(), value, origin))
    }

    /// The settings with their types.
    ///
    /// # Errors
    /// A value that is out of range; the message names the setting.
    pub fn settings(&self) -> Result<Settings, Failure> {
        self.typed()
            .map_err(|message| self.blame().unwrap_or_else(|| invalid(&message)))
    }

    /// Which setting it is that cannot be read: each alone among the defaults. The reader itself
    /// does not tell.
    fn blame(&self) -> Option<Failure> {
        self.0.iter().find_map(|(name, (value, origin))| {
            let mut alone = Self::defaults().ok()?;
            alone
                .0
                .insert(name.clone(), (value.clone(), origin.clone()));
            let message = alone.typed().err()?;
            Some(invalid(&format!("{name} ({origin}) is {value}: {message}")))
        })
    }

    fn typed(&self) -> Result<Settings, String> {
        let mut table = Table::new();
        for (name, (value, _)) in &self.0 {
            let (section, key) = name.split_once('.').unwrap_or(("", name));
            let section = table
                .entry(section)
                .or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(section) = section {
                section.insert(key.to_owned(), value.clone());
            }
        }
        table
            .try_into()
            .map_err(|error: toml::de::Error| error.message().to_owned())
    }

    /// Variables that name a setting. Others that begin with SRE_ belong to other programs.
    fn read_environment(
        &mut self,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<(), Failure> {
        let names: BTreeMap<String, String> = self
            .0
            .keys()
            .map(|name| (variable(name), name.clone()))
            .collect();
        for (variable, value) in environment {
            let Some((variable, name)) = variable
                .to_str()
                .and_then(|variable| names.get_key_value(variable))
            else {
                continue;
            };
            let value = value
                .into_string()
                .map_err(|_| invalid(&format!("{variable} is not UTF-8")))?;
            self.set_text(name, &value, Origin::Environment(variable.clone()))?;
        }
        Ok(())
    }

    /// Texts are texts where a text is wanted, and TOML otherwise.
    fn set_text(&mut self, name: &str, text: &str, origin: Origin) -> Result<(), Failure> {
        let wants_text = self.0.get(name).is_some_and(|(value, _)| value.is_str());
        let value = if wants_text {
            Value::String(text.to_owned())
        } else {
            let document: Result<Table, _> = format!("value = {text}").parse();
            match document.ok().and_then(|mut table| table.remove("value")) {
                Some(value) => value,
                None => Value::String(text.to_owned()),
            }
        };
        self.set(name, value, origin)
    }

    fn set(&mut self, name: &str, value: Value, origin: Origin) -> Result<(), Failure> {
        let Some(entry) = self.0.get_mut(name) else {
            return Err(invalid(&format!("there is no setting {name} ({origin})"))
                .hint("`sre config show` lists all"));
        };
        let is_number = |value: &Value| value.is_integer() || value.is_float();
        let fits = entry.0.same_type(&value) || (is_number(&entry.0) && is_number(&value));
        if !fits {
            let (wanted, found) = (entry.0.type_str(), value.type_str());
            return Err(invalid(&format!(
                "{name} ({origin}) must be a TOML {wanted}, found a {found}"
            )));
        }
        *entry = (value, origin);
        Ok(())
    }
}

/// The variable that sets `name`.
fn variable(name: &str) -> String {
    format!("SRE_{}", name.replace('.', "_").to_ascii_uppercase())
}

fn flatten(table: &Table) -> Vec<(String, Value)> {
    let mut settings = Vec::new();
    for (section, value) in table {
        match value {
            Value::Table(keys) => {
                settings.extend(
                    keys.iter()
                        .map(|(key, value)| (format!("{section}.{key}"), value.clone())),
                );
            }
            other => settings.push((section.clone(), other.clone())),
        }
    }
    settings
}

fn invalid(detail: &str) -> Failure {
    Failure::new(ErrorCode::ConfigInvalid, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str, variables: &[(&str, &str)], flags: &[&str]) -> Result<Config, Failure> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sre.toml");
        std::fs::write(&path, file).expect("a file");
        let variables = variables
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        Config::read(Some(&path), variables, &flags)
    }

    fn origin(config: &Config, name: &str) -> String {
        config
            .iter()
            .find(|(found, ..)| *found == name)
            .map(|(.., origin)| origin.to_string())
            .expect("a setting")
    }

    #[test]
    fn later_layers_win_and_each_setting_knows_where_it_came_from() {
        let file = "[server]\nlisten = \"127.0.0.1:1\"\ngrace_seconds = 1.5\n[workers]\nwasm = 3\n";
        let variables = [
            ("SRE_SERVER_LISTEN", "127.0.0.1:2"),
            ("SRE_CALLBACKS_PORTS", "[80, 8080]"),
            ("SRE_LOG", "x"),
        ];
        let config =
            read(file, &variables, &["server.listen=127.0.0.1:3"]).expect("a configuration");
        let settings = config.settings().expect("settings");
        assert_eq!(settings.server.listen.port(), 3);
        assert_eq!(
            (settings.workers.wasm, &*settings.callbacks.ports),
            (3, &[80, 8080][..])
        );
        assert_eq!(origin(&config, "server.listen"), "flag");
        assert_eq!(
            origin(&config, "callbacks.ports"),
            "environment SRE_CALLBACKS_PORTS"
        );
        assert!(origin(&config, "workers.wasm").starts_with("file "));
        assert_eq!(origin(&config, "retention.days"), "default");
    }

    #[test]
    fn what_does_not_exist_or_has_another_type_is_refused_by_name() {
        for (file, flag, message) in [
            ("[server]\nlisen = \"x\"", None, "no setting server.lisen"),
            ("[workers]\nwasm = \"many\"", None, "workers.wasm"),
            ("", Some("workers.wasm=many"), "workers.wasm"),
            ("", Some("workers.wasm"), "NAME=VALUE"),
            ("[server", None, "no TOML"),
        ] {
            let refused =
                read(file, &[], &flag.into_iter().collect::<Vec<_>>()).expect_err(message);
            assert!(refused.detail.contains(message), "{}", refused.detail);
        }
        let negative = read("[workers]\nwasm = -1", &[], &[])
            .expect("typed")
            .settings()
            .expect_err("no count");
        assert!(
            negative.detail.starts_with("workers.wasm (file "),
            "{}",
            negative.detail
        );
    }

    /// A little of what a fuzzer does: the default file with bytes changed, removed and repeated.
    /// Whatever is read can be shown, and whatever is refused says why.
    #[test]
    fn any_file_is_read_or_refused() {
        // SplitMix64 with a fixed seed.
        let mut state = 7_u64;
        let mut random = |limit: usize| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)) as usize % limit
        };
        let lines: Vec<&str> = DEFAULT
            .lines()
            .filter(|line| !line.starts_with('#'))
            .collect();
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sre.toml");
        let (mut good, mut bad) = (0, 0);
        for _ in 0..2000 {
            let mut text: Vec<u8> = lines.join("\n").into_bytes();
            for _ in 0..random(3) {
                let at = random(text.len());
                match random(3) {
                    0 => text[at] = b"\"=[].#-\n9e\x00\xff"[random(12)],
                    1 => drop(text.remove(at)),
                    _ => text.extend_from_within(at..),
                }
            }
            std::fs::write(&path, &text).expect("a file");
            match Config::read(Some(&path), std::iter::empty(), &[])
                .and_then(|config| config.settings()?.check())
            {
                Ok(()) => good += 1,
                Err(failure) => {
                    assert!(!failure.detail.is_empty());
                    bad += 1;
                }
            }
        }
        assert!(
            good > 100 && bad > 100,
            "{good} were read and {bad} refused"
        );
    }
}
