package console

import "github.com/siyu-scrm/siyu/app/operator"

// Needs is the right that each page and action behind the login asks for, by method and pattern.
func Needs() map[string]operator.Right {
	out := map[string]operator.Right{}
	for _, r := range (&Console{}).routes() {
		out[r.method+" "+root+r.path] = r.right
	}
	return out
}

// FactLeaves are the leaves that the rows of a condition can say.
func FactLeaves() (leaves []string) {
	list, _ := new(Console).facts(nil)
	for _, x := range list {
		leaves = append(leaves, x.Leaf)
	}
	return leaves
}
