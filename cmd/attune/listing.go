package main

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/attune-automation/attune/api"
	"github.com/attune-automation/attune/api/client"
)

// listCommand is the verb list of a noun, with a flag for each filter that its
// route has.
func listCommand[T any](p *program, path, things string, columns []column[T], filters ...string) *cobra.Command {
	var limit int
	var cursor string
	values := map[string]*string{}
	c := &cobra.Command{
		Use: "list", Short: "List " + things, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			q := url.Values{"limit": {strconv.Itoa(limit)}}
			if cursor != "" {
				q.Set("cursor", cursor)
			}
			for name, value := range values {
				if *value == "" {
					continue
				}
				if name == "since" {
					since, err := sinceTime(*value)
					if err != nil {
						return err
					}
					*value = since
				}
				q.Set(name, *value)
			}
			cl, err := p.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			l, err := client.Fetch[api.List[T]](c.Context(), cl, path, q)
			if err != nil {
				return err
			}
			return showList(p, l, columns)
		},
	}
	c.Flags().IntVar(&limit, "limit", 50, "size of the page, up to 1000")
	c.Flags().StringVar(&cursor, "cursor", "", "where to go on, as said by the page before")
	for _, name := range filters {
		hint := "only with this " + name
		if name == "since" {
			hint = "only from then on: a time, or how long ago, such as 1h"
		}
		values[name] = c.Flags().String(name, "", hint)
	}
	return c
}

// sinceTime is a moment that was typed as one, or as how long ago it was.
func sinceTime(s string) (string, error) {
	if d, err := time.ParseDuration(s); err == nil {
		return time.Now().Add(-d).UTC().Format(time.RFC3339), nil
	}
	if _, err := time.Parse(time.RFC3339, s); err != nil {
		return "", usage(fmt.Sprintf("--since %s is not a time", s), "--since 1h, or --since 2026-01-31T12:00:00Z")
	}
	return s, nil
}

// getCommand is the verb get of a noun.
func getCommand[T any](p *program, path, argument string, name func(T) string) *cobra.Command {
	return &cobra.Command{
		Use: "get " + argument, Short: "Show one in full", Args: exactArgs(argument),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := p.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			one, err := client.Fetch[T](c.Context(), cl, path+escaped(args[0]), nil)
			if err != nil {
				return err
			}
			return p.showDocument(one, name(one))
		},
	}
}
