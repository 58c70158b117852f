//! `sre skill new`: a folder with a small skill that works.

use std::fs;
use std::io;
use std::path::Path;

use crate::cli::{Format, Global, Language, NewArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use sre_core::ErrorCode;

/// What every new skill has besides its program.
const SKILL_MD: &str = include_str!("new_skill/SKILL.md");
const SCHEMAS: [(&str, &str); 2] = [
    (
        "schemas/input.json",
        include_str!("new_skill/schemas/input.json"),
    ),
    (
        "schemas/output.json",
        include_str!("new_skill/schemas/output.json"),
    ),
];

/// What a new skill in one language has. `NAME` in the texts stands for its name.
struct Template {
    /// What is started; for a compiled language it is not there yet.
    entrypoint: &'static str,
    /// The program's files, the one to edit first.
    files: &'static [(&'static str, &'static str)],
    /// What `SKILL.md` says about the language, the commands that build the program included.
    language: &'static str,
    /// The command that builds the program, for compiled languages.
    build: Option<&'static str>,
}

impl Template {
    fn of(language: Language) -> Self {
        match language {
            Language::Python => Self {
                entrypoint: "scripts/main.py",
                files: &[("scripts/main.py", include_str!("new_skill/python/main.py"))],
                language: "The program is `scripts/main.py`. Its dependencies are packed into the \
                           skill by\n`sre skill pack . --requirements requirements.txt`.",
                build: None,
            },
            Language::Javascript => Self {
                entrypoint: "scripts/main.mjs",
                files: &[(
                    "scripts/main.mjs",
                    include_str!("new_skill/javascript/main.mjs"),
                )],
                language: "The program is `scripts/main.mjs`. Packages that it imports belong \
                           into `vendor/`.",
                build: None,
            },
            Language::Typescript => Self {
                entrypoint: "scripts/main.ts",
                files: &[(
                    "scripts/main.ts",
                    include_str!("new_skill/typescript/main.ts"),
                )],
                language: "The program is `scripts/main.ts`. Types are removed when it is \
                           loaded, and not checked:\nrun `tsc --noEmit` for that.",
                build: None,
            },
            Language::Shell => Self {
                entrypoint: "scripts/main.sh",
                files: &[("scripts/main.sh", include_str!("new_skill/shell/main.sh"))],
                language: "The program is `scripts/main.sh`.",
                build: None,
            },
            Language::Rust => Self {
                entrypoint: "main.wasm",
                files: &[
                    ("src/main.rs", include_str!("new_skill/rust/main.rs")),
                    ("Cargo.toml", include_str!("new_skill/rust/Cargo.toml")),
                ],
                language: "The program is `main.wasm`, built from `src/main.rs`. Build it once \
                           `rustup target add\nwasm32-wasip1` has been run, and keep the build \
                           folder elsewhere:\n\n```sh\ncargo build --release --target \
                           wasm32-wasip1 --target-dir ../NAME-target\ncp \
                           ../NAME-target/wasm32-wasip1/release/NAME.wasm main.wasm\n```\n\nThen:",
                build: Some(
                    "cargo build --release --target wasm32-wasip1 --target-dir ../NAME-target && \
                     cp ../NAME-target/wasm32-wasip1/release/NAME.wasm main.wasm",
                ),
            },
            Language::C => Self {
                entrypoint: "main.wasm",
                files: &[("main.c", include_str!("new_skill/c/main.c"))],
                language: "The program is `main.wasm`, built from `main.c` with clang, lld and \
                           wasi-libc:\n\n```sh\nclang --target=wasm32-wasi -O2 -o main.wasm \
                           main.c\n```\n\nThen:",
                build: Some("clang --target=wasm32-wasi -O2 -o main.wasm main.c"),
            },
        }
    }

    /// What is to be typed next, for people.
    fn next_steps(&self, name: &str, shown: &str, language: Language) -> String {
        let main = self.files[0].0;
        let build = self.build.map_or(String::new(), |build| {
            format!(
                "Build it:  (cd {shown} && {})\n",
                build.replace("NAME", name)
            )
        });
        // Shell runs in the jail, which is off until the operator allows it.
        let allow = if language == Language::Shell {
            " --allow-native"
        } else {
            ""
        };
        format!(
            "{shown}\n  {:<17}what the skill is for, and what the runtime needs to know\n  \
             {main:<17}the program: puts its input into {{\"echo\": …}}\n  \
             {:<17}what goes in and what comes out\n\n\
             {build}Try it:  sre run {shown}{allow} --input '{{\"hello\":\"world\"}}'\n",
            "SKILL.md", "schemas/"
        )
    }
}

/// Makes a skill.
///
/// # Errors
/// When the name is not allowed, or the folder is there already or cannot be written.
pub fn new(args: &NewArgs, global: &Global) -> Result<Exit, Failure> {
    let name = &args.name;
    if !is_name(name) {
        let detail = format!("{name:?} is not a name for a skill");
        return Err(Failure::new(ErrorCode::SkillInvalid, detail)
            .hint("use 1 to 64 lower-case letters, digits and single hyphens, and no hyphen at either end"));
    }
    let folder = args.dir.join(name);
    let shown = folder
        .strip_prefix(".")
        .unwrap_or(&folder)
        .display()
        .to_string();
    let refuse = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            Failure::new(ErrorCode::FolderExists, format!("{shown} exists already"))
                .hint("choose another name, or another place with --dir")
        }
        _ => Failure::new(
            ErrorCode::OutputFailed,
            format!("cannot make {shown}: {error}"),
        ),
    };
    fs::create_dir_all(&args.dir)
        .and_then(|()| fs::create_dir(&folder))
        .map_err(refuse)?;
    let template = Template::of(args.lang);
    if let Err(error) = write(&folder, name, &template) {
        // Made a moment ago, by us; half a skill helps no one.
        drop(fs::remove_dir_all(&folder));
        return Err(refuse(error));
    }
    let text = match global.format {
        Format::Human => template.next_steps(name, &shown, args.lang),
        Format::Json => output::json_line(&serde_json::json!({"path": folder})),
    };
    output::stdout(output::escape(&text).as_bytes())?;
    Ok(Exit::Success)
}

fn write(folder: &Path, name: &str, template: &Template) -> io::Result<()> {
    let skill_md = SKILL_MD
        .replace("ENTRYPOINT", template.entrypoint)
        .replace("LANGUAGE", template.language);
    let files = template.files.iter().chain(&SCHEMAS).copied();
    for (path, text) in files.chain([("SKILL.md", skill_md.as_str())]) {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, text.replace("NAME", name))?;
        set_executable_bit(&path, text)?;
    }
    Ok(())
}

/// A script with an interpreter line can be started by itself.
fn set_executable_bit(path: &Path, text: &str) -> io::Result<()> {
    #[cfg(unix)]
    if text.starts_with("#!") {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// The rule of Agent Skills packages.
fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !(name.starts_with('-') || name.ends_with('-') || name.contains("--"))
}
