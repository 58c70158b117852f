;; Is no valid module: its function returns nothing where it should return a number.
(module (memory (export "memory") 1) (func (export "_start") (result i32)))
