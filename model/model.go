// Package model holds the rows: one file per aggregate, with enums and pure rules on one row. No queries.
// Each table is written by one package, named in its struct's comment.
package model

// All lists a value of every row type; migrations are proved equal to it.
func All() []any {
	return []any{
		&IdempotencyKey{}, &Revision{},
		&Operator{}, &RecoveryCode{}, &Session{}, &APIKey{}, &Audit{}, &Job{}, &Work{}, &Secret{}, &BoardDay{},
		&Event{}, &Outbox{},
		&Member{}, &Identity{}, &Union{}, &Merge{}, &MergeChange{}, &MemberChange{}, &Former{}, &Position{}, &BirthdayUse{},
		&Account{}, &Balance{}, &Lot{}, &Entry{}, &LotMove{}, &LiabilityDay{}, &LiabilityMark{}, &Hold{}, &GrantRequest{}, &ConversionRule{}, &Conversion{}, &DeductionSettings{},
		&TagGroup{}, &Tag{}, &TagHold{}, &TagChange{}, &AutoTag{}, &TagFlip{}, &TagLadder{},
		&PointRule{}, &PointRuleVersion{}, &RuleUse{}, &CapSet{}, &RuleBudget{}, &RewardSetting{}, &RuleGrant{},
		&Coupon{}, &MemberCoupon{}, &Tier{}, &TierSettings{}, &MemberTier{}, &TierGift{}, &TierHold{}, &MallItem{}, &Redemption{},
		&ChannelCode{}, &ChannelVisit{}, &Checkin{}, &CheckinSettings{}, &Reminder{}, &Gift{}, &GiftRun{}, &Quiz{}, &QuizOption{}, &QuizAnswer{},
		&Form{}, &FormQuestion{}, &FormOption{}, &FormAnswer{}, &FormChoice{},
		&FollowerSync{}, &LinkCode{},
		&CommunityGroup{}, &GroupMember{}, &GroupDay{}, &Interaction{}, &GroupGuess{},
		&Task{}, &TaskClaim{}, &GrantRead{},
		&Article{}, &ArticleRead{}, &ReadingClock{}, &LiveSession{}, &LiveVisit{}, &LiveView{},
		&RadarLink{}, &RadarSend{}, &RadarShare{}, &RadarVisitor{}, &RadarView{}, &RadarReader{},
		&Run{}, &Range{}, &Delivery{}, &Batch{}, &MassResult{}, &Receipt{}, &Allowance{}, &Acceptance{}, &ReachUse{}, &InboxMessage{}, &ReachCap{}, &ReachSettings{}, &OnceSend{}, &RunReserve{}, &RunHeld{}, &PathUse{},
		&WebhookEndpoint{}, &WebhookDelivery{}, &WebhookAttempt{},
		&Audience{}, &Broadcast{}, &Inbox{}, &Risk{},
		&Order{}, &OrderItem{}, &OrderRefund{}, &OrderClaim{}, &OrderSettings{}, &Import{}, &ImportLine{}, &Customer{}, &Consent{}, &Recall{}, &RecallPerson{},
		&SOP{}, &SOPVersion{}, &SOPEnrolment{}, &SOPFiring{}, &SOPPass{},
		&Media{}, &MediaUse{}, &MediaCopy{}, &Reply{}, &ReplySend{}, &Menu{}, &MenuState{}, &TagMirror{}, &TagMirrorWork{},
	}
}
