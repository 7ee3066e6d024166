#!/bin/sh
# Calls whoever is on call.
#
# The parameters come as one JSON document on stdin, the result is the JSON
# document in the last line of stdout. What an alert says is written by others:
# it is only ever data here. A value is cut out of the document and put into the
# result as it is, in JSON's escapes; the shell never reads it as words, and
# printf never as its format.
set -eu

document=$(cat)

# field NAME prints the text of a parameter, still with its escapes. A quote
# within a text is \" in JSON, so that "NAME": can only be a key.
field() {
  printf '%s\n' "$document" |
    sed -n 's/.*"'"$1"'" *: *"\([^"\\]*\(\\.[^"\\]*\)*\)".*/\1/p' |
    head -n 1
}

alertname=$(field alertname)
severity=$(field severity)
instance=$(field instance)
summary=$(field summary)
starts_at=$(field starts_at)

if [ -z "$alertname" ]; then
  echo "notify_oncall: the parameter alertname is missing" >&2
  exit 1
fi

printf 'calling on-call: [%s] %s on %s since %s: %s\n' \
  "$severity" "$alertname" "${instance:-an unknown instance}" "$starts_at" "$summary"

printf '{"called": "on-call", "alertname": "%s", "severity": "%s", "instance": "%s", "execution": "%s"}\n' \
  "$alertname" "$severity" "$instance" "${ATTUNE_EXECUTION_ID:-}"
