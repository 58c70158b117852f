;; Reaches the unreachable instruction, as a panic does.
(func (export "_start")
  (unreachable))
