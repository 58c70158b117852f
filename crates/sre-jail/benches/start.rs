//! What a jail costs, side by side with the nearest tools in one run: `cargo bench -p sre-jail`.
//!
//! Each line is the median over interleaved rounds, the bound of its fastest tenth, which a busy
//! machine disturbs least, and their ratios to bubblewrap's. Nothing is judged. bubblewrap and
//! Docker are left out, and it is said so, where they are not installed.

#[cfg(target_os = "linux")]
#[path = "../tests/common/mod.rs"]
mod common;

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("jails exist on Linux only");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use sre_jail::{Ending, ProcessSpec};

    use super::common;

    const ROUNDS: usize = 200;

    /// A name and what it does once.
    type Way<'a> = (&'a str, Box<dyn Fn() + 'a>);

    pub fn main() {
        let rounds = std::env::var("ROUNDS")
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(ROUNDS);
        for (name, program, arguments) in [
            ("true", "/usr/bin/true", &[][..]),
            ("python3 -c pass", "/usr/bin/python3", &["-c", "pass"][..]),
        ] {
            println!("{name}: median of {rounds} rounds");
            compare(program, arguments, rounds);
        }
        warm(rounds / 4);
    }

    /// From the order to the result in a jail that was made ahead, next to a bare process.
    fn warm(rounds: usize) {
        let start = common::spec(
            "/usr/bin/python3",
            &["-c", "import os; os.read(3, 65536); os.write(3, b'1')"],
        );
        let bare = || spawn(Command::new("/usr/bin/python3").args(["-c", "pass"]));
        let (mut warm, mut plain) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let held = common::jail().hold(&start).expect("a jail");
            // Until Python waits; this is not measured.
            std::thread::sleep(Duration::from_millis(60));
            let started = Instant::now();
            let report = held
                .run(common::jail(), &start, &|| false)
                .expect("a report");
            warm.push(started.elapsed());
            assert_eq!(report.ending, Ending::Exited(0));
            let started = Instant::now();
            bare();
            plain.push(started.elapsed());
        }
        let (warm, plain) = (median(warm), median(plain));
        let ratio = warm.as_secs_f64() / plain.as_secs_f64();
        println!(
            "Python in a jail made ahead: {:.2} ms, {ratio:.2} × a bare python3 -c pass",
            warm.as_secs_f64() * 1e3
        );
    }

    fn compare(program: &str, arguments: &[&str], rounds: usize) {
        let spec = common::spec(program, arguments);
        let on_machine_time = ProcessSpec {
            determinism: None,
            ..spec.clone()
        };
        let mut ways: Vec<Way<'_>> = Vec::new();
        ways.push((
            "plain process",
            Box::new(|| spawn(Command::new(program).args(arguments))),
        ));
        ways.push(("sre-jail, all layers", Box::new(|| jail(&spec))));
        ways.push(("sre-jail, host's time", Box::new(|| jail(&on_machine_time))));
        if is_installed("bwrap") {
            ways.push((
                "bubblewrap --unshare-all",
                Box::new(|| spawn(bubblewrap(program, arguments))),
            ));
        } else {
            println!("  bubblewrap is not installed: no ratios");
        }
        if let Ok(image) = std::env::var("DOCKER_IMAGE") {
            let docker = move || {
                spawn(
                    Command::new("docker")
                        .args(["run", "--rm", &image, program])
                        .args(arguments),
                )
            };
            ways.push(("docker run", Box::new(docker)));
        } else {
            println!("  docker run: left out; set DOCKER_IMAGE to an image with {program}");
        }
        let mut times = vec![Vec::new(); ways.len()];
        for round in 0..rounds + 5 {
            for (at, (name, way)) in ways.iter().enumerate() {
                // A container takes so long that a tenth of the rounds is enough.
                if name.starts_with("docker") && round % 10 != 0 {
                    continue;
                }
                let started = Instant::now();
                way();
                if round >= 5 {
                    times[at].push(started.elapsed());
                }
            }
        }
        let baseline = ways
            .iter()
            .position(|(name, _)| name.starts_with("bubblewrap"))
            .map(|at| times[at].clone());
        for ((name, _), times) in ways.iter().zip(times) {
            let shown = |part: usize| {
                let own = percentile(times.clone(), part);
                let ratio = baseline.as_ref().map_or(String::new(), |baseline| {
                    let baseline = percentile(baseline.clone(), part);
                    format!(
                        "{:>5.2} × bubblewrap",
                        own.as_secs_f64() / baseline.as_secs_f64()
                    )
                });
                format!("{:>7.2} ms {ratio}", own.as_secs_f64() * 1e3)
            };
            println!("  {name:<26} {}   fastest tenth {}", shown(50), shown(10));
        }
    }

    fn jail(spec: &ProcessSpec) {
        let report = common::ran(spec);
        assert_eq!(
            report.ending,
            Ending::Exited(0),
            "{}",
            String::from_utf8_lossy(&report.stderr.kept)
        );
    }

    fn spawn(command: &mut Command) {
        let ended = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(ended.expect("installed").success(), "{command:?}");
    }

    fn bubblewrap(program: &str, arguments: &[&str]) -> &'static mut Command {
        let mut command = Command::new("bwrap");
        command.args([
            "--unshare-all",
            "--die-with-parent",
            "--new-session",
            "--ro-bind",
            "/usr",
            "/usr",
        ]);
        for name in ["bin", "lib", "lib64", "sbin"] {
            command.args(["--symlink", &format!("usr/{name}"), &format!("/{name}")]);
        }
        command
            .args([
                "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--", program,
            ])
            .args(arguments);
        Box::leak(Box::new(command))
    }

    fn is_installed(program: &str) -> bool {
        Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok()
    }

    fn median(times: Vec<Duration>) -> Duration {
        percentile(times, 50)
    }

    /// The time that so many of a hundred rounds stay below.
    fn percentile(mut times: Vec<Duration>, part: usize) -> Duration {
        times.sort_unstable();
        times
            .get(times.len() * part / 100)
            .copied()
            .unwrap_or_default()
    }
}
