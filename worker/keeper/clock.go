package keeper

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// BoottimeNow is the present on CLOCK_BOOTTIME: nanoseconds since the machine
// started, suspended time included. Every process of a machine reads the same
// value, and nobody can set it. Leases and moments in events are on this clock.
func BoottimeNow() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(fmt.Sprintf("keeper: read CLOCK_BOOTTIME: %v", err)) // Linux 2.6.39 has it
	}
	return ts.Nano()
}

// never is a moment that does not come.
const never = int64(1<<63 - 1)

// after is the moment d behind now, without overflow.
func after(now int64, d time.Duration) int64 {
	if d > 0 && now > never-int64(d) {
		return never
	}
	return now + int64(d)
}

// alarm tells of one moment on CLOCK_BOOTTIME. Go's timers stand still while
// the machine is suspended; a lease does not.
type alarm struct {
	fd   int
	file *os.File
	at   int64 // the moment armed; never when unarmed
	C    chan struct{}
}

func newAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("create a timer: %w", err)
	}
	return &alarm{fd: fd, file: os.NewFile(uintptr(fd), "timer"), at: never, C: make(chan struct{}, 1)}, nil
}

// listen feeds C until the alarm is closed.
func (a *alarm) listen() {
	var count [8]byte
	for {
		if _, err := a.file.Read(count[:]); err != nil {
			return
		}
		select {
		case a.C <- struct{}{}:
		default: // one is waiting already
		}
	}
}

// set arms the alarm for one moment and forgets the one before. A moment that
// has passed rings at once; never disarms.
func (a *alarm) set(at int64) error {
	if at == a.at {
		return nil
	}
	var spec unix.ItimerSpec
	if at != never {
		spec.Value = unix.NsecToTimespec(max(at, 1)) // zero would disarm
	}
	if err := unix.TimerfdSettime(a.fd, unix.TFD_TIMER_ABSTIME, &spec, nil); err != nil {
		return fmt.Errorf("set the timer: %w", err)
	}
	a.at = at
	return nil
}

func (a *alarm) close() { a.file.Close() }
