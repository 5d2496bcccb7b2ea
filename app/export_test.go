package app

// EnsureSandbox is what each start in the sandbox does.
var EnsureSandbox = (*App).ensureSandbox
