#!/bin/sh
parameters=$(cat)
echo "packing for $ATTUNE_EXECUTION_ID: $parameters"
items=$(echo "$parameters" | sed 's/.*"items": *\([0-9]*\).*/\1/')
echo "{\"packed\": $items}"
