package audience

// FindNames is who has the part in his name, after changes that are told one after another.
func FindNames(first map[uint32]string, changes []map[uint32]string, part string) []uint32 {
	n := newNames(0)
	for id := range uint32(100_000) {
		if name := first[id]; name != "" {
			n.add(id, small(name))
		}
	}
	for _, now := range changes {
		ids, put := []int64{}, map[uint32]string{}
		for id, name := range now {
			ids, put[id] = append(ids, int64(id)), small(name)
		}
		n = n.change(ids, put)
	}
	return n.find(part).ToArray()
}

// NamesMost is how many changed names are looked through one by one.
const NamesMost = namesMost
