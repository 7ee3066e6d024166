package packs

import "github.com/attune-automation/attune"

// The reasons why a file is not used.
const (
	sensorReason = "sensors are not run by this version; the triggers it names are there, and fire by the API"
	aliasReason  = "aliases are not used by this version"
	policyReason = "policies are not used by this version: nothing is limited or tried again because of it"
)

// sensor takes the triggers of a sensor, reading it tolerantly. The sensor
// itself is not run, which its file says.
func (l *loading) sensor(s *source, v *value) {
	o := s.object(v, "a sensor", nil)
	if o == nil {
		return
	}
	l.file.Ref = l.pack.Ref + "." + o.need("class_name", "a sensor")
	types := o.get("trigger_types")
	if types != nil && types.kind != listKind {
		s.fault(types.at, "", "trigger_types must be a list, not %s", types.describe())
	}
	var triggers []*attune.Trigger
	if types != nil {
		for _, one := range types.list {
			if t := s.object(one, "a trigger type", nil); t != nil {
				triggers = append(triggers, l.newTrigger(s, t, one))
			}
		}
	}
	for _, t := range triggers {
		l.accept(s, "trigger", t.Ref, t.At)
	}
	if len(s.faults) == 0 {
		l.pack.Triggers = append(l.pack.Triggers, triggers...)
		l.file.State, l.file.Reason = attune.FileUnused, sensorReason
	}
}
