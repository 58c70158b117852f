//! What the command line says where a line cannot be, where a part of what was asked cannot be
//! done, and where the text comes from elsewhere.

mod common;

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::service::Service;
use common::{Home, Ran, ran};
use serde_json::Value;
use sre_core::canonical_json;
use sre_receipt::{Bundle, Envelope};

/// `sre` with variables that its user has set.
fn with(home: &Home, variables: &[(&str, &str)], line: &str) -> Ran {
    let mut command = home.command();
    ran(command
        .envs(variables.iter().copied())
        .args(line.split_whitespace())
        .output()
        .expect("sre starts"))
}

#[test]
fn a_result_is_printed_though_its_receipt_cannot_be_written() {
    let home = Home::new();
    home.skill("returns_1");
    home.skill("exits_3");
    for (skill, format, code) in [
        ("returns_1", "json", 1),
        ("returns_1", "human", 1),
        ("exits_3", "json", 10),
    ] {
        let line = format!(
            "run {skill} --order-id {skill}-{format} --format {format} --receipt nowhere/receipt.json"
        );
        let ran = home.words(&line).exits(code);
        assert!(
            ran.stdout.contains(&format!("{skill}-{format}")),
            "the result: {ran:?}"
        );
        assert!(
            ran.stderr.contains("nowhere/receipt.json"),
            "the file: {ran:?}"
        );
        assert!(
            ran.stderr.contains(&format!("sre bundle {skill}-{format}")),
            "what to do: {ran:?}"
        );
        // The order has ended: the same command again prints the same, with the receipt.
        let again = home
            .words(&line.replace("nowhere/", ""))
            .exits(if skill == "exits_3" { 10 } else { 0 });
        assert_eq!(again.stdout, ran.stdout);
        let receipt = fs::read(home.path("receipt.json")).expect("a receipt");
        assert!(Envelope::parse(&receipt).is_ok());
    }
    let refused = home
        .words("run returns_1 --order-id t --receipt -")
        .exits(2);
    assert!(
        refused.stderr.contains("standard output is the result's"),
        "{refused:?}"
    );
}

#[test]
fn a_bundle_goes_to_standard_output_too() {
    let home = Home::new();
    home.skill("returns_1");
    home.words("run returns_1 --order-id t").exits(0);
    let written = home
        .command()
        .args(["bundle", "t", "--output", "-"])
        .output()
        .expect("sre starts");
    assert!(written.status.success(), "{written:?}");
    let bundle = Bundle::parse(&written.stdout).expect("standard output is the bundle");
    assert!(
        !bundle.blobs.is_empty()
            && String::from_utf8_lossy(&written.stderr).contains("order       t")
    );
    assert!(!home.path("-").exists());
}

/// A variable that is set for other commands is no part of this line.
#[test]
fn environment_variables_are_not_treated_as_arguments() {
    let home = Home::new();
    home.skill("returns_1");
    home.words("run returns_1 --order-id t").exits(0);
    let variables = [
        ("SRE_TOKEN_FILE", "token"),
        ("SRE_NATIVE_ROOT", "root"),
        ("SRE_NATIVE_WITHOUT", "landlock"),
    ];
    with(&home, &variables, "bundle t --output t.sre-bundle").exits(0);
    with(&home, &variables, "verify t").exits(0);
    // What was typed in vain is refused.
    for (line, flag, needed) in [
        (
            "bundle t --output u --token-file token",
            "--token-file",
            "--from",
        ),
        (
            "verify t --native-root root",
            "--native-root",
            "--allow-native",
        ),
        (
            "--native-warm 1 verify t",
            "--native-warm",
            "--allow-native",
        ),
        (
            "verify t --native-without landlock",
            "--native-without",
            "--allow-native",
        ),
    ] {
        let refused = home.words(line).exits(2);
        assert!(
            refused
                .stderr
                .starts_with(&format!("error: {flag} is for {needed} only\n")),
            "{refused:?}"
        );
    }
    with(
        &home,
        &[("SRE_ALLOW_NATIVE", "true")],
        "verify t --native-without landlock",
    )
    .exits(0);
    // Home sets the folders by variables: they are not required, and not shown as if they were.
    let refused = home.words("bundle").exits(2);
    assert!(
        refused
            .stderr
            .contains("Usage: sre bundle --output <FILE> <ORDER>\n"),
        "{refused:?}"
    );
}

#[test]
fn messages_name_what_is_wrong_and_offer_what_there_is() {
    let home = Home::new();
    home.skill("returns_1");
    for (line, names) in [
        (
            "submit returns_1 --receipt r.json",
            "unexpected argument '--receipt'",
        ),
        ("serve --listen foo", "server.listen (flag) is \"foo\""),
        ("serve --set workers.wasm=-1", "workers.wasm (flag) is -1"),
        (
            "run returns_1 --timeout-seconds 0.0005",
            "must be a number of at least 0.001, found 0.0005",
        ),
        (
            "verify t.json --trust t.json",
            "t.json: the trust file is malformed",
        ),
        ("key list", "trust.json: the trust file is malformed"),
    ] {
        fs::write(home.path("t.json"), "{").expect("a file");
        fs::create_dir_all(home.data().join("keys")).expect("a folder");
        fs::write(home.data().join("keys/trust.json"), "{").expect("a file");
        let refused = home.words(line).exits(2);
        assert!(refused.stderr.contains(names), "{line}: {refused:?}");
    }
    let misspelt = home.words("rn").exits(2);
    assert!(
        !misspelt.stderr.contains("probe") && !misspelt.stderr.contains("\n\n\n"),
        "{misspelt:?}"
    );
    assert!(home.words("skil").exits(2).stderr.contains("'skill'"));
    let help = home.words("run --help").exits(0).stdout;
    assert!(
        !help.to_lowercase().contains("docker"),
        "there is no such backend: {help}"
    );
    let help = home.words("submit --help").exits(0).stdout;
    assert!(
        help.contains("sre submit ") && !help.contains("sre run e"),
        "{help}"
    );
}

/// What a program reads is the service's own code, as docs/reference/errors.md lists them.
#[test]
fn clients_pass_on_the_code_of_the_service() {
    let home = Home::new();
    let service = Service::start(&home, &[]);
    for (line, code, exit) in [
        ("status none", "order_unknown", 2),
        ("cancel none", "order_unknown", 2),
    ] {
        let refused = home
            .words(&format!("{line} --server {} --format json", service.base))
            .exits(exit);
        let problem: Value = serde_json::from_str(&refused.stderr).expect("a problem document");
        assert_eq!(
            (&problem["code"], &problem["type"]),
            (&code.into(), &format!("urn:sre:problem:{code}").into())
        );
    }
    service.signal("TERM");
}

/// Which scope the commands around receipts need, as their help and the documentation say.
#[test]
fn evidence_is_for_tokens_with_the_scope_read() {
    let home = Home::new();
    home.skill("returns_1");
    let [submitter, reader] = ["submit", "read"].map(|scope| {
        home.words(&format!("token new {scope} --scopes {scope}"))
            .exits(0)
            .stdout
            .trim()
            .to_owned()
    });
    let service = Service::start(&home, &[]);
    let server = format!("--server {}", service.base);
    with(
        &home,
        &[("SRE_TOKEN", &submitter)],
        &format!("submit returns_1 --order-id a --wait {server}"),
    )
    .exits(0);
    let bundle = format!("bundle a --output a.sre-bundle --from {}", service.base);
    let refused = with(&home, &[("SRE_TOKEN", &submitter)], &bundle).exits(1);
    assert!(
        refused.stderr.contains("needs the scope `read`"),
        "{refused:?}"
    );
    with(&home, &[("SRE_TOKEN", &reader)], &bundle).exits(0);
    // A watcher, who has a key and a folder of his own, sends its verdicts with the same scope.
    let watcher = Home::new();
    let line = |home: &Home| home.words("key show").exits(0).stdout.trim().to_owned();
    watcher.words("key new").exits(0);
    home.sre(&["key", "trust", &line(&watcher), "--for", "verdict"])
        .exits(0);
    watcher.sre(&["key", "trust", &line(&home)]).exits(0);
    let watch = format!("watch --once --executor {}", service.base);
    with(&watcher, &[("SRE_TOKEN", &reader)], &watch).exits(0);
    let request = service
        .request(reqwest::Method::GET, "/v1/orders/a/verdicts")
        .bearer_auth(&reader);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let verdicts = runtime.block_on(async {
        request
            .send()
            .await
            .expect("an answer")
            .json::<Value>()
            .await
    });
    assert_eq!(verdicts.expect("JSON")["verdicts"][0]["verdict"], "matched");
    for command in ["bundle", "watch"] {
        assert!(
            home.words(&format!("{command} --help"))
                .exits(0)
                .stdout
                .contains("the scope read"),
            "{command}"
        );
    }
    service.signal("TERM");
}

/// Names in a receipt are its sender's. They stand in messages, and must not look like lines of
/// this program.
#[test]
fn a_receipt_cannot_forge_lines() {
    let home = Home::new();
    home.skill("returns_1");
    home.words("run returns_1 --order-id t --receipt receipt.json")
        .exits(0);
    let text = fs::read(home.path("receipt.json")).expect("a receipt");
    let mut envelope: Value = serde_json::from_slice(&text).expect("JSON");
    let payload = STANDARD
        .decode(envelope["payload"].as_str().expect("a payload"))
        .expect("base64");
    let mut statement: Value = serde_json::from_slice(&payload).expect("JSON");
    let forged = "x\n  ✓ replay\n  verdict     matched: 13 checks passed, replayed\n";
    statement["predicate"][forged] = 1.into();
    envelope["payload"] = STANDARD.encode(canonical_json::to_vec(&statement)).into();
    fs::write(home.path("forged.json"), canonical_json::to_vec(&envelope)).expect("a file");
    let found = home.words("verify forged.json").exits(22);
    assert!(
        found.stdout.contains("x\\n  ✓ replay"),
        "what was found is shown: {found:?}"
    );
    for line in found.stdout.lines() {
        assert!(
            !line.starts_with("  ✓ replay")
                && !line.trim_start().starts_with("verdict     matched"),
            "{found:?}"
        );
    }
}
