;; Returns its arguments with a zero byte after each, in hexadecimal digits.
(func (export "_start")
  (drop (call $args_sizes_get (i32.const 1024) (i32.const 1028)))
  (drop (call $args_get (i32.const 2048) (i32.const 131072)))
  (call $print_hex (i32.const 131072) (i32.load (i32.const 1028))))
