//! Any bytes as the JSON object form; what is accepted survives every form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sre_core::canonical_json;
use sre_skill::{PackageLimits, Skill};

fuzz_target!(|data: &[u8]| {
    let Ok(value) = canonical_json::parse(data) else {
        return;
    };
    let limits = PackageLimits::default();
    let Ok(skill) = Skill::from_object(&value, &limits) else {
        return;
    };
    let again = Skill::from_object(&skill.to_object(), &limits).expect("own objects are read");
    assert_eq!(again.digest(), skill.digest());
    let again = Skill::from_tar_gz(&skill.to_tar_gz(), &limits).expect("own archives are read");
    assert_eq!(again.digest(), skill.digest());
    let _ = skill.check_input(&value);
});
