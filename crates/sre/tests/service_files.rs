//! Files to and from the service: uploads, orders that name them, and what orders left. The real
//! service, the real client, two tokens that must not see each other's files.
#![cfg(unix)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;

use common::service::{Service, eventually};
use common::{Home, Ran, ran};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use sre_core::BlobDigest;

const JOIN: &str = r#"
import os, pathlib, sys

folder, output = map(pathlib.Path, sys.argv[1:])
texts = [file.read_bytes() for file in sorted(folder.iterdir())]
output.parent.mkdir(parents=True, exist_ok=True)
output.write_bytes(b"".join(texts))
os.symlink(output.name, output.parent / "latest")
print(f"joined {len(texts)}")
"#;

/// A home with a published skill, tokens of two submitters, and their service.
struct House {
    home: Home,
    service: Service,
    alice: String,
    bob: String,
}

impl House {
    fn new(settings: &[&str]) -> Self {
        let home = Home::new();
        let folder = home.path("published");
        fs::create_dir_all(folder.join("scripts")).expect("folders");
        let front = "---\nname: Join\ndescription: A test.\nauthor: me\n---\n# Join\n";
        fs::write(folder.join("SKILL.md"), front).expect("SKILL.md");
        fs::write(folder.join("scripts/join.py"), JOIN).expect("a script");
        let token = |name: &str| {
            let made = home.words(&format!("token new {name} --scopes submit"));
            made.exits(0).stdout.trim().to_owned()
        };
        let (alice, bob) = (token("alice"), token("bob"));
        let service = Service::start(&home, settings);
        Self {
            home,
            service,
            alice,
            bob,
        }
    }

    /// A client command with a token.
    fn sre(&self, token: &str, line: &str) -> Ran {
        let mut command = self.home.command();
        command.env("SRE_TOKEN", token);
        command.env("SRE_SERVER", &self.service.base);
        ran(command
            .args(line.split_whitespace())
            .output()
            .expect("sre starts"))
    }

    async fn get(&self, token: &str, path: &str) -> Response {
        let request = self.service.request(Method::GET, path).bearer_auth(token);
        request.send().await.expect("an answer")
    }

    async fn upload(&self, token: &str, query: &str, bytes: &[u8]) -> Response {
        let path = format!("/v1/blobs{query}");
        let request = self.service.request(Method::POST, &path).bearer_auth(token);
        request
            .body(bytes.to_vec())
            .send()
            .await
            .expect("an answer")
    }

    async fn submit(&self, token: &str, order: &Value) -> Response {
        let request = self.service.request(Method::POST, "/v1/orders");
        let request = request.bearer_auth(token).json(order);
        request.send().await.expect("an answer")
    }

    /// Begins an upload of alice's with a head of one's own.
    fn begin_upload(&self, framing: &str) -> TcpStream {
        let address = self.service.base.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).expect("a connection");
        let head = format!(
            "POST /v1/blobs HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nAuthorization: Bearer {}\r\n{framing}\r\n\r\n",
            self.alice
        );
        stream.write_all(head.as_bytes()).expect("sent");
        stream
    }

    /// The answer to such an upload.
    fn raw_upload(&self, framing: &str, body: &[u8]) -> String {
        let mut stream = self.begin_upload(framing);
        stream.write_all(body).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    /// Files of uploads that are under way.
    fn temporary_files(&self) -> usize {
        let folder = self.home.data().join("blobs/tmp");
        fs::read_dir(folder).expect("a folder").count()
    }
}

/// The status, and the code and detail of the problem.
async fn refused(answer: Response) -> (u16, String, String) {
    let status = answer.status().as_u16();
    let problem: Value = answer.json().await.expect("a problem");
    let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    (status, text("code"), text("detail"))
}

#[track_caller]
fn is(refused: &(u16, String, String), status: u16, code: &str) {
    assert_eq!((refused.0, &*refused.1), (status, code), "{}", refused.2);
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|n| (n * 7 % 251) as u8).collect()
}

fn digest(bytes: &[u8]) -> String {
    BlobDigest::of(bytes).to_string()
}

#[tokio::test]
async fn an_upload_is_its_submitters_alone() {
    let house = House::new(&[]);
    let large = bytes(3 << 20);
    let name = digest(&large);
    let first = house.upload(&house.alice, "", &large).await;
    assert_eq!(first.status(), 201);
    assert_eq!(first.headers()["location"], format!("/v1/blobs/{name}"));
    let stored: Value = first.json().await.expect("JSON");
    assert_eq!(stored, json!({ "sha256": name, "size": 3 << 20 }));
    let query = format!("?sha256={name}");
    let again = house.upload(&house.alice, &query, &large).await;
    assert_eq!(again.status(), 200, "the same bytes again");

    let path = format!("/v1/blobs/{name}");
    let read = house.get(&house.alice, &path).await;
    assert_eq!(read.headers()["content-length"], large.len().to_string());
    assert_eq!(read.headers()["x-content-type-options"], "nosniff");
    assert_eq!(read.bytes().await.expect("bytes")[..], large[..]);
    let request = house.service.request(Method::GET, &path);
    let request = request.bearer_auth(&house.alice);
    let part = request.header("range", "bytes=1000000-1499999");
    let part = part.send().await.expect("an answer");
    assert_eq!(part.status(), 206);
    let part = part.bytes().await.expect("bytes");
    assert_eq!(part[..], large[1_000_000..1_500_000]);

    // Bob knows the digest, which is no right to anything. The answer is the same where there is none.
    let unknown = refused(house.get(&house.bob, &path).await).await;
    is(&unknown, 404, "blob_unknown");
    let guessed = format!("/v1/blobs/{}", digest(b"no one uploaded this"));
    let other = refused(house.get(&house.bob, &guessed).await).await;
    assert_eq!(
        unknown.2.replace(&name, "-"),
        other.2.replace(&guessed["/v1/blobs/".len()..], "-")
    );
    let his = house.upload(&house.bob, "", &large).await;
    assert_eq!(his.status(), 201, "as if it were new");
    assert_eq!(house.get(&house.bob, &path).await.status(), 200);
}

#[tokio::test]
async fn an_order_may_name_only_what_its_submitter_may_use() {
    let house = House::new(&[]);
    let secret = b"attack at dawn".repeat(1000);
    let secret = house.upload(&house.alice, "", &secret).await;
    let secret: Value = secret.json().await.expect("JSON");
    let package = house.home.words("skill pack published --format json");
    let package: Value = serde_json::from_str(&package.exits(0).stdout).expect("JSON");
    // A tree of bob's own that has alice's file in it.
    let tree = json!([{ "executable": false, "path": "in/a", "sha256": secret["sha256"], "size": 14_000 }]);
    let tree = sre_core::canonical_json::to_vec(&tree);
    assert_eq!(house.upload(&house.bob, "", &tree).await.status(), 201);
    let tree = digest(&tree);
    for (id, invocation) in [
        (
            "file",
            json!({ "work": { "in/a": { "sha256": secret["sha256"] } } }),
        ),
        ("stdin", json!({ "stdin": { "sha256": secret["sha256"] } })),
        ("tree", json!({ "work": { "tree": tree } })),
        (
            "home",
            json!({ "home": { "a": { "sha256": secret["sha256"] } } }),
        ),
        (
            "guess",
            json!({ "work": { "in/a": { "sha256": "0".repeat(64) } } }),
        ),
    ] {
        let order = json!({ "order_id": id, "skill_package": package, "invocation": invocation });
        let answer = refused(house.submit(&house.bob, &order).await).await;
        is(&answer, 422, "order_invalid");
        assert!(
            answer.2.contains("was uploaded with this token"),
            "{id}: {}",
            answer.2
        );
    }
}

#[tokio::test]
async fn an_upload_that_fails_leaves_nothing() {
    let house = House::new(&["server.blob_limit_bytes=4000000"]);
    let large = bytes(3 << 20);
    let path = format!("/v1/blobs/{}", digest(&large));

    let wrong = format!("?sha256={}", digest(b"other"));
    let answer = refused(house.upload(&house.alice, &wrong, &large).await).await;
    is(&answer, 422, "digest_mismatch");
    assert!(answer.2.contains(&digest(&large)), "{}", answer.2);
    // What is refused before its body is read is read a little further, so that the answer arrives.
    let small = &large[..1000];
    let answer = refused(house.upload(&house.alice, "?sha256=abc", small).await).await;
    is(&answer, 422, "digest_invalid");
    let answer = refused(house.upload(&house.alice, "?md5=abc", small).await).await;
    is(&answer, 400, "query_invalid");
    // Too long, said before or found out.
    let announced = house.raw_upload("Content-Length: 4000001", b"");
    assert!(announced.starts_with("HTTP/1.1 413"), "{announced}");
    let chunk = [b"3d0901\r\n", &bytes(4_000_001)[..], b"\r\n0\r\n\r\n"].concat();
    let found = house.raw_upload("Transfer-Encoding: chunked", &chunk);
    assert!(found.starts_with("HTTP/1.1 413"), "{found}");
    assert!(found.contains("body_too_large"), "{found}");
    assert_eq!(house.temporary_files(), 0);

    // The connection ends in the middle of the body.
    let mut stream = house.begin_upload(&format!("Content-Length: {}", large.len()));
    stream.write_all(&large[..2 << 20]).expect("sent");
    eventually("the upload", async || match house.temporary_files() {
        1 => Ok(()),
        count => Err(count),
    })
    .await;
    drop(stream);
    eventually("its end", async || match house.temporary_files() {
        0 => Ok(()),
        count => Err(count),
    })
    .await;
    assert_eq!(house.get(&house.alice, &path).await.status(), 404);

    // Repeating it is all there is to do, also twice at once.
    let (one, two) = tokio::join!(
        house.upload(&house.alice, "", &large),
        house.upload(&house.alice, "", &large)
    );
    assert!(one.status().is_success() && two.status().is_success());
    let read = house.get(&house.alice, &path).await;
    assert_eq!(read.bytes().await.expect("bytes")[..], large[..]);
    assert_eq!(house.temporary_files(), 0);
}

/// Path → mode and bytes, or where a link leads.
fn tar_entries(archive: &[u8]) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut archive = tar::Archive::new(archive);
    let entries = archive.entries().expect("entries");
    let entries = entries.map(|entry| {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").display().to_string();
        let mut bytes = Vec::new();
        match entry.link_name().expect("a name") {
            Some(target) => bytes = target.display().to_string().into_bytes(),
            None => drop(entry.read_to_end(&mut bytes).expect("bytes")),
        }
        (path, (entry.header().mode().expect("a mode"), bytes))
    });
    entries.collect()
}

fn zip_entries(archive: &[u8]) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(archive)).expect("a zip");
    let mut entries = BTreeMap::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).expect("an entry");
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("bytes");
        let mode = entry.unix_mode().expect("a mode") & 0o777;
        entries.insert(entry.name().expect("a name").to_string(), (mode, bytes));
    }
    entries
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one story, told from the upload to the files that come back"
)]
async fn a_published_script_runs_through_the_service_with_its_files() {
    let house = House::new(&[]);
    let write = |path: &str, bytes: &[u8]| {
        let path = house.home.path(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, bytes).expect("a file");
    };
    let large = bytes(5 << 20);
    // Longer than the field that a tar has for it.
    let deep = format!("input/{}/file.txt", "folder".repeat(20));
    write("input/raw/1-large.bin", &large);
    write("input/raw/2-small.txt", b"the end");
    write("input/raw/3-empty.txt", b"");
    write(&deep, b"unchanged");
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(house.home.path(&deep), executable).expect("set");
    let line = "submit published --order-id first --work input --wait --out results -- scripts/join.py raw out/joined.bin";
    let ran = house.sre(&house.alice, line).exits(0);
    assert_eq!(ran.stdout, "joined 3\n");
    assert!(ran.stderr.contains("matched"), "{ran:?}");
    let joined = [&large[..], b"the end"].concat();
    let written = house.home.path("results/out/joined.bin");
    assert_eq!(fs::read(&written).expect("a file"), joined);
    let link = fs::read_link(house.home.path("results/out/latest")).expect("a link");
    assert_eq!(link.to_str(), Some("joined.bin"));
    assert!(!house.home.path("results/raw").exists(), "not changed");

    // The same files again, as the command that fetches them has them.
    let listed = house
        .sre(&house.alice, "files first --format json")
        .exits(0);
    let paths: Vec<Value> = listed.json().as_array().expect("files").clone();
    let paths: Vec<_> = paths.iter().map(|file| file["path"].as_str()).collect();
    assert_eq!(paths, [Some("out/joined.bin"), Some("out/latest")]);
    let human = house.sre(&house.alice, "files first").exits(0);
    assert!(human.stdout.contains("latest -> joined.bin"), "{human:?}");
    let printed = house
        .sre(&house.alice, "files first raw/2-small.txt")
        .exits(0);
    assert_eq!(printed.stdout, "the end");
    house
        .sre(&house.alice, "files first --all --out everything")
        .exits(0);
    let deepest = house.home.path(&deep.replace("input/", "everything/"));
    assert_eq!(fs::read(&deepest).expect("a file"), b"unchanged");
    let mode = fs::metadata(&deepest).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o755, "executable");

    // Over HTTP, one by one.
    let file = house
        .get(&house.alice, "/v1/orders/first/files/out/joined.bin")
        .await;
    assert_eq!(file.status(), 200);
    let disposition = file.headers()["content-disposition"].to_str();
    assert_eq!(
        disposition.expect("text"),
        "attachment; filename*=UTF-8''joined.bin"
    );
    assert_eq!(file.headers()["x-content-type-options"], "nosniff");
    assert_eq!(file.bytes().await.expect("bytes")[..], joined[..]);
    for path in [
        "nothing",
        "out",
        "out/",
        "out/latest",
        "/etc/passwd",
        "%2Fetc%2Fpasswd",
        "..%2f..%2f..%2fetc%2fpasswd",
        "out%2F..%2Fout%2Fjoined.bin",
        "out//joined.bin",
        "out/joined.bin%00",
        "%00",
        &"a".repeat(4096),
    ] {
        let path = format!("/v1/orders/first/files/{path}");
        let answer = refused(house.get(&house.alice, &path).await).await;
        is(&answer, 404, "file_unknown");
    }
    let traversal = house.sre(&house.alice, "files first ../../second");
    assert_ne!(traversal.code, Some(0), "{traversal:?}");

    // In archives.
    let tar = house.get(&house.alice, "/v1/orders/first/archive").await;
    assert_eq!(tar.headers()["content-type"], "application/x-tar");
    let tar = tar_entries(&tar.bytes().await.expect("bytes"));
    assert_eq!(tar["out/joined.bin"], (0o644, joined.clone()));
    assert_eq!(tar["out/latest"].1, b"joined.bin");
    assert_eq!(tar["raw/3-empty.txt"], (0o644, Vec::new()));
    assert_eq!(tar[&deep["input/".len()..]], (0o755, b"unchanged".to_vec()));
    assert_eq!(tar.len(), 6);
    let request = house
        .service
        .request(Method::GET, "/v1/orders/first/archive");
    let request = request.bearer_auth(&house.alice);
    let zip = request.header("accept", "application/zip").send().await;
    let zip = zip_entries(&zip.expect("an answer").bytes().await.expect("bytes"));
    assert_eq!(zip, tar);
    let path = "/v1/orders/first/archive?format=zip&changed=true";
    let changed = house.get(&house.alice, path).await;
    let changed = zip_entries(&changed.bytes().await.expect("bytes"));
    let paths: Vec<_> = changed.keys().collect();
    assert_eq!(paths, ["out/joined.bin", "out/latest"]);
    let path = "/v1/orders/first/archive?format=rar";
    let answer = refused(house.get(&house.alice, path).await).await;
    is(&answer, 400, "query_invalid");

    // Where one order left off, the next begins: for its submitter.
    let next = "submit published --order-id second --work order:first --wait -- scripts/join.py out next/all.bin";
    let stolen = house.sre(&house.bob, next).exits(2);
    assert!(
        stolen.stderr.contains("there is no order first"),
        "{stolen:?}"
    );
    for path in ["files/out/joined.bin", "archive", "archive?changed=true"] {
        let path = format!("/v1/orders/first/{path}");
        let answer = refused(house.get(&house.bob, &path).await).await;
        is(&answer, 404, "order_unknown");
    }
    let continued = house.sre(&house.alice, next).exits(0);
    assert_eq!(continued.stdout, "joined 2\n");
}

#[tokio::test]
async fn an_order_of_the_json_contract_left_no_files() {
    let house = House::new(&[]);
    let order =
        json!({ "order_id": "json", "skill_package": common::service::object("returns_1") });
    assert!(
        house
            .submit(&house.alice, &order)
            .await
            .status()
            .is_success()
    );
    eventually("its end", async || {
        let answer = house.get(&house.alice, "/v1/orders/json").await;
        let shown: Value = answer.json().await.expect("JSON");
        if shown["status"] == "completed" {
            Ok(())
        } else {
            Err(shown)
        }
    })
    .await;
    for path in ["files/a", "archive"] {
        let path = format!("/v1/orders/json/{path}");
        let answer = refused(house.get(&house.alice, &path).await).await;
        is(&answer, 404, "file_unknown");
        assert!(answer.2.contains("left no files"), "{}", answer.2);
    }
    let line = "submit published --out results -- scripts/join.py a b";
    let usage = house.sre(&house.alice, line).exits(2);
    assert!(usage.stderr.contains("--wait"), "{usage:?}");
}
