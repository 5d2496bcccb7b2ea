package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	_ "github.com/go-sql-driver/mysql" // the floor's own connection
	"github.com/golang-jwt/jwt/v5"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// benchCheckin: a signed-in member checks in through HTTP under the demo brand's rules. The floor is a bare Gin handler
// that checks the same token and writes the same rows (check-in, event, counter of the cap, three balances, lots and
// entries, and the review of the counted tag) with hand-written SQL, a transaction per request.
func benchCheckin(ctx context.Context, cfg *config.Config, o benchOptions, out io.Writer) (err error) {
	cfg.Sandbox.Demo = true
	a, err := openBench(ctx, cfg, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	n := o.requests / rounds * rounds
	fmt.Fprintf(out, "members  %d, half of them for each side\n", 2*n)
	first, err := benchMembers(ctx, a, 2*n)
	if err != nil {
		return err
	}
	ours, floor, stop, err := serveBoth(a, (*floor).checkinServer)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()

	tokens := web.NewTokens(a.Box, a.Clock)
	client := benchClient(o.workers)
	call := func(base string, member int64) error {
		token, _, err := tokens.Issue(member, 0)
		if err != nil {
			return err
		}
		return post(client, base+"/api/v1/checkins", token, "", nil, http.StatusCreated)
	}
	return compare(out, "checkin", a.DB.Dialect(), n, o.workers,
		func(i int) error { return call(ours, first+int64(2*i)) },
		func(i int) error { return call(floor, first+int64(2*i+1)) })
}

// benchMembers makes registered members with consecutive ids and returns the first.
func benchMembers(ctx context.Context, a *app.App, n int) (first int64, err error) {
	if err := a.DB.Reader(ctx).Model(&model.Member{}).Select("COALESCE(MAX(id), 0) + 1").Scan(&first).Error; err != nil {
		return 0, err
	}
	now := a.Clock.Now()
	for from := 0; from < n; from += 500 {
		rows := make([]model.Member, min(500, n-from))
		for i := range rows {
			id := first + int64(from+i)
			rows[i] = model.Member{ID: id, No: fmt.Sprintf("B%d", id), JoinedAt: &now, Lang: "zh-CN", CreatedAt: now, ActiveAt: now}
		}
		err := a.DB.BulkTx(ctx, func(_ context.Context, tx *gorm.DB) error { return tx.Create(&rows).Error })
		if err != nil {
			return 0, err
		}
	}
	return first, nil
}

// floor is the hand-written side: database/sql, and nothing of siyu but its tables and its key.
type floor struct {
	db     *sql.DB
	app    *app.App
	secret []byte
	rule   int64   // of the check-in
	rules  []int64 // of the order
	now    time.Time
}

func newFloor(a *app.App) (*floor, error) {
	f := &floor{app: a, now: a.Clock.Now()}
	key := a.Box.Derive("member-token")
	f.secret = key[:]
	var err error
	if a.DB.Dialect() == db.MySQL {
		c, err := db.ParseMySQL(string(a.Config.Database.DSN))
		if err != nil {
			return nil, err
		}
		if f.db, err = sql.Open("mysql", c.FormatDSN()); err != nil {
			return nil, err
		}
		f.db.SetMaxOpenConns(a.Config.Database.MaxOpen)
		f.db.SetMaxIdleConns(a.Config.Database.MaxOpen)
	} else {
		path := filepath.Join(a.Config.DataDir, "siyu.db")
		if f.db, err = sql.Open("sqlite", "file:"+path+sqliteOptions); err != nil {
			return nil, err
		}
		f.db.SetMaxOpenConns(1)
	}
	return f, f.db.QueryRow("SELECT COALESCE(MAX(id), 0) FROM point_rules WHERE code = 'checkin'").Scan(&f.rule)
}

// sqliteOptions give the floor the durability that siyu has.
const sqliteOptions = "?_txlock=immediate&_timezone=UTC&_time_format=sqlite" +
	"&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=temp_store(2)"

type floorClaims struct {
	jwt.RegisteredClaims
	Version int `json:"ver"`
}

func (f *floor) checkinServer() http.Handler {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.POST("/api/v1/checkins", func(c *gin.Context) {
		var claims floorClaims
		raw := strings.TrimPrefix(c.GetHeader("Authorization"), "Bearer ")
		_, err := jwt.ParseWithClaims(raw, &claims, func(*jwt.Token) (any, error) { return f.secret, nil },
			jwt.WithValidMethods([]string{"HS256"}), jwt.WithTimeFunc(func() time.Time { return f.now }))
		if err != nil {
			c.JSON(http.StatusUnauthorized, gin.H{"error": err.Error()})
			return
		}
		id, err := strconv.ParseInt(claims.Subject, 10, 64)
		if err != nil {
			c.JSON(http.StatusUnauthorized, gin.H{"error": err.Error()})
			return
		}
		var version int
		if err := f.db.QueryRow("SELECT token_version FROM members WHERE id = ?", id).Scan(&version); err != nil || version != claims.Version {
			c.JSON(http.StatusUnauthorized, gin.H{"error": "token"})
			return
		}
		res, err := f.checkin(c.Request.Context(), id)
		if err != nil {
			c.JSON(http.StatusInternalServerError, gin.H{"error": err.Error()})
			return
		}
		c.JSON(http.StatusCreated, res)
	})
	return e
}

// checkin writes what siyu writes for a first check-in under the demo brand's rules.
func (f *floor) checkin(ctx context.Context, id int64) (gin.H, error) {
	tx, err := f.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	do := func(q string, args ...any) (sql.Result, error) { return tx.ExecContext(ctx, q, args...) }
	now, day, before := f.now, "2026-11-23", "2026-11-22"
	if _, err := do("UPDATE members SET version = version + 1, active_at = ? WHERE id = ?", now, id); err != nil {
		return nil, err
	}
	var joined sql.NullTime
	if err := tx.QueryRowContext(ctx, "SELECT joined_at FROM members WHERE id = ?", id).Scan(&joined); err != nil || !joined.Valid {
		return nil, fmt.Errorf("not a member: %w", err)
	}
	streak := 0
	err = tx.QueryRowContext(ctx, "SELECT streak FROM checkins WHERE member_id = ? AND day = ?", id, before).Scan(&streak)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	res, err := do("INSERT INTO checkins (member_id, day, streak, at, via) VALUES (?, ?, ?, ?, 'api')", id, day, streak+1, now)
	if err != nil {
		return nil, err
	}
	checkin, _ := res.LastInsertId()
	data, err := json.Marshal(map[string]any{"day": day, "streak": streak + 1, "via": "api"})
	if err != nil {
		return nil, err
	}
	res, err = do("INSERT INTO events (member_id, kind, source, `key`, hash, occurred_at, recorded_at, data) VALUES (?, ?, 'checkin', ?, ?, ?, ?, ?)",
		id, model.EventCheckin, strconv.FormatInt(checkin, 10), strings.Repeat("0", 64), now, now, string(data))
	if err != nil {
		return nil, err
	}
	event, _ := res.LastInsertId()
	var used int
	err = tx.QueryRowContext(ctx, "SELECT used FROM rule_uses WHERE rule_id = ? AND set_id = 0 AND member_id = ? AND period = ? AND account = ''", f.rule, id, day).Scan(&used)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	if _, err := do("INSERT INTO rule_uses (rule_id, set_id, member_id, period, account, used) VALUES (?, 0, ?, ?, '', 1)", f.rule, id, day); err != nil {
		return nil, err
	}
	for _, g := range []struct {
		account string
		amount  int64
	}{{model.AccountExperience, 2}, {model.AccountGrowth, 1}, {model.AccountPoints, 5}} {
		if err := f.post(ctx, tx, id, event, f.rule, g.account, g.amount); err != nil {
			return nil, err
		}
	}
	var count int
	if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM events WHERE member_id = ? AND kind = ? AND occurred_at > ?", id, model.EventCheckin, f.now.AddDate(0, 0, -30)).Scan(&count); err != nil {
		return nil, err
	}
	return gin.H{"day": day, "streak": streak + 1, "points": 5}, tx.Commit()
}

func (f *floor) post(ctx context.Context, tx *sql.Tx, id, event, rule int64, account string, amount int64) error {
	var balance, lifetime, seq int64
	now, expires := f.now, f.now.AddDate(1, 0, 1)
	err := tx.QueryRowContext(ctx, "SELECT available, lifetime, seq FROM balances WHERE member_id = ? AND account = ?", id, account).Scan(&balance, &lifetime, &seq)
	balance, lifetime, seq = balance+amount, lifetime+amount, seq+1
	if errors.Is(err, sql.ErrNoRows) {
		_, err = tx.ExecContext(ctx, "INSERT INTO balances (member_id, account, seq, available, pending, held, lifetime, next_due_at) VALUES (?, ?, ?, ?, 0, 0, ?, ?)",
			id, account, seq, balance, lifetime, expires)
	} else if err == nil {
		_, err = tx.ExecContext(ctx, "UPDATE balances SET seq = ?, available = ?, lifetime = ? WHERE member_id = ? AND account = ?", seq, balance, lifetime, id, account)
	}
	if err != nil {
		return err
	}
	key := fmt.Sprintf("event:%d:rule:%d:%s", event, rule, account)
	hash := sha256.Sum256([]byte(fmt.Sprint(id, account, amount, key)))
	seal := sha256.Sum256([]byte(fmt.Sprint(hash, balance, lifetime, now, expires)))
	res, err := tx.ExecContext(ctx, "INSERT INTO entries (member_id, account, seq, bucket, delta, balance, lifetime, kind, reason, rule_id, rule_version, bonus, event_id, occurred_at, recorded_at, `key`, hash, seal) "+
		"VALUES (?, ?, ?, 'available', ?, ?, ?, 'earn', 'rule.checkin.done', ?, 1, ?, ?, ?, ?, ?, ?, ?)",
		id, account, seq, amount, balance, lifetime, rule, false, event, now, now, key, hex.EncodeToString(hash[:16]), hex.EncodeToString(seal[:16]))
	if err != nil {
		return err
	}
	entry, _ := res.LastInsertId()
	_, err = tx.ExecContext(ctx, "INSERT INTO lots (member_id, account, open, entry_id, amount, remaining, active, expires_at, earned_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		id, account, true, entry, amount, amount, true, expires, now)
	return err
}
