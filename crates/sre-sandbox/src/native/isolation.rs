//! What held, for the result.

use sre_core::{Isolation, RuntimeKind};
use sre_jail::Report;
use sre_jail::jail::Layer;

/// From what was measured inside the jail.
pub fn isolation(
    report: &Report,
    missing: &[(Layer, String)],
    kind: RuntimeKind,
    is_warm: bool,
) -> Isolation {
    let measured = &report.measured;
    let mut isolation = Isolation::default();
    let mut enforced =
        |name: &str, what: String| drop(isolation.enforced.insert(name.to_owned(), what));
    enforced("namespaces", measured.isolated_namespaces().join(" "));
    enforced("user_map", measured.user_map.clone());
    enforced("capabilities", String::from("none"));
    enforced("no_new_privs", measured.no_new_privileges.to_string());
    enforced("seccomp", format!("mode {}", measured.seccomp_mode));
    if measured.landlock_version > 0 {
        enforced("landlock", format!("version {}", measured.landlock_version));
    }
    let read_only = measured
        .mounts
        .values()
        .filter(|options| options.split(',').any(|option| option == "ro"))
        .count();
    enforced(
        "mounts",
        format!("{} in all, {read_only} read-only", measured.mounts.len()),
    );
    for (controller, version) in &report.group_limits {
        let name = match *controller {
            "memory" => Layer::MemoryLimit,
            "cpu" => Layer::CpuLimit,
            _ => Layer::ProcessLimit,
        };
        enforced(name.name(), format!("cgroup v{version}"));
    }
    isolation.missing = missing
        .iter()
        .map(|(layer, why)| (layer.name().to_owned(), why.clone()))
        .collect();

    // What an interpreter that waited has read and drawn before the order differs from what it
    // would have at its start.
    let has_world = report.is_repeatable && !is_warm;
    let fixed = |holds: bool| if holds { "fixed" } else { "host" };
    let has = |name: &str| {
        measured
            .isolated_namespaces()
            .iter()
            .any(|found| found == name)
    };
    isolation.repeatability = [
        ("addresses", fixed(measured.fixed_addresses && !is_warm)),
        ("environment", "fixed"),
        ("file_times", "fixed"),
        ("hash_seed", fixed(kind == RuntimeKind::Python || has_world)),
        ("host_name", fixed(has("uts"))),
        ("process_numbers", fixed(has("pid"))),
        ("user", fixed(has("user"))),
        ("clock", if has_world { "virtual" } else { "host" }),
        ("randomness", if has_world { "seeded" } else { "host" }),
        ("cycle_counter", "host"),
        ("scheduling", "host"),
        ("tmp_file_times", "host"),
    ]
    .into_iter()
    .map(|(name, state)| (name.to_owned(), state.to_owned()))
    .collect();
    isolation
}
