//! How a program is called in the command contract.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Collect, Content, InvocationDigest, TreeDigest, canonical_json, check_path};

/// Most arguments.
const ARGS_LIMIT_COUNT: usize = 4096;
/// Most added environment variables.
const ENV_LIMIT_COUNT: usize = 512;
/// Longest argument and longest `NAME=value`, in bytes: what Linux hands to a program in one piece
/// (128 KiB) less the NUL at its end.
const STRING_LIMIT_BYTES: usize = (128 << 10) - 1;
/// Arguments and environment variables together, in bytes.
const STRINGS_LIMIT_BYTES: usize = 1 << 20;

/// A call of one program of a package, resolved: every content is a digest. Its canonical JSON is
/// committed, so a replay makes the same call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invocation {
    /// Path of the program inside the package.
    pub entry: String,
    /// Arguments after the program's name.
    pub args: Vec<String>,
    /// Environment variables besides those that every program gets.
    pub env: BTreeMap<String, String>,
    /// Standard input.
    pub stdin: Content,
    /// What `/workspace` holds at the start.
    pub work: TreeDigest,
    /// What `$HOME` holds at the start. Absent: it is empty, and what is left there is not part of
    /// the outcome.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<TreeDigest>,
    /// Exit codes that complete the order.
    pub accept_exit: AcceptExit,
    /// Which changes below `/workspace` are part of the outcome.
    pub collect: Collect,
}

/// An invocation that cannot be carried out, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvocationError {
    /// The entry is no path.
    #[error("invocation.entry: {0}")]
    Entry(#[from] crate::TreeError),
    /// An argument or a value that a program cannot be given.
    #[error("{field} contains NUL, which no program can be given")]
    Nul {
        /// Which one: `invocation.args[2]`.
        field: String,
    },
    /// A variable whose name no shell could set.
    #[error(
        "invocation.env: {0:?} is no name of a variable; names are letters, digits and _, and do not begin with a digit"
    )]
    Name(String),
    /// A variable that this program sets, or that changes what an interpreter or a loader does.
    #[error(
        "invocation.env: {0} is refused, because it is set by the runtime or changes how programs are loaded or interpreted"
    )]
    Refused(String),
    /// More than is allowed.
    #[error("{field}: {found} {unit}; {limit} are allowed")]
    TooLarge {
        /// Which field.
        field: String,
        /// How much it has.
        found: usize,
        /// Of what.
        unit: &'static str,
        /// How much is allowed.
        limit: usize,
    },
}

impl Invocation {
    /// The canonical JSON that is stored and digested.
    #[must_use]
    pub fn to_canonical(&self) -> Vec<u8> {
        canonical_json::to_vec(self)
    }

    /// The invocation's digest.
    #[must_use]
    pub fn digest(&self) -> InvocationDigest {
        InvocationDigest::of(&self.to_canonical())
    }

    /// Checks everything that can be known without the package and the trees.
    ///
    /// # Errors
    /// [`InvocationError`] names the field.
    pub fn check(&self) -> Result<(), InvocationError> {
        check_path(&self.entry)?;
        let at_most = |field: &str, found, unit, limit| {
            if found <= limit {
                return Ok(());
            }
            Err(InvocationError::TooLarge {
                field: field.to_owned(),
                found,
                unit,
                limit,
            })
        };
        at_most(
            "invocation.args",
            self.args.len(),
            "arguments",
            ARGS_LIMIT_COUNT,
        )?;
        at_most(
            "invocation.env",
            self.env.len(),
            "variables",
            ENV_LIMIT_COUNT,
        )?;
        let mut total = 0;
        for (index, argument) in self.args.iter().enumerate() {
            let field = format!("invocation.args[{index}]");
            at_most(&field, argument.len(), "bytes", STRING_LIMIT_BYTES)?;
            if argument.contains('\0') {
                return Err(InvocationError::Nul { field });
            }
            total += argument.len() + 1;
        }
        for (name, value) in &self.env {
            if !is_variable_name(name) {
                return Err(InvocationError::Name(name.chars().take(80).collect()));
            }
            if is_refused_variable(name) {
                return Err(InvocationError::Refused(name.chars().take(80).collect()));
            }
            let length = name.len() + 1 + value.len();
            let field = || format!("invocation.env.{}", &name[..name.len().min(80)]);
            at_most(&field(), length, "bytes", STRING_LIMIT_BYTES)?;
            if value.contains('\0') {
                return Err(InvocationError::Nul { field: field() });
            }
            total += length + 1;
        }
        at_most(
            "invocation.args and invocation.env",
            total,
            "bytes together",
            STRINGS_LIMIT_BYTES,
        )
    }
}

/// Names that an invocation may not set, and, with `*` at the end, beginnings of such names.
///
/// The first row is what the runtime sets itself. The rest make a loader, an interpreter or a
/// library run or read something else than the package says: an order that could set them could
/// make a skill do anything under that skill's name.
pub const REFUSED_VARIABLES: &[&str] = &[
    "HOME",
    "INPUT_JSON",
    "LANG",
    "PATH",
    "PWD",
    "TMPDIR",
    "TZ",
    "LD_*",
    "DYLD_*",
    "GLIBC_TUNABLES",
    "MALLOC_*",
    "GCONV_PATH",
    "LOCPATH",
    "NLSPATH",
    "HOSTALIASES",
    "LOCALDOMAIN",
    "RES_OPTIONS",
    "RESOLV_HOST_CONF",
    "TZDIR",
    "OPENSSL_CONF",
    "BASH_ENV",
    "BASH_FUNC_*",
    "BASHOPTS",
    "CDPATH",
    "ENV",
    "GLOBIGNORE",
    "IFS",
    "OLDPWD",
    "PROMPT_COMMAND",
    "PS4",
    "SHELLOPTS",
    "PYTHON*",
    "NODE_*",
    "PERL5*",
    "PERLLIB",
    "RUBY*",
    "GEM_*",
    "LUA_*",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "_JAVA_OPTIONS",
    "CLASSPATH",
    "DENO_*",
    "BUN_*",
    "AWKPATH",
    "AWKLIBPATH",
];

/// Whether [`REFUSED_VARIABLES`] has `name`.
#[must_use]
pub fn is_refused_variable(name: &str) -> bool {
    REFUSED_VARIABLES
        .iter()
        .any(|refused| match refused.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == *refused,
        })
}

fn is_variable_name(name: &str) -> bool {
    let is_first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.bytes().next().is_some_and(is_first)
        && name
            .bytes()
            .all(|byte| is_first(byte) || byte.is_ascii_digit())
}

/// Exit codes that complete an order: a sorted list of codes from 0 to 255, or `"any"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AcceptExit {
    /// Every code.
    Any,
    /// These codes, at least one.
    Codes(BTreeSet<u8>),
}

impl AcceptExit {
    /// Whether `code` completes the order.
    #[must_use]
    pub fn contains(&self, code: i32) -> bool {
        match self {
            Self::Any => true,
            Self::Codes(codes) => u8::try_from(code).is_ok_and(|code| codes.contains(&code)),
        }
    }
}

impl Default for AcceptExit {
    /// The code 0 alone.
    fn default() -> Self {
        Self::Codes(BTreeSet::from([0]))
    }
}

impl fmt::Display for AcceptExit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Codes(codes) => {
                for (index, code) in codes.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{code}")?;
                }
                Ok(())
            }
        }
    }
}

impl Serialize for AcceptExit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Any => serializer.serialize_str("any"),
            Self::Codes(codes) => codes.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for AcceptExit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Codes;
        impl<'de> de::Visitor<'de> for Codes {
            type Value = AcceptExit;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of exit codes from 0 to 255, at least one, or \"any\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<AcceptExit, E> {
                match text {
                    "any" => Ok(AcceptExit::Any),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<AcceptExit, A::Error> {
                let mut codes = BTreeSet::new();
                while let Some(code) = list.next_element::<u8>()? {
                    codes.insert(code);
                }
                if codes.is_empty() {
                    return Err(de::Error::invalid_length(0, &self));
                }
                Ok(AcceptExit::Codes(codes))
            }
        }
        deserializer.deserialize_any(Codes)
    }
}
