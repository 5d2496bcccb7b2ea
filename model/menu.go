package model

import "time"

// Menu is what stands below the chat of an official account: the menu for everyone, or one for who holds a tag. What followers see is
// what was published last. Written by app/menu.
type Menu struct {
	ID        int64     `gorm:"primaryKey"`
	Account   string    `gorm:"size:32;not null;uniqueIndex:uq_menu,priority:1"`
	TagID     int64     `gorm:"not null;uniqueIndex:uq_menu,priority:2"` // 0 = for everyone
	Position  int       `gorm:"not null"`                                // of those whose tag a person holds, the lowest
	Buttons   JSON      `gorm:"not null"`                                // WeChat's own form
	UpdatedAt time.Time `gorm:"not null;precision:6;autoUpdateTime:false"`
}

// MenuState is what an account shows. Written by app/menu.
type MenuState struct {
	Account     string     `gorm:"primaryKey;size:32"`
	Published   JSON       `gorm:"not null"` // the menus as they were published last
	PublishedAt *time.Time `gorm:"precision:6"`
	Imported    JSON       `gorm:"type:mediumtext"`              // what became of the last import; nil = none
	Error       string     `gorm:"size:255;not null;default:''"` // of the last attempt
	LeaseTill   time.Time  `gorm:"not null;precision:6"`         // real time: somebody is publishing
}

// TagMirror is a tag of siyu that an account of WeChat has too, because a menu asks for it. Written by app/menu.
type TagMirror struct {
	Account   string    `gorm:"primaryKey;size:32"`
	TagID     int64     `gorm:"primaryKey;autoIncrement:false"`
	WeChatID  int       `gorm:"column:wechat_id;not null"`
	Filled    bool      `gorm:"not null;default:false"`                 // whoever held it when the mirror was made is queued
	Cursor    int64     `gorm:"column:cursor_id;not null;default:0"`    // the last hold that was queued
	Error     string    `gorm:"size:255;not null;default:''"`           // of the last call
	DueAt     time.Time `gorm:"not null;precision:6"`                   // not before
	LeaseTill time.Time `gorm:"column:lease_till;not null;precision:6"` // real time
}

// TagMirrorWork says that a follower's tag may have changed: WeChat is told what he holds now. Written by app/menu.
type TagMirrorWork struct {
	ID         int64  `gorm:"primaryKey"`
	Account    string `gorm:"size:32;not null;index:ix_mirror_work,priority:1"`
	TagID      int64  `gorm:"not null;index:ix_mirror_work,priority:2"`
	IdentityID int64  `gorm:"not null"`
}
