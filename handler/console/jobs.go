package console

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/automation"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/job"
)

type jobsView struct {
	Frame
	Rows []automation.Line
}

// jobs is everything that siyu does by itself: when each did something last, what came of it, and when it will next.
func (con *Console) jobs(c *gin.Context) error {
	rows, err := automation.Lines(c.Request.Context(), con.app.DB, job.Schedule(con.app))
	if err != nil {
		return err
	}
	web.Page(c, http.StatusOK, "console/jobs", jobsView{Frame: con.frame(c, "jobs"), Rows: rows})
	return nil
}
