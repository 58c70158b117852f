;; Never ends.
(func (export "_start")
  (loop $more (br $more)))
