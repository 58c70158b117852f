//! Whenever the process ends, the data folder stays readable and the order can be run again.

mod common;

use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::service::until;
use common::{Home, Ran, Random, ran};
use rusqlite::Connection;

/// Bytes of input; the skill counts to ten million for each.
const SHORT: &str = r#"{"n":"1234567890"}"#;

fn start(home: &Home, id: &str, input: &str) -> Child {
    home.command()
        .args([
            "run",
            "burns",
            "--order-id",
            id,
            "--input",
            input,
            "--format",
            "json",
            "--fuel",
            "1000000000000",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sre starts")
}

fn run(home: &Home, id: &str, input: &str) -> Ran {
    ran(start(home, id, input).wait_with_output().expect("sre ends"))
}

/// Whether the order stands in the journal without an end.
fn is_open(journal: &Connection, id: &str) -> bool {
    let query = "SELECT count(*) FROM orders JOIN open_orders USING (sequence) WHERE order_id = ?1";
    journal
        .query_row(query, [id], |row| row.get::<_, i64>(0))
        .expect("a count")
        > 0
}

#[test]
fn a_killed_run_leaves_a_readable_folder_and_an_order_to_run_again() {
    let home = Home::new();
    home.skill("burns");
    let started = Instant::now();
    run(&home, "whole", SHORT).exits(0);
    // From before the first write to after the last.
    let whole_us = started.elapsed().as_micros() as u64;
    let journal = Connection::open(home.data().join("journal.sqlite3")).expect("the journal");
    journal.busy_timeout(Duration::from_secs(60)).expect("set");
    let mut random = Random(2);
    let (mut open, mut n) = (0, 0);
    // Some are killed at any moment, others once they stand in the journal; until two were hit that
    // were open.
    while n < 8 || open < 2 {
        assert!(n < 100, "no kill hits an order that is open");
        let id = format!("killed-{n}");
        let mut child = start(&home, &id, SHORT);
        if n % 2 == 0 {
            sleep(Duration::from_micros(random.below(whole_us)));
        } else {
            while !is_open(&journal, &id) && child.try_wait().expect("a child").is_none() {
                sleep(Duration::from_millis(1));
            }
        }
        n += 1;
        child.kill().expect("SIGKILL");
        child.wait().expect("the end");
        // Never accepted, accepted and open, or finished; never anything that cannot be read.
        let verified = home.words(&format!("verify {id}"));
        assert!(matches!(verified.code, Some(0 | 2 | 25)), "{verified:?}");
        open += u32::from(verified.code == Some(25));
        let again = run(&home, &id, SHORT).exits(0);
        assert_eq!(again.json()["status"], "completed");
        home.words(&format!("verify {id}")).exits(0);
        let other = run(&home, &id, "{}").exits(2);
        assert!(
            other.stdout.is_empty() && other.stderr.contains("order_conflict"),
            "{other:?}"
        );
    }
    home.words("verify whole").exits(0);
}

#[tokio::test]
async fn ctrl_c_stops_the_guest_and_says_how_to_go_on() {
    let home = Home::new();
    home.skill("burns");
    // Longer than its time limit, which would end it with another exit code.
    let input = format!("{{\"n\":\"{}\"}}", "x".repeat(80_000));
    let child = start(&home, "stopped", &input);
    until("the order is accepted", || {
        home.words("verify stopped").code == Some(25)
    })
    .await;
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .expect("kill");
    assert!(killed.success());
    let stopped = ran(child.wait_with_output().expect("the end")).exits(130);
    assert!(stopped.stdout.is_empty(), "{stopped:?}");
    let problem: serde_json::Value = serde_json::from_str(&stopped.stderr).expect("a problem");
    assert_eq!(problem["code"], "interrupted");
    assert!(
        problem["detail"]
            .as_str()
            .is_some_and(|text| text.contains("order stopped is still open")),
        "{problem}"
    );
    assert!(
        problem["hint"]
            .as_str()
            .is_some_and(|text| text.contains("--order-id stopped")),
        "{problem}"
    );
    home.words("verify stopped").exits(25);
}

#[test]
fn the_same_order_again_is_answered_from_the_journal() {
    let home = Home::new();
    home.skill("returns_1");
    let first = home
        .words("run returns_1 --order-id same --format json")
        .exits(0);
    let again = home
        .words("run returns_1 --order-id same --format json")
        .exits(0);
    assert_eq!(first.stdout, again.stdout);
    assert!(
        first.stderr.is_empty() && again.stderr.contains("order same ended before"),
        "{again:?}"
    );
    let quiet = home
        .words("run returns_1 --order-id same --format json -q")
        .exits(0);
    assert_eq!(quiet.stderr, "");
    let conflict = home
        .words("run returns_1 --order-id same --fuel 12345")
        .exits(2);
    assert!(
        conflict
            .stderr
            .contains("order same exists already with other contents"),
        "{conflict:?}"
    );
    // A failed order keeps its exit code.
    home.skill("exits_3");
    home.words("run exits_3 --order-id three").exits(10);
    home.words("run exits_3 --order-id three").exits(10);
}
