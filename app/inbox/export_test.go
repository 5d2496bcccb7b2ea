package inbox

import "runtime"

// Hold lets pushes wait until n of them do, then lets them share transactions.
func (s *Service) Hold(n int) (release func()) {
	s.queue.mu.Lock()
	s.queue.running = 1 << 30
	s.queue.mu.Unlock()
	return func() {
		for waiting := 0; waiting < n; runtime.Gosched() {
			s.queue.mu.Lock()
			waiting = len(s.queue.waiting)
			s.queue.mu.Unlock()
		}
		s.queue.next()
	}
}
