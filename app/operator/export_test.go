package operator

// Code is that of a step of thirty seconds.
var Code = code
