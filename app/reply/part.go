package reply

import (
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Part says what becomes of messages that wait: they belong to the openid, wherever that goes.
func (s *Service) Part() member.Part {
	return member.Part{Name: "reply", Tables: []member.Table{{
		Row: &model.ReplySend{}, By: member.ByIdentity, Undo: member.Own, Export: []string{"source", "state", "created_at"}, Erase: member.Delete,
	}}}
}
