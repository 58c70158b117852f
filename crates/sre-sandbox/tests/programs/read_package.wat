;; Returns the content of data/note.txt of the package, in hexadecimal digits.
(data (i32.const 1024) "data/note.txt")
(func (export "_start")
  (drop (call $path_open (i32.const 4) (i32.const 0) (i32.const 1024) (i32.const 13) (i32.const 0)
    (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 1040)))
  (call $print_hex (i32.const 131072) (call $read_all (i32.load (i32.const 1040)) (i32.const 131072))))
