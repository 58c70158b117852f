;; Sleeps for an hour, again and again.
(func (export "_start")
  (loop $more
    ;; One subscription: the monotonic clock, relative, in nanoseconds.
    (i32.store (i32.const 1040) (i32.const 1))
    (i64.store (i32.const 1048) (i64.const 3600000000000))
    (drop (call $poll_oneoff (i32.const 1024) (i32.const 2048) (i32.const 1) (i32.const 4096)))
    (br $more)))
