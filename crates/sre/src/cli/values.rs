//! Values of flags that clap does not know.

use std::collections::BTreeSet;
use std::path::PathBuf;

use sre_core::{AcceptExit, OrderId, TreeDigest};

/// What a folder of a skill holds at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FolderArg {
    /// What stands in a folder here.
    Path(PathBuf),
    /// What an order left.
    Order(OrderId),
    /// A tree that is in the store.
    Tree(TreeDigest),
}

/// `order:ID`, `tree:DIGEST`, or the path of a folder; `./order:x` is a path.
pub(super) fn folder(text: &str) -> Result<FolderArg, String> {
    if let Some(id) = text.strip_prefix("order:") {
        return match id.parse() {
            Ok(id) => Ok(FolderArg::Order(id)),
            Err(error) => Err(format!("{error}")),
        };
    }
    if let Some(digest) = text.strip_prefix("tree:") {
        return match digest.parse() {
            Ok(digest) => Ok(FolderArg::Tree(digest)),
            Err(error) => Err(format!("{error}")),
        };
    }
    Ok(FolderArg::Path(text.into()))
}

/// `NAME=VALUE`. Which names are allowed is decided where orders are accepted.
pub(super) fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(String::from("write it as NAME=VALUE")),
    }
}

/// `any`, or codes from 0 to 255 with commas between them.
pub(super) fn accept_exit(text: &str) -> Result<AcceptExit, String> {
    if text == "any" {
        return Ok(AcceptExit::Any);
    }
    let codes: Result<BTreeSet<u8>, _> = text.split(',').map(|code| code.trim().parse()).collect();
    match codes {
        Ok(codes) => Ok(AcceptExit::Codes(codes)),
        Err(_) => Err(String::from(
            "write exit codes from 0 to 255 with commas between them, or \"any\"",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_and_variables_are_read() {
        assert_eq!(accept_exit("any"), Ok(AcceptExit::Any));
        assert_eq!(
            accept_exit("1, 0"),
            Ok(AcceptExit::Codes(BTreeSet::from([0, 1])))
        );
        for wrong in ["", "256", "-1", "0;1", "all"] {
            assert!(accept_exit(wrong).is_err(), "{wrong}");
        }
        assert_eq!(
            variable("A=b=c"),
            Ok((String::from("A"), String::from("b=c")))
        );
        assert!(variable("A").is_err() && variable("=b").is_err());
    }

    #[test]
    fn a_folder_is_a_path_an_order_or_a_tree() {
        assert_eq!(
            folder("./order:x"),
            Ok(FolderArg::Path(PathBuf::from("./order:x")))
        );
        assert!(matches!(folder("order:a-1"), Ok(FolderArg::Order(_))));
        assert!(folder("order:").is_err() && folder("tree:abc").is_err());
        assert!(matches!(
            folder(&format!("tree:{}", "0".repeat(64))),
            Ok(FolderArg::Tree(_))
        ));
    }
}
