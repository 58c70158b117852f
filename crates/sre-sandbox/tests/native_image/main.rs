//! OCI image layouts as root folders: what is good runs, what is bad is refused by name and leaves
//! nothing.

#![cfg(target_os = "linux")]

mod layout;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use layout::{INDEX, LAYER, Layout, MANIFEST, Made, packed};
use serde_json::{Value, json};
use sre_core::Profile;
use sre_sandbox::native::image::unpack_within;
use sre_sandbox::native::{LauncherProgram, Layer, NativeOptions, NativeSandbox, Root};
use sre_sandbox::{Call, Job, Sandbox, Stop};
use sre_skill::{PackageLimits, Skill};
use tar::EntryType;

/// What `sh` consists of on this machine.
fn parts_of_a_shell() -> Vec<(String, Vec<u8>)> {
    let listed = Command::new("ldd").arg("/bin/sh").output().expect("ldd");
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let libraries = text.split_whitespace().filter(|word| word.starts_with('/'));
    libraries
        .map(|path| {
            (
                path.trim_start_matches('/').to_owned(),
                fs::read(path).expect("a library"),
            )
        })
        .collect()
}

fn a_shell() -> Layout {
    let folders = Made::new()
        .link("bin", "/usr/bin")
        .link("lib", "usr/lib")
        .link("lib64", "usr/lib64")
        .link("sbin", "usr/bin");
    let folders = folders
        .file("usr/share/removed", b"1")
        .file("usr/old/x", b"1")
        .file("usr/share/kept", b"lower");
    let mut libraries = Made::new();
    for (path, bytes) in parts_of_a_shell() {
        libraries = libraries.file(&path, &bytes);
    }
    let shell = fs::read("/bin/sh").expect("a shell");
    let upper = Made::new()
        .file("bin/dash", &shell)
        .link("usr/bin/sh", "dash")
        .entry(EntryType::Link, "usr/bin/same", "usr/bin/dash", 0o755, b"")
        .file("usr/share/.wh.removed", b"")
        .file("usr/old/.wh..wh..opq", b"")
        .file("usr/old/new", b"2")
        .entry(EntryType::Char, "dev/null", "", 0o666, b"")
        .file("usr/share/kept", b"upper");
    Layout::new(&[
        ("", folders.bytes()),
        ("+gzip", libraries.bytes()),
        ("+zstd", upper.bytes()),
    ])
}

/// A folder for images, as the program makes it.
fn images_folder() -> tempfile::TempDir {
    tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o700))
        .tempdir()
        .expect("a folder")
}

fn options(root: Root, images: &Path) -> NativeOptions {
    let path = env!("CARGO_BIN_EXE_sre-sandbox-test-launcher").into();
    let launcher = LauncherProgram::Other {
        path,
        arguments: Vec::new(),
    };
    let images_folder = Some(images.to_owned());
    NativeOptions {
        launcher,
        root,
        images_folder,
        may_lack: BTreeSet::from(Layer::ALL),
        ..NativeOptions::default()
    }
}

fn profile() -> Profile {
    let profile = json!({
        "backend": "native", "fuel": 1, "mem_limit_bytes": 256 << 20, "output_limit_bytes": 1 << 20,
        "tmp_limit_bytes": 4 << 20, "files_limit_bytes": 64 << 20, "files_limit_count": 10_000, "timeout_ms": 30_000, "clock_start": "2026-01-02T03:04:05Z",
        "random_seed": "0".repeat(64),
        "processes": {"pids_limit": 64, "cpu_quota_us": 100_000, "cpu_period_us": 100_000},
    });
    serde_json::from_value(profile).expect("a profile")
}

fn script(text: &str) -> Skill {
    let files = json!({"main": {"text": text, "executable": true}});
    let object = json!({"name": "test", "runtime": {"entrypoint": "main"}, "files": files});
    Skill::from_object(&object, &PackageLimits::default()).expect("a skill")
}

/// Three layers in three formats, links between them, whiteouts: a skill runs in what they make
/// together, and the commitment names it as it would name the same tree given as a folder.
#[test]
fn a_skill_runs_in_an_image_that_is_bound_by_its_digest() {
    let (layout, images) = (a_shell(), images_folder());
    let sandbox = NativeSandbox::new(options(Root::Folder(layout.path().into()), images.path()));
    if let Err(error) = sandbox.lacking() {
        eprintln!("NOT TESTED HERE: native skills, {error}");
        return;
    }
    let skill = script(
        "#!/bin/sh\nread kept < /usr/share/kept\nold=$(echo /usr/old/*)\nshare=$(echo /usr/share/*)\n\
        echo \"[\\\"$kept\\\",\\\"$old\\\",\\\"$share\\\"]\"\n",
    );
    let (profile, limit) = (profile(), Duration::from_secs(120));
    let job = Job {
        skill: &skill,
        entry: &skill.default_entry().expect("a program"),
        call: Call::Json { input: b"{}" },
        profile: &profile,
        time_limit: limit,
        language_runtime: None,
    };
    let execution = sandbox.execute(&job, &Stop::new()).expect("an outcome");
    assert_eq!(
        execution.output,
        Some(json!(["upper", "/usr/old/new", "/usr/share/kept"])),
        "{}",
        execution.logs
    );

    let identity = |sandbox: &NativeSandbox| {
        sandbox
            .engine(&skill, &skill.default_entry().expect("a program"), None)
            .expect("an engine")
            .configuration["root"]
            .clone()
    };
    let unpacked = layout.unpack(images.path()).expect("a folder");
    let same = NativeSandbox::new(options(Root::Folder(unpacked.clone()), images.path()));
    assert_eq!(identity(&sandbox), identity(&same));
    assert_eq!(
        fs::read_dir(images.path()).expect("a folder").count(),
        1,
        "it is unpacked once"
    );

    fs::write(unpacked.join("usr/share/kept"), "changed").expect("a file");
    let error = layout
        .unpack(images.path())
        .expect_err("it has been changed");
    assert!(error.contains("has been changed since"), "{error}");
}

/// A name in an archive and what it is; what the message says.
#[test]
fn entries_that_may_not_be_in_a_root_folder_are_refused_by_name() {
    let images = images_folder();
    let outside = tempfile::tempdir().expect("a folder");
    let target = outside.path().display().to_string();
    let cases = [
        (
            Made::new().file("../x", b"1"),
            "\"../x\", whose path leads out",
        ),
        (Made::new().file("usr/../../x", b"1"), "leads out"),
        (
            Made::new().entry(EntryType::Char, "usr/bin/null", "", 0o666, b""),
            "a device",
        ),
        (
            Made::new().entry(EntryType::Block, "disk", "", 0o666, b""),
            "a device",
        ),
        (
            Made::new().entry(EntryType::Fifo, "usr/pipe", "", 0o666, b""),
            "a pipe",
        ),
        (
            Made::new().entry(EntryType::new(b'~'), "usr/odd", "", 0o666, b""),
            "unknown kind '~'",
        ),
        (
            Made::new().entry(EntryType::Link, "usr/x", "usr/not-there", 0o666, b""),
            "another name of a file",
        ),
        (
            Made::new().entry(EntryType::Link, "usr/x", "../../etc/passwd", 0o666, b""),
            "leads out",
        ),
        (Made::new().link("usr/x", ""), "a link to nothing"),
        (
            Made::new().link("loop", "loop").file("loop/x", b"1"),
            "links that lead nowhere",
        ),
        (Made::new().file(".wh.", b""), "a whiteout of nothing"),
        (Made::new().file(".wh...", b""), "a whiteout of nothing"),
        (Made::new().file("/", b"1"), "in the place of the root"),
    ];
    for (made, told) in cases {
        let error = Layout::new(&[("", made.bytes())])
            .unpack(images.path())
            .expect_err(told);
        assert!(error.contains(told), "{error} does not say {told:?}");
    }
    // Absolute names and links lead into the image, never to this machine.
    let escape = Made::new()
        .link("out", &target)
        .file("out/x", b"1")
        .file("/etc/y", b"2");
    let unpacked = Layout::new(&[("", escape.bytes())])
        .unpack(images.path())
        .expect("a folder");
    assert_eq!(fs::read_dir(outside.path()).expect("a folder").count(), 0);
    assert_eq!(
        fs::read(unpacked.join(target.trim_start_matches('/')).join("x")).expect("a file"),
        b"1"
    );
    assert_eq!(fs::read(unpacked.join("etc/y")).expect("a file"), b"2");
    let left = fs::read_dir(images.path()).expect("a folder").flatten();
    let left: Vec<_> = left
        .filter(|entry| entry.file_name().to_string_lossy().starts_with('.'))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn layouts_that_are_damaged_are_refused_by_name() {
    let images = images_folder();
    let good = || Layout::new(&[("+gzip", Made::new().file("usr/x", b"1").bytes())]);
    let refused = |layout: &Layout, told: &str| {
        let error = layout.unpack(images.path()).expect_err(told);
        assert!(error.contains(told), "{error} does not say {told:?}");
    };
    let blob = |layout: &Layout, descriptor: &Value| {
        let digest = descriptor["digest"].as_str().expect("a digest");
        layout
            .path()
            .join("blobs/sha256")
            .join(digest.trim_start_matches("sha256:"))
    };

    let layout = good();
    let layer = blob(&layout, &layout.manifest()["layers"][0]);
    let mut bytes = fs::read(&layer).expect("a blob");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&layer, &bytes).expect("a blob");
    refused(&layout, "is not what its name says: its digest is");
    bytes.push(0);
    fs::write(&layer, &bytes).expect("a blob");
    refused(&layout, "bytes instead of");
    fs::remove_file(&layer).expect("a blob");
    refused(&layout, "No such file");

    let changed = |change: &dyn Fn(&mut Value)| {
        let layout = good();
        let mut manifest = layout.manifest();
        change(&mut manifest);
        layout.index(&[layout.json_blob(MANIFEST, &manifest)]);
        layout
    };
    refused(
        &changed(&|manifest| manifest["schemaVersion"] = json!(1)),
        "schemaVersion is 1",
    );
    refused(
        &changed(&|manifest| manifest["layers"] = json!([])),
        "it has no layers",
    );
    refused(
        &changed(&|manifest| manifest["layers"][0]["mediaType"] = json!("x/encrypted")),
        "\"x/encrypted\", which is not known",
    );
    refused(
        &changed(&|manifest| manifest["layers"][0]["digest"] = json!("sha256:../../x")),
        "is no SHA-256 digest",
    );
    refused(
        &changed(&|manifest| manifest["layers"][0]["digest"] = json!("sha512:00")),
        "is no SHA-256 digest",
    );
    refused(
        &changed(&|manifest| manifest["layers"][0]["mediaType"] = json!(LAYER)),
        "is no valid image",
    );
    refused(
        &changed(&|manifest| manifest["layers"] = json!(vec![manifest["layers"][0].clone(); 200])),
        "more than 127 layers",
    );
    refused(
        &changed(&|manifest| manifest["config"]["size"] = json!(1_u64 << 40)),
        "more than",
    );

    // The layer itself is whole, but not the one that the configuration is about.
    let layout = good();
    let mut manifest = layout.manifest();
    let other = packed("+gzip", &Made::new().file("usr/x", b"2").bytes());
    manifest["layers"][0] = layout.blob(&format!("{LAYER}+gzip"), &other);
    layout.index(&[layout.json_blob(MANIFEST, &manifest)]);
    refused(&layout, "decompressed, its digest is");

    let layout = good();
    let index = layout.index_json();
    let mut foreign = index["manifests"][0].clone();
    foreign["platform"] = json!({"os": "linux", "architecture": "s390x"});
    layout.index(&[foreign.clone()]);
    refused(&layout, "it has no image for linux/");
    layout.index(&[index["manifests"][0].clone(), index["manifests"][0].clone()]);
    refused(&layout, "several images");
    let inner = layout.json_blob(
        INDEX,
        &json!({"schemaVersion": 2, "manifests": [foreign, index["manifests"][0]]}),
    );
    layout.index(std::slice::from_ref(&inner));
    assert!(layout.unpack(images.path()).is_ok(), "an index in an index");
    let outer = layout.json_blob(INDEX, &json!({"schemaVersion": 2, "manifests": [inner]}));
    layout.index(&[outer]);
    refused(&layout, "an index of indexes");
    fs::write(layout.path().join("index.json"), "{").expect("a file");
    refused(&layout, "index.json is no valid image");
}

/// Long names are in entries of their own, which are kept in memory: they arrive, and have limits.
#[test]
fn long_names_arrive_and_have_limits() {
    let images = images_folder();
    let gnu = format!("usr/{}/x", "gnu-".repeat(50));
    let pax = format!("usr/{}/x", "pax-".repeat(50));
    let record = |key: &str, value: &str| {
        let rest = format!(" {key}={value}\n");
        let length = (1..)
            .find(|length: &usize| length.to_string().len() + rest.len() == *length)
            .expect("a length");
        format!("{length}{rest}").into_bytes()
    };
    let told =
        |kind: EntryType, bytes: &[u8]| Made::new().entry(kind, "././@LongLink", "", 0o644, bytes);
    let list = |bytes: &[u8]| told(EntryType::XHeader, bytes).file("usr/x", b"1");
    let good = told(EntryType::GNULongName, format!("{gnu}\0").as_bytes())
        .file("usr/cut", b"1")
        .entry(
            EntryType::XHeader,
            "list",
            "",
            0o644,
            &[record("path", &pax), record("mtime", "1.5")].concat(),
        )
        .file("usr/cut", b"2")
        .entry(
            EntryType::GNULongLink,
            "././@LongLink",
            "",
            0o644,
            format!("/{gnu}\0").as_bytes(),
        )
        .link("usr/link", "cut");
    let unpacked = Layout::new(&[("", good.bytes())])
        .unpack(images.path())
        .expect("a folder");
    assert_eq!(fs::read(unpacked.join(gnu.as_str())).expect("a file"), b"1");
    assert_eq!(fs::read(unpacked.join(pax)).expect("a file"), b"2");
    assert_eq!(
        fs::read_link(unpacked.join("usr/link")).expect("a link"),
        Path::new(&format!("/{gnu}"))
    );
    assert!(!unpacked.join("usr/cut").exists());

    // Few bytes in the layer, many in memory: each folder on the way has a path of its own.
    let deep = |at: usize| format!("{at:05}/{}", "a-folder-with-a-name-of-30-b/".repeat(120));
    let many = (0..700).fold(Made::new(), |made, at| {
        let made = made.entry(
            EntryType::GNULongName,
            "././@LongLink",
            "",
            0o644,
            deep(at).as_bytes(),
        );
        made.entry(EntryType::Directory, "x", "", 0o755, b"")
    });
    let zeroes = vec![b'x'; 100_000];
    let cases = [
        (
            told(EntryType::GNULongName, &zeroes).file("x", b"1"),
            "8192 are allowed",
        ),
        (
            told(EntryType::GNULongLink, &zeroes).link("x", "y"),
            "8192 are allowed",
        ),
        (
            list(&record("comment", &"x".repeat(100_000))),
            "65536 are allowed",
        ),
        (list(b"nonsense"), "a list that cannot be read"),
        (
            list(&record("size", "2")),
            "1 bytes in one place and 2 in another",
        ),
        (list(&record("GNU.sparse.major", "1")), "with holes"),
        (
            told(EntryType::GNULongName, b"a").entry(EntryType::GNULongName, "b", "", 0o644, b"b"),
            "told twice",
        ),
        (many, "bytes of paths"),
    ];
    for (made, said) in cases {
        let error = Layout::new(&[("", made.bytes())])
            .unpack(images.path())
            .expect_err(said);
        assert!(error.contains(said), "{error} does not say {said:?}");
    }
}

/// Who can write to the folder of images can change a tree and its digest together.
#[test]
fn images_in_a_folder_that_others_can_write_to_are_not_used() {
    let images = images_folder();
    let layout = Layout::new(&[("", Made::new().file("usr/x", b"1").bytes())]);
    let mode = |path: &Path, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode")
    };
    let refused = |when: &str| {
        let error = layout.unpack(images.path()).expect_err(when);
        assert!(
            error.contains("must belong to this user"),
            "{when}: {error}"
        );
    };
    mode(images.path(), 0o777);
    refused("before it is unpacked");
    assert_eq!(fs::read_dir(images.path()).expect("a folder").count(), 0);
    mode(images.path(), 0o700);
    let unpacked = layout.unpack(images.path()).expect("a folder");
    mode(unpacked.parent().expect("its folder"), 0o777);
    refused("one that is there");
    mode(unpacked.parent().expect("its folder"), 0o755);
    assert_eq!(layout.unpack(images.path()), Ok(unpacked));
}

/// A few kilobytes that become many megabytes: the limit counts what comes out, and nothing of it
/// is left.
#[test]
fn bombs_are_refused_when_they_reach_the_limit() {
    const LIMIT_BYTES: u64 = 4 << 20;
    let zeroes = vec![0; 64 << 20];
    for format in ["+gzip", "+zstd"] {
        let images = images_folder();
        let one = Layout::new(&[(format, Made::new().file("usr/zeroes", &zeroes).bytes())]);
        let part = || {
            (
                format,
                Made::new().file("usr/zeroes", &zeroes[..3 << 20]).bytes(),
            )
        };
        let several = Layout::new(&[part(), part()]);
        for layout in [one, several] {
            let error = unpack_within(layout.path(), images.path(), LIMIT_BYTES)
                .expect_err("a bomb")
                .to_string();
            assert!(
                error.contains("more than 4194304 bytes, decompressed"),
                "{format}: {error}"
            );
            assert_eq!(fs::read_dir(images.path()).expect("a folder").count(), 0);
        }
    }
}
