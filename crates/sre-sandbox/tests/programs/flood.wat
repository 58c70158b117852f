;; Prints 1 GiB, one MiB at a time.
(func (export "_start")
  (local $mib i32)
  (loop $more
    (call $print (i32.const 1024) (i32.const 1048576))
    (local.set $mib (i32.add (local.get $mib) (i32.const 1)))
    (br_if $more (i32.lt_u (local.get $mib) (i32.const 1024)))))
