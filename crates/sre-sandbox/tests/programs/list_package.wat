;; Returns the names in the package's top folder.
(func (export "_start")
  (call $print_names (i32.const 4)))
