package main

import (
	"os"

	"github.com/attune-automation/attune"
	"github.com/attune-automation/attune/api/client"
	"github.com/attune-automation/attune/messages/https"
)

// connect finds server and token: flags, then environment, then, within an
// action, what that was given, then the data folder of an attune dev that runs
// here. The token of a data folder or of an action is only ever sent to the
// server of that folder or action.
func (p *program) connect() (*client.Client, error) {
	server, token := p.server, p.token
	if server == "" {
		server = p.env("ATTUNE_SERVER")
	}
	if token == "" {
		token = p.env("ATTUNE_TOKEN")
	}
	if given := p.env("ATTUNE_API_URL"); p.data == "" && given != "" && p.env("ATTUNE_API_TOKEN") != "" {
		if server == "" {
			server = given
		}
		if token == "" && server == given {
			token = p.env("ATTUNE_API_TOKEN")
		}
	}
	if server == "" || token == "" {
		data, err := dataFolder(p.data, p.env)
		if err != nil {
			return nil, err
		}
		url, kept, err := FindLocal(data)
		if err != nil {
			return nil, &attune.Error{Kind: attune.Unavailable, Code: client.CodeUnreachable, Message: "the data folder cannot be read", Where: data, Cause: err}
		}
		if server == "" {
			server = url
		}
		if token == "" && server == url {
			token = kept
		}
		if server == "" {
			return nil, &attune.Error{Kind: attune.Unavailable, Code: client.CodeUnreachable, Message: "no server is known and none runs here", Where: data,
				Try: "attune dev starts one; --server URL or ATTUNE_SERVER names one"}
		}
	}
	cl, err := client.New(server, token)
	if err != nil {
		return nil, err
	}
	return cl, p.trust(cl)
}

// trust has the client trust the authorities in the file that the environment
// names, besides those of the system.
func (p *program) trust(cl *client.Client) error {
	file := p.env("ATTUNE_CA")
	if file == "" {
		return nil
	}
	ca, err := readAuthorities(file)
	if err != nil {
		return err
	}
	roots, err := https.Authorities(ca)
	if err == nil {
		cl.Trust(roots)
	}
	return err
}

func readAuthorities(file string) ([]byte, error) {
	ca, err := os.ReadFile(file) //nolint:gosec // the operator's own
	if err != nil {
		return nil, &attune.Error{Kind: attune.Invalid, Code: "no_certificate", Message: "the file of authorities cannot be read", Where: file, Cause: err, Try: "--ca FILE or ATTUNE_CA, in PEM"}
	}
	return ca, nil
}
