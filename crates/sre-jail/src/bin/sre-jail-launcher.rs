//! The launcher as a program of its own, for programs that cannot put a line at the start of its `main`:
//! test harnesses, and programs in other languages. Name it in `LauncherProgram::Other`.

fn main() {
    #[cfg(target_os = "linux")]
    sre_jail::enter_if_asked();
    eprintln!("error: this program is started by sre-jail and does nothing by itself");
    std::process::exit(2);
}
