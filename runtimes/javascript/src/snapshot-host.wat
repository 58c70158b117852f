;; The host while the snapshot is made: no folders. All other functions are missing, so that a call is an error.
(module
  ;; EBADF ends the C library's search for preopened folders.
  (func (export "fd_prestat_get") (param i32 i32) (result i32) (i32.const 8)))
