//! Hash functions of Zig's standard library for C: digests and PBKDF2.
//!
//! A state is memory of the caller, `hash_state_bytes` of it, which may be copied.

const std = @import("std");
const hash = std.crypto.hash;

/// In the order of `FUNCTIONS` in lib/crypto.mjs.
const functions = .{
    hash.Md5,         hash.Sha1,        hash.sha2.Sha224,  hash.sha2.Sha256,  hash.sha2.Sha384,    hash.sha2.Sha512, hash.sha2.Sha512_256,
    hash.sha3.Sha3_224, hash.sha3.Sha3_256, hash.sha3.Sha3_384, hash.sha3.Sha3_512, hash.blake2.Blake2b512, hash.blake2.Blake2s256,
};

const state_bytes = blk: {
    var most: usize = 0;
    for (functions) |Function| most = @max(most, @sizeOf(Function));
    break :blk most;
};

export fn hash_state_bytes() usize {
    return state_bytes;
}

fn at(comptime Function: type, state: [*]align(16) u8) *Function {
    return @ptrCast(state);
}

export fn hash_start(which: u32, state: [*]align(16) u8) void {
    inline for (functions, 0..) |Function, index| {
        if (which == index) at(Function, state).* = Function.init(.{});
    }
}

export fn hash_update(which: u32, state: [*]align(16) u8, bytes: [*]const u8, length: usize) void {
    inline for (functions, 0..) |Function, index| {
        if (which == index) at(Function, state).update(bytes[0..length]);
    }
}

/// Writes the digest and returns its length.
export fn hash_finish(which: u32, state: [*]align(16) u8, out: [*]u8) usize {
    inline for (functions, 0..) |Function, index| {
        if (which == index) {
            at(Function, state).final(out[0..Function.digest_length]);
            return Function.digest_length;
        }
    }
    return 0;
}

/// Fills `out`; false where the parameters are out of range.
export fn hash_pbkdf2(which: u32, password: [*]const u8, password_length: usize, salt: [*]const u8, salt_length: usize, rounds: u32, out: [*]u8, out_length: usize) bool {
    inline for (functions, 0..) |Function, index| {
        if (which == index and index < 7) {
            const Mac = std.crypto.auth.hmac.Hmac(Function);
            std.crypto.pwhash.pbkdf2(out[0..out_length], password[0..password_length], salt[0..salt_length], rounds, Mac) catch return false;
            return true;
        }
    }
    return false;
}
