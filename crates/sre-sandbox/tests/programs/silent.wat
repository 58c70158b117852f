;; Prints nothing.
(func (export "_start"))
