package main

import (
	"context"
	"fmt"
	"io"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/doctor"
)

// runDoctor prints a line for each check; something wrong is an error.
func runDoctor(ctx context.Context, args []string, out io.Writer) error {
	cfg, err := settings("doctor", args, out, nil)
	if err != nil {
		return err
	}
	wrong, err := app.Examine(ctx, cfg, func(c doctor.Check) {
		fmt.Fprintf(out, "%s %-8s %-14s %s\n", c.Level, c.Account, c.Name, c.Says)
	})
	if err != nil {
		return err
	}
	if wrong > 0 {
		return fmt.Errorf("doctor: %d checks found something to mend", wrong)
	}
	return nil
}
