//! The calls by which a component decides its outcome: those that reach standard output, and exit.
//!
//! They do what the generated ones do, in whose place they stand. But they have the store, so a
//! recorder can be told how much fuel had been used.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};

use super::Guest;
use super::bindings::wasi::cli::exit;
use super::bindings::wasi::io::streams::{self, Host as _, HostOutputStream as _};
use super::io::{InputStream, OutputStream, StreamError};

type Stream = Resource<OutputStream>;
type Answer<T> = wasmtime::Result<(Result<T, streams::StreamError>,)>;

/// Tells the recorder about a call.
fn note<'a>(
    store: &'a mut StoreContextMut<'_, Guest>,
    name: &'static str,
) -> wasmtime::Result<&'a mut Guest> {
    if store.data().machine.recorder.is_on() {
        let left = store.get_fuel()?;
        store
            .data()
            .machine
            .recorder
            .note(|trace| trace.note_call(name, left));
    }
    Ok(store.data_mut())
}

fn answer<T>(guest: &mut Guest, answer: Result<T, StreamError>) -> Answer<T> {
    match answer {
        Ok(value) => Ok((Ok(value),)),
        Err(error) => Ok((Err(guest.convert_stream_error(error)?),)),
    }
}

macro_rules! functions {
    ($instance:ident, $prefix:literal, $($name:literal($($argument:ident: $type:ty),*) => $function:ident;)*) => {$(
        $instance.func_wrap(
            concat!("[method]output-stream.", $name),
            |mut store: StoreContextMut<'_, Guest>, (stream, $($argument),*): (Stream, $($type),*)| {
                let guest = note(&mut store, concat!($prefix, $name))?;
                let done = guest.$function(stream, $($argument),*);
                answer(guest, done)
            },
        )?;
    )*};
}

/// Puts them in the place of the generated ones.
pub(super) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut instance = linker.instance("wasi:io/streams@0.2.12")?;
    functions! { instance, "wasi:io/streams.output-stream.",
        "write"(bytes: Vec<u8>) => write;
        "blocking-write-and-flush"(bytes: Vec<u8>) => blocking_write_and_flush;
        "write-zeroes"(length: u64) => write_zeroes;
        "blocking-write-zeroes-and-flush"(length: u64) => blocking_write_zeroes_and_flush;
        "splice"(from: Resource<InputStream>, length: u64) => splice;
        "blocking-splice"(from: Resource<InputStream>, length: u64) => blocking_splice;
    }
    let mut instance = linker.instance("wasi:cli/exit@0.2.12")?;
    instance.func_wrap(
        "exit",
        |mut store: StoreContextMut<'_, Guest>, (status,): (Result<(), ()>,)| {
            exit::Host::exit(note(&mut store, "wasi:cli/exit.exit")?, status)
        },
    )?;
    instance.func_wrap(
        "exit-with-code",
        |mut store: StoreContextMut<'_, Guest>, (code,): (u8,)| {
            exit::Host::exit_with_code(note(&mut store, "wasi:cli/exit.exit-with-code")?, code)
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}
