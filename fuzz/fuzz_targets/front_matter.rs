//! Any bytes as a `SKILL.md`; after a zero byte, as a `skill.toml` beside it.
#![no_main]

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use sre_skill::{PackageLimits, Skill};

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::none()));
    for (path, content) in [
        ("SKILL.md", parts.next()),
        ("skill.toml", parts.next()),
        ("main.py", Some(&b""[..])),
    ] {
        let Some(content) = content else { continue };
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        archive
            .append_data(&mut header, path, content)
            .expect("memory");
    }
    let packed = archive
        .into_inner()
        .and_then(GzEncoder::finish)
        .expect("memory");
    let Ok(skill) = Skill::from_tar_gz(&packed, &PackageLimits::default()) else {
        return;
    };
    let again = Skill::from_object(&skill.to_object(), &PackageLimits::default())
        .expect("own objects are read");
    assert_eq!(again.digest(), skill.digest());
});
