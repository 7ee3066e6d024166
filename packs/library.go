package packs

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/attune-automation/attune"
)

// Folders say where the packs of a node stand.
type Folders struct {
	Settings
	// Named are folders that the operator names: packs, or folders of packs.
	Named []string
	// Installed is the folder that packs are installed into, or empty. It may be
	// missing.
	Installed string
}

// Library is the packs of a node as they were last read. It reads them again
// where their files have changed. It is not safe for concurrent use.
type Library struct {
	folders Folders
	builtIn []*attune.Pack
	shelves []*shelf
	// good are the rules that could judge when the packs were read last.
	good map[string]*attune.Rule
	// seen are the stamps of the look before, while they are not those of what
	// was read.
	seen map[string]stamp
}

// shelf is one pack that stands in a folder.
type shelf struct {
	dir, root string
	stamp     stamp
	pack      *attune.Pack
	// again tells that a rule of it waits for others to be mended.
	again bool
}

// NewLibrary reads the packs in the folders, which stand behind those that are
// built in.
func NewLibrary(folders Folders, builtIn ...*attune.Pack) *Library {
	l := &Library{folders: folders, builtIn: builtIn}
	l.recover()
	l.Reload()
	return l
}

// Packs are the packs, in the order in which one hides another: built in, named,
// installed. They must not be changed.
func (l *Library) Packs() []*attune.Pack {
	all := slices.Clone(l.builtIn)
	for _, s := range l.shelves {
		all = append(all, s.pack)
	}
	return all
}

// Look tells whether files have changed since they were read and rest again:
// the look before saw them as they are now. So nothing is read that an editor
// is still writing, if looks are some hundred milliseconds apart.
func (l *Library) Look() bool {
	now := map[string]stamp{}
	changed := false
	dirs, missing := l.dirs()
	for dir := range dirs {
		now[dir] = stampOf(dir, l.folders.Configs)
		s := l.at(dir)
		changed = changed || s == nil || s.stamp != now[dir]
	}
	lost := 0
	for _, s := range l.shelves {
		err := missing[s.root]
		switch _, there := now[s.dir]; {
		case s.lost():
			lost++
			changed = changed || err == nil
		case !there && (err == nil || errors.Is(err, errNoPack)):
			changed = true
		}
	}
	changed = changed || lost != len(missing)
	if !changed {
		l.seen = nil
		return false
	}
	settled := l.seen != nil && len(l.seen) == len(now)
	for dir, stamp := range now {
		before, had := l.seen[dir]
		settled = settled && had && before == stamp
	}
	l.seen = now
	return settled
}

// Moving tells that the last look saw a change that has yet to rest.
func (l *Library) Moving() bool { return l.seen != nil }

// lost tells that a shelf stands for a folder without packs.
func (s *shelf) lost() bool { return s.root == s.dir && s.stamp == stamp{} }

func (l *Library) at(dir string) *shelf {
	for _, s := range l.shelves {
		if s.dir == dir && !s.lost() {
			return s
		}
	}
	return nil
}

// dirs are the folders of packs, each with the folder it was found by, and the
// folders in which none was found.
func (l *Library) dirs() (found map[string]string, missing map[string]error) {
	found, missing = map[string]string{}, map[string]error{}
	for _, root := range l.roots() {
		dirs, err := packsIn(root)
		switch {
		case err == nil:
		case root == l.folders.Installed && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNoPack)):
			continue
		default:
			missing[root] = err
		}
		for _, dir := range dirs {
			if _, twice := found[dir]; !twice {
				found[dir] = root
			}
		}
	}
	return found, missing
}

func (l *Library) roots() []string {
	roots := slices.Clone(l.folders.Named)
	if l.folders.Installed != "" {
		roots = append(roots, l.folders.Installed)
	}
	return roots
}

// Reload reads the packs whose files have changed since they were read, and in
// any case those that are named. A faulty file keeps what it defined before. A
// folder that cannot be read any more keeps its packs, since it is more likely
// away than meant to be empty. It returns what changed, sorted by ref.
func (l *Library) Reload(refs ...string) []Change {
	var shelves []*shelf
	found, missing := l.dirs()
	for _, root := range l.roots() {
		if err := missing[root]; err != nil {
			shelves = append(shelves, &shelf{dir: root, root: root, pack: noPack(root, err)})
			for _, s := range l.shelves {
				if s.root == root && !s.lost() && !errors.Is(err, errNoPack) {
					shelves = append(shelves, s)
				}
			}
			continue
		}
		dirs, _ := packsIn(root)
		for _, dir := range dirs {
			if found[dir] == root {
				delete(found, dir)
				shelves = append(shelves, l.read(dir, root, slices.Contains(refs, refOf(dir))))
			}
		}
	}
	before := l.shelves
	l.shelves, l.seen = shelves, nil
	l.keepRules()
	return changesOf(before, shelves, refs)
}

// changesOf compares what stood in the folders before with what stands there
// now. A pack that nobody named, was read again without need and is the same is
// no news.
func changesOf(before, after []*shelf, named []string) []Change {
	at := func(all []*shelf, dir string) *shelf {
		i := slices.IndexFunc(all, func(s *shelf) bool { return s.dir == dir && !s.lost() })
		if i < 0 {
			return nil
		}
		return all[i]
	}
	var changes []Change
	for _, s := range after {
		switch old := at(before, s.dir); {
		case s.lost():
		case old == nil:
			changes = append(changes, changeOf(nil, s.pack))
		case old.pack != s.pack:
			if c := changeOf(old.pack, s.pack); c.Change != Unchanged || old.stamp != s.stamp || slices.Contains(named, c.Ref) {
				changes = append(changes, c)
			}
		}
	}
	for _, s := range before {
		if !s.lost() && at(after, s.dir) == nil {
			changes = append(changes, changeOf(s.pack, nil))
		}
	}
	slices.SortStableFunc(changes, func(a, b Change) int { return strings.Compare(a.Ref, b.Ref) })
	return changes
}

// keepRules lets rules go on as they were that were changed so that they do not
// fit the actions and triggers there are. A rule that did not change and does
// not fit any more cannot be helped.
func (l *Library) keepRules() {
	s := NewSnapshot(l.Packs())
	good := map[string]*attune.Rule{}
	for _, r := range s.Rules().Sound() {
		good[r.Ref()] = r.Definition
	}
	for _, one := range l.shelves {
		var own *attune.Pack // a copy: the pack may be in use
		for i, r := range one.pack.Rules {
			old := l.good[r.Ref]
			if good[r.Ref] != nil || old == nil || old.Pack != one.pack.Ref || old == r {
				continue
			}
			if _, faults := s.Compile(old); len(faults) > 0 {
				continue
			}
			if own == nil {
				copied := *one.pack
				copied.Rules, copied.Files, copied.Faults = slices.Clone(copied.Rules), slices.Clone(copied.Files), slices.Clone(copied.Faults)
				own, one.pack, one.again = &copied, &copied, true
			}
			_, faults := s.Compile(r)
			own.Faults = append(own.Faults, faults...)
			own.Rules[i], good[r.Ref] = old, old
			for f := range own.Files {
				if own.Files[f].File == r.At.File {
					own.Files[f].State, own.Files[f].Reason = attune.FileKept, keptReason
				}
			}
		}
	}
	l.good = good
}

// refOf is the ref of the pack in a folder: the folder's name.
func refOf(dir string) string {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		absolute = dir
	}
	return filepath.Base(absolute)
}

// read is the shelf of a folder, read again if its files have changed.
func (l *Library) read(dir, root string, anyway bool) *shelf {
	old := l.at(dir)
	now := stampOf(dir, l.folders.Configs) // before it is read: what is saved meanwhile is seen later
	if old != nil && old.stamp == now && !anyway && !old.again {
		return old
	}
	var before *attune.Pack
	if old != nil {
		before = old.pack
	}
	pack := keep(before, l.folders.load(dir, dir))
	pack.Content, _ = Content(dir) // one that cannot be sent has none: workers say so that need it
	return &shelf{dir: dir, root: root, stamp: now, pack: pack}
}
