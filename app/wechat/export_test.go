package wechat

// Envelope is for the test against the official reply.
var Envelope = envelope
