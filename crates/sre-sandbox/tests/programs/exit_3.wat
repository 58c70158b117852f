;; Prints a value and exits with code 3.
(func (export "_start")
  (call $print_byte (i32.const 49))
  (call $proc_exit (i32.const 3)))
