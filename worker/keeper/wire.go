package keeper

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxFrame bounds a message; argv and environment, which the kernel bounds at
	// 6 MiB together, make the largest.
	maxFrame = 8 << 20
	// maxFiles bounds the descriptors of one message.
	maxFiles = 4
	// headerSize is the length of a frame (4 bytes) and its count of files.
	headerSize = 5
)

// wire is one end of a stream socket that carries messages and descriptors.
// Frames need not fit the socket's buffer, which a packet socket would demand.
type wire struct {
	file *os.File
	raw  syscall.RawConn

	sending sync.Mutex // guards out, and keeps frames whole
	out     []byte

	buf   [16 << 10]byte // the one receiver's
	in    []byte         // received, not yet parsed; the one receiver's
	files []int          // received, not yet claimed by a frame; the one receiver's
}

// newWire takes over a non-blocking stream socket.
func newWire(fd int, name string) (*wire, error) {
	file := os.NewFile(uintptr(fd), name)
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	return &wire{file: file, raw: raw}, nil
}

// newWirePair makes the worker's end, and the end that its keeper inherits.
func newWirePair() (*wire, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a socket pair: %w", err)
	}
	w, err := newWire(fds[0], "keeper")
	if err != nil {
		unix.Close(fds[1])
		return nil, nil, err
	}
	return w, os.NewFile(uintptr(fds[1]), "worker"), nil
}

// noLimit leaves a write bounded only by the deadline set on the file, if any.
const noLimit time.Duration = 0

// send writes one message, from any goroutine. It gives up after limit; the
// stream is then torn and must be closed.
func (w *wire) send(m *message, limit time.Duration) error {
	w.sending.Lock()
	defer w.sending.Unlock()
	var header [headerSize]byte
	w.out = append(w.out[:0], header[:]...)
	b := m.appendTo(w.out)
	if len(b)-headerSize > maxFrame {
		return fmt.Errorf("send %d bytes: %w", len(b), unix.E2BIG)
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-headerSize))
	b[4] = byte(len(m.files))
	if w.out = b; cap(b) > 64<<10 {
		w.out = nil // rare and large: not worth keeping
	}
	var oob []byte
	if len(m.files) > 0 {
		oob = unix.UnixRights(m.files...)
	}
	if limit != noLimit {
		if err := w.file.SetWriteDeadline(time.Now().Add(limit)); err != nil {
			return err
		}
	}
	for len(b) > 0 {
		n, err := w.write(b, oob)
		if err != nil {
			return err
		}
		b, oob = b[n:], nil // descriptors travel with the first byte
	}
	return nil
}

func (w *wire) write(b, oob []byte) (n int, err error) {
	rawErr := w.raw.Write(func(fd uintptr) bool {
		for {
			n, err = unix.SendmsgN(int(fd), b, oob, nil, unix.MSG_NOSIGNAL)
			if !errors.Is(err, unix.EINTR) {
				return !errors.Is(err, unix.EAGAIN)
			}
		}
	})
	return n, errors.Join(rawErr, err)
}

// receive waits for the next message. Only one goroutine may call it. The end
// of the other side is io.EOF.
func (w *wire) receive() (*message, error) {
	for {
		if m, err := w.next(); m != nil || err != nil {
			return m, err
		}
		if err := w.fill(); err != nil {
			return nil, err
		}
	}
}

// next takes a whole frame out of what was received, or nil.
func (w *wire) next() (*message, error) {
	if len(w.in) < headerSize {
		return nil, nil
	}
	size, files := int(binary.BigEndian.Uint32(w.in)), int(w.in[4])
	if size > maxFrame || files > maxFiles {
		return nil, fmt.Errorf("%w: %d bytes, %d files", errMalformed, size, files)
	}
	if len(w.in) < headerSize+size {
		return nil, nil
	}
	if files > len(w.files) {
		return nil, fmt.Errorf("%w: %d files, %d came", errMalformed, files, len(w.files))
	}
	m, err := parseMessage(w.in[headerSize : headerSize+size])
	if err != nil {
		return nil, err
	}
	m.files = append(m.files, w.files[:files]...)
	w.files = w.files[files:]
	if w.in = w.in[headerSize+size:]; len(w.in) == 0 {
		w.in = nil
	}
	return m, nil
}

// fill receives some bytes, and the descriptors that came with them. The kernel
// never lets one call reach beyond the bytes that one set of descriptors came
// with, so the space for one set is enough.
func (w *wire) fill() error {
	oob := make([]byte, unix.CmsgSpace(maxFiles*4))
	var n, oobn, flags int
	var err error
	rawErr := w.raw.Read(func(fd uintptr) bool {
		for {
			n, oobn, flags, _, err = unix.Recvmsg(int(fd), w.buf[:], oob, unix.MSG_CMSG_CLOEXEC)
			if !errors.Is(err, unix.EINTR) {
				return !errors.Is(err, unix.EAGAIN)
			}
		}
	})
	if err := errors.Join(rawErr, err); err != nil {
		return err
	}
	if err := w.claim(oob[:oobn]); err != nil {
		return err
	}
	if flags&unix.MSG_CTRUNC != 0 {
		return fmt.Errorf("receive descriptors: %w", unix.EMFILE)
	}
	if n == 0 {
		return io.EOF
	}
	w.in = append(w.in, w.buf[:n]...)
	return nil
}

func (w *wire) claim(oob []byte) error {
	if len(oob) == 0 {
		return nil
	}
	parts, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return fmt.Errorf("receive descriptors: %w", err)
	}
	for i := range parts {
		fds, err := unix.ParseUnixRights(&parts[i])
		if err != nil {
			return fmt.Errorf("receive descriptors: %w", err)
		}
		w.files = append(w.files, fds...)
	}
	return nil
}

// close ends both directions and wakes a receiver, which then closes what no
// message has claimed.
func (w *wire) close() { w.file.Close() }

// drop closes descriptors that arrived and were never claimed; the receiver's.
func (w *wire) drop() {
	closeAll(w.files)
	w.files = nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
