package messages

import (
	"sync"

	"github.com/attune-automation/attune"
)

// BundleType is the content type of an encoded [Bundle].
const BundleType = "application/vnd.attune.bundle"

// bundleVersion is the version of what BundleType means. A new field or a new
// message needs no new one: readers skip what they do not know. It rises when an
// older reader would misread something, and it refuses the bundle then.
const bundleVersion = 1

// Encode is a message as it crosses the network, and its content type. It takes
// a [Bundle] of messages of the worker protocol, and an announcement, which
// becomes an [Envelope]; m is not changed.
func Encode(m any) (contentType string, body []byte, err error) {
	switch m := m.(type) {
	case Bundle:
		body, err = encodeBundle(&m)
		return BundleType, body, err
	case *Bundle:
		body, err = encodeBundle(m)
		return BundleType, body, err
	case announcement:
		out, err := m.Envelope().Outside()
		return JSONType, out.Body, err
	}
	return "", nil, &attune.Error{Kind: attune.Internal, Code: "no_wire_form", Message: "a message of this type does not cross the network"}
}

// Decode is the inverse of [Encode]: a [Bundle], by value, or an announcement, as
// a pointer. The body may be
// anything: an error is [attune.Invalid], no answer holds more memory than a
// fixed multiple of the body, and none shares the body's.
func Decode(contentType string, body []byte) (any, error) {
	if contentType == JSONType {
		return readAnnouncement(body)
	}
	if contentType != BundleType {
		return nil, &attune.Error{Kind: attune.Invalid, Code: "unknown_content_type", Message: "nothing of ours has this content type", Where: contentType}
	}
	b, err := decodeBundle(body)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// The fields of a bundle. An item's number says what it is; numbers are never
// used again.
const (
	fieldVersion = 1
	fieldFrom    = 2

	itemRegistered   = 16
	itemRegisterAck  = 17
	itemHeartbeat    = 18
	itemHeartbeatAck = 19
	itemDraining     = 20
	itemDispatch     = 21
	itemStop         = 22
	itemStateQuery   = 23
	itemReport       = 24
	itemReportAck    = 25
	itemOutput       = 26
	itemOutputAck    = 27
)

// coder has one of each message, to be written from and read into. When reading
// it holds the one before of the same kind, whose texts are taken over where
// they are the same: most are.
type coder struct {
	wire

	registered   Registered
	registerAck  RegisterAck
	heartbeat    Heartbeat
	heartbeatAck HeartbeatAck
	draining     Draining
	dispatch     Dispatch
	stop         Stop
	stateQuery   StateQuery
	report       Report
	reportAck    ReportAck
	output       Output
	outputAck    OutputAck
}

var coders = sync.Pool{New: func() any { return new(coder) }}

// release gives a coder back, with nothing of what it held.
func (c *coder) release() {
	out := c.out[:0]
	if cap(out) > maxScratch {
		out = nil
	}
	*c = coder{wire: wire{out: out}}
	coders.Put(c)
}

// maxScratch is the largest buffer that is kept for use again.
const maxScratch = 1 << 20

func encodeBundle(b *Bundle) ([]byte, error) {
	if len(b.Items) > MaxBundle {
		return nil, attune.NewError(attune.Internal, "bundle_too_long", "a bundle has more items than it may")
	}
	c := coders.Get().(*coder)
	defer c.release()
	c.putNumber(fieldVersion, bundleVersion)
	c.putText(fieldFrom, b.From)
	for _, item := range b.Items {
		number := c.load(item)
		if number == 0 {
			return nil, attune.NewError(attune.Internal, "no_wire_form", "an item of this type does not travel in a bundle")
		}
		start := c.open(number)
		c.message(number).wire(&c.wire)
		c.shut(start)
	}
	return append(make([]byte, 0, len(c.out)), c.out...), nil
}

func decodeBundle(body []byte) (Bundle, error) {
	c := coders.Get().(*coder)
	defer c.release()
	c.reading, c.in = true, body
	var version uint64
	var b Bundle
	if c.number(fieldVersion, &version); version != bundleVersion && c.err == nil {
		return Bundle{}, &attune.Error{Kind: attune.Invalid, Code: "unknown_version", Message: "the bundle is of a version that this build cannot read"}
	}
	c.text(fieldFrom, &b.From)
	for c.err == nil && len(c.in) > 0 {
		number, known := c.nextMessage()
		if !known {
			continue
		}
		if len(b.Items) == MaxBundle {
			c.fail("it has more items than a bundle may have")
			break
		}
		if item := c.unload(number); item != nil && c.err == nil {
			b.Items = append(b.Items, item)
		}
	}
	if c.err != nil {
		return Bundle{}, c.err
	}
	return b, nil
}

// nextMessage reads an item into the message of its kind; not known means that
// it is of a newer kind, or says something of a newer kind.
func (c *coder) nextMessage() (number int, known bool) {
	number, body := c.nextItem()
	m := c.message(number)
	if m == nil || c.err != nil {
		return number, false
	}
	rest := outer{c.in, 0}
	c.in, c.last, c.foreign = body, 0, false
	m.wire(&c.wire)
	c.leave(rest)
	return number, !c.foreign
}

// message is the message of a kind, nil for an unknown one.
func (c *coder) message(number int) wired {
	switch number {
	case itemRegistered:
		return &c.registered
	case itemRegisterAck:
		return &c.registerAck
	case itemHeartbeat:
		return &c.heartbeat
	case itemHeartbeatAck:
		return &c.heartbeatAck
	case itemDraining:
		return &c.draining
	case itemDispatch:
		return &c.dispatch
	case itemStop:
		return &c.stop
	case itemStateQuery:
		return &c.stateQuery
	case itemReport:
		return &c.report
	case itemReportAck:
		return &c.reportAck
	case itemOutput:
		return &c.output
	case itemOutputAck:
		return &c.outputAck
	}
	return nil
}

// load takes an item over and returns its number, zero for what is none.
func (c *coder) load(item any) int {
	switch item := item.(type) {
	case Registered:
		c.registered = item
		return itemRegistered
	case RegisterAck:
		c.registerAck = item
		return itemRegisterAck
	case Heartbeat:
		c.heartbeat = item
		return itemHeartbeat
	case HeartbeatAck:
		c.heartbeatAck = item
		return itemHeartbeatAck
	case Draining:
		c.draining = item
		return itemDraining
	case Dispatch:
		c.dispatch = item
		return itemDispatch
	case Stop:
		c.stop = item
		return itemStop
	case StateQuery:
		c.stateQuery = item
		return itemStateQuery
	case Report:
		c.report = item
		return itemReport
	case ReportAck:
		c.reportAck = item
		return itemReportAck
	case Output:
		c.output = item
		return itemOutput
	case OutputAck:
		c.outputAck = item
		return itemOutputAck
	}
	return 0
}

// unload is what was read, by value.
func (c *coder) unload(number int) any {
	switch number {
	case itemRegistered:
		return c.registered
	case itemRegisterAck:
		return c.registerAck
	case itemHeartbeat:
		return c.heartbeat
	case itemHeartbeatAck:
		return c.heartbeatAck
	case itemDraining:
		return c.draining
	case itemDispatch:
		return c.dispatch
	case itemStop:
		return c.stop
	case itemStateQuery:
		return c.stateQuery
	case itemReport:
		return c.report
	case itemReportAck:
		return c.reportAck
	case itemOutput:
		return c.output
	case itemOutputAck:
		return c.outputAck
	}
	return nil
}
