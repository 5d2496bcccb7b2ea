//go:build !windows

package db

import (
	"os"
	"syscall"
)

// flock takes f's lock, or fails at once; the kernel frees it with the process.
func flock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
