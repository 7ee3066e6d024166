package postgres

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// kind is a type of PostgreSQL, with the number of its arrays.
type kind struct{ oid, array uint32 }

var (
	bools  = kind{16, 1000}
	byteas = kind{17, 1001}
	int8s  = kind{20, 1016}
	int2s  = kind{21, 1005}
	int4s  = kind{23, 1007}
	texts  = kind{25, 1009}
	jsons  = kind{114, 199}
	uuids  = kind{2950, 2951}
)

// value is a parameter in its binary form; nil bytes are null.
type value struct {
	oid   uint32
	bytes []byte
}

func number(v int64) value  { return value{int8s.oid, binary.BigEndian.AppendUint64(nil, uint64(v))} }
func small(v int16) value   { return value{int2s.oid, binary.BigEndian.AppendUint16(nil, uint16(v))} }
func integer(v int32) value { return value{int4s.oid, binary.BigEndian.AppendUint32(nil, uint32(v))} }
func text(s string) value   { return value{texts.oid, append([]byte{}, s...)} }
func blob(b []byte) value   { return value{byteas.oid, append([]byte{}, b...)} }

// document is null where it is empty.
func document(b []byte) value {
	if len(b) == 0 {
		return value{jsons.oid, nil}
	}
	return value{jsons.oid, b}
}

func truth(b bool) value {
	v := value{bools.oid, []byte{0}}
	if b {
		v.bytes[0] = 1
	}
	return v
}

func numbers(all []int64) value {
	c := column{kind: int8s}
	for _, v := range all {
		c.number(v)
	}
	return c.value()
}

func words(all []string) value {
	c := column{kind: texts}
	for _, v := range all {
		c.text(v)
	}
	return c.value()
}

// column is an array under construction: what one column has in several rows.
type column struct {
	kind  kind
	n     int
	nulls bool
	buf   []byte // the elements, behind arrayHeader
}

// arrayHeader is how many bytes stand before the elements of an array of one
// dimension.
const arrayHeader = 20

func (c *column) size(n int) {
	if c.n == 0 {
		c.buf = append(c.buf[:0], make([]byte, arrayHeader)...)
	}
	c.n++
	c.buf = binary.BigEndian.AppendUint32(c.buf, uint32(int32(n)))
}

func (c *column) number(v int64) {
	c.size(8)
	c.buf = binary.BigEndian.AppendUint64(c.buf, uint64(v))
}

func (c *column) small(v int16) {
	c.size(2)
	c.buf = binary.BigEndian.AppendUint16(c.buf, uint16(v))
}

func (c *column) truth(v bool) {
	c.size(1)
	c.buf = append(c.buf, truth(v).bytes...)
}

func (c *column) text(v string) {
	c.size(len(v))
	c.buf = append(c.buf, v...)
}

func (c *column) blob(v []byte) {
	c.size(len(v))
	c.buf = append(c.buf, v...)
}

func (c *column) null() {
	c.size(-1)
	c.nulls = true
}

// value is the array. It is valid until the column is reset.
func (c *column) value() value {
	if c.n == 0 {
		empty := make([]byte, 12)
		binary.BigEndian.PutUint32(empty[8:], c.kind.oid)
		return value{c.kind.array, empty}
	}
	head := c.buf[:0]
	head = binary.BigEndian.AppendUint32(head, 1) // dimension
	nulls := uint32(0)
	if c.nulls {
		nulls = 1
	}
	head = binary.BigEndian.AppendUint32(head, nulls)
	head = binary.BigEndian.AppendUint32(head, c.kind.oid)
	head = binary.BigEndian.AppendUint32(head, uint32(c.n))
	_ = binary.BigEndian.AppendUint32(head, 1) // the first index
	return value{c.kind.array, c.buf}
}

// rows are the values of several rows, bound one after the other, row by row.
type rows struct {
	names   string
	columns []column
	next    int
}

// newRows has a column for each name, of that kind.
func newRows(names string, kinds ...kind) *rows {
	r := &rows{names: names, columns: make([]column, len(kinds))}
	if n := strings.Count(names, ",") + 1; n != len(kinds) {
		panic(fmt.Sprintf("%d kinds for %d columns: %s", len(kinds), n, names))
	}
	for i, k := range kinds {
		r.columns[i].kind = k
	}
	return r
}

func (r *rows) len() int { return r.columns[0].n }

// reset forgets the values and keeps their memory.
func (r *rows) reset() {
	for i := range r.columns {
		c := &r.columns[i]
		c.n, c.nulls, c.buf = 0, false, c.buf[:0]
		if cap(c.buf) > 4<<20 {
			c.buf = nil
		}
	}
	r.next = 0
}

func (r *rows) column() *column {
	c := &r.columns[r.next]
	if r.next++; r.next == len(r.columns) {
		r.next = 0
	}
	return c
}

func (r *rows) number(v int64) { r.column().number(v) }
func (r *rows) small(v int16)  { r.column().small(v) }
func (r *rows) truth(v bool)   { r.column().truth(v) }
func (r *rows) text(v string)  { r.column().text(v) }
func (r *rows) blob(v []byte)  { r.column().blob(v) }

// document binds null where it is empty.
func (r *rows) document(v []byte) {
	if len(v) == 0 {
		r.column().null()
	} else {
		r.column().blob(v)
	}
}

// moment binds null for 0.
func (r *rows) moment(ms int64) {
	if ms == 0 {
		r.column().null()
	} else {
		r.number(ms)
	}
}

// row is a row of a result, in binary form, valid until the next.
type row [][]byte

func (r row) null(i int) bool { return r[i] == nil }

// number reads an integer of any width; null is 0.
func (r row) number(i int) int64 {
	switch b := r[i]; len(b) {
	case 8:
		return int64(binary.BigEndian.Uint64(b))
	case 4:
		return int64(int32(binary.BigEndian.Uint32(b)))
	case 2:
		return int64(int16(binary.BigEndian.Uint16(b)))
	}
	return 0
}

func (r row) text(i int) string { return string(r[i]) }
func (r row) truth(i int) bool  { return len(r[i]) == 1 && r[i][0] == 1 }

// blob is a copy; null and empty are nil.
func (r row) blob(i int) []byte {
	if len(r[i]) == 0 {
		return nil
	}
	return append([]byte(nil), r[i]...)
}

// epoch is where PostgreSQL counts its microseconds from.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// time reads a timestamptz.
func (r row) time(i int) time.Time { return epoch.Add(time.Duration(r.number(i)) * time.Microsecond) }

// numbers reads an array of bigint; null is none.
func (r row) numbers(i int) (all []int64) {
	b := r[i]
	for b = b[min(len(b), arrayHeader):]; len(b) >= 12; b = b[12:] {
		all = append(all, int64(binary.BigEndian.Uint64(b[4:])))
	}
	return all
}
