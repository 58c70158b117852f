;; Logs 64 MiB of the letter a and returns 1.
(func (export "_start")
  (local $mib i32)
  (memory.fill (i32.const 1024) (i32.const 97) (i32.const 1048576))
  (loop $more
    (call $write (i32.const 2) (i32.const 1024) (i32.const 1048576))
    (local.set $mib (i32.add (local.get $mib) (i32.const 1)))
    (br_if $more (i32.lt_u (local.get $mib) (i32.const 64))))
  (call $print_byte (i32.const 49)))
