package automation

import (
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Followers does what follows a follow, after its transaction: ask for the unionid.
type Followers struct{ Members *member.Service }

// Register adds the handlers to the outbox.
func (f *Followers) Register(l *event.Log) {
	l.Later(model.EventFollowed, f.Members.AskUnionID)
}
