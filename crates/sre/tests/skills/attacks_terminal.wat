;; Logs a text that clears the screen, turns the writing direction around and uses a one-byte control sequence (the
;; C1 character U+009B), and returns a value with the same in it.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\40\00\00\00\16\00\00\00")
  (data (i32.const 16) "\80\00\00\00\0c\00\00\00")
  (data (i32.const 64) "kept\ttab\n\1b[2Jx\e2\80\aey\c2\9b1m")
  (data (i32.const 128) "[\22\e2\80\ae\7f\c2\9bab\22]")
  (func (export "_start")
    (drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8)))
    (drop (call $fd_write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 8)))))
