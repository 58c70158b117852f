//! What a jail does for those who behave.

mod common;

use sre_jail::Ending;

#[test]
fn a_program_runs() {
    let report = common::ran(&common::shell(
        "id; hostname; echo $$; cat /proc/self/status | grep -i seccomp; cat /proc/self/mountinfo; ls -la / /proc /dev; cat /proc/self/cgroup; env; ulimit -a; cat /proc/uptime",
    ));
    println!("{}", String::from_utf8_lossy(&report.stdout));
    println!("{}", String::from_utf8_lossy(&report.stderr.kept));
    println!("{report:#?}");
    assert_eq!(report.ending, Ending::Exited(0));
}
