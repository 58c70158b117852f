//! Invocations: one spelling, and nothing in them that no program can be given.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use sre_core::{
    AcceptExit, Collect, Content, Invocation, InvocationError, Tree, is_refused_variable,
};

fn invocation() -> Invocation {
    Invocation {
        entry: String::from("scripts/x.py"),
        args: Vec::new(),
        env: BTreeMap::new(),
        stdin: Content::of(b""),
        work: Tree::default().digest(),
        home: None,
        accept_exit: AcceptExit::default(),
        collect: Collect::default(),
    }
}

fn refusal(change: impl FnOnce(&mut Invocation)) -> String {
    let mut changed = invocation();
    change(&mut changed);
    changed.check().expect_err("refused").to_string()
}

#[test]
fn the_canonical_form_has_every_default_written_out() {
    let text = String::from_utf8(invocation().to_canonical()).expect("UTF-8");
    assert!(text.starts_with(r#"{"accept_exit":[0],"args":[],"collect":["**"],"entry":"scripts/x.py","env":{},"stdin":{"sha256":"e3b0"#), "{text}");
    assert!(!text.contains("home"), "{text}");
}

#[test]
fn what_no_program_can_be_given_is_refused_by_name() {
    assert_eq!(invocation().check(), Ok(()));
    assert!(
        refusal(|i| i.args = vec![String::new(), String::from("a\0")])
            .starts_with("invocation.args[1]")
    );
    assert!(refusal(|i| i.args = vec!["x".repeat(128 << 10)]).starts_with("invocation.args[0]"));
    assert!(refusal(|i| i.args = vec!["x".repeat(100_000); 11]).contains("bytes together"));
    assert!(refusal(|i| i.args = vec![String::new(); 4097]).starts_with("invocation.args:"));
    assert!(refusal(|i| i.entry = String::from("../x")).starts_with("invocation.entry"));
    for name in ["", "1A", "A-B", "A B", "Ä", "A=B", "A\0"] {
        let refused = refusal(|i| drop(i.env.insert(name.to_owned(), String::new())));
        assert!(
            refused.contains("no name of a variable"),
            "{name:?}: {refused}"
        );
    }
    // Newlines and text of any language are arguments like others.
    let mut good = invocation();
    good.args = vec![String::from("a\nb"), String::from("é"), "x".repeat(131_071)];
    assert_eq!(good.check(), Ok(()));
}

#[test]
fn variables_that_change_an_interpreter_are_refused_by_name() {
    for name in [
        "LD_PRELOAD",
        "DYLD_INSERT_LIBRARIES",
        "PYTHONPATH",
        "PYTHONHASHSEED",
        "NODE_OPTIONS",
        "BASH_ENV",
        "BASH_FUNC_ls",
        "ENV",
        "IFS",
        "PATH",
        "HOME",
        "TZ",
        "PERL5OPT",
        "RUBYOPT",
        "GLIBC_TUNABLES",
        "MALLOC_CHECK_",
        "INPUT_JSON",
    ] {
        let mut changed = invocation();
        changed.env.insert(name.to_owned(), String::new());
        assert_eq!(
            changed.check(),
            Err(InvocationError::Refused(name.to_owned()))
        );
    }
    for name in ["MODE", "ENVIRONMENT", "PATHS", "LC_ALL", "_", "API_KEY"] {
        assert!(!is_refused_variable(name), "{name}");
    }
}

#[test]
fn exit_codes_are_a_set_or_any() {
    let read = |text: &str| serde_json::from_str::<AcceptExit>(text);
    let codes = read("[2,0,2]").expect("codes");
    assert_eq!(serde_json::to_string(&codes).expect("JSON"), "[0,2]");
    assert!(codes.contains(2) && !codes.contains(1) && !codes.contains(256));
    let any = read("\"any\"").expect("any");
    assert!(any.contains(-1) && any.contains(0));
    for bad in ["[]", "[256]", "[-1]", "\"all\"", "0", "null", "[\"0\"]"] {
        assert!(read(bad).is_err(), "{bad}");
    }
}

fn any_invocation() -> impl Strategy<Value = Invocation> {
    (
        "[a-z]{1,4}(/[a-z]{1,4}){0,2}",
        vec(".*", 0..4),
        btree_map("X[A-Z0-9_]{0,3}", ".*", 0..3),
        any::<Vec<u8>>(),
        option::of(any::<bool>()),
        vec(0_u8.., 0..3),
        vec("[a*?]{1,3}", 0..3),
    )
        .prop_map(
            |(entry, args, env, stdin, home, codes, collect)| Invocation {
                entry,
                args,
                env,
                stdin: Content::of(&stdin),
                work: Tree::default().digest(),
                home: home.map(|_| Tree::default().digest()),
                accept_exit: if codes.is_empty() {
                    AcceptExit::Any
                } else {
                    AcceptExit::Codes(codes.into_iter().collect())
                },
                collect: Collect::try_from(collect).expect("patterns"),
            },
        )
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(invocation in any_invocation()) {
        let bytes = invocation.to_canonical();
        let read: Invocation = serde_json::from_slice(&bytes).expect("an invocation");
        prop_assert_eq!(read.to_canonical(), bytes);
        prop_assert_eq!(read, invocation);
    }
}
