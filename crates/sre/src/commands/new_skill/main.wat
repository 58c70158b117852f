;; A skill in WebAssembly text: copies standard input to standard output, with {"echo": before it and } after it.
(module
  ;; What it needs of the host: WASI preview 1.
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))

  ;; Bytes 0 to 7: address and length for a call; 8 to 11: how many bytes it moved; from 1024: the bytes themselves.
  (memory (export "memory") 2)
  (data (i32.const 16) "{\"echo\":")
  (data (i32.const 32) "}")

  ;; Writes to standard output; exits with code 1 when that fails.
  (func $print (param $at i32) (param $length i32)
    (block $done
      (loop $more
        (br_if $done (i32.eqz (local.get $length)))
        (i32.store (i32.const 0) (local.get $at))
        (i32.store (i32.const 4) (local.get $length))
        (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))
          (then (call $proc_exit (i32.const 1))))
        (local.set $at (i32.add (local.get $at) (i32.load (i32.const 8))))
        (local.set $length (i32.sub (local.get $length) (i32.load (i32.const 8))))
        (br $more))))

  (func (export "_start")
    (call $print (i32.const 16) (i32.const 8))
    (block $end
      (loop $more
        ;; Read up to 65536 bytes; none means the end.
        (i32.store (i32.const 0) (i32.const 1024))
        (i32.store (i32.const 4) (i32.const 65536))
        (if (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))
          (then (call $proc_exit (i32.const 1))))
        (br_if $end (i32.eqz (i32.load (i32.const 8))))
        (call $print (i32.const 1024) (i32.load (i32.const 8)))
        (br $more)))
    (call $print (i32.const 32) (i32.const 1))))
