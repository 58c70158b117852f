;; What the programs beside this file use: imports, a memory and a few helpers. A program is this text and its own
;; inside one (module …). Memory below 1024 belongs to the helpers, the rest to the program.

(import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
(import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "fd_readdir" (func $fd_readdir (param i32 i32 i32 i64 i32) (result i32)))
(import "wasi_snapshot_preview1" "fd_seek" (func $fd_seek (param i32 i64 i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "path_create_directory" (func $path_create_directory (param i32 i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "path_open"
  (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "path_unlink_file" (func $path_unlink_file (param i32 i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))

(memory (export "memory") 32)

;; Writes bytes to a descriptor.
(func $write (param $fd i32) (param $at i32) (param $length i32)
  (i32.store (i32.const 64) (local.get $at))
  (i32.store (i32.const 68) (local.get $length))
  (drop (call $fd_write (local.get $fd) (i32.const 64) (i32.const 1) (i32.const 72))))

(func $print (param $at i32) (param $length i32)
  (call $write (i32.const 1) (local.get $at) (local.get $length)))

(func $print_byte (param $byte i32)
  (i32.store8 (i32.const 80) (local.get $byte))
  (call $print (i32.const 80) (i32.const 1)))

;; Reads a descriptor to its end; returns the length.
(func $read_all (param $fd i32) (param $at i32) (result i32)
  (local $length i32)
  (loop $more
    (i32.store (i32.const 64) (i32.add (local.get $at) (local.get $length)))
    (i32.store (i32.const 68) (i32.const 65536))
    (drop (call $fd_read (local.get $fd) (i32.const 64) (i32.const 1) (i32.const 72)))
    (local.set $length (i32.add (local.get $length) (i32.load (i32.const 72))))
    (br_if $more (i32.load (i32.const 72))))
  (local.get $length))

(func $digit (param $value i32)
  (call $print_byte
    (i32.add (local.get $value) (select (i32.const 48) (i32.const 87) (i32.lt_u (local.get $value) (i32.const 10))))))

;; Prints bytes as a JSON string of hexadecimal digits.
(func $print_hex (param $at i32) (param $length i32)
  (call $print_byte (i32.const 34))
  (block $done
    (loop $more
      (br_if $done (i32.eqz (local.get $length)))
      (call $digit (i32.shr_u (i32.load8_u (local.get $at)) (i32.const 4)))
      (call $digit (i32.and (i32.load8_u (local.get $at)) (i32.const 15)))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (local.set $length (i32.sub (local.get $length) (i32.const 1)))
      (br $more)))
  (call $print_byte (i32.const 34)))

;; Prints the names in an open folder, in their order and without . and .., as a JSON list.
(func $print_names (param $fd i32)
  (local $at i32) (local $end i32) (local $printed i32)
  (drop (call $fd_readdir (local.get $fd) (i32.const 4096) (i32.const 65536) (i64.const 2) (i32.const 72)))
  (local.set $at (i32.const 4096))
  (local.set $end (i32.add (i32.const 4096) (i32.load (i32.const 72))))
  (call $print_byte (i32.const 91))
  (block $done
    (loop $more
      (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
      (if (local.get $printed) (then (call $print_byte (i32.const 44))))
      (local.set $printed (i32.const 1))
      (call $print_byte (i32.const 34))
      (call $print (i32.add (local.get $at) (i32.const 24)) (i32.load offset=16 (local.get $at)))
      (call $print_byte (i32.const 34))
      (local.set $at (i32.add (i32.add (local.get $at) (i32.const 24)) (i32.load offset=16 (local.get $at))))
      (br $more)))
  (call $print_byte (i32.const 93)))
