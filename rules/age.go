package rules

import (
	"fmt"
	"strings"
	"time"
)

// aged is the operator of a point in time that is less or more than a number
// of seconds ago, seen from the acceptance of the event: an event that is
// judged again, or by another node, is judged the same.
func aged(wanted int) operator {
	return operator{bind: func(right any) (test, error) {
		if _, _, _, ok := number(right); !ok {
			return nil, fmt.Errorf("its pattern must be a number of seconds, not %s", typeOf(right))
		}
		return func(left any, on *occasion) (bool, error) {
			text, ok := left.(string)
			if !ok {
				return false, fmt.Errorf("%s is no point in time", typeOf(left))
			}
			at, ok := parseTime(text)
			if !ok {
				return false, fmt.Errorf("%s is no point in time: write it as 2006-01-02T15:04:05Z", show(text))
			}
			o, err := order(float64(on.at.Sub(at).Microseconds())/1e6, right)
			return o == wanted && err == nil, err
		}, nil
	}}
}

// The forms of a day, of the clock behind it, of its zone, and those with the
// year at the end or without colons. time.Parse takes fractions of a second
// where there are seconds.
var (
	days = []string{"2006-1-2", "2006/1/2", "20060102", "2 Jan 2006", "2 January 2006", "Jan 2 2006", "January 2 2006",
		"Jan 2, 2006", "January 2, 2006", "1/2/2006", "2-Jan-2006", "Mon, 2 Jan 2006", "Monday, 2 January 2006", "Mon Jan 2 2006", "Monday, 2-Jan-06"}
	clocks = []string{"15:04:05", "15:04", "3:04:05 PM", "3:04 PM", "3:04PM"}
	zones  = []string{"", "Z07:00", " Z07:00", "Z0700", " Z0700", "Z07", " Z07"}
	others = []string{"Mon Jan _2 15:04:05 2006", "Mon Jan _2 15:04:05 -0700 2006", "20060102T150405", "20060102T150405Z07:00", "20060102T150405Z0700"}
)

// parseTime reads the forms of ISO 8601 and of common programs that name at
// least the day; 1/2/2006 is in January. A time without a zone is in UTC.
func parseTime(text string) (time.Time, bool) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, true
	}
	if text = strings.Join(strings.Fields(text), " "); len(text) > 60 {
		return time.Time{}, false
	}
	if at, ok := parseAny(text, others, nil); ok {
		return at, true
	}
	for _, word := range []string{" UTC", " GMT", "UTC", "z"} {
		if bare, cut := strings.CutSuffix(text, word); cut {
			text = bare + "Z"
			break
		}
	}
	start := strings.IndexByte(text, ':')
	if start < 0 {
		return parseAny(strings.TrimSuffix(text, "Z"), days, nil)
	}
	for start > 0 && text[start-1] >= '0' && text[start-1] <= '9' {
		start--
	}
	head := strings.TrimRight(text[:start], " ,")
	if bare, cut := strings.CutSuffix(strings.ToUpper(head), "T"); cut {
		head = head[:len(bare)]
	}
	day, ok1 := parseAny(head, days, nil)
	clock, ok2 := parseAny(text[start:], clocks, zones)
	return time.Date(day.Year(), day.Month(), day.Day(), clock.Hour(), clock.Minute(), clock.Second(), clock.Nanosecond(), clock.Location()), ok1 && ok2
}

func parseAny(text string, layouts, suffixes []string) (time.Time, bool) {
	if suffixes == nil {
		suffixes = []string{""}
	}
	for _, layout := range layouts {
		for _, suffix := range suffixes {
			if at, err := time.Parse(layout+suffix, text); err == nil {
				return at, true
			}
		}
	}
	return time.Time{}, false
}
