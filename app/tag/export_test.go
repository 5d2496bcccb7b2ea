package tag

// Uses names the columns that a merge of tags carries over.
func Uses() (names []string) {
	for _, u := range uses() {
		names = append(names, u.Table+"."+u.Column)
	}
	return names
}
