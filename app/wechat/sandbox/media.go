package sandbox

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"time"
)

// mediaLife is how long an uploaded file can be used.
const mediaLife = 3 * 24 * time.Hour

// mediaMax is the size of each type in bytes.
var mediaMax = map[string]int64{"image": 10 << 20, "voice": 2 << 20, "video": 10 << 20, "thumb": 64 << 10}

// file is the part "media" of an upload; or an errcode.
func (c *call) file() ([]byte, int) {
	_, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || params["boundary"] == "" {
		return nil, 41005
	}
	parts := multipart.NewReader(bytes.NewReader(c.body), params["boundary"])
	for {
		p, err := parts.NextPart()
		if err != nil {
			return nil, 41005
		}
		if p.FormName() != "media" {
			continue
		}
		raw, err := io.ReadAll(p)
		if err != nil {
			return nil, 41005
		}
		if len(raw) == 0 {
			return nil, 44002
		}
		return raw, 0
	}
}

// pictureHost is where pictures of articles live.
const pictureHost = "http://mmbiz.qpic.cn/mmbiz/"

// pictureTypes are the first bytes of what WeChat takes as each type; voice and video are not looked into.
var pictureTypes = map[string][]string{
	"image": {"\xff\xd8\xff", "\x89PNG\r\n\x1a\n", "GIF8", "BM"}, "thumb": {"\xff\xd8\xff"}, "picture": {"\xff\xd8\xff", "\x89PNG\r\n\x1a\n"},
}

// checkFile is WeChat's errcode for a file, or 0.
func checkFile(typ string, raw []byte, most int64) int {
	magics, picture := pictureTypes[typ]
	switch {
	case int64(len(raw)) > most && typ == "image":
		return 40009
	case int64(len(raw)) > most:
		return 40006
	case picture && !slices.ContainsFunc(magics, func(m string) bool { return bytes.HasPrefix(raw, []byte(m)) }):
		return 40005
	}
	return 0
}

// picturesKept bounds what the phone's page can show: the newest ones, until the sandbox stops.
const picturesKept = 64

// keepPicture keeps the bytes of an upload for the phone's page.
func (s *Sandbox) keepPicture(id string, raw []byte) {
	if s.pictures == nil {
		s.pictures = map[string][]byte{}
	}
	s.pictures[id] = raw
	s.pictureIDs = append(s.pictureIDs, id)
	if len(s.pictureIDs) > picturesKept {
		delete(s.pictures, s.pictureIDs[0])
		s.pictureIDs = s.pictureIDs[1:]
	}
}

// servePicture shows an upload to the phone's page.
func (s *Sandbox) servePicture(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	raw, ok := s.pictures[r.PathValue("id")]
	s.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Type", http.DetectContentType(raw))
	_, _ = w.Write(raw) // a broken connection is the only way to fail
}

// materialGet gives a permanent file back.
func materialGet(c *call) answer {
	var in struct {
		MediaID string `json:"media_id"`
	}
	if a, ok := c.read(&in); !ok {
		return a
	}
	until, known := c.acct.saved.Media[in.MediaID]
	raw := c.s.pictures[in.MediaID]
	if !known || until != 0 || raw == nil {
		return c.fail(40007)
	}
	return answer{200, http.DetectContentType(raw), raw, 0, ""}
}

func mediaUpload(c *call) answer {
	typ := c.query.Get("type")
	most, known := mediaMax[typ]
	if !known {
		return c.fail(40004)
	}
	raw, code := c.file()
	if code == 0 {
		code = checkFile(typ, raw, most)
	}
	if code != 0 {
		return c.fail(code)
	}
	id := c.keepMedia(c.now.Add(mediaLife).Unix())
	c.s.keepPicture(id, raw)
	key := "media_id"
	if typ == "thumb" {
		key = "thumb_media_id"
	}
	return c.give(map[string]any{"type": typ, key: id, "created_at": c.now.Unix()})
}

func (c *call) keepMedia(until int64) string {
	id := randomText(64, alnum)
	for old, end := range c.acct.saved.Media {
		if end != 0 && end <= c.now.Unix() {
			delete(c.acct.saved.Media, old)
		}
	}
	c.acct.saved.Media[id] = until
	c.s.saveAccount(c.acct)
	return id
}

func mediaUploadImage(c *call) answer {
	raw, code := c.file()
	if code == 0 {
		code = checkFile("picture", raw, 1<<20)
	}
	if code != 0 {
		return c.fail(code)
	}
	id := randomText(40, alnum)
	c.s.keepPicture(id, raw)
	return c.give(map[string]any{"url": pictureHost + id + "/0"})
}

// materialAdd keeps a permanent file.
func materialAdd(c *call) answer {
	typ := c.query.Get("type")
	if _, known := mediaMax[typ]; !known {
		return c.fail(40004)
	}
	raw, code := c.file()
	if code == 0 {
		code = checkFile(typ, raw, mediaMax[typ])
	}
	if code != 0 {
		return c.fail(code)
	}
	id := c.keepMedia(0)
	c.s.keepPicture(id, raw)
	out := map[string]any{"media_id": id}
	if typ == "image" {
		out["url"] = pictureHost + id + "/0"
	}
	return c.give(out)
}
