package audience

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/sheet"
	"github.com/siyu-scrm/siyu/model"
)

// List is the kind of files that make an audience: of one person in each line, by openid, unionid, phone number or member number.
const List = "audience.list"

const (
	maxList   = 1_000_000
	listBatch = 2000 // the set is written once for so many
	column    = "openid"
)

// listOptions come with a file.
type listOptions struct {
	Name string `json:"name"`
}

// Upload makes a frozen audience of the people on a list, once a job has read it. Who is not known, or stood on it before, is reported.
func (s *Service) Upload(ctx context.Context, name, file string, data []byte, actor string) (*model.Import, error) {
	if done, ok, err := db.Done[model.Import](ctx, s.db); ok || err != nil {
		return &done, err
	}
	row := &model.Audience{Name: name}
	if err := checkName(row); err != nil {
		return nil, err
	}
	var n int64
	if err := s.db.Reader(ctx).Model(row).Where("name = ?", row.Name).Count(&n).Error; err != nil {
		return nil, wrap("upload", err)
	}
	if n > 0 { // before the file is kept; the index decides
		return nil, errTaken()
	}
	return s.sheets.Import(ctx, List, file, data, listOptions{row.Name}, actor)
}

// Sheet is what the lines of a list say and do.
func (s *Service) Sheet() sheet.Kind {
	return sheet.Kind{
		Name: List, Required: []string{column}, MaxLines: maxList, Batch: listBatch,
		Columns: map[string][]string{column: {
			"OpenID", "open_id", "unionid", "UnionID", "union_id", "phone", "mobile", "member_no", "手机号", "手机", "电话", "会员号", "会员编号",
		}},
		Label: func(r *sheet.Reader) []string { return []string{member.Mask(r.Text(column))} },
		Read:  s.readListed, Started: s.started, Open: s.openList,
	}
}

// listed is whom a line names.
type listed struct {
	Phone string `json:"phone,omitempty"` // blind index
	ID    string `json:"id,omitempty"`    // openid, unionid or member number
}

var phoneLike = regexp.MustCompile(`^\+?[0-9][0-9 ()-]*$`)

func (s *Service) readListed(r *sheet.Reader) (any, error) {
	text := r.Text(column)
	if phoneLike.MatchString(text) {
		if index, _, _, ok := s.people.SealPhone(text); ok {
			return listed{Phone: index}, nil
		}
	}
	if text == "" || len(text) > 64 {
		r.Fail(column, "audience.list_line")
	}
	return listed{ID: text}, r.Err()
}

// started makes the audience, which nothing uses until the list is read.
func (s *Service) started(tx *gorm.DB, in *model.Import, options model.JSON) error {
	var o listOptions
	if err := options.Into(&o); err != nil {
		return err
	}
	if err := db.Bump(tx, revision); err != nil {
		return err
	}
	return write(tx, &model.Audience{
		Name: o.Name, Condition: model.JSON("{}"), WorkID: in.WorkID, Actor: in.Actor, CreatedAt: in.CreatedAt, UpdatedAt: in.CreatedAt,
	})
}

// openList finds the people of a batch and adds them to the audience, which is frozen with the last of them.
func (s *Service) openList(_ context.Context, tx *gorm.DB, b *sheet.Batch) (sheet.Land, error) {
	var row model.Audience
	err := tx.Where("work_id = (?)", tx.Model(&model.Import{}).Select("work_id").Where("id = ?", b.ImportID)).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, errs.New(errs.NotFound, "audience.not_found")
	}
	if err != nil {
		return nil, wrap("list", err)
	}
	found, err := find(tx, b.Lines)
	if err != nil {
		return nil, wrap("list", err)
	}
	set := roaring.New()
	if len(row.Members) > 0 {
		if _, err := set.ReadFrom(bytes.NewReader(row.Members)); err != nil {
			return nil, fmt.Errorf("audience: members of %d: %w", row.ID, err)
		}
	}
	fresh := make([]bool, len(found))
	for i, id := range found {
		fresh[i] = id != 0 && set.CheckedAdd(uint32(id)) //nolint:gosec // ids fit 32 bits
	}
	now := s.clock.Now()
	row.UpdatedAt = now
	if b.Last {
		row.FrozenAt = &now
	}
	if row.Members, row.Count, err = packed(set); err != nil {
		return nil, err
	}
	err = tx.Model(&row).Select("Members", "Count", "FrozenAt", "UpdatedAt").Updates(&row).Error
	return func(_ context.Context, _ *gorm.DB, i int) (string, error) {
		switch {
		case found[i] == 0:
			return "", errs.Field(column, "audience.list_unknown")
		case fresh[i]:
			return model.LineNew, nil
		}
		return model.LineSame, nil
	}, wrap("list", err)
}

// find says who each line names: 0 for nobody, and for a number that several share.
func find(tx *gorm.DB, lines []model.ImportLine) ([]int64, error) {
	told := make([]listed, len(lines))
	var phones, ids []string
	for i, line := range lines {
		if err := line.Body.Into(&told[i]); err != nil {
			return nil, err
		}
		if t := told[i]; t.Phone != "" {
			phones = append(phones, t.Phone)
		} else if t.ID != "" {
			ids = append(ids, t.ID)
		}
	}
	byPhone, err := member.ByPhones(tx, phones)
	if err != nil {
		return nil, err
	}
	byID := map[string]int64{}
	for _, q := range []*gorm.DB{
		tx.Model(&model.Member{}).Select("no AS name, id").Where("no IN ? AND erased_at IS NULL", ids),
		tx.Model(&model.Identity{}).Select("union_id AS name, member_id AS id").Where("union_id IN ?", ids).Order("id"),
		tx.Model(&model.Identity{}).Select("open_id AS name, member_id AS id").Where("open_id IN ?", ids).Order("id"),
	} {
		var rows []struct {
			Name string
			ID   int64
		}
		if err := q.Scan(&rows).Error; err != nil {
			return nil, err
		}
		for _, r := range rows {
			byID[r.Name] = r.ID
		}
	}
	out := make([]int64, len(lines))
	for i, t := range told {
		if out[i] = byID[t.ID]; t.Phone != "" {
			out[i] = byPhone[t.Phone]
		}
	}
	return out, nil
}
