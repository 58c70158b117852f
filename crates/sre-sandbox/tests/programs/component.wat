;; A WASI 0.2 command. Its core module is completed by a test: BODY becomes a function $run that takes nothing and
;; returns 0 for success, and may use the imports and helpers below.
(component
  (import "wasi:io/error@0.2.0" (instance $error (export "error" (type (sub resource)))))
  (alias export $error "error" (type $error-type))

  (import "wasi:io/poll@0.2.0" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "poll" (func (param "in" (list (borrow $pollable))) (result (list u32))))))
  (alias export $poll "pollable" (type $pollable-type))

  (import "wasi:io/streams@0.2.0" (instance $streams
    (alias outer 1 $error-type (type $error))
    (export "output-stream" (type $output (sub resource)))
    (type $fault (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $fault)))
    (export "[method]output-stream.blocking-write-and-flush"
      (func (param "self" (borrow $output)) (param "contents" (list u8)) (result (result (error $stream-error)))))
    (export "[method]output-stream.write-zeroes"
      (func (param "self" (borrow $output)) (param "len" u64) (result (result (error $stream-error)))))))
  (alias export $streams "output-stream" (type $output-type))

  (import "wasi:cli/stdout@0.2.0" (instance $stdout
    (alias outer 1 $output-type (type $output))
    (export "get-stdout" (func (result (own $output))))))

  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
    (alias outer 1 $pollable-type (type $pollable))
    (export "now" (func (result u64)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))

  (import "wasi:random/random@0.2.0" (instance $random
    (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))

  ;; A resource of the guest's own, to flood the engine's tables with.
  (type $own (resource (rep i32)))

  (core module $libc
    (memory (export "memory") 1024)
    (global $free (mut i32) (i32.const 0x2000000))
    ;; Never frees; eight bytes of alignment are enough for everything here.
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $free)
      (global.set $free (i32.and (i32.add (i32.add (global.get $free) (local.get 3)) (i32.const 7)) (i32.const -8)))))
  (core instance $libc (instantiate $libc))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))

  (core func $get-stdout (canon lower (func $stdout "get-stdout")))
  (core func $write (canon lower (func $streams "[method]output-stream.blocking-write-and-flush")
    (memory $memory) (realloc $realloc)))
  (core func $zeroes (canon lower (func $streams "[method]output-stream.write-zeroes")
    (memory $memory) (realloc $realloc)))
  (core func $now (canon lower (func $clock "now")))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core func $poll (canon lower (func $poll "poll") (memory $memory) (realloc $realloc)))
  (core func $random (canon lower (func $random "get-random-bytes")
    (memory $memory) (realloc $realloc)))
  (core func $new (canon resource.new $own))

  (core module $main
    (import "libc" "memory" (memory 1024))
    (import "host" "get-stdout" (func $get-stdout (result i32)))
    (import "host" "write" (func $write (param i32 i32 i32 i32)))
    (import "host" "zeroes" (func $zeroes (param i32 i64 i32)))
    (import "host" "now" (func $now (result i64)))
    (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
    (import "host" "poll" (func $poll (param i32 i32 i32)))
    (import "host" "random" (func $random (param i64 i32)))
    (import "host" "new" (func $new (param i32) (result i32)))
    (func $print (param $at i32) (param $length i32)
      (call $write (call $get-stdout) (local.get $at) (local.get $length) (i32.const 512)))
    (data (i32.const 0) "1")
    BODY
    (export "run" (func $run)))
  (core instance $main (instantiate $main
    (with "libc" (instance $libc))
    (with "host" (instance
      (export "get-stdout" (func $get-stdout))
      (export "write" (func $write))
      (export "zeroes" (func $zeroes))
      (export "now" (func $now))
      (export "subscribe" (func $subscribe))
      (export "poll" (func $poll))
      (export "random" (func $random))
      (export "new" (func $new))))))

  (alias core export $main "run" (core func $run-core))
  (func $run (result (result)) (canon lift (core func $run-core)))
  (instance $cli-run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $cli-run)))
