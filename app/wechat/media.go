package wechat

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"

	"github.com/siyu-scrm/siyu/app/errs"
)

const (
	pathMediaUpload  = "/cgi-bin/media/upload"
	pathMediaPicture = "/cgi-bin/media/uploadimg"
)

// UploadImage gives WeChat a picture for three days and returns its media id: for image messages and for cards.
func (c *Client) UploadImage(ctx context.Context, account, filename string, data []byte) (mediaID string, err error) {
	return c.uploadFile(ctx, account, pathMediaUpload, url.Values{"type": {"image"}}, filename, data, "media_id")
}

// UploadPicture gives an official account's picture server a JPEG or PNG, for good, and returns its address: for articles.
func (c *Client) UploadPicture(ctx context.Context, account, filename string, data []byte) (address string, err error) {
	return c.uploadFile(ctx, account, pathMediaPicture, nil, filename, data, "url")
}

func (c *Client) uploadFile(ctx context.Context, account, path string, query url.Values, filename string, data []byte, field string) (string, error) {
	h, err := c.holder(account)
	if err != nil {
		return "", err
	}
	if len(data) == 0 {
		return "", errs.Field("media", "wechat.field_invalid")
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile("media", filename)
	if err == nil {
		_, err = part.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return "", fmt.Errorf("wechat: multipart: %w", err)
	}
	body, err := c.call(ctx, h, request{
		method: http.MethodPost, host: hostAPI, path: path, query: query, body: b.Bytes(), contentType: w.FormDataContentType(),
	})
	if err != nil {
		return "", err
	}
	var answer map[string]json.RawMessage
	var value string
	if json.Unmarshal(body, &answer) != nil || json.Unmarshal(answer[field], &value) != nil || value == "" {
		return "", notUnderstood(path)
	}
	return value, nil
}

// SendImage sends a picture as a customer message. It needs a media id.
func (c *Client) SendImage(ctx context.Context, account, openid, mediaID string) error {
	if mediaID == "" {
		return errs.Field("image", "wechat.field_invalid")
	}
	return c.custom(ctx, account, openid, append(appendFields([]byte(`"image","image":{`), "media_id", mediaID), '}'))
}
