package app

import (
	"context"

	"github.com/siyu-scrm/siyu/app/sop"
)

// SOPTemplates are the SOPs to begin with, in a language: those of the value pyramid's layers where there is one.
func (a *App) SOPTemplates(ctx context.Context, lang string) ([]sop.Template, error) {
	layers, err := a.Tags.PyramidLayers(ctx, lang)
	if err != nil {
		return nil, err
	}
	own := make([]sop.Layer, len(layers))
	for i, l := range layers {
		own[i] = sop.Layer{Name: l.Name, TagID: l.TagID}
	}
	return a.SOPs.Templates(ctx, lang, own), nil
}
