//! Any bytes as `.zip`, `.tar.gz`, and as the tar stream inside a gzip (whose checksum would stop
//! the fuzzer).
#![no_main]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use sre_skill::{PackageLimits, Skill};

fuzz_target!(|data: &[u8]| {
    let limits = PackageLimits {
        files: 64,
        unpacked_bytes: 1 << 20,
    };
    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    gzip.write_all(data).expect("memory");
    let wrapped = gzip.finish().expect("memory");
    for result in [
        Skill::from_zip(data, &limits),
        Skill::from_tar_gz(data, &limits),
        Skill::from_tar_gz(&wrapped, &limits),
    ] {
        let Ok(skill) = result else { continue };
        let again = Skill::from_tar_gz(&skill.to_tar_gz(), &PackageLimits::default())
            .expect("own archives are read");
        assert_eq!(again.digest(), skill.digest());
    }
});
