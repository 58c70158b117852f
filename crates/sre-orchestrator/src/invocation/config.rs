//! An invocation as submitters write it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value, json};
use sre_core::{AcceptExit, BlobDigest, Collect, OrderId, TreeDigest};

/// How to call a program of the package as a command.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InvocationConfig {
    /// Path of the program in the package. Default: the package's entrypoint, or its only program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// Arguments after the program's name. Default none.
    pub args: Vec<String>,
    /// Standard input. Default empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdin: Option<ContentConfig>,
    /// Environment variables besides those that every program gets. Default none.
    pub env: BTreeMap<String, String>,
    /// What `/workspace` holds at the start. Default nothing.
    pub work: FolderConfig,
    /// What `$HOME` holds at the start. Default: nothing, and what is left there is not part of the
    /// outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<FolderConfig>,
    /// Exit codes that complete the order. Default 0 alone.
    pub accept_exit: AcceptExit,
    /// Which changes below `/workspace` are part of the outcome. Default all.
    pub collect: Collect,
}

impl InvocationConfig {
    /// Whether something of it is in a store or a journal, so that acceptance needs those.
    #[must_use]
    pub fn has_references(&self) -> bool {
        let content = |content: &ContentConfig| matches!(content, ContentConfig::Blob(_));
        let folder = |folder: &FolderConfig| match folder {
            FolderConfig::Tree(_) | FolderConfig::Order(_) => true,
            FolderConfig::Files(files) => files.values().any(
                |file| matches!(file, FileConfig::File { content: bytes, .. } if content(bytes)),
            ),
        };
        self.stdin.as_ref().is_some_and(content)
            || folder(&self.work)
            || self.home.as_ref().is_some_and(folder)
    }
}

/// Bytes: `{"text"}`, `{"base64"}` or `{"sha256"}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContentConfig {
    /// The bytes themselves.
    Bytes(Arc<[u8]>),
    /// Bytes that are in the store.
    Blob(BlobDigest),
}

/// A file or a link of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileConfig {
    /// A file: a content, and `"executable"` where it may be executed.
    File {
        /// Its bytes.
        content: ContentConfig,
        /// Whether it may be executed. Default false.
        executable: bool,
    },
    /// A symbolic link: `{"link"}`.
    Link(String),
}

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FolderConfig {
    /// These files by path.
    Files(BTreeMap<String, FileConfig>),
    /// A tree that is in the store: `{"tree": DIGEST}`.
    Tree(TreeDigest),
    /// What this folder held when another order ended: `{"order": ID}`.
    Order(OrderId),
}

impl Default for FolderConfig {
    fn default() -> Self {
        Self::Files(BTreeMap::new())
    }
}

/// The members of a content, a file or a link. Which of them stand together is checked afterwards.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    text: Option<String>,
    base64: Option<String>,
    sha256: Option<BlobDigest>,
    executable: Option<bool>,
    link: Option<String>,
}

impl Members {
    fn content<E: de::Error>(self) -> Result<ContentConfig, E> {
        match (self.text, self.base64, self.sha256) {
            (Some(text), None, None) => Ok(ContentConfig::Bytes(text.into_bytes().into())),
            (None, Some(text), None) => STANDARD
                .decode(&text)
                .map(|bytes| ContentConfig::Bytes(bytes.into()))
                .map_err(|error| E::custom(format!("base64: {error}"))),
            (None, None, Some(digest)) => Ok(ContentConfig::Blob(digest)),
            _ => Err(E::custom(
                "a content has exactly one of \"text\", \"base64\" and \"sha256\"",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for ContentConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = Members::deserialize(deserializer)?;
        if members.executable.is_some() || members.link.is_some() {
            return Err(de::Error::custom(
                "a content has exactly one of \"text\", \"base64\" and \"sha256\"",
            ));
        }
        members.content()
    }
}

impl<'de> Deserialize<'de> for FileConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut members = Members::deserialize(deserializer)?;
        if let Some(target) = members.link.take() {
            let Members {
                text: None,
                base64: None,
                sha256: None,
                executable: None,
                ..
            } = members
            else {
                return Err(de::Error::custom(
                    "a link has no other member than \"link\"",
                ));
            };
            return Ok(Self::Link(target));
        }
        let executable = members.executable.unwrap_or_default();
        let content = members.content()?;
        Ok(Self::File {
            content,
            executable,
        })
    }
}

/// Told apart by the type of the member: a file named `tree` or `order` has an object there.
impl<'de> Deserialize<'de> for FolderConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Folder;
        impl<'de> de::Visitor<'de> for Folder {
            type Value = FolderConfig;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of files by path, {\"tree\": DIGEST} or {\"order\": ID}")
            }

            fn visit_map<A: de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<FolderConfig, A::Error> {
                let mut members = Map::new();
                while let Some((name, member)) = map.next_entry::<String, Value>()? {
                    members.insert(name, member);
                }
                if members.len() == 1 {
                    if let Some(Value::String(digest)) = members.get("tree") {
                        return digest
                            .parse()
                            .map(FolderConfig::Tree)
                            .map_err(|error| de::Error::custom(format!("tree: {error}")));
                    }
                    if let Some(Value::String(id)) = members.get("order") {
                        return id
                            .parse()
                            .map(FolderConfig::Order)
                            .map_err(|error| de::Error::custom(format!("order: {error}")));
                    }
                }
                let files: Result<BTreeMap<_, _>, A::Error> = members
                    .into_iter()
                    .map(|(path, member)| {
                        let shown: String = path.chars().take(80).collect();
                        let file = FileConfig::deserialize(member)
                            .map_err(|error| de::Error::custom(format!("{shown:?}: {error}")))?;
                        Ok((path, file))
                    })
                    .collect();
                files.map(FolderConfig::Files)
            }
        }
        deserializer.deserialize_map(Folder)
    }
}

fn content_members(content: &ContentConfig) -> Map<String, Value> {
    let (name, value) = match content {
        ContentConfig::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => ("text", Value::from(text)),
            Err(_) => ("base64", Value::from(STANDARD.encode(bytes))),
        },
        ContentConfig::Blob(digest) => ("sha256", Value::from(digest.to_string())),
    };
    Map::from_iter([(name.to_owned(), value)])
}

impl Serialize for ContentConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        content_members(self).serialize(serializer)
    }
}

impl Serialize for FileConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::File {
                content,
                executable,
            } => {
                let mut members = content_members(content);
                if *executable {
                    members.insert(String::from("executable"), Value::from(true));
                }
                members.serialize(serializer)
            }
            Self::Link(target) => json!({ "link": target }).serialize(serializer),
        }
    }
}

impl Serialize for FolderConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Files(files) => files.serialize(serializer),
            Self::Tree(digest) => json!({ "tree": digest }).serialize(serializer),
            Self::Order(id) => json!({ "order": id }).serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: Value) -> Result<InvocationConfig, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_object_has_all_defaults() {
        assert_eq!(read(json!({})), Ok(InvocationConfig::default()));
        let written = serde_json::to_value(InvocationConfig::default()).expect("JSON");
        assert_eq!(read(written), Ok(InvocationConfig::default()));
    }

    #[test]
    fn contents_are_text_base64_or_a_digest() {
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let config = read(json!({
            "stdin": {"base64": "YWJj"},
            "work": {
                "a": {"text": "abc", "executable": true},
                "b": {"sha256": digest},
                "tree": {"text": "a file of this name"},
                "l": {"link": "a"},
            },
            "home": {"tree": digest},
        }))
        .expect("a config");
        assert_eq!(
            config.stdin,
            Some(ContentConfig::Bytes(b"abc".as_slice().into()))
        );
        let FolderConfig::Files(files) = &config.work else {
            panic!("not files: {:?}", config.work);
        };
        assert_eq!(files["l"], FileConfig::Link(String::from("a")));
        assert_eq!(
            files["b"],
            FileConfig::File {
                content: ContentConfig::Blob(digest.parse().expect("a digest")),
                executable: false,
            }
        );
        assert!(matches!(config.home, Some(FolderConfig::Tree(_))));
        let written = serde_json::to_value(&config).expect("JSON");
        assert_eq!(read(written), Ok(config));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (value, expected) in [
            (json!({"arg": []}), "arg"),
            (json!({"work": {"a": {}}}), "\"a\""),
            (json!({"work": {"a": "text"}}), "\"a\""),
            (
                json!({"work": {"a": {"text": "", "base64": ""}}}),
                "exactly one",
            ),
            (
                json!({"work": {"a": {"link": "x", "executable": true}}}),
                "link",
            ),
            (json!({"work": {"tree": "x"}}), "tree"),
            (json!({"work": {"order": "-"}}), "order"),
            (json!({"work": []}), "files by path"),
            (
                json!({"stdin": {"text": "", "executable": true}}),
                "exactly one",
            ),
            (json!({"stdin": {"base64": "?"}}), "base64"),
            (json!({"accept_exit": []}), "exit codes"),
            (json!({"collect": ["../x"]}), "../x"),
            (json!({"env": {"A": 1}}), "string"),
        ] {
            let refused = read(value.clone()).expect_err("refused");
            assert!(refused.contains(expected), "{value}: {refused}");
        }
    }
}
