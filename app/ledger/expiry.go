package ledger

import (
	"time"

	"github.com/siyu-scrm/siyu/model"
)

// earned is the lot of what is earned at t by the account's policy of now.
func (b *Book) earned(a model.Account, t time.Time) model.Lot {
	l := model.Lot{Active: true, EarnedAt: t}
	switch a.Expiry {
	case model.ExpirySlidingDays:
		l.SlideDays = a.ExpiryCount
	case model.ExpirySlidingMonths:
		l.SlideMonths = a.ExpiryCount
	}
	l.ExpiresAt = b.expiry(a, t)
	return l
}

// expiry is when what was earned at t expires by the account's policy: at the end of a day in the programme's zone. nil = never.
func (b *Book) expiry(a model.Account, t time.Time) *time.Time {
	day := b.zone.DayOf(t)
	d := day.Time()
	month := func(year int, m time.Month) time.Time { // the last day of it
		return time.Date(year, m+1, 0, 0, 0, 0, 0, time.UTC)
	}
	switch a.Expiry {
	case model.ExpiryDays, model.ExpirySlidingDays:
		return b.after(day, 0, a.ExpiryCount)
	case model.ExpiryMonths, model.ExpirySlidingMonths:
		return b.after(day, a.ExpiryCount, 0)
	case model.ExpiryMonthEnd:
		return b.end(month(d.Year(), d.Month()))
	case model.ExpiryQuarterEnd:
		return b.end(month(d.Year(), (d.Month()-1)/3*3+3))
	case model.ExpiryYearEnd:
		return b.end(month(d.Year(), time.December))
	case model.ExpiryNextYearEnd:
		return b.end(month(d.Year()+1, time.December))
	case model.ExpiryDate:
		on := a.ExpiryOn.Time()
		for years := 0; ; years++ {
			if until := b.after(model.DayOf(on), 12*years, 0); until.After(t) {
				return until
			}
		}
	}
	return nil
}

// after is the end of the day that is so many calendar months (the last day of a shorter month) and days after the day. 3 months after
// 2026-11-30 is the end of 2027-02-28: 2027-03-01 00:00:00.
func (b *Book) after(day model.Day, months, days int) *time.Time {
	d := day.Time()
	last := time.Date(d.Year(), d.Month()+time.Month(months)+1, 0, 0, 0, 0, 0, time.UTC)
	return b.end(last.AddDate(0, 0, min(d.Day(), last.Day())-last.Day()+days))
}

func (b *Book) end(day time.Time) *time.Time {
	t := b.zone.End(model.DayOf(day))
	return &t
}

// acts reports whether a line is an activity that puts the expiry of sliding lots off.
func acts(e *model.Entry) bool {
	switch e.Kind {
	case model.EntryEarn, model.EntryHold, model.EntryConvert:
		return e.Bucket != model.BucketHeld
	case model.EntrySpend:
		return e.Bucket == model.BucketAvailable
	}
	return false
}

// slid is when the lot expires after an activity at t: never earlier than before.
func (b *Book) slid(l *model.Lot, t time.Time) *time.Time {
	if until := b.after(b.zone.DayOf(t), l.SlideMonths, l.SlideDays); until.After(*l.ExpiresAt) {
		return until
	}
	return l.ExpiresAt
}

// act adds a line that is an activity in the account: whatever of its lots slides and is not empty then, slides.
func (b *Book) act(p *page, s *sheet, a model.Account, e model.Entry, moves []model.LotMove, made ...*model.Lot) (*line, error) {
	l, err := p.add(s, e, moves, made...)
	if err != nil || !a.Slides || !acts(&l.entry) {
		return l, err
	}
	for _, o := range s.lots {
		if o.Sliding() && o.Remaining > 0 {
			o.ExpiresAt = b.slid(&o.Lot, e.OccurredAt)
		}
	}
	return l, nil
}

// heir is a lot that goes on as l, elsewhere.
func heir(l *model.Lot) model.Lot {
	return model.Lot{
		OriginID: root(l), ActivatesAt: l.ActivatesAt, Active: l.Active, ExpiresAt: l.ExpiresAt, EarnedAt: l.EarnedAt,
		SlideDays: l.SlideDays, SlideMonths: l.SlideMonths,
	}
}

// born is when the lot was to expire as it was made.
func born(l *model.Lot) *time.Time {
	if l.Sliding() {
		return l.BornUntil
	}
	return l.ExpiresAt
}
