;; Returns its input: standard input, copied to standard output.
(func (export "_start")
  (call $print (i32.const 131072) (call $read_all (i32.const 0) (i32.const 131072))))
