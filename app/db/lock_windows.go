package db

import (
	"os"

	"golang.org/x/sys/windows"
)

// flock takes f's lock, or fails at once; the kernel frees it with the process.
func flock(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
}
