package api_test

import (
	"bytes"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/messages"
	"github.com/attune-automation/attune/persistence"
)

func bring(t *testing.T, url, secret string, body []byte) (status int, answer []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	r.Header.Set("Content-Type", messages.ParcelsType)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if answer, err = io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, answer
}

func TestAWorkerBringsAndFetchesBundles(t *testing.T) {
	w, _, _ := busy(t)
	secret, token := api.NewToken("w1", attune.RoleWorker)
	w.Store.Put(token)
	beat := messages.Bundle{From: "w1-1", Items: []any{messages.Heartbeat{Worker: "w1", Incarnation: "w1-1"}}}
	ack := messages.Bundle{From: "n", Items: []any{messages.HeartbeatAck{Worker: "w1", Incarnation: "w1-1"}}}
	var brought []messages.Parcel
	w.Engine.Link = func(worker, session string, all []messages.Parcel, wait time.Duration) ([]messages.Parcel, error) {
		if worker != "w1" || session != "s1" || wait != 3*time.Second {
			t.Errorf("worker %q, session %q, wait %s", worker, session, wait)
		}
		brought = all
		return []messages.Parcel{{Exchange: messages.ToWorkers, Key: "w1", Message: ack}}, nil
	}
	body, err := messages.EncodeParcels([]messages.Parcel{{Exchange: messages.Heartbeats, Message: beat}})
	if err != nil {
		t.Fatal(err)
	}
	status, answer := bring(t, w.URL+"/api/v1/workers/w1/link?session=s1&wait=3", secret, body)
	got, err := messages.DecodeParcels(answer)
	if status != 200 || err != nil || len(got) != 1 || got[0].Exchange != messages.ToWorkers || len(brought) != 1 || brought[0].Exchange != messages.Heartbeats {
		t.Fatalf("status %d, %v, got %+v, brought %+v", status, err, got, brought)
	}
	if kept, err := w.Store.AuditEntries(t.Context(), persistence.AuditQuery{Limit: 10}); err != nil || len(kept) != 0 {
		t.Errorf("heartbeats are in the audit: %+v, %v", kept, err)
	}
}

// The calls of workers take no place among the requests that wait or stream: when
// the broker is away they carry the leases of everything that runs.
func TestCallsOfWorkersAreNotAmongTheWaiting(t *testing.T) {
	w, _, _ := busy(t)
	secret, token := api.NewToken("w1", attune.RoleWorker)
	w.Store.Put(token)
	var entered atomic.Int64
	open, full := make(chan struct{}), make(chan struct{})
	w.Engine.Link = func(string, string, []messages.Parcel, time.Duration) ([]messages.Parcel, error) {
		if entered.Add(1) == 501 {
			close(full)
		}
		<-open
		return nil, nil
	}
	body, err := messages.EncodeParcels(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	answers := make(chan int, 501)
	for range cap(answers) {
		go func() {
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL+"/api/v1/workers/w1/link?session=s&wait=3", bytes.NewReader(body))
			r.Header.Set("Authorization", "Bearer "+secret)
			r.Header.Set("Content-Type", messages.ParcelsType)
			response, err := client.Do(r)
			if err != nil {
				answers <- 0
				return
			}
			answers <- response.StatusCode
			_ = response.Body.Close()
		}()
	}
	select {
	case <-full:
	case status := <-answers:
		t.Errorf("one is answered %d while the others wait", status)
		answers <- status
	}
	close(open)
	for range cap(answers) {
		if status := <-answers; status != 200 {
			t.Errorf("answered %d", status)
		}
	}
}

// The naive way, to ask for the kind of the token alone, lets any worker take
// the dispatches of another, and report for it.
func TestAWorkerSpeaksForItselfAlone(t *testing.T) {
	w, _, _ := busy(t)
	secret, token := api.NewToken("w2", attune.RoleWorker)
	w.Store.Put(token)
	w.Engine.Link = func(string, string, []messages.Parcel, time.Duration) ([]messages.Parcel, error) {
		t.Error("the engine was asked")
		return nil, nil
	}
	if status, answer := bring(t, w.URL+"/api/v1/workers/w1/link?session=s", secret, []byte{1}); status != 403 || !bytes.Contains(answer, []byte("foreign_worker")) {
		t.Errorf("status %d: %s", status, answer)
	}
	if status, answer := bring(t, w.URL+"/api/v1/workers/w2/link?session=s", secret, []byte("nonsense")); status != 422 {
		t.Errorf("status %d: %s", status, answer)
	}
}
