// Package model holds the rows: one file per aggregate, with enums and pure rules on one row. No queries.
// Each table is written by one package, named in its struct's comment.
package model

// All lists a value of every row type; migrations are proved equal to it.
func All() []any {
	return []any{
		&IdempotencyKey{}, &Revision{},
		&Operator{}, &Session{}, &APIKey{}, &Audit{}, &Job{}, &Secret{},
		&Event{}, &Outbox{},
		&Member{}, &Identity{}, &Union{}, &Merge{}, &MergeChange{}, &Former{}, &Position{},
		&Account{}, &Balance{}, &Lot{}, &Entry{}, &LotMove{},
		&TagGroup{}, &Tag{}, &TagHold{}, &TagChange{}, &AutoTag{}, &TagFlip{},
		&PointRule{}, &PointRuleVersion{}, &RuleUse{},
		&ChannelCode{}, &ChannelVisit{}, &Checkin{}, &CheckinSettings{}, &Reminder{}, &Quiz{}, &QuizOption{}, &QuizAnswer{},
		&FollowerSync{}, &LinkCode{},
		&CommunityGroup{}, &GroupMember{}, &GroupDay{}, &Interaction{}, &GroupGuess{},
		&Task{}, &TaskClaim{}, &GrantRead{},
		&Article{}, &ArticleRead{}, &ReadingClock{}, &LiveSession{}, &LiveVisit{}, &LiveView{},
		&Run{}, &Range{}, &Delivery{}, &Batch{}, &MassResult{}, &Receipt{}, &Allowance{}, &Acceptance{}, &ReachUse{},
		&WebhookEndpoint{}, &WebhookDelivery{}, &WebhookAttempt{},
		&Broadcast{}, &Inbox{},
		&Media{}, &MediaUse{}, &MediaCopy{}, &Reply{}, &ReplySend{}, &Menu{}, &MenuState{}, &TagMirror{}, &TagMirrorWork{},
	}
}
