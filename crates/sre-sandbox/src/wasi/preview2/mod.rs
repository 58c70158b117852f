//! WASI 0.2 for command components: everything of `wasi:cli/command` but the sockets.
//!
//! The traits are generated from the standard's WIT in `wit/`; this folder implements them on
//! [`Guest`].

mod cli;
mod clocks;
mod filesystem;
mod io;
mod permissions;
mod random;
mod recorded;

use wasmtime::component::{HasSelf, Linker, ResourceType};

use super::Guest;
use crate::trace::TraceBuilder;

/// Generated from the WIT.
mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "sre:sandbox/guest",
        imports: { default: trappable },
        with: {
            "wasi:io/error.error": super::io::StreamFault,
            "wasi:io/poll.pollable": super::io::Pollable,
            "wasi:io/streams.input-stream": super::io::InputStream,
            "wasi:io/streams.output-stream": super::io::OutputStream,
            "wasi:filesystem/types.descriptor": super::filesystem::Descriptor,
            "wasi:filesystem/types.directory-entry-stream": super::filesystem::Listing,
            "wasi:cli/terminal-input.terminal-input": super::cli::Terminal,
            "wasi:cli/terminal-output.terminal-output": super::cli::Terminal,
        },
        trappable_error_type: {
            "wasi:io/streams.stream-error" => super::io::StreamError,
            "wasi:filesystem/types.error-code" => super::filesystem::FilesystemError,
        },
    });
}

pub(crate) use bindings::{Guest as Command, GuestPre as CommandPre};

/// The resource of `wasi:io` with this name; other interfaces refer to these by name.
pub(crate) fn io_resource(name: &str) -> Option<ResourceType> {
    match name {
        "error" => Some(ResourceType::host::<io::StreamFault>()),
        "pollable" => Some(ResourceType::host::<io::Pollable>()),
        "input-stream" => Some(ResourceType::host::<io::InputStream>()),
        "output-stream" => Some(ResourceType::host::<io::OutputStream>()),
        _ => None,
    }
}

/// Offers WASI 0.2 to components linked with `linker`.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    // The generated functions ask for the guest once per call.
    Command::add_to_linker::<_, HasSelf<Guest>>(linker, |guest| {
        guest.machine.recorder.note(TraceBuilder::count_call);
        guest
    })?;
    recorded::add_to_linker(linker)
}
