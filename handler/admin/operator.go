package admin

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Operator is a console user.
type Operator struct {
	ID         web.ID    `json:"id"`
	Login      string    `json:"login" example:"xiaomei"`
	Role       string    `json:"role" example:"operator" doc:"owner, manager, operator, analyst or support"`
	MustChange bool      `json:"must_change" doc:"He has not chosen a password of his own yet"`
	TwoStep    bool      `json:"two_step" doc:"A code of his authenticator is asked for after the password"`
	DisabledAt *web.Time `json:"disabled_at" doc:"null: he may sign in"`
	CreatedAt  web.Time  `json:"created_at"`
}

func operatorView(o model.Operator) Operator {
	return Operator{web.IDOf(o.ID), o.Login, o.Role, o.MustChange, o.TwoStep(), web.AtPtr(o.DisabledAt), web.At(o.CreatedAt)}
}

// NewOperator is an operator with his first password.
type NewOperator struct {
	Operator
	Password string `json:"password" doc:"Shown once; he has to change it when he signs in"`
}

type operatorIn struct {
	Body struct {
		Login string `json:"login" minLength:"2" maxLength:"64" example:"xiaomei" doc:"Small letters, digits and . _ @ -"`
		Role  string `json:"role" enum:"owner,manager,operator,analyst,support" example:"operator"`
	}
}

type operatorPut struct {
	ID   web.ID `path:"id"`
	Body struct {
		Role     *operator.Role `json:"role,omitempty" enum:"owner,manager,operator,analyst,support"`
		Disabled *bool          `json:"disabled,omitempty" doc:"true: he may not sign in"`
	}
}

func (h *handler) operators(api *web.API) {
	web.Read(api, op(operator.Operators, http.MethodGet, "/operators", "The console users"), h.getOperators)
	o := post(operator.Operators, "/operators", "Make a console user with a password that is shown once", http.StatusConflict)
	web.Write(api, o, h.postOperator)
	o = op(operator.Operators, http.MethodPut, "/operators/{id}", "Change a role, or whether he may sign in", http.StatusNotFound, http.StatusConflict)
	o.Description = "It ends his sessions. The last owner stays."
	web.Write(api, example(o, map[string]any{"role": "owner"}), h.putOperator)
	o = op(operator.Operators, http.MethodPost, "/operators/{id}/password", "Give him a new password that is shown once", http.StatusNotFound)
	o.Description = "It ends his sessions."
	web.Write(api, o, h.resetPassword)
	o = op(operator.Operators, http.MethodPost, "/operators/{id}/two-step/reset", "Take the second step from one who lost his authenticator", http.StatusNotFound)
	o.Description = "It ends his sessions. The password alone opens until he turns it on again."
	web.Write(api, o, h.resetTwoStep)
}

func (h *handler) getOperators(ctx context.Context, _ *web.None) (*web.Out[web.List[Operator]], error) {
	rows, err := h.Operators.Users(ctx)
	return listed(rows, operatorView), err
}

func (h *handler) postOperator(ctx context.Context, in *operatorIn) (*web.Out[NewOperator], error) {
	u, err := h.Operators.CreateUser(ctx, web.Caller(ctx), in.Body.Login, operator.Role(in.Body.Role))
	return newOperator(u, err)
}

func (h *handler) putOperator(ctx context.Context, in *operatorPut) (*web.Out[Operator], error) {
	u, err := h.Operators.ChangeUser(ctx, web.Caller(ctx), in.ID.Int(), operator.UserChange{Role: in.Body.Role, Disabled: in.Body.Disabled})
	if err != nil {
		return nil, err
	}
	return &web.Out[Operator]{Body: operatorView(*u)}, nil
}

func (h *handler) resetPassword(ctx context.Context, in *byID) (*web.Out[NewOperator], error) {
	u, err := h.Operators.ResetPassword(ctx, web.Caller(ctx), in.ID.Int())
	return newOperator(u, err)
}

func (h *handler) resetTwoStep(ctx context.Context, in *byID) (*web.Out[Operator], error) {
	u, err := h.Operators.ResetCodes(ctx, web.Caller(ctx), in.ID.Int())
	if err != nil {
		return nil, err
	}
	return &web.Out[Operator]{Body: operatorView(*u)}, nil
}

func newOperator(u *operator.NewUser, err error) (*web.Out[NewOperator], error) {
	if err != nil {
		return nil, err
	}
	return &web.Out[NewOperator]{Body: NewOperator{operatorView(u.Operator), u.Password}}, nil
}
