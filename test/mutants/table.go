package mutants

// mutant is one way to break the product.
type mutant struct {
	// name says what is broken, as the promise that falls.
	name string
	// file is changed, relative to the root of the repository: old, which is
	// there exactly once, becomes broken.
	file, old, broken string
	// pkg and args are the test that must turn red.
	pkg  string
	args []string
}

// seeds is a range of the simulation that must turn red; it ends at the first
// seed that does.
func seeds(n string) []string {
	return []string{"-run", "^TestSeeds$", "-args", "-first", "-seeds", n}
}

var all = []mutant{
	{
		name: "a dead lease may write",
		file: "persistence/memory/flush.go",
		old:  "l == nil || l.Dead {", broken: "l == nil {",
		pkg: "./test/sim", args: seeds("100"),
	},
	{
		name: "an event is acknowledged before it is committed",
		file: "actors/partitions/admission.go",
		old:  "		a.submitted = true\n", broken: "		a.submitted = true\n		if op, ok := a.op.(*persistence.Admit); ok {\n			reply(a.request, messages.Admitted{ID: op.ID()})\n		}\n",
		pkg: "./test/sim", args: seeds("20"),
	},
	{
		name: "a worker does not remember what it has seen",
		file: "worker/receive.go",
		old:  "if a := w.attempts[to.token]; a != nil {", broken: "if a := w.attempts[to.token]; a != nil && to.incarnation != w.incarnation {",
		pkg: "./test/sim", args: seeds("60"),
	},
	{
		name:   "secrets are not sealed",
		file:   "node/secrets.go",
		old:    "	return n.parts.Secrets.Seal(action, rules.AppendJSON(nil, checked), catalog.Hidden(action, given, checked))",
		broken: "	_, _ = catalog, given\n	return rules.AppendJSON(nil, checked), nil",
		pkg:    "./node", args: []string{"-run", "^TestNoActorHoldsASecret$"},
	},
	{
		name: "output tells secrets",
		file: "worker/secrets.go",
		old:  "	e.Data = s.Write(nil, e.Data)\n", broken: "	e.Data = append([]byte(nil), e.Data...)\n",
		pkg: "./worker", args: []string{"-run", "^TestASecretIsMaskedHoweverItIsWritten$"},
	},
	{
		name: "a late report is accepted",
		file: "actors/execution/reports.go",
		old:  "if m.Token.Attempt != x.row.Attempt || m.Incarnation != x.row.Incarnation || ", broken: "if ",
		pkg: "./test/sim", args: seeds("100"),
	},
	{
		name: "expire is terminal at once",
		file: "transitions.go",
		old:  "{Running, Expire, Stopping, CauseTimeout, stop},", broken: "{Running, Expire, TimedOut, NoCause, endAssigned},",
		pkg: "./test/sim", args: seeds("60"),
	},
	{
		name:   "cancel answered before the seen set",
		file:   "worker/receive.go",
		old:    `		w.close(w.admit(to), messages.Report{Kind: messages.Returned, Reason: "it was stopped before it came"})`,
		broken: `		w.say(to.node, w.report(to, messages.Returned, "it was stopped before it came"))`,
		pkg:    "./test/sim", args: seeds("300"),
	},
	{
		name: "tries are not counted",
		file: "retry.go",
		old:  "	if tries >= r.MaxAttempts {", broken: "	if tries > r.MaxAttempts {",
		pkg: "./test/sim", args: seeds("20"),
	},
	{
		name: "no moment is ever due",
		file: "actors/partitions/moments.go",
		old:  "	e.due = m.At\n	if at := m.At; at != 0 {", broken: "	e.due = m.At\n	if at := m.At; at < 0 {",
		pkg: "./test/sim", args: seeds("60"),
	},
	{
		name: "an end is deleted before it is announced",
		file: "persistence/memory/retention.go",
		old:  " || x.row.FinishNumber > d.s.partition(x.row.ID).row.AnnouncedTo {", broken: " {",
		pkg: "./test/sim", args: seeds("60"),
	},
	{
		name: "what is live is deleted",
		file: "persistence/sqlite/prune_trees.go",
		old:  "if !finished.Valid || finished", broken: "if finished",
		pkg: "./persistence/sqlite", args: []string{"-run", "^TestNothingLiveIsPruned"},
	},
	{
		name: "the stream tells what was not committed",
		file: "node/feed.go",
		old:  "if answers[i].Outcome == persistence.Committed {", broken: "if answers[i].Outcome != persistence.NotWritten {",
		pkg: "./node", args: []string{"-run", "^TestOnlyWhatIsCommittedIsTold$"},
	},
	{
		name: "an open answer outlives its token",
		file: "api/visits.go",
		old:  "attune.KindOf(err) == attune.Denied {", broken: "attune.KindOf(err) == attune.Internal {",
		pkg: "./api", args: []string{"-run", "^TestARevokedTokenEndsWhatIsOpen$"},
	},
}
