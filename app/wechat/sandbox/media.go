package sandbox

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"time"
)

// mediaLife is how long an uploaded file can be used.
const mediaLife = 3 * 24 * time.Hour

// mediaMax is the size of each type in bytes.
var mediaMax = map[string]int64{"image": 10 << 20, "voice": 2 << 20, "video": 10 << 20, "thumb": 64 << 10}

// file is the size of the part "media" of an upload; or an errcode. Its content is not kept.
func (c *call) file() (int64, int) {
	_, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || params["boundary"] == "" {
		return 0, 41005
	}
	parts := multipart.NewReader(bytes.NewReader(c.body), params["boundary"])
	for {
		p, err := parts.NextPart()
		if err != nil {
			return 0, 41005
		}
		if p.FormName() != "media" {
			continue
		}
		n, err := io.Copy(io.Discard, p)
		if err != nil {
			return 0, 41005
		}
		if n == 0 {
			return 0, 44002
		}
		return n, 0
	}
}

func mediaUpload(c *call) answer {
	typ := c.query.Get("type")
	most, known := mediaMax[typ]
	if !known {
		return c.fail(40004)
	}
	n, code := c.file()
	if code != 0 {
		return c.fail(code)
	}
	if n > most {
		return c.fail(40006)
	}
	id := c.keepMedia(c.now.Add(mediaLife).Unix())
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
	n, code := c.file()
	if code != 0 {
		return c.fail(code)
	}
	if n > 1<<20 {
		return c.fail(40006)
	}
	return c.give(map[string]any{"url": "http://mmbiz.qpic.cn/mmbiz/" + randomText(40, alnum) + "/0"})
}

// materialAdd keeps a permanent file.
func materialAdd(c *call) answer {
	typ := c.query.Get("type")
	if _, known := mediaMax[typ]; !known {
		return c.fail(40004)
	}
	n, code := c.file()
	if code != 0 {
		return c.fail(code)
	}
	if n > mediaMax[typ] {
		return c.fail(40006)
	}
	out := map[string]any{"media_id": c.keepMedia(0)}
	if typ == "image" {
		out["url"] = "http://mmbiz.qpic.cn/mmbiz/" + randomText(40, alnum) + "/0"
	}
	return c.give(out)
}
