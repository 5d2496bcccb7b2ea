package db

import "sync/atomic"

type counters struct {
	transactions, retries, groups, waiting, discarded, unknown atomic.Int64
}

// Stats are counts since Open, for metrics.
type Stats struct {
	Transactions int64 // closures run, repeats included
	Retries      int64 // closures run again: MySQL deadlocks, SQLite groups that failed
	Groups       int64 // SQLite: commits; Transactions/Groups is the mean size of a group
	Waiting      int64 // SQLite: closures in the queue now
	Discarded    int64 // SQLite: writer connections given up
	Unknown      int64 // COMMITs without an answer
	Open, InUse  int   // connections of the pool (SQLite: readers)
}

// Stats returns the counts so far.
func (d *DB) Stats() Stats {
	c, p := &d.stats, d.pool.Stats()
	return Stats{
		Transactions: c.transactions.Load(), Retries: c.retries.Load(), Groups: c.groups.Load(), Waiting: c.waiting.Load(),
		Discarded: c.discarded.Load(), Unknown: c.unknown.Load(), Open: p.OpenConnections, InUse: p.InUse,
	}
}
