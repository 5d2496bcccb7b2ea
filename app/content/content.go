// Package content owns what members read and watch: articles and live sessions. Seconds are counted by the server's clock: what a client
// says can only make them fewer.
package content

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/reward"
)

// Service is the use cases of articles and live sessions.
type Service struct {
	db      *db.DB
	clock   clock.Clock
	zone    clock.Zone
	events  *event.Log
	members *member.Service
	rewards *reward.Service
}

// New returns the service. Its follower is registered by the app.
func New(d *db.DB, c clock.Clock, z clock.Zone, events *event.Log, members *member.Service, rewards *reward.Service) *Service {
	return &Service{db: d, clock: c, zone: z, events: events, members: members, rewards: rewards}
}

const (
	maxTitle   = 200
	maxURL     = 512
	maxSeconds = 4 * 3600 // that may be asked for
)

// scheme is what an address may begin with to be more than a page of the mini-program.
var scheme = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*):`)

// check refuses what articles and sessions must not have in common.
func check(title, url *string, minSeconds int) error {
	*title, *url = strings.TrimSpace(*title), strings.TrimSpace(*url)
	m := scheme.FindStringSubmatch(*url)
	switch {
	case *title == "" || utf8.RuneCountInString(*title) > maxTitle:
		return errs.Field("title", "content.title", "limit", maxTitle)
	case utf8.RuneCountInString(*url) > maxURL:
		return errs.Field("url", "content.url", "limit", maxURL)
	case strings.ContainsFunc(*url, unicode.IsControl) || m != nil && !slices.Contains([]string{"http", "https", "weixin"}, strings.ToLower(m[1])):
		return errs.Field("url", "content.url_scheme")
	case minSeconds < 1 || minSeconds > maxSeconds:
		return errs.Field("min_seconds", "content.min_seconds", "limit", maxSeconds)
	}
	return nil
}
