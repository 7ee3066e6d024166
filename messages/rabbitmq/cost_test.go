package rabbitmq_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/internal/servers/mqtest"
	"github.com/attune-automation/attune/messages"
)

// own is the CPU time of this process.
func own(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// of is the CPU time of another process, zero if that cannot be known.
func of(pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// BenchmarkTravel is messages through a real server and back to this process,
// written and read, with at most 200 under way. The CPU of the server is known
// where it is a private one.
func BenchmarkTravel(b *testing.B) {
	one := messages.Bundle{From: "w", Items: []any{messages.Report{Token: attune.Token{Execution: 1 << 50, Attempt: 1}, Kind: messages.Finished, Worker: "w", Incarnation: "w-1", Result: []byte(`{"stdout":"a text"}`)}}}
	full := messages.Bundle{From: "n"}
	for i := range messages.MaxBundle {
		full.Items = append(full.Items, messages.Dispatch{
			Token: attune.Token{Execution: attune.ExecutionID(1<<50 + i), Attempt: 1}, Worker: "worker-1", Incarnation: "worker-1-5f0c2f1e", Node: "n-5f0c2f1e9a7b4c3d",
			Action: "core.echo", Pack: "core", Runner: "echo", Parameters: []byte(`{"message":"a text of some length, as parameters are"}`), Grace: 10 * time.Second,
		})
	}
	end := &messages.ExecutionCompleted{ID: 1 << 50, Version: 3, Action: "core.echo", Status: attune.Completed, Result: []byte(`{"stdout":"a text"}`)}
	for _, c := range []struct {
		name          string
		exchange      messages.Exchange
		key           string
		m             any
		subscriptions int
	}{
		{"bundles of 50 dispatches", messages.ToWorkers, "w", full, 1},
		{"bundles of one report", messages.Reports, "n", one, 1},
		{"announcements to one who listens", messages.Executions, "execution.completed", end, 1},
		{"announcements to nobody", messages.Executions, "execution.completed", end, 0},
	} {
		b.Run(c.name, func(b *testing.B) {
			broker, pid := open(b, mqtest.URL(b)), mqtest.Shared(b).PID()
			var arrived atomic.Int64
			room := make(chan struct{}, 200)
			for range c.subscriptions {
				if _, err := broker.Subscribe(c.exchange, c.key, func(any) { arrived.Add(1); <-room }); err != nil {
					b.Fatal(err)
				}
			}
			mine, theirs := own(b), of(pid)
			sent := 0
			for b.Loop() {
				if c.subscriptions > 0 {
					room <- struct{}{}
				}
				if err := broker.Send(c.exchange, c.key, c.m); err != nil {
					b.Fatal(err)
				}
				if sent++; sent%1000 == 0 {
					if err := broker.Sync(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			}
			if err := broker.Sync(b.Context()); err != nil {
				b.Fatal(err)
			}
			until(b, "all have arrived", func() bool { return int(arrived.Load()) == sent*c.subscriptions })
			b.ReportMetric(float64((own(b)-mine).Nanoseconds())/1000/float64(sent), "ourµs/msg")
			b.ReportMetric(float64((of(pid)-theirs).Nanoseconds())/1000/float64(sent), "serverµs/msg")
			b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "msg/s")
		})
	}
}

// BenchmarkHop is the way of one report when nothing else happens.
func BenchmarkHop(b *testing.B) {
	broker := open(b, mqtest.URL(b))
	arrived := make(chan struct{})
	if _, err := broker.Subscribe(messages.Reports, "n", func(any) { arrived <- struct{}{} }); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := broker.Send(messages.Reports, "n", heartbeat("w")); err != nil {
			b.Fatal(err)
		}
		<-arrived
	}
}

// BenchmarkIntake is messages from outside, published by another client with
// many confirmations under way, taken and acknowledged.
func BenchmarkIntake(b *testing.B) {
	url := mqtest.URL(b)
	broker, pid := open(b, url), mqtest.Shared(b).PID()
	settled := make(chan struct{}, 1000)
	if _, err := broker.Consume(messages.EventQueue, 200, func(d *messages.Delivery) { d.Ack(); settled <- struct{}{} }); err != nil {
		b.Fatal(err)
	}
	c, err := amqp.Dial(url)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	ch, err := c.Channel()
	if err != nil {
		b.Fatal(err)
	}
	if err := ch.Confirm(false); err != nil {
		b.Fatal(err)
	}
	mine, theirs, sent := own(b), of(pid), 0
	for b.Loop() {
		err := ch.Publish(string(messages.Events), "event.created", true, false, amqp.Publishing{ContentType: "application/json", DeliveryMode: amqp.Persistent, Body: []byte(`{"payload":{}}`)})
		if err != nil {
			b.Fatal(err)
		}
		if sent++; sent > 200 {
			<-settled
		}
	}
	for range min(sent, 200) {
		<-settled
	}
	b.ReportMetric(float64((own(b)-mine).Nanoseconds())/1000/float64(sent), "ourµs/msg")
	b.ReportMetric(float64((of(pid)-theirs).Nanoseconds())/1000/float64(sent), "serverµs/msg")
	b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "msg/s")
}
