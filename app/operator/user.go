package operator

import (
	"context"
	"fmt"
	"regexp"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// NewUser is an operator with a password that is shown once and that he has to change when he signs in.
type NewUser struct {
	model.Operator
	Password string
}

var login = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{1,63}$`)

// CreateUser makes an operator. A taken login is errs.Conflict, a role above the caller's own rights errs.Forbidden.
func (s *Service) CreateUser(ctx context.Context, by Caller, name string, role Role) (*NewUser, error) {
	switch {
	case !login.MatchString(name):
		return nil, errs.Field("login", "operator.login_form")
	case !role.Known():
		return nil, errs.Field("role", "operator.role", "role", string(role))
	}
	if err := by.covers(role.Rights()); err != nil {
		return nil, err
	}
	return s.withPassword(ctx, by, "operator.create", func(tx *gorm.DB, hash string) (*model.Operator, any, error) {
		row := &model.Operator{Login: name, PasswordHash: hash, Role: string(role), MustChange: true, CreatedAt: s.clock.Now()}
		dup, err := db.Insert(tx, row)
		if err == nil && dup {
			err = errs.New(errs.Conflict, "operator.name_taken", "field", "login", "name", name)
		}
		return row, nil, err
	})
}

// ResetPassword gives an operator a password that is shown once, and signs him out everywhere.
func (s *Service) ResetPassword(ctx context.Context, by Caller, id int64) (*NewUser, error) {
	return s.withPassword(ctx, by, "operator.reset_password", func(tx *gorm.DB, hash string) (*model.Operator, any, error) {
		row, err := s.userTx(tx, by, id)
		if err != nil {
			return nil, nil, err
		}
		before := UserFacts(row)
		row.PasswordHash, row.MustChange = hash, true
		if err := endSessions(tx, id, ""); err != nil {
			return nil, nil, err
		}
		return row, before, tx.Save(row).Error
	})
}

// withPassword makes a password and lets save store its hash, with its audit line.
func (s *Service) withPassword(ctx context.Context, by Caller, action string, save func(tx *gorm.DB, hash string) (*model.Operator, any, error)) (*NewUser, error) {
	password := readable()
	hash, err := s.hash(ctx, password)
	if err != nil {
		return nil, err
	}
	m, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (m made, err error) {
		row, before, err := save(tx, hash)
		if err != nil {
			return m, err
		}
		m = made{ID: row.ID, Sealed: s.box.Seal("password", []byte(password))}
		return m, s.AuditTx(tx, by.Name, action, userObject(row.ID), before, UserFacts(row))
	})
	if err != nil {
		return nil, err
	}
	first, err := s.box.Open("password", m.Sealed)
	if err != nil {
		return nil, err
	}
	row, err := s.User(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	return &NewUser{Operator: *row, Password: string(first)}, nil
}

// UserChange is what to change of an operator; nil stays.
type UserChange struct {
	Role     *Role
	Disabled *bool
}

// ChangeUser gives an operator another role or lets him in no more, and signs him out everywhere. The last owner who can sign in stays.
func (s *Service) ChangeUser(ctx context.Context, by Caller, id int64, c UserChange) (*model.Operator, error) {
	if c.Role != nil && !c.Role.Known() {
		return nil, errs.Field("role", "operator.role", "role", string(*c.Role))
	}
	row, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (row model.Operator, err error) {
		if err := db.Bump(tx, "operators"); err != nil { // one after another: two owners cannot remove each other
			return row, err
		}
		u, err := s.userTx(tx, by, id)
		if err != nil {
			return row, err
		}
		before := UserFacts(u)
		if err := s.apply(u, by, c); err != nil {
			return row, err
		}
		if err := tx.Save(u).Error; err != nil {
			return row, fmt.Errorf("operator: change user: %w", err)
		}
		if before["role"] == string(RoleOwner) && before["disabled"] == false {
			if err := ownerLeft(tx); err != nil {
				return row, err
			}
		}
		if err := endSessions(tx, id, ""); err != nil {
			return row, err
		}
		return *u, s.AuditTx(tx, by.Name, "operator.update", userObject(id), before, UserFacts(u))
	})
	return &row, err
}

func (s *Service) apply(u *model.Operator, by Caller, c UserChange) error {
	if c.Role != nil {
		if err := by.covers(c.Role.Rights()); err != nil {
			return err
		}
		u.Role = string(*c.Role)
	}
	switch {
	case c.Disabled == nil:
	case !*c.Disabled:
		u.DisabledAt = nil
	case u.DisabledAt == nil:
		now := s.clock.Now()
		u.DisabledAt = &now
	}
	return nil
}

func ownerLeft(tx *gorm.DB) error {
	var owners int64
	if err := tx.Model(&model.Operator{}).Where("role = ? AND disabled_at IS NULL", RoleOwner).Count(&owners).Error; err != nil {
		return fmt.Errorf("operator: count owners: %w", err)
	}
	if owners == 0 {
		return errs.New(errs.Conflict, "operator.last_owner")
	}
	return nil
}

// userTx is the operator whom the caller wants to change; errs.Forbidden for one who holds more than he.
func (s *Service) userTx(tx *gorm.DB, by Caller, id int64) (*model.Operator, error) {
	u, err := first[model.Operator](tx.Where("id = ?", id), errs.NotFound, "operator.user_missing")
	if err != nil {
		return nil, err
	}
	return u, by.covers(Role(u.Role).Rights())
}

// Of passwords that people choose, in characters.
const (
	passwordLeast = 10
	passwordMost  = 128
)

// ChangePassword lets an operator choose his own, and signs him out everywhere but here. A wrong old one counts as an attempt to log in.
func (s *Service) ChangePassword(ctx context.Context, id int64, session, old, chosen string) error {
	if n := utf8.RuneCountInString(chosen); n < passwordLeast || n > passwordMost {
		return errs.Field("password", "operator.password_length", "least", passwordLeast, "most", passwordMost)
	}
	if chosen == old {
		return errs.Field("password", "operator.password_same")
	}
	if err := s.attempt(fmt.Sprintf("password|%d", id)); err != nil {
		return err
	}
	u, err := s.User(ctx, id)
	if err != nil {
		return err
	}
	switch same, err := s.verify(ctx, old, u.PasswordHash); {
	case err != nil:
		return err
	case !same:
		return errs.Field("old", "operator.password_wrong")
	}
	hash, err := s.hash(ctx, chosen)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		res := tx.Model(&model.Operator{}).Where("id = ? AND password_hash = ?", id, u.PasswordHash).
			Updates(map[string]any{"password_hash": hash, "must_change": false})
		if res.Error == nil && res.RowsAffected == 0 { // reset meanwhile: his sessions are over
			return errs.New(errs.Unauthorized, "web.unauthorized")
		}
		if res.Error != nil {
			return fmt.Errorf("operator: change password: %w", res.Error)
		}
		if err := endSessions(tx, id, session); err != nil {
			return err
		}
		return s.AuditTx(tx, userObject(id), "operator.own_password", userObject(id), UserFacts(u), map[string]any{"password": "changed"})
	})
}

// User is an operator; errs.NotFound if there is none.
func (s *Service) User(ctx context.Context, id int64) (*model.Operator, error) {
	return first[model.Operator](s.db.Reader(ctx).Where("id = ?", id), errs.NotFound, "operator.user_missing")
}

// Users lists the operators by id.
func (s *Service) Users(ctx context.Context) (rows []model.Operator, err error) {
	if err := s.db.Reader(ctx).Order("id").Limit(1000).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("operator: list users: %w", err)
	}
	return rows, nil
}

// UserFacts are what the audit log says of an operator.
func UserFacts(u *model.Operator) map[string]any {
	return map[string]any{"login": u.Login, "role": u.Role, "disabled": u.DisabledAt != nil, "must_change": u.MustChange, "two_step": u.TwoStep()}
}

func userObject(id int64) string { return fmt.Sprintf("operator:%d", id) }
