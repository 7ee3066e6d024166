#!/bin/sh
# The parameters are one JSON document on standard input. Whatever is printed is
# the attempt's output; a JSON document at the end of it is the result.
parameters=$(cat)
message=$(printf '%s' "$parameters" | sed -n 's/.*"message": *"\([^"]*\)".*/\1/p')
echo "$message"
echo "{\"letters\": ${#message}}"
# An exit code other than 0 means that the attempt failed.
