//! `poll_oneoff` and the clock.

use crate::{CREATE, READ, check, little64, open, open_with, opened, steps};

const CLOCK: u8 = 0;
const FD_READ: u8 = 1;
const FD_WRITE: u8 = 2;
const REALTIME: u32 = 0;
const MONOTONIC: u32 = 1;

/// A clock subscription, 48 bytes in digits.
fn clock(userdata: u64, id: u32, timeout_ns: u64, absolute: bool) -> String {
    let head = format!(
        "{}{CLOCK:02x}00000000000000{}00000000",
        little64(userdata),
        crate::little(id)
    );
    let tail = format!(
        "{}{}{}000000000000",
        little64(timeout_ns),
        little64(0),
        if absolute { "0100" } else { "0000" }
    );
    head + &tail
}

fn stream(userdata: u64, kind: u8, fd: u32) -> String {
    format!(
        "{}{kind:02x}00000000000000{}",
        little64(userdata),
        crate::little(fd)
    ) + &"00".repeat(28)
}

/// An event, 32 bytes in digits.
fn event(userdata: u64, errno: u16, kind: u8, bytes: u64) -> String {
    let errno = errno
        .to_le_bytes()
        .map(|byte| format!("{byte:02x}"))
        .concat();
    format!(
        "{}{errno}{kind:02x}0000000000{}{}",
        little64(userdata),
        little64(bytes),
        "00".repeat(8)
    )
}

fn poll(subscriptions: &[String]) -> String {
    let (all, count) = (subscriptions.concat(), subscriptions.len());
    format!("poll_oneoff ={all} &{} {count} &4", 32 * count)
}

/// The answer with these events in a buffer for `room`.
fn told(events: &[String], room: usize) -> String {
    let blank = "00".repeat(32 * (room - events.len()));
    format!(
        "ok {}{blank} {}",
        events.concat(),
        crate::little(events.len() as u32)
    )
}

#[test]
fn what_is_ready_comes_before_any_waiting() {
    check(&steps! {
        open_with(3, "data/note.txt", 0, READ, 0) => opened(5);
        poll(&[clock(1, MONOTONIC, 5_000_000, false), stream(2, FD_READ, 5), stream(3, FD_WRITE, 1)])
            => told(&[event(2, 0, FD_READ, 5), event(3, 0, FD_WRITE, 65_536)], 3);
        // Only the read of the clock itself took time.
        "clock_time_get 1 0 &8" => format!("ok {}", little64(2_000));
    });
}

#[test]
fn the_first_of_several_moments() {
    check(&steps! {
        poll(&[
            clock(1, MONOTONIC, 9_000_000, false),
            clock(2, MONOTONIC, 5_000_000, false),
            clock(3, REALTIME, 7_000_000, false),
        ]) => told(&[event(2, 0, CLOCK, 0)], 3);
        "clock_time_get 1 0 &8" => format!("ok {}", little64(5_001_000));
        // An absolute moment that has passed is ready at once.
        poll(&[clock(1, MONOTONIC, 1, true)]) => told(&[event(1, 0, CLOCK, 0)], 1);
        poll(&[clock(1, REALTIME, 1, true)]) => told(&[event(1, 0, CLOCK, 0)], 1);
        "clock_time_get 1 0 &8" => format!("ok {}", little64(5_002_000));
        poll(&[clock(7, REALTIME, 1_767_323_045_000_000_000 + 8_000_000, true)]) => told(&[event(7, 0, CLOCK, 0)], 1);
        "clock_time_get 1 0 &8" => format!("ok {}", little64(8_001_000));
        poll(&[clock(1, MONOTONIC, 0, false), clock(2, 3, 0, false)])
            => told(&[event(1, 0, CLOCK, 0), event(2, 0, CLOCK, 0)], 2);
    });
}

#[test]
fn descriptors_that_are_none_are_told_in_their_event() {
    check(&steps! {
        open(4, "file", CREATE) => opened(5);
        poll(&[stream(1, FD_READ, 99), stream(2, FD_WRITE, 0), stream(3, FD_READ, 4), stream(4, FD_WRITE, 5)])
            => told(&[event(1, 8, FD_READ, 0), event(2, 8, FD_WRITE, 0), event(3, 8, FD_READ, 0),
                event(4, 0, FD_WRITE, 65_536)], 4);
        poll(&[clock(1, 9, 0, false)]) => format!("inval {} 00000000", "00".repeat(32));
        poll(&[stream(1, 3, 0)]) => format!("inval {} 00000000", "00".repeat(32));
        "poll_oneoff 0 0 0 &4" => "inval 00000000";
        "poll_oneoff 0 0 4097 &4" => "inval 00000000";
        "poll_oneoff 0 0 -1 &4" => "inval 00000000";
        "poll_oneoff -16 0 1 &4" => "fault 00000000";
        // Ready, but there is nowhere to tell it.
        format!("poll_oneoff ={} -16 1 &4", stream(1, FD_WRITE, 1)) => "fault 00000000";
    });
}

#[test]
fn clocks() {
    check(&steps! {
        "clock_time_get 0 0 &8" => format!("ok {}", little64(1_767_323_045_000_001_000));
        "clock_time_get 1 0 &8" => format!("ok {}", little64(2_000));
        "clock_time_get 2 0 &8" => format!("ok {}", little64(3_000));
        "clock_time_get 3 0 &8" => format!("ok {}", little64(4_000));
        "clock_time_get 0 0 &8" => format!("ok {}", little64(1_767_323_045_000_005_000));
        "clock_res_get 0 &8" => format!("ok {}", little64(1_000));
        "clock_res_get 3 &8" => format!("ok {}", little64(1_000));
        "clock_time_get 4 0 &8" => "inval 0000000000000000";
        "clock_res_get 4 &8" => "inval 0000000000000000";
    });
}
