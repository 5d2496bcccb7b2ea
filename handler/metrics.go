package handler

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/report"
)

// scrapeLimit bounds what one scrape may ask of the database.
const scrapeLimit = 5 * time.Second

var (
	dbWaiting      = figure("siyu_db_waiting", "Transactions in the writer's queue now (SQLite).")
	dbInUse        = figure("siyu_db_connections_in_use", "Connections of the pool in use now.")
	dbTransactions = figure("siyu_db_transactions_total", "Transactions run, repeats included.")
	dbRetries      = figure("siyu_db_retries_total", "Transactions run again after a deadlock or a failed group.")
	dbUnknown      = figure("siyu_db_commits_unknown_total", "Commits without an answer.")
	outboxRows     = figure("siyu_outbox_rows", "Work after an event that is pending, or parked after many attempts.", "state")
	inboxRows      = figure("siyu_inbox_rows", "Pushes of WeChat that are pending, or failed and can be replayed.", "state")
)

func figure(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// figures are siyu's own figures, read when they are asked for.
type figures struct {
	db     *db.DB
	report *report.Service
}

// Describe implements prometheus.Collector.
func (f figures) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{dbWaiting, dbInUse, dbTransactions, dbRetries, dbUnknown, outboxRows, inboxRows} {
		ch <- d
	}
}

// Collect implements prometheus.Collector. What the database does not answer is left out, so that the rest still comes.
func (f figures) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, n int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), labels...)
	}
	total := func(d *prometheus.Desc, n int64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n))
	}
	stats := f.db.Stats()
	gauge(dbWaiting, stats.Waiting)
	gauge(dbInUse, int64(stats.InUse))
	total(dbTransactions, stats.Transactions)
	total(dbRetries, stats.Retries)
	total(dbUnknown, stats.Unknown)

	ctx, cancel := context.WithTimeout(context.Background(), scrapeLimit)
	defer cancel()
	b, err := f.report.Backlog(ctx)
	if err != nil {
		return
	}
	gauge(outboxRows, b.PendingOutbox, "pending")
	gauge(outboxRows, b.ParkedOutbox, "parked")
	gauge(inboxRows, b.PendingPushes, "pending")
	gauge(inboxRows, b.FailedPushes, "failed")
}
