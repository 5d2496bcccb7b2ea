package wechat

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Push is one message or event from WeChat, verified and decrypted. Fields that its type does not have are zero.
type Push struct {
	Account      string // Account.Name
	ToUserName   string // the account's original id
	FromUserName string // the person's openid; see Person for the events where it is not
	CreateTime   time.Time
	MsgType      string // text, image, event, …
	Event        string // as WeChat spells it: subscribe, SCAN, CLICK, view_miniprogram, …
	EventKey     string
	Ticket       string
	MsgID        string // up to 64 bits; of the message, or of the send that a *FINISH event reports
	Status       string // of a *FINISH event: "success", "send success", "failed:user block", "err(20001)", …

	Content string // of a text
	MenuID  string // bizmsgmenuid: the choice taken in a message menu

	Lat, Lng, Precision float64 // of a location message or a LOCATION event
	Label               string

	MediaID, ThumbMediaID, PicURL, MediaFormat string
	ScanType, ScanResult                       string // of scancode_push and scancode_waitmsg
	SessionFrom                                string // of user_enter_tempsession

	TotalCount, FilterCount, SentCount, ErrorCount int // of MASSSENDJOBFINISH

	Subscriptions []SubscribeResult // of the subscribe_msg_* events

	OpenID, UnionID, RevokeInfo string // of the authorisation events: the person whom they concern
	TraceID, Suggest            string // of wxa_media_check

	Format           string // FormatXML or FormatJSON: how the reply must be written
	Raw              []byte // the decrypted body
	Safe             bool   // came encrypted; the reply is encrypted too
	Timestamp, Nonce string // of the signed URL
}

// SubscribeResult is one template in a subscribe_msg_* event.
type SubscribeResult struct {
	TemplateID  string
	Status      string // accept or reject
	Scene       string // PopupScene: 0 a mini-program page, 1 a web page, 2 an article
	MsgID       string
	ErrorCode   int
	ErrorStatus string
}

// Person is the openid of the person whom the push concerns: the payload's in the authorisation events, where the platform
// itself is the sender (FACTS 2.6), the sender's in every other.
func (p *Push) Person() string {
	if p.MsgType == "event" && (p.Event == "user_info_modified" || strings.HasPrefix(p.Event, "user_authorization_")) {
		return p.OpenID
	}
	return p.FromUserName
}

// Scene is the scene of the QR code through which the person came, for subscribe and SCAN; "" without one.
func (p *Push) Scene() string {
	switch {
	case p.MsgType != "event":
		return ""
	case p.Event == "subscribe":
		scene, found := strings.CutPrefix(p.EventKey, "qrscene_") // once: a scene may begin like that itself
		if !found {
			return ""
		}
		return scene
	case p.Event == "SCAN":
		return p.EventKey
	}
	return ""
}

var msgIDRule = regexp.MustCompile(`^[0-9]{1,20}$`)

// Key tells a retry from a new push (FACTS 2.4): a message by its MsgId, a *FINISH event by the send that it reports, another event by
// everything in it that WeChat repeats unchanged. At most 120 bytes; it begins with the account.
func (p *Push) Key() string {
	plainID := msgIDRule.MatchString(p.MsgID)
	switch {
	case plainID && p.MsgType != "event":
		return p.Account + "/msg/" + p.MsgID
	case plainID && strings.HasSuffix(p.Event, "FINISH") && len(p.Event) <= 32:
		return p.Account + "/" + p.Event + "/" + p.MsgID
	}
	parts := []string{
		p.FromUserName, strconv.FormatInt(p.CreateTime.Unix(), 10), p.MsgType, p.Event, p.EventKey, p.MsgID, p.Ticket,
		p.Content, p.MediaID, p.OpenID, p.RevokeInfo, p.TraceID, p.ScanResult,
	}
	results := slices.Clone(p.Subscriptions)
	slices.SortFunc(results, func(a, b SubscribeResult) int { return strings.Compare(a.TemplateID+a.Status, b.TemplateID+b.Status) })
	for _, r := range results {
		parts = append(parts, r.TemplateID, r.Status, r.Scene, r.MsgID, strconv.Itoa(r.ErrorCode))
	}
	sum := sha256.New()
	for _, part := range parts {
		sum.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	return p.Account + "/event/" + hex.EncodeToString(sum.Sum(nil)[:20])
}

// read fills the push from its body. Real payloads hold numbers as strings and rubbish in nested fields: what a field cannot hold is zero.
func (p *Push) read(root *node) {
	p.ToUserName, p.FromUserName = root.word("ToUserName"), root.word("FromUserName")
	p.CreateTime = root.time("CreateTime")
	p.MsgType, p.Event = root.word("MsgType"), root.word("Event")
	p.EventKey, p.Ticket = root.get("EventKey"), root.word("Ticket")
	p.MsgID, p.Status = root.word("MsgId", "MsgID", "msgid"), root.get("Status")
	p.Content, p.MenuID = root.get("Content"), root.word("bizmsgmenuid")
	p.Lat, p.Lng = root.float("Latitude", "Location_X"), root.float("Longitude", "Location_Y")
	p.Precision, p.Label = root.float("Precision"), root.get("Label")
	p.MediaID, p.ThumbMediaID = root.word("MediaId"), root.word("ThumbMediaId")
	p.PicURL, p.MediaFormat = root.word("PicUrl"), root.word("Format")
	p.SessionFrom = root.get("SessionFrom")
	p.TotalCount, p.FilterCount = root.int("TotalCount"), root.int("FilterCount")
	p.SentCount, p.ErrorCount = root.int("SentCount"), root.int("ErrorCount")
	p.OpenID, p.UnionID = root.word("OpenID", "openid", "OpenId"), root.word("UnionID", "unionid", "UnionId")
	p.RevokeInfo, p.TraceID = root.word("RevokeInfo"), root.word("trace_id")
	if scan := root.child("ScanCodeInfo"); scan != nil {
		p.ScanType, p.ScanResult = scan.word("ScanType"), scan.get("ScanResult")
	}
	if result := root.child("result"); result != nil {
		p.Suggest = result.word("suggest")
	}
	p.Subscriptions = subscriptions(root)
}

// subscriptions collects the List elements, which stand in a wrapper in XML and often bare in JSON, alone or several.
func subscriptions(root *node) []SubscribeResult {
	var found []SubscribeResult
	for _, kid := range root.kids {
		if strings.HasPrefix(kid.name, "SubscribeMsg") {
			found = append(found, subscriptions(kid)...)
		}
		if id := kid.word("TemplateId"); kid.name == "List" && id != "" {
			found = append(found, SubscribeResult{
				TemplateID: id, Status: kid.word("SubscribeStatusString"), Scene: kid.word("PopupScene"),
				MsgID: kid.word("MsgID", "MsgId"), ErrorCode: kid.int("ErrorCode"), ErrorStatus: kid.get("ErrorStatus"),
			})
		}
	}
	return found
}

func (n *node) word(names ...string) string { return strings.TrimSpace(n.get(names...)) }

func (n *node) int(names ...string) int {
	v, err := strconv.ParseInt(n.word(names...), 10, 32)
	if err != nil {
		return 0
	}
	return int(v)
}

func (n *node) float(names ...string) float64 {
	v, err := strconv.ParseFloat(n.word(names...), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}

// time is an instant in Unix seconds, within the years that databases hold.
func (n *node) time(name string) time.Time {
	v, err := strconv.ParseInt(n.word(name), 10, 64)
	if err != nil || v <= 0 || v > 253402300799 {
		return time.Time{}
	}
	return time.Unix(v, 0).UTC()
}
