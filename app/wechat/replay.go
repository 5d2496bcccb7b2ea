package wechat

// Parse reads the decrypted body of a push that was verified when it came: for running it again.
func Parse(acc Account, body []byte) (*Push, error) {
	root, format, err := parse(body)
	if err != nil {
		return nil, err
	}
	p := &Push{Account: acc.Name, Raw: body, Format: format}
	p.read(root)
	return p, nil
}
