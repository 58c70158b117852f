//! The commands around the service: clients of a real one, and what an operator does beside it.
//! Each as text and as JSON.

mod common;

use common::service::{Receiver, Service, object, until};
use common::{Home, Ran, ran};
use serde_json::Value;

/// A client command with this home's service.
fn client(home: &Home, service: &Service, line: &str) -> Ran {
    ran(home
        .command()
        .env("SRE_SERVER", &service.base)
        .args(line.split_whitespace())
        .output()
        .expect("sre starts"))
}

fn problem(ran: &Ran) -> Value {
    assert_eq!(ran.stdout, "", "{ran:?}");
    serde_json::from_str(&ran.stderr).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// Bytes of input that keep `burns` busy for longer than any test waits.
fn long_input() -> String {
    format!("{{\"n\":\"{}\"}}", "x".repeat(800))
}

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::too_many_lines,
    reason = "one story, told from its beginning to its end"
)]
async fn an_order_goes_through_the_client_commands() {
    let home = Home::new();
    let receiver = Receiver::acknowledging();
    let [networks, ports] = receiver.settings();
    let service = Service::start(&home, &[&networks, &ports]);
    let run = |line: &str| client(&home, &service, line);
    home.skill("returns_1");
    home.skill("exits_3");
    home.skill("burns");

    // submit
    let waited = run("submit returns_1 --order-id one --wait").exits(0);
    assert!(
        waited.stdout.contains("status      completed") && waited.stdout.ends_with("\n1\n"),
        "{waited:?}"
    );
    assert_eq!(waited.stderr, "");
    let again = run("submit returns_1 --order-id one --format json")
        .exits(0)
        .json();
    assert_eq!(
        (&again["status"], &again["output"]),
        (&"completed".into(), &1.into())
    );
    let conflict = run("submit returns_1 --order-id one --max-retries 1 --format json").exits(2);
    assert!(
        problem(&conflict)["detail"]
            .as_str()
            .is_some_and(|text| text.contains("order_conflict")),
        "{conflict:?}"
    );
    run("submit exits_3 --order-id three --wait").exits(10);
    let absent = run("submit absent --format json").exits(2);
    assert_eq!(problem(&absent)["code"], "skill_unreadable");
    let open = run(&format!(
        "submit burns --order-id long --input {} --fuel 1000000000000",
        long_input()
    ))
    .exits(0);
    assert!(open.stdout.starts_with("order long\n"), "{open:?}");

    // status, result
    assert_eq!(run("status one").exits(0).stdout, waited.stdout);
    assert_eq!(run("status one --format json").exits(0).json(), again);
    assert_eq!(run("result one --format json").exits(0).json(), again);
    assert!(run("status three").exits(0).stdout.contains("failed"));
    run("result three --wait").exits(10);
    let early = run("result long --format json").exits(1);
    let early = problem(&early);
    assert_eq!(
        (&early["code"], &early["hint"]),
        (&"order_open".into(), &"--wait waits for it".into())
    );
    let unknown = run("status none").exits(2);
    assert_eq!(
        unknown.stderr,
        "error: there is no order none (order_unknown)\n"
    );

    // cancel
    run("cancel long --format json").exits(0);
    let cancelled = run("result long --wait --format json").exits(1).json();
    assert_eq!(cancelled["error_code"], "cancelled");
    let again = "once more changes nothing";
    assert!(
        run("cancel long").exits(0).stdout.contains("cancelled"),
        "{again}"
    );

    // logs
    let logs = run("logs one").exits(0).stdout;
    let kinds: Vec<&str> = logs
        .lines()
        .filter_map(|line| Some(line.split_once("  ")?.1))
        .collect();
    assert_eq!(
        kinds,
        ["accepted", "running", "verifying", "finished: completed"]
    );
    let logs = run("logs one --format json").exits(0).stdout;
    let last: Value = serde_json::from_str(logs.lines().last().expect("a line")).expect("JSON");
    assert_eq!(
        (&last["kind"], &last["detail"]),
        (&"finished".into(), &"completed".into())
    );
    run("logs none").exits(2);

    // list
    let list = run("list").exits(0).stdout;
    let ids: Vec<&str> = list
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2))
        .collect();
    assert_eq!(ids, ["long", "three", "one"], "the newest first: {list}");
    let failed = run("list --status failed --limit 1 --format json")
        .exits(0)
        .json();
    assert_eq!(
        (failed.as_array().map(Vec::len), &failed[0]["order_id"]),
        (Some(1), &"long".into())
    );
    let skill = failed[0]["skill"].as_str().expect("a digest");
    assert_eq!(
        run(&format!("list --skill {skill}"))
            .exits(0)
            .stdout
            .lines()
            .count(),
        1
    );
    run("list --status bad").exits(2);

    // redeliver
    run(&format!(
        "submit returns_1 --order-id called --callback-url {} --wait",
        receiver.url()
    ))
    .exits(0);
    service.callback_is("called", "delivered").await;
    let due = run("redeliver called").exits(0).stdout;
    assert_eq!(
        due,
        format!(
            "the callback to http://127.0.0.1:{} is due\n",
            receiver.port
        )
    );
    service.callback_is("called", "delivered").await;
    assert_eq!(
        run("redeliver called --format json").exits(0).json()["order_id"],
        "called"
    );
    until("three deliveries", || receiver.all().len() >= 3).await;
    assert_eq!(
        problem(&run("redeliver one --format json").exits(2))["code"],
        "callback_unknown"
    );

    // The service itself.
    let elsewhere = home
        .words("list --server http://127.0.0.1:1 --format json")
        .exits(1);
    assert!(
        problem(&elsewhere)["hint"]
            .as_str()
            .is_some_and(|hint| hint.contains("sre serve")),
        "{elsewhere:?}"
    );
}

/// Whichever command is the first in a data folder. The usual mask would make it readable for all.
#[cfg(unix)]
#[test]
fn a_new_data_folder_is_readable_by_its_user_only() {
    use std::os::unix::fs::PermissionsExt as _;
    for line in ["token new ci", "token callback-keys", "key new"] {
        let home = Home::new();
        home.words(line).exits(0);
        let found = std::fs::metadata(home.data()).expect("the data folder");
        assert_eq!(found.permissions().mode() & 0o777, 0o700, "{line}");
    }
}

#[tokio::test]
async fn tokens_are_made_listed_used_and_revoked() {
    let home = Home::new();
    assert_eq!(home.words("token list").exits(0).stdout, "");
    let made = home
        .words("token new ci --scopes submit,read --format json")
        .exits(0)
        .json();
    let token = made["token"].as_str().expect("a token").to_owned();
    assert_eq!(
        home.words("token new ops --scopes admin")
            .exits(0)
            .stdout
            .lines()
            .count(),
        1
    );
    assert_eq!(
        home.words("token list").exits(0).stdout,
        "ci  submit,read\nops  admin\n"
    );
    let listed = home.words("token list --format json").exits(0);
    assert_eq!(
        listed.json()[0],
        serde_json::json!({ "name": "ci", "scopes": ["submit", "read"] })
    );
    assert!(!listed.stdout.contains(&token), "a token is shown once");
    for (line, code) in [
        ("token new ci", "token_name"),
        ("token new ../x", "token_name"),
        ("token revoke none", "token_name"),
    ] {
        assert_eq!(
            problem(&home.words(&format!("{line} --format json")).exits(2))["code"],
            code,
            "{line}"
        );
    }
    home.words("token new x --scopes everything").exits(2);
    let keys = home
        .words("token callback-keys ci --format json")
        .exits(0)
        .json();
    let text = home.words("token callback-keys ci").exits(0).stdout;
    for key in ["secret", "public_key"] {
        assert!(text.contains(keys[key].as_str().expect("a key")), "{text}");
    }
    assert_ne!(
        home.words("token callback-keys").exits(0).stdout,
        text,
        "each token has a secret of its own"
    );

    let service = Service::start(&home, &[]);
    let refused = client(&home, &service, "list").exits(2);
    assert!(
        refused.stderr.contains("token_invalid") && refused.stderr.contains("SRE_TOKEN"),
        "{refused:?}"
    );
    let file = home.path("token");
    std::fs::write(&file, format!("{token}\n")).expect("a file");
    client(
        &home,
        &service,
        &format!("list --token-file {}", file.display()),
    )
    .exits(0);
    let with = |token: &str| {
        let mut command = home.command();
        command
            .env("SRE_SERVER", &service.base)
            .env("SRE_TOKEN", token)
            .arg("list");
        ran(command.output().expect("sre starts"))
    };
    with(&token).exits(0);
    assert_eq!(
        home.words("token revoke ci --format json").exits(0).json()["revoked"],
        "ci"
    );
    until("the end of the token", || with(&token).code != Some(0)).await;
}

#[test]
fn settings_are_shown_with_where_they_came_from() {
    let home = Home::new();
    let file = home.path("sre.toml");
    std::fs::write(&file, "[workers]\nwasm = 3\n").expect("a file");
    let mut command = home.command();
    command
        .env("SRE_CONFIG", &file)
        .env("SRE_CALLBACKS_PORTS", "[8080]");
    let shown = ran(command
        .args(["config", "show", "--set", "retention.days=1"])
        .output()
        .expect("sre starts"))
    .exits(0);
    for line in [
        format!("workers.wasm = 3  # file {}", file.display()),
        String::from("callbacks.ports = [8080]  # environment SRE_CALLBACKS_PORTS"),
        String::from("retention.days = 1  # flag"),
        String::from("server.listen = \"127.0.0.1:7710\"  # default"),
    ] {
        assert!(
            shown.stdout.lines().any(|shown| shown == line),
            "{line}: {}",
            shown.stdout
        );
    }
    let shown = home
        .words("config show --set workers.wasm=3 --format json")
        .exits(0)
        .json();
    assert_eq!(
        shown["workers.wasm"],
        serde_json::json!({ "value": 3, "origin": "flag" })
    );
    // What is printed as the default file is a file, and changes nothing.
    let default = home.words("config default").exits(0).stdout;
    std::fs::write(&file, &default).expect("a file");
    let from_file = home
        .words(&format!(
            "config show --format json --config {}",
            file.display()
        ))
        .exits(0)
        .json();
    let built_in = home.words("config show --format json").exits(0).json();
    for (name, setting) in built_in.as_object().expect("an object") {
        assert_eq!(from_file[name]["value"], setting["value"], "{name}");
    }
    for setting in [
        "server.lisen=1",
        "workers.wasm=many",
        "server.grace_seconds=-1",
        "nonsense",
    ] {
        let refused = home
            .words(&format!("config show --set {setting} --format json"))
            .exits(2);
        assert_eq!(problem(&refused)["code"], "config_invalid", "{setting}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::too_many_lines,
    reason = "one story, told from its beginning to its end"
)]
async fn old_orders_are_purged_and_needed_blobs_stay() {
    let home = Home::new();
    home.skill("returns_1");
    home.skill("returns_2");
    let service = Service::start(&home, &[]);
    service.upload("returns_1").await;
    client(
        &home,
        &service,
        "submit returns_1 --order-id kept-skill --wait",
    )
    .exits(0);
    client(&home, &service, "submit returns_2 --order-id old --wait").exits(0);
    let refused = home.words("gc --format json").exits(1);
    assert!(
        problem(&refused)["detail"]
            .as_str()
            .is_some_and(|text| text.contains("stop it first")),
        "{refused:?}"
    );
    drop(service.signal("TERM"));

    assert_eq!(
        home.words("gc --format json").exits(0).json()["orders"],
        0,
        "nothing is that old"
    );
    let swept = home.words("gc --set retention.days=0").exits(0).stdout;
    assert!(
        swept.starts_with("2 orders forgotten, ") && !swept.contains(" 0 blobs"),
        "{swept}"
    );
    let service = Service::start(&home, &[]);
    assert_eq!(
        client(&home, &service, "list --format json")
            .exits(0)
            .json(),
        serde_json::json!([])
    );
    let skills: Value = service.get("/v1/skills").await.json().await.expect("JSON");
    assert_eq!(skills["skills"].as_array().map(Vec::len), Some(1));
    let skill = skills["skills"][0]["digest"]
        .as_str()
        .expect("a digest")
        .to_owned();
    // An uploaded skill can be run.
    let order =
        |id: &str| serde_json::json!({ "order_id": id, "skill_package": { "digest": skill } });
    let ended: Value = service
        .post("/v1/orders?wait=60", &order("new"))
        .await
        .json()
        .await
        .expect("JSON");
    assert_eq!(
        (&ended["status"], &ended["output"]),
        (&"completed".into(), &1.into())
    );
    assert_eq!(
        client(&home, &service, "list --format json")
            .exits(0)
            .json()[0]["order_id"],
        "new"
    );
    // An id stays in the log and so cannot be reused, neither for another order nor for the
    // same.
    let same = serde_json::json!({ "order_id": "old", "skill_package": object("returns_2") });
    for again in [order("old"), same] {
        let refused = service.post("/v1/orders", &again).await;
        assert_eq!(refused.status(), 409);
        let refused: Value = refused.json().await.expect("JSON");
        assert_eq!(refused["code"], "order_forgotten");
        assert!(
            refused["detail"]
                .as_str()
                .is_some_and(|detail| detail.contains("choose another")),
            "{refused}"
        );
    }
    for path in [
        "/v1/orders/old",
        "/v1/orders/old/receipt",
        "/v1/orders/old/events",
        "/v1/orders/old/verdicts",
    ] {
        let gone = service.get(path).await;
        assert_eq!(gone.status(), 410, "{path}");
        assert_eq!(
            gone.json::<Value>().await.expect("JSON")["code"],
            "order_forgotten",
            "{path}"
        );
    }
    let gone = client(&home, &service, "status old").exits(2);
    assert!(
        gone.stderr
            .contains("order old has ended and was purged since"),
        "{gone:?}"
    );
    let refused = home
        .words("run returns_1 --order-id old --format json")
        .exits(2);
    assert_eq!(problem(&refused)["code"], "order_forgotten");
    assert_eq!(
        problem(&home.words("verify old --format json").exits(2))["code"],
        "order_forgotten"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_verdicts_never_came_is_kept_longer_and_named_when_it_is_purged() {
    let (home, verifier) = (Home::new(), Home::new());
    verifier
        .words("key new --name verifier.example.org")
        .exits(0);
    let key = verifier.words("key show").exits(0).stdout;
    home.sre(&["key", "trust", key.trim(), "--for", "verdict"])
        .exits(0);
    let receiver = Receiver::acknowledging();
    let [networks, ports] = receiver.settings();
    let service = Service::start(&home, &[&networks, &ports]);
    let order = |id: &str, required: u32| {
        serde_json::json!({
            "order_id": id, "skill_package": object("returns_1"), "callback_url": receiver.url(),
            "verdicts_required": required,
        })
    };
    service.post("/v1/orders?wait=60", &order("waits", 1)).await;
    let mut plain = order("plain", 1);
    plain
        .as_object_mut()
        .expect("an object")
        .remove("verdicts_required");
    service.post("/v1/orders?wait=60", &plain).await;
    until("the callback of the order that needs no verdicts", || {
        receiver.all().len() == 1
    })
    .await;
    drop(service.signal("TERM"));

    let swept = home
        .words("gc --set retention.days=0 --format json")
        .exits(0)
        .json();
    assert_eq!(
        (&swept["orders"], &swept["never_final"]),
        (&1.into(), &0.into()),
        "{swept}"
    );
    let both = "--set retention.days=0 --set retention.verdicts_days=0";
    let swept = home
        .words(&format!("gc {both} --format json"))
        .exits(0)
        .json();
    assert_eq!(
        (&swept["orders"], &swept["never_final"]),
        (&1.into(), &1.into()),
        "{swept}"
    );
    let named = &swept["never_final_orders"][0];
    assert_eq!(
        (&named["order_id"], &named["callback_dropped"]),
        (&"waits".into(), &true.into()),
        "{swept}"
    );
    assert_eq!(
        (
            &named["finality"]["required"],
            &named["finality"]["matched"]
        ),
        (&1.into(), &0.into()),
        "{swept}"
    );
    assert_eq!(receiver.all().len(), 1, "what was held was not sent");
}
