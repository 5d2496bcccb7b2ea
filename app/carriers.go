package app

import (
	"github.com/siyu-scrm/siyu/app/carrier"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/outward"
	"github.com/siyu-scrm/siyu/app/reach"
)

// guard says where siyu may call addresses that people chose.
func (d *Deps) guard() outward.Guard {
	w := d.Config.Webhook
	return outward.Guard{AllowPrivate: w.AllowPrivate, Allow: w.Prefixes(), AllowHTTP: w.AllowPrivate || !d.Config.Prod()}
}

// carriers are who reaches phone numbers, by channel.
func (d *Deps) carriers() map[string]carrier.Provider {
	all := map[string]carrier.Provider{}
	for channel, c := range map[string]config.Carrier{reach.SMS: d.Config.SMS, reach.Call: d.Config.Call} {
		switch c.Provider {
		case config.ByWebhook:
			key, _ := outward.Key(string(c.Secret)) // Load has checked it
			all[channel] = carrier.NewWebhook(c.URL, key, d.guard())
		case config.ByTencent:
			all[channel] = carrier.NewTencent(carrier.Tencent{
				SecretID: c.SecretID, SecretKey: string(c.SecretKey), AppID: c.AppID, SignName: c.Brand, Region: c.Region, Base: c.BaseURL,
			}, d.guard())
		case config.BySandbox:
			if d.Simulation != nil {
				all[channel] = carrier.Sandbox{Base: d.Simulation.base}
			}
		}
	}
	return all
}
