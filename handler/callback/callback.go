// Package callback is the door for WeChat's pushes: GET and POST /wechat/{account}.
package callback

import (
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/inbox"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/handler/web"
)

const (
	bodyLimit = 256 << 10       // one byte more is read, so that app/wechat sees what is too large
	bodyTime  = 5 * time.Second // WeChat does not wait longer
	plainText = "text/plain; charset=utf-8"
)

type handler struct{ inbox *inbox.Service }

// Routes registers the callback address of every account.
func Routes(s *web.Server, in *inbox.Service) {
	h := &handler{in}
	s.Engine.GET("/wechat/:account", h.verify)
	s.Engine.POST("/wechat/:account", h.receive)
}

// verify answers WeChat's check of the address.
func (h *handler) verify(c *gin.Context) {
	echo, err := h.inbox.Verify(c.Param("account"), c.Request.URL.Query())
	if err != nil {
		refuse(c, err)
		return
	}
	c.Data(http.StatusOK, plainText, []byte(echo))
}

// receive answers 200 only for a push that is stored.
func (h *handler) receive(c *gin.Context) {
	body, err := read(c)
	if err != nil {
		refuse(c, err)
		return
	}
	a, err := h.inbox.Receive(c.Request.Context(), c.Param("account"), c.Request.URL.Query(), body)
	if err != nil {
		refuse(c, err)
		return
	}
	c.Data(http.StatusOK, a.ContentType, a.Body)
}

func read(c *gin.Context) ([]byte, error) {
	control := http.NewResponseController(c.Writer)
	_ = control.SetReadDeadline(clock.Real().Add(bodyTime)) // a recorder in tests has none
	body, err := io.ReadAll(io.LimitReader(c.Request.Body, bodyLimit+1))
	_ = control.SetReadDeadline(time.Time{})
	if err != nil { // cut off, or too slow
		return nil, errs.New(errs.Malformed, "callback.malformed", "reason", "the body did not arrive")
	}
	return body, nil
}

// refuse answers a 4xx for what is wrong with the push, and 503 for what is wrong with us: WeChat comes again then.
func refuse(c *gin.Context, err error) {
	status := web.Status(err)
	attrs := []any{"account", c.Param("account"), "reason", wechat.Reason(err), "ip", c.ClientIP()}
	if status >= http.StatusInternalServerError {
		status = http.StatusServiceUnavailable
		slog.ErrorContext(c.Request.Context(), "push not stored", append(attrs, "error", err)...)
	} else {
		slog.WarnContext(c.Request.Context(), "push refused", attrs...)
	}
	c.Data(status, plainText, []byte(http.StatusText(status)))
}
