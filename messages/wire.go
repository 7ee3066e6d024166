package messages

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/attune-automation/attune"
)

// wired is a message that names its fields, once for writing and reading.
type wired interface{ wire(w *wire) }

// wire writes or reads messages in protobuf's wire format. A message calls one
// method per field, in the order of rising numbers: writing, it puts the field
// where it is not empty; reading, it takes the field if it is the next one, or
// empties it. So the two directions cannot differ, and a message is read in one
// pass. The price: only what we have written ourselves can be read, since fields
// in any other order are refused.
//
// An empty text, number or list is as good as none. Bytes and messages keep the
// difference.
type wire struct {
	reading bool
	out     []byte // written so far
	in      []byte // left to read, of the innermost message
	last    int    // the number read last, of the innermost message
	foreign bool   // something known has an unknown meaning: the item does not count
	err     error  // the first fault in what is read
}

// fail notes a fault of what is read, and ends the reading.
func (w *wire) fail(why string) {
	if w.err == nil {
		w.err = &attune.Error{Kind: attune.Invalid, Code: "malformed_bundle", Message: "the bundle cannot be read: " + why}
	}
	w.in = nil
}

// tag takes the next tag off, zero at the end.
func (w *wire) tag() (number int, kind protowire.Type) {
	n, kind, size := protowire.ConsumeTag(w.in)
	switch {
	case len(w.in) == 0:
		return 0, 0
	case size < 0:
		w.fail("a tag is broken")
		return 0, 0
	case int(n) < w.last:
		w.fail("its fields are out of order")
		return 0, 0
	}
	w.last = int(n)
	w.in = w.in[size:]
	return int(n), kind
}

// peek is the number of the next field, zero at the end.
func (w *wire) peek() int {
	if len(w.in) > 0 && w.in[0] < 0x80 { // numbers up to 15
		return int(w.in[0] >> 3)
	}
	n, _, size := protowire.ConsumeTag(w.in)
	if size < 0 {
		return 0
	}
	return int(n)
}

// skip takes a field off that nobody knows.
func (w *wire) skip(number int, kind protowire.Type) {
	size := protowire.ConsumeFieldValue(protowire.Number(number), kind, w.in)
	if size < 0 {
		w.fail(fmt.Sprintf("field %d is broken", number))
		return
	}
	w.in = w.in[size:]
}

// next reports whether the next field is the one with this number, and takes its
// tag off. Unknown fields before it are skipped.
func (w *wire) next(number int, want protowire.Type) bool {
	for len(w.in) > 0 {
		if w.peek() > number {
			return false
		}
		n, kind := w.tag()
		switch {
		case n == 0:
			return false
		case n != number:
			w.skip(n, kind)
		case kind != want:
			w.fail(fmt.Sprintf("field %d is of another kind", number))
			return false
		default:
			return true
		}
	}
	return false
}

// end skips what is left of a message: fields that are newer than this build.
func (w *wire) end() {
	for len(w.in) > 0 {
		if n, kind := w.tag(); n > 0 {
			w.skip(n, kind)
		}
	}
}

// nextItem takes the next field off, number and content; of one that is no
// message the number is zero.
func (w *wire) nextItem() (number int, content []byte) {
	w.last = 0 // items come in any order
	number, kind := w.tag()
	if number == 0 {
		return 0, nil
	}
	if kind != protowire.BytesType {
		w.skip(number, kind)
		return 0, nil
	}
	return number, w.take(number)
}

// take is the content of a field whose tag was taken off. It is the body's own
// memory.
func (w *wire) take(number int) []byte {
	content, size := protowire.ConsumeBytes(w.in)
	if size < 0 {
		w.fail(fmt.Sprintf("field %d is longer than what is left", number))
		return nil
	}
	w.in = w.in[size:]
	return content
}

func (w *wire) varint(number int) uint64 {
	v, size := protowire.ConsumeVarint(w.in)
	if size < 0 {
		w.fail(fmt.Sprintf("field %d is broken", number))
		return 0
	}
	w.in = w.in[size:]
	return v
}

func (w *wire) fixed(number int) uint64 {
	v, size := protowire.ConsumeFixed64(w.in)
	if size < 0 {
		w.fail(fmt.Sprintf("field %d is broken", number))
		return 0
	}
	w.in = w.in[size:]
	return v
}

func (w *wire) putTag(number int, kind protowire.Type) {
	w.out = protowire.AppendTag(w.out, protowire.Number(number), kind)
}

func (w *wire) putNumber(number int, v uint64) {
	if v != 0 {
		w.putTag(number, protowire.VarintType)
		w.out = protowire.AppendVarint(w.out, v)
	}
}

func (w *wire) putText(number int, v string) {
	if v != "" {
		w.putTag(number, protowire.BytesType)
		w.out = protowire.AppendString(w.out, v)
	}
}

// open begins a message, whose length is known only at its end: there [wire.shut]
// moves it by the bytes that the length takes.
func (w *wire) open(number int) (start int) {
	w.putTag(number, protowire.BytesType)
	return len(w.out)
}

func (w *wire) shut(start int) {
	size := len(w.out) - start
	w.out = protowire.AppendVarint(w.out, uint64(size))
	length := len(w.out) - start - size
	var prefix [10]byte
	copy(prefix[:], w.out[start+size:])
	copy(w.out[start+length:], w.out[start:start+size])
	copy(w.out[start:], prefix[:length])
}

// into reads a message that is a field, whose tag was taken off; leave must
// follow.
func (w *wire) into(number int) outer {
	content := w.take(number)
	o := outer{w.in, w.last}
	w.in, w.last = content, 0
	return o
}

func (w *wire) leave(o outer) {
	w.end()
	if w.last = o.last; w.err == nil {
		w.in = o.in
	}
}

// outer is what is left of the message around the one being read.
type outer struct {
	in   []byte
	last int
}

func (w *wire) number(number int, v *uint64) {
	if !w.reading {
		w.putNumber(number, *v)
		return
	}
	if *v = 0; w.next(number, protowire.VarintType) {
		*v = w.varint(number)
	}
}

// whole is an integer that may be negative, in ten bytes then.
func whole[T ~int | ~int64](w *wire, number int, v *T) {
	u := uint64(*v)
	w.number(number, &u)
	if *v = T(u); uint64(*v) != u {
		w.fail(fmt.Sprintf("field %d is too large", number))
	}
}

// count is an integer from zero to 2³¹-1.
func (w *wire) count(number int, v *int) {
	if whole(w, number, v); w.reading && (*v < 0 || *v > math.MaxInt32) {
		w.fail(fmt.Sprintf("field %d is no count", number))
	}
}

func (w *wire) flag(number int, v *bool) {
	var u uint64
	if *v {
		u = 1
	}
	w.number(number, &u)
	*v = u != 0
}

func (w *wire) duration(number int, v *time.Duration) { whole(w, number, v) }

// choice is one of the words from 1 to most; another, which a newer build may
// have, makes the item foreign.
func choice[T ~uint8](w *wire, number int, v *T, most T) {
	u := uint64(*v)
	w.number(number, &u)
	if w.reading && (u == 0 || u > uint64(most)) {
		w.foreign, u = true, 0
	}
	*v = T(u)
}

func (w *wire) float(number int, v *float64) {
	if !w.reading {
		if *v != 0 {
			w.putTag(number, protowire.Fixed64Type)
			w.out = protowire.AppendFixed64(w.out, math.Float64bits(*v))
		}
		return
	}
	if *v = 0; w.next(number, protowire.Fixed64Type) {
		*v = math.Float64frombits(w.fixed(number))
	}
}

// text is a string. One that is the same as what stands there is not copied.
func text[T ~string](w *wire, number int, v *T) {
	if !w.reading {
		w.putText(number, string(*v))
		return
	}
	if !w.next(number, protowire.BytesType) {
		*v = ""
		return
	}
	if content := w.take(number); string(*v) != string(content) {
		*v = T(content)
	}
}

func (w *wire) text(number int, v *string) { text(w, number, v) }

// bytes is a byte slice; none and an empty one differ.
func (w *wire) bytes(number int, v *[]byte) {
	if !w.reading {
		if *v != nil {
			w.putTag(number, protowire.BytesType)
			w.out = protowire.AppendBytes(w.out, *v)
		}
		return
	}
	if *v = nil; w.next(number, protowire.BytesType) {
		*v = bytes.Clone(w.take(number))
	}
}

// texts is a list of strings. One that is the same as what stands there is not
// copied.
func (w *wire) texts(number int, v *[]string) {
	if !w.reading {
		for _, s := range *v {
			w.putTag(number, protowire.BytesType)
			w.out = protowire.AppendString(w.out, s)
		}
		return
	}
	before, same := *v, 0
	var list []string
	for w.next(number, protowire.BytesType) {
		content := w.take(number)
		switch {
		case list == nil && same < len(before) && before[same] == string(content):
			same++
		default:
			if list == nil {
				list = append(list, before[:same]...)
			}
			list = append(list, string(content))
		}
	}
	if list == nil && same > 0 {
		list = before[:same:same]
	}
	*v = list
}

// labels is a map of strings, written in the order of its keys.
func (w *wire) labels(number int, v *map[string]string) {
	if !w.reading {
		for _, key := range slices.Sorted(maps.Keys(*v)) {
			start := w.open(number)
			w.putText(1, key)
			w.putText(2, (*v)[key])
			w.shut(start)
		}
		return
	}
	*v = nil
	for w.next(number, protowire.BytesType) {
		var key, value string
		o := w.into(number)
		w.text(1, &key)
		w.text(2, &value)
		w.leave(o)
		if *v == nil {
			*v = map[string]string{}
		}
		(*v)[key] = value
	}
}

// token is two fields, number and the one behind it.
func (w *wire) token(number int, v *attune.Token) {
	if !w.reading {
		if v.Execution != 0 {
			w.putTag(number, protowire.Fixed64Type)
			w.out = protowire.AppendFixed64(w.out, uint64(v.Execution))
		}
	} else if v.Execution = 0; w.next(number, protowire.Fixed64Type) {
		v.Execution = attune.ExecutionID(w.fixed(number))
	}
	w.count(number+1, &v.Attempt)
}

// failure is a message that may be missing.
func (w *wire) failure(number int, v **attune.Failure) {
	if !w.reading {
		if f := *v; f != nil {
			start := w.open(number)
			w.putText(1, f.Code)
			w.putText(2, f.Message)
			w.putText(3, f.Detail)
			w.shut(start)
		}
		return
	}
	if *v = nil; w.next(number, protowire.BytesType) {
		f := &attune.Failure{}
		o := w.into(number)
		w.text(1, &f.Code)
		w.text(2, &f.Message)
		w.text(3, &f.Detail)
		w.leave(o)
		*v = f
	}
}

// list is a list of messages.
func list[T any](w *wire, number int, v *[]T, fields func(*wire, *T)) {
	if !w.reading {
		for i := range *v {
			start := w.open(number)
			fields(w, &(*v)[i])
			w.shut(start)
		}
		return
	}
	*v = nil
	for w.next(number, protowire.BytesType) {
		var item T
		o := w.into(number)
		fields(w, &item)
		w.leave(o)
		*v = append(*v, item)
	}
}
