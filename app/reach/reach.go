// Package reach is the delivery engine: every message to a person is a row that ends in exactly one state with a reason.
//
// A run is frozen with its exact members (Start). Workers (Work) lease ranges of it, decide about a batch of people under their
// locks, commit "attempting", call WeChat outside any transaction, and write what came of it. A batch is no larger than the calls in
// flight, so that a kill leaves no more rows unknown than calls were open. An unknown row is never sent again.
package reach

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/carrier"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/media"
	"github.com/siyu-scrm/siyu/app/radar"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
)

// Sender is what the engine needs of WeChat. An error is read by Options.Classify.
type Sender interface {
	SendText(ctx context.Context, account, openid, text string) error
	SendImage(ctx context.Context, account, openid, mediaID string) error
	SendNews(ctx context.Context, account, openid string, a wechat.Article) error
	SendMiniProgramCard(ctx context.Context, account, openid string, card wechat.Card) error
	SendMenu(ctx context.Context, account, openid string, m wechat.MessageMenu) error
	SendSubscribe(ctx context.Context, account, openid, templateID, page string, data map[string]string) (msgID string, err error)
	SendTemplate(ctx context.Context, account, openid string, m wechat.TemplateMessage) (msgID string, err error)
	SendNotice(ctx context.Context, account, openid string, m wechat.TemplateMessage) error
	// SendMass answers the message id also where WeChat says that it has the clientMsgID already (45065).
	SendMass(ctx context.Context, account string, openids []string, text, clientMsgID string) (msgID string, err error)
}

// Outcome is what an error of a call means (FACTS §3.6).
type Outcome string

// Outcomes of failed calls. All but Unknown and TooSoon say that nothing was sent.
const (
	NotSent     Outcome = "not_sent"     // it never got there, or WeChat is busy: try again shortly
	MinuteLimit Outcome = "minute_limit" // 45011: the path pauses until the next minute
	DayLimit    Outcome = "day_limit"    // 45009: the path stops until midnight
	Window      Outcome = "window"       // 45015, 45047: no customer message is allowed
	Unaccepted  Outcome = "unaccepted"   // 43101: no subscribe message is allowed
	Refused     Outcome = "refused"      // this person or this content: for good
	Broken      Outcome = "broken"       // the account's configuration: every call would fail
	TooSoon     Outcome = "too_soon"     // 45066: the mass send was repeated within a minute
	Unknown     Outcome = "unknown"      // it may have been sent
)

// Verdict is an error of a call, read: Code and Text are WeChat's, for the row.
type Verdict struct {
	Outcome Outcome
	Code    int
	Text    string
}

// Options are the settings of the engine. Zero fields take the default, but DailyCap is as it stands.
type Options struct {
	OA, MP      string                      // accounts used where a message names none; default oa and mp
	KindOf      func(account string) string // model.KindOA, model.KindMP, or "" for one that is not there; nil: not asked
	DailyCap    int                         // marketing messages per person and calendar day
	MassMonthly int                         // mass sends per follower and month; WeChat's 4
	MassMax     int                         // people in one mass send; WeChat's 10,000
	InFlight    int                         // calls at once, of this process; default 128
	Workers     int                         // how many goroutines call Work; default 2. A batch is InFlight/Workers
	Rates       map[string]int              // calls a second of a channel, for each account, of this process; none: as fast as WeChat answers
	DayCalls    map[string]int64            // WeChat's quota of calls a day of a channel, for each account; none: not counted
	Prices      map[string]int64            // what a message by a channel costs, in fen
	RangeSize   int                         // recipients per range; default 1,000
	Lease       time.Duration               // real time; default 15 s
	CallTimeout time.Duration               // real time; default 8 s, below Lease
	Classify    func(error) Verdict         // default Read
	// Points are the balances that {{points}} shows; who has none is absent.
	Points func(ctx context.Context, tx *gorm.DB, ids []int64) (map[int64]int64, error)
	// Carriers reach phone numbers, by channel; none: the channel is refused. Number opens a sealed number, Brand and OptOut frame an SMS.
	Carriers      map[string]carrier.Provider
	Number        func(sealed string) string
	Brand, OptOut string
	MPAppID       string         // of the mini-program that template messages open
	Events        *event.Log     // of the channel webhook
	Media         *media.Service // pictures of customer messages

	Alert func(ctx context.Context, tx *gorm.DB, r *model.Risk) error // tells others of what operators should look at
	Radar *radar.Service                                              // writes tracked links; nil: texts have none
	Crash func(point string)                                          // for kill tests: see CrashAt
	Log   *slog.Logger
}

// DefaultOptions are the house rules (PLAYBOOKS H16).
func DefaultOptions() Options {
	return Options{DailyCap: 1}
}

// Service is the engine. Safe for concurrent use.
type Service struct {
	db     *db.DB
	clock  clock.Clock
	zone   clock.Zone
	sender Sender
	o      Options
	owner  string // of leases: this process
	paths  paths
	sets   db.Fixed[set]
	laws   db.Fixed[*law]
	pace   pace
	quota  quota
	turns  turns
	health health

	recheck map[string]Rechecker // by source
}

// New returns the engine over a sender.
func New(d *db.DB, c clock.Clock, z clock.Zone, sender Sender, o Options) *Service {
	def := func(n *int, v int) {
		if *n <= 0 {
			*n = v
		}
	}
	def(&o.MassMonthly, 4)
	def(&o.MassMax, 10_000)
	def(&o.InFlight, 128)
	def(&o.Workers, 2)
	def(&o.RangeSize, 1000)
	if o.OA == "" {
		o.OA = "oa"
	}
	if o.MP == "" {
		o.MP = "mp"
	}
	if o.Lease <= 0 {
		o.Lease = 15 * time.Second
	}
	if o.CallTimeout <= 0 {
		o.CallTimeout = min(8*time.Second, o.Lease/2)
	}
	if o.Classify == nil {
		o.Classify = Read
	}
	if o.Crash == nil {
		o.Crash = func(string) {}
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Service{db: d, clock: c, zone: z, sender: sender, o: o, owner: strings.ToLower(rand.Text())[:16]}
}

// batch is how many people one worker has in flight.
func (s *Service) batch() int { return max(1, s.o.InFlight/s.o.Workers) }

// set is a bitmap of member ids; the n-th id has seq n.
type set = *roaring.Bitmap
