package keeper_test

import (
	"testing"

	"github.com/attune-automation/attune/worker/keeper"
)

func TestTheProbeSaysWhatAKeeperProves(t *testing.T) {
	need(t, keeper.ByCgroup, "cgroup2")
	if err := keeper.Probe(); err != nil {
		t.Errorf("a keeper makes control groups here, and the probe says: %v", err)
	}
}
