//! Damaged packages never panic, and what is still accepted still keeps the rules. Seeded, so every
//! run is the same.

mod common;

use common::*;
use sre_skill::{Skill, SkillError};

const ROUNDS: usize = 1_000;

fn mutate(random: &mut Random, bytes: &[u8]) -> Vec<u8> {
    let mut mutated = bytes.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(mutated.len());
        match random.below(6) {
            0 => mutated[at] ^= 1 << random.below(8),
            1 => mutated[at] = random.next() as u8,
            2 => mutated[at] = [0, 0xff, b'/', b'.', b'\\', 0x7f][random.below(6)],
            3 => drop(
                mutated.drain(
                    at..(at + random.below(16))
                        .min(bytes.len())
                        .min(mutated.len())
                        .max(at),
                ),
            ),
            4 => {
                let piece: Vec<u8> = mutated[at..]
                    .iter()
                    .copied()
                    .take(random.below(64))
                    .collect();
                let to = random.below(mutated.len());
                mutated.splice(to..to, piece);
            }
            _ => mutated.truncate(at.max(1)),
        }
        if mutated.is_empty() {
            mutated.push(0);
        }
    }
    mutated
}

fn check(result: Result<Skill, SkillError>) -> bool {
    match result {
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
        Ok(skill) => {
            for file in skill.files() {
                assert!(
                    !file.path.contains("..") || !file.path.split('/').any(|part| part == "..")
                );
                assert!(!file.path.starts_with('/') && file.path.len() <= 255);
            }
            let again =
                Skill::from_tar_gz(&skill.to_tar_gz(), &limits()).expect("own archives are read");
            assert_eq!(again.digest(), skill.digest());
            true
        }
    }
}

#[test]
fn mutated_packages_never_panic() {
    let mut random = Random(20_260_730);
    let entries = word_count_with(("bin/ä".to_owned(), vec![0xff; 40], true));
    let tar = tar(&entries);
    let tar_gz = gzip(&tar);
    let zip = zip(&entries);
    let object = serde_json::to_vec(&open_tar(&entries).unwrap().to_object()).unwrap();
    let mut accepted = 0;
    for _ in 0..ROUNDS {
        // Inside the compression, fixing nothing: most die of the checksum, some do not.
        accepted += usize::from(check(Skill::from_tar_gz(
            &gzip(&mutate(&mut random, &tar)),
            &limits(),
        )));
        check(Skill::from_tar_gz(&mutate(&mut random, &tar_gz), &limits()));
        accepted += usize::from(check(Skill::from_zip(
            &mutate(&mut random, &zip),
            &limits(),
        )));
        if let Ok(value) = sre_core::canonical_json::parse(&mutate(&mut random, &object)) {
            accepted += usize::from(check(Skill::from_object(&value, &limits())));
        }
        let front_matter = mutate(&mut random, SKILL_MD.as_bytes());
        let package = [
            ("SKILL.md".to_owned(), front_matter, false),
            entry("scripts/main.py", ""),
        ];
        accepted += usize::from(check(open_tar(&package)));
    }
    assert!(
        accepted > 50,
        "only {accepted} were accepted: the mutations no longer reach the inside"
    );
}
