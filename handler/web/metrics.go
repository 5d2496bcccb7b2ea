package web

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/siyu-scrm/siyu/app/clock"
)

type metrics struct {
	count *prometheus.CounterVec
	took  *prometheus.HistogramVec
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		count: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "siyu_http_requests_total", Help: "HTTP requests answered."}, []string{"method", "route", "status"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "siyu_http_request_seconds", Help: "Time to answer HTTP requests.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method", "route"}),
	}
	if err := errors.Join(r.Register(m.count), r.Register(m.took)); err != nil {
		return nil, fmt.Errorf("web: metrics: %w", err)
	}
	return m, nil
}

// measure counts by the pattern of the route, so that what callers invent makes no new series.
func (m *metrics) measure(c *gin.Context) {
	start := clock.Real()
	c.Next()
	route, method := c.FullPath(), c.Request.Method
	if route == "" {
		route, method = "other", "other"
	}
	m.count.WithLabelValues(method, route, strconv.Itoa(c.Writer.Status())).Inc()
	m.took.WithLabelValues(method, route).Observe(clock.Real().Sub(start).Seconds())
}
