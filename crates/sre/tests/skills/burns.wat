;; Counts to 10,000,000 for every byte of its input and returns 1.
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 0) "\00\04\00\00\00\80\00\00")
  (data (i32.const 16) "\20\00\00\00\01\00\00\00")
  (data (i32.const 32) "1")
  (func (export "_start")
    (local $left i64)
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (local.set $left (i64.mul (i64.extend_i32_u (i32.load (i32.const 8))) (i64.const 10000000)))
    (loop $more
      (local.set $left (i64.sub (local.get $left) (i64.const 1)))
      (br_if $more (i64.ne (local.get $left) (i64.const 0))))
    (drop (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24)))))
